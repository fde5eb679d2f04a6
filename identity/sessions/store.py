"""Where session records are kept, as the session service needs it.

Every write is an `add` or a compare-and-swap; there is no plain write, so no server can undo
another's. The implementation over a cache is `identity.stores.records`.
"""

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NewType, Protocol, TypeAlias

from identity.sessions.record import Record
from identity.types import Locator, Millis

Version = NewType("Version", bytes)
"""Opaque; changes with every write of a record."""


@dataclass(frozen=True, slots=True)
class Found:
    """The record and the version a compare-and-swap must name."""

    record: Record
    version: Version


class Absent(Enum):
    """There is no record: the account has no session, or the store lost it."""

    ABSENT = "absent"


class Unread(Enum):
    """The record could not be read. Never a reason to end a session."""

    DOWN = "down"
    """The node does not answer, or is not the node it should be."""
    CORRUPT = "corrupt"
    """The value fails its authentication: an alarm."""
    NEWER = "newer"
    """Written in a format or under a key this process does not know yet."""


Read: TypeAlias = Found | Absent | Unread


class Written(Enum):
    """What became of a conditional write."""

    APPLIED = "applied"
    LOST = "lost"
    """Another request wrote, added or removed it first: read again."""
    UNKNOWN = "unknown"
    """The store may or may not have written; nothing may be built on either."""


class SessionStore(Protocol):
    """Session records by locator. All methods are thread-safe and bounded by the store's time-outs."""

    def read_many(self, locators: Collection[Locator]) -> Mapping[Locator, Read]:
        """Read all records at once: one round trip per node, an entry for every locator asked for."""
        ...

    def add(self, locator: Locator, record: Record, *, expires_at: Millis) -> Written:
        """Create the record if there is none."""
        ...

    def swap(self, locator: Locator, record: Record, *, version: Version, expires_at: Millis) -> Written:
        """Replace the record if it is still at `version`."""
        ...

    def replace_corrupt(self, locator: Locator, record: Record, *, expires_at: Millis) -> Written:
        """Replace a record that reads as corrupt, and only such a one (after a proven login)."""
        ...


class AsyncSessionStore(Protocol):
    """What a check needs of a `SessionStore`, for an event loop."""

    def read_many(self, locators: Collection[Locator]) -> Awaitable[Mapping[Locator, Read]]:
        """As `SessionStore.read_many`."""
        ...

    def swap(self, locator: Locator, record: Record, *, version: Version, expires_at: Millis) -> Awaitable[Written]:
        """As `SessionStore.swap`."""
        ...
