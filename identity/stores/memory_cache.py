"""The cache inside one process: the embedded default, and what the tests compare memcached with.

Owns values that end with the process. Must not be used by two daemons or workers, which would
each have sessions of their own. Invariant: nothing unexpired is ever dropped to make room; a
full cache refuses what is new, as memcached does with `-M`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final

from identity.errors import StoreUnavailable
from identity.sessions.store import Written
from identity.stores.bounds import check_keys, check_write
from identity.stores.cache import CacheKey, CacheVersion, Got, Missing, NodeState, Value
from identity.types import SECOND, Clock, Millis

NAME: Final = "memory"
DEFAULT_COUNT: Final = 100_000
"""About 100 MB of session records."""


@dataclass(frozen=True, slots=True)
class _Item:
    value: Value
    expires_at: Millis


class MemoryCache:
    """A `Cache` in a dict.

    Args:
        clock: decides what has expired.
        count: how many values are kept at most.
    """

    def __init__(self, *, clock: Clock, count: int = DEFAULT_COUNT) -> None:
        self._clock = clock
        self._count = count
        self._items: dict[CacheKey, _Item] = {}
        self._writes = 0
        self._swept_at: Millis | None = None
        self._lock = Lock()

    def get_many(self, keys: Collection[CacheKey]) -> Mapping[CacheKey, Got]:
        """Read all keys."""
        check_keys(keys)
        now = self._clock()
        with self._lock:
            return {key: self._live(key, now) or Missing.ABSENT for key in keys}

    def add(self, key: CacheKey, data: bytes, *, expires_at: Millis) -> Written:
        """Create the value if there is none. Raises StoreUnavailable when the cache is full."""
        now = self._clock()
        check_write(key, data, expires_at=expires_at, now=now)
        with self._lock:
            if self._live(key, now):
                return Written.LOST
            if key not in self._items and len(self._items) >= self._count:
                self._make_room(now)
            self._put(key, data, expires_at)
        return Written.APPLIED

    def swap(self, key: CacheKey, data: bytes, *, version: CacheVersion, expires_at: Millis) -> Written:
        """Replace the value if it is still at `version`."""
        now = self._clock()
        check_write(key, data, expires_at=expires_at, now=now)
        with self._lock:
            there = self._live(key, now)
            if there is None or there.version != version:
                return Written.LOST
            self._put(key, data, expires_at)
        return Written.APPLIED

    def remove(self, key: CacheKey) -> Written:
        """Delete the value; exactly one of several callers gets APPLIED."""
        check_keys((key,))
        now = self._clock()
        with self._lock:
            there = self._live(key, now)
            self._items.pop(key, None)
        return Written.APPLIED if there else Written.LOST

    def nodes(self) -> tuple[NodeState, ...]:
        """Return one node, which is always usable; full is a warning."""
        with self._lock:
            full = len(self._items) >= self._count
        return (NodeState(NAME, "", warning=f"holds {self._count} values, its limit" if full else ""),)

    def node_of(self, key: CacheKey) -> str:  # noqa: ARG002 - the same question memcached answers
        """Return the name of the node that holds this key."""
        return NAME

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()

    def _live(self, key: CacheKey, now: Millis) -> Value | None:
        item = self._items.get(key)
        return item.value if item and item.expires_at > now else None

    def _put(self, key: CacheKey, data: bytes, expires_at: Millis) -> None:
        # Versions are never used twice, also not by a value that was removed and made anew.
        self._writes += 1
        self._items[key] = _Item(Value(data, CacheVersion(b"%d" % self._writes)), expires_at)

    def _make_room(self, now: Millis) -> None:
        """Drop what has expired. Looks through everything, so once a second at most."""
        if self._swept_at is None or not 0 <= now - self._swept_at < SECOND:
            self._swept_at = now
            self._items = {key: item for key, item in self._items.items() if item.expires_at > now}
        if len(self._items) >= self._count:
            raise StoreUnavailable(detail=f"the in-process cache holds {self._count} unexpired values, its limit")
