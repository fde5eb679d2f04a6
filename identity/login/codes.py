"""A start code: the right to one sub-session, on its way from the login host to an application's.

Owns what a code says and when it may be redeemed. Pure; its bytes are `packing.py`, its seal is
`carrying.py`. Invariants: a code is worth nothing without the secret whose hash it was made for, and
that secret never left the browser (or the application) that began (login CSRF: an attacker could
otherwise log a victim in to the attacker's account); it serves one host of one application, once,
for a minute.
"""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from identity.login.flow import SKEW_MS, Flaw, spelt
from identity.types import MINUTE, SECOND, AccountId, ClientId, Host, Millis, SessionId

CODE_MS: Final[Millis] = 60 * SECOND
START_MS: Final[Millis] = 10 * MINUTE
"""How long the secret waits for its code: as long as a login may take."""
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a sub-session is wanted, and by whom."""

    client: ClientId
    host: Host
    challenge: str = field(repr=False)
    """Hash of the secret that must be shown with the code."""
    path: str
    """On that host; already safe."""


@dataclass(frozen=True, slots=True)
class StartCode:
    """What a code stands for."""

    destination: Destination
    account_id: AccountId
    login: SessionId
    """The login host's session it was made for."""
    created_at: Millis

    @property
    def expires_at(self) -> Millis:
        """When the record is void."""
        return self.created_at + CODE_MS


def challenge_of(secret: str) -> str:
    """Return what a secret is known by outside its browser (as PKCE's S256, RFC 7636 section 4.2)."""
    return spelt(hashlib.sha256(secret.encode()).digest())


def is_challenge(text: str) -> bool:
    """Tell whether this can be the hash of a secret."""
    return _CHALLENGE.fullmatch(text) is not None


def start_flaw(code: StartCode, *, client: ClientId, host: Host, secrets: Collection[str], now: Millis) -> Flaw | None:
    """Tell why a code may not open a sub-session here; None if it may.

    The first row that applies:

        condition                                             | flaw
        ------------------------------------------------------+------------------
        it was made for another host                          | OTHER_HOST
        it was made for another application                   | OTHER_APPLICATION
        no secret that is shown hashes to its challenge       | OTHER_BROWSER
        older than 1 minute, or more than 1 minute ahead      | EXPIRED
        none of these                                         | None
    """
    wanted = code.destination
    if wanted.host != host:
        return Flaw.OTHER_HOST
    if wanted.client != client:
        return Flaw.OTHER_APPLICATION
    if wanted.challenge not in {challenge_of(secret) for secret in secrets}:
        return Flaw.OTHER_BROWSER
    return None if is_fresh(code, now=now) else Flaw.EXPIRED


def is_fresh(code: StartCode, *, now: Millis) -> bool:
    """Tell whether a code is neither too old nor from the future."""
    return code.created_at - SKEW_MS <= now < code.expires_at
