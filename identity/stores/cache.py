"""The small set of memcached's abilities everything short-lived is built on.

Owns the Protocol that `memory_cache.py` and `memcached.py` implement and one contract suite tests.
Values are bytes; sealing (authentication, versions) is `sealing.py`. A key lives on exactly one
node for ever: a node that is down makes its keys `Missing.UNREACHABLE`, never moves them, because an
old value coming back would make honest tokens look stolen.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NewType, Protocol, TypeAlias

from identity.sessions.store import Written
from identity.types import Millis

CacheKey = NewType("CacheKey", str)
"""Printable ASCII without spaces, 1 to 200 characters, with a type prefix such as `s1:` (`n1:` is taken)."""
CacheVersion = NewType("CacheVersion", bytes)


@dataclass(frozen=True, slots=True)
class Value:
    """A value and the version a compare-and-swap must name."""

    data: bytes
    version: CacheVersion


class Trip(Enum):
    """What a round trip to a node was for."""

    READ = "read"
    WRITE = "write"
    PROBE = "probe"


class Missing(Enum):
    """Why there is no value."""

    ABSENT = "absent"
    UNREACHABLE = "unreachable"


Got: TypeAlias = Value | Missing


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node as `/readyz` shows it. `problem` is empty when the node is usable."""

    name: str
    problem: str
    clock_ahead_ms: Millis = 0
    warning: str = ""
    """What an operator should change although the node is usable."""
    full: bool = False
    """It has no room for new values: logins fail, and open sessions go on."""


class Cache(Protocol):
    """Bytes by key with expiry, compare-and-swap, and single-use taking. Thread-safe.

    `expires_at` is an absolute time; a write whose time is past is refused with ValueError, as is
    a key or a value that is not within the bounds of `bounds.py`.
    """

    def get_many(self, keys: Collection[CacheKey]) -> Mapping[CacheKey, Got]:
        """Read all keys: one round trip per node, an entry for every key asked for."""
        ...

    def add(self, key: CacheKey, data: bytes, *, expires_at: Millis) -> Written:
        """Create the value if there is none. Raises StoreUnavailable when a bounded store is full."""
        ...

    def swap(self, key: CacheKey, data: bytes, *, version: CacheVersion, expires_at: Millis) -> Written:
        """Replace the value if it is still at `version`."""
        ...

    def remove(self, key: CacheKey) -> Written:
        """Delete the value: of several callers at once exactly one gets APPLIED, the others LOST."""
        ...

    def nodes(self) -> tuple[NodeState, ...]:
        """Probe every node (two round trips each; not for the path of a request)."""
        ...
