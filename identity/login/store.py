"""Where logins in progress are kept: single use, bound to browser and purpose, short-lived.

The kind of a record is in its key and in its sealed body, so that no record of one kind is ever
accepted where another is expected (THREATS 5, 6). The implementation is `identity.stores.records`.
"""

from enum import Enum
from typing import Protocol

from identity.types import Millis


class Kind(Enum):
    """What a one-time record is for; the value is part of its key."""

    FLOW = "f1"
    """A login that was sent to a provider."""
    SIGN_UP = "u1"
    """A proven identity that has no username yet."""
    START = "c1"
    """The right to one sub-session on an application's host."""


class OneTimeStore(Protocol):
    """Records that can be taken once. Thread-safe; every method raises StoreUnavailable on an outage."""

    def put(self, kind: Kind, name: str, body: bytes, *, expires_at: Millis) -> None:
        """Keep `body` under a name nobody can guess. Raises ValueError if the name is taken."""
        ...

    def peek(self, kind: Kind, name: str) -> bytes | None:
        """Return the record and leave it; None if it is absent, expired or taken."""
        ...

    def take(self, kind: Kind, name: str) -> bytes | None:
        """Return the record and remove it; of several callers at once exactly one gets it."""
        ...
