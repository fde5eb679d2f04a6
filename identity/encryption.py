"""Encrypting under the key ring: what others hold or keep for us, and must neither read nor change.

Owns the envelope, and is the only home of `cryptography`. Must not know what is inside. Pure. Invariant:
an envelope opens only for the purpose, and at the place, it was sealed for.

    version 1 | key number 1 | salt 16 | ciphertext, which ends in a tag of 16

AES-128-GCM under a key of its own for each envelope, derived from the key ring over the salt; version, key
number and place are authenticated with it.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from identity.keyring import KeyRing, Purpose
from identity.types import Clock, RandomBytes

_VERSION: Final = 1
_SALT_BYTES: Final = 16
_TAG_BYTES: Final = 16
_HEAD_BYTES: Final = 2
_NONCE: Final = bytes(12)
"""Never changes: no key seals twice."""


class Unopened(Enum):
    """Why an envelope does not open."""

    FORGED = "forged"
    """It was not sealed by us for this place, or was changed."""
    KEY_GONE = "key-gone"
    """Its key left the ring: nothing can be said of it, and nothing read."""
    NEWER_KEY = "newer-key"
    """It names a key that this daemon has not read yet."""


class Encryption:
    """Seals and unseals envelopes for one purpose.

    Args:
        keys: gives the current key ring.
        purpose: no envelope of one purpose opens for another.
        clock: decides which key seals.
        random_bytes: makes salts.
    """

    def __init__(
        self, keys: Callable[[], KeyRing], *, purpose: Purpose, clock: Clock, random_bytes: RandomBytes
    ) -> None:
        self._keys = keys
        self._purpose = purpose
        self._clock = clock
        self._random = random_bytes

    def seal(self, place: bytes, body: bytes) -> bytes:
        """Return an envelope that opens only with the same place."""
        ring = self._keys()
        number = ring.signing_number(self._clock())
        salt = self._random(_SALT_BYTES)
        head = bytes((_VERSION, number))
        return head + salt + self._cipher(ring, number, salt).encrypt(_NONCE, body, head + place)

    def unseal(self, place: bytes, envelope: bytes) -> bytes | Unopened:
        """Return what is inside, or why it cannot be read."""
        if len(envelope) < _HEAD_BYTES + _SALT_BYTES + _TAG_BYTES or envelope[0] != _VERSION:
            return Unopened.FORGED
        ring, number = self._keys(), envelope[1]
        if not ring.knows(number):
            return Unopened.NEWER_KEY if number > ring.newest else Unopened.KEY_GONE
        head, salt = envelope[:_HEAD_BYTES], envelope[_HEAD_BYTES:][:_SALT_BYTES]
        try:
            return self._cipher(ring, number, salt).decrypt(_NONCE, envelope[_HEAD_BYTES + _SALT_BYTES :], head + place)
        except InvalidTag:
            return Unopened.FORGED

    def is_outdated(self, envelope: bytes) -> bool:
        """Tell whether an envelope that opened is under an older key than the one that seals now."""
        return envelope[1] < self._keys().signing_number(self._clock())

    def _cipher(self, ring: KeyRing, number: int, salt: bytes) -> AESGCM:
        return AESGCM(ring.mac(number, self._purpose, salt))
