"""The key ring: which keys sign and verify, and the keyed hashes made from them.

Owns the format of the key file and the derivation of one key per purpose. Pure: the caller
reads the file and tells the time. Invariant: a number is never given to two keys, and the
locator key never changes (the session record of an account is found by it).

    key | verifies            | signs
    ----+---------------------+-----------------------------------------------------------
    1st | always              | at once (nobody else can know another key)
    nth | from its creation   | from 10 minutes after its creation, so that every daemon
        |                     | that re-reads the file knows it before the first token

SESSIONS.md section 3 in words: docs/sessions.md.
"""

import base64
import binascii
import datetime
import hmac
from dataclasses import dataclass
from hashlib import blake2s
from typing import Final

from identity.errors import ConfigError
from identity.types import AccountId, Locator, Millis, Secret

SIGNS_AFTER_MS: Final = 600_000
SECRET_BYTES: Final = 32
MAC_BYTES: Final = 16
HIGHEST_NUMBER: Final = 255
