"""What is remembered of logins in progress: that one was used, and how often something was asked for.

Logins themselves are carried by their browsers (`carrying.py`); what is written here is small, and
only for what is genuine (THREATS 48). The kind of a record is in its key and in its sealed body, so
that no record of one kind is ever accepted where another is expected (THREATS 5, 6). The
implementation is `identity.stores.records`.
"""

from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Protocol

from identity.types import Millis


class RecordKind(Enum):
    """What a record, or what a browser carries, is for; the value is part of its key and of its seal."""

    FLOW = "f1"
    """A login that was sent to a provider."""
    SIGN_UP = "u1"
    """A proven identity that has no username yet."""
    START = "c1"
    """The right to one sub-session on an application's host."""
    LINK = "l1"
    """A proven identity that waits to be confirmed as one more way to log in."""
    LINKS = "w1"
    """How often ways to log in were added to an account."""
    TOLD = "o1"
    """What a provider says of a person only once."""
    FOLLOWED = "i1"
    """An invitation whose link was opened."""
    HINT = "h1"
    """The ID token that a browser shows when it logs out at its provider."""
    NAMES = "t1"
    """The names an identity asked for while signing up."""
    PACE = "p1"
    """How many logins came from an address."""
    NOTICE = "j1"
    """A provider's notice that counted."""
    UPSTREAM = "v1"
    """Which session here a provider's own session led to."""


class OneTimeStore(Protocol):
    """Records that can be taken once. Thread-safe; every method raises StoreUnavailable on an outage."""

    def put(self, kind: RecordKind, name: str, body: bytes, *, expires_at: Millis) -> None:
        """Keep `body` under a name that cannot be guessed. Raises ValueError if the name is taken."""
        ...

    def peek(self, kind: RecordKind, name: str) -> bytes | None:
        """Return the record and leave it; None if it is absent, expired or taken."""
        ...

    def take(self, kind: RecordKind, name: str) -> bytes | None:
        """Return the record and remove it; of several callers at once exactly one gets it."""
        ...

    def spend(self, kind: RecordKind, name: str, *, expires_at: Millis) -> bool:
        """Mark the name as used; of all callers, at once or later, exactly one gets True."""
        ...

    def amend(
        self, kind: RecordKind, name: str, change: Callable[[bytes], bytes | None], *, expires_at: Millis
    ) -> bytes:
        """Change a record under a condition and return it as it then stands; absent is empty.

        `change` gives the new body, or None to leave it as it is, and may be called several times.
        The first write decides when it expires. Raises StoreUnavailable also when others changed
        it at every attempt.
        """
        ...

    def peek_many(self, kind: RecordKind, names: Collection[str]) -> Mapping[str, bytes | None]:
        """Return several records, as `peek` does, in one round trip to each node."""
        ...
