"""The words every layer shares: ids and times.

Owns the NewTypes that keep two ids of one base type apart. Must not import
anything of ours: every other module may import this one.

Times are whole milliseconds since 1970 in UTC (`Millis`) and end in `_at`; durations are
whole milliseconds and end in `_ms` inside the code, seconds and `_s` in the configuration.
"""

from collections.abc import Callable
from typing import Final, NewType, Protocol, TypeAlias
from uuid import UUID

AccountId = NewType("AccountId", UUID)
"""Stable id of an account; what applications store as `sub`."""
Username = NewType("Username", str)
"""A username as its owner spelt it."""
UsernameKey = NewType("UsernameKey", str)
"""A username folded (RFC 8265 UsernameCaseMapped): what is unique."""
IdentityKey = NewType("IdentityKey", str)
"""`provider:subject`, the only way an account is ever found at a login."""
SessionId = NewType("SessionId", bytes)
"""16 random bytes; names one session for its whole life."""
TokenId = NewType("TokenId", bytes)
"""8 random bytes; names one token, which is handed out in exactly one answer."""
Locator = NewType("Locator", bytes)
"""12 bytes; keyed hash of an account id, finds the account's session record."""
Host = NewType("Host", str)
"""Host name of an application as a browser addresses it, lower case, with a port only if not the default."""
ClientId = NewType("ClientId", str)
"""Name of a registered application."""

Millis: TypeAlias = int
"""A point in time or a duration, in milliseconds; a point is counted from 1970, UTC."""

Clock: TypeAlias = Callable[[], Millis]
Chance: TypeAlias = Callable[[], float]
RandomBytes: TypeAlias = Callable[[int], bytes]
Checkpoint: TypeAlias = Callable[[str], None]
"""Called with the name of the place a multi-step write has reached; kill tests end the process in it."""


class Count(Protocol):
    """Adds to a counter of the metrics; `Metrics.count` is one."""

    def __call__(self, name: str, /, **labels: str) -> None:
        """Add one."""
        ...


SECOND: Final[Millis] = 1_000
MINUTE: Final[Millis] = 60 * SECOND
HOUR: Final[Millis] = 60 * MINUTE
DAY: Final[Millis] = 24 * HOUR
