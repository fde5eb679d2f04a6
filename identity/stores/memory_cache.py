"""The cache inside one process: the embedded default, and what the tests compare memcached with.

Owns values that end with the process. Must not be used by two daemons or workers, which would
each have sessions of their own. Invariants: nothing unexpired is ever dropped to make room; a
full cache refuses what is new, as memcached does with `-M`. Session records have a budget of their
own, in values and in bytes, so that nothing else can keep people from logging in.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final

from identity.errors import StoreUnavailable
from identity.sessions.store import Written
from identity.stores.bounds import SESSION_PREFIX, check_keys, check_write
from identity.stores.cache import CacheKey, CacheVersion, Got, Missing, NodeState, Value
from identity.types import SECOND, Clock, Millis

NAME: Final = "memory"
DEFAULT_COUNT: Final = 100_000
"""About 100 MB of session records."""
SESSION_BYTES: Final = 256 * 2**20
OTHER_BYTES: Final = 32 * 2**20
"""Markers of logins, counters: 60,000 of them."""
_OVERHEAD_BYTES: Final = 448
"""What Python needs for one value beside its bytes, measured."""


@dataclass(frozen=True, slots=True)
class _Item:
    value: Value
    expires_at: Millis


class _Budget:
    """What one kind of values may take, and takes."""

    def __init__(self, what: str, *, count: int, size: int) -> None:
        self.what = what
        self.most = count
        self.most_bytes = size
        self.count = 0
        self.bytes = 0
        self.swept_at: Millis | None = None

    def add(self, key: CacheKey, item: _Item, *, times: int = 1) -> None:
        """Take a value in; with `times` -1, let it go."""
        self.count += times
        self.bytes += times * _size(key, item.value.data)

    def has_room(self, size: int) -> bool:
        """Tell whether one more value of this size may be taken in."""
        return self.count < self.most and self.bytes + size <= self.most_bytes

    def full(self) -> str:
        """Return what an operator is told when this is full; empty while it is not."""
        if self.count >= self.most:
            return f"holds {self.most} {self.what}, its limit"
        near = self.bytes + _OVERHEAD_BYTES >= self.most_bytes
        return f"holds {self.bytes >> 20} MB of {self.what}, its limit" if near else ""


class MemoryCache:
    """A `Cache` in a dict.

    Args:
        clock: decides what has expired.
        count: how many session records, and how many other values, are kept at most.
        session_bytes, other_bytes: how much memory they may take, what Python needs for them included.
        refused: hears the name of this node for every value there was no room for; must not block.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        count: int = DEFAULT_COUNT,
        session_bytes: int = SESSION_BYTES,
        other_bytes: int = OTHER_BYTES,
        refused: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._refused = refused
        self._clock = clock
        self._items: dict[CacheKey, _Item] = {}
        self._sessions = _Budget("session records", count=count, size=session_bytes)
        self._others = _Budget("values", count=count, size=other_bytes)
        self._writes = 0
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
            self._let_go(key)
            self._make_room(key, data, now)
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
            # What is there may always change: people who are logged in go on when the cache is full.
            self._let_go(key)
            self._put(key, data, expires_at)
        return Written.APPLIED

    def remove(self, key: CacheKey) -> Written:
        """Delete the value; exactly one of several callers gets APPLIED."""
        check_keys((key,))
        now = self._clock()
        with self._lock:
            there = self._live(key, now)
            self._let_go(key)
        return Written.APPLIED if there else Written.LOST

    def nodes(self) -> tuple[NodeState, ...]:
        """Return one node, which is always usable; full is a warning."""
        with self._lock:
            full = self._sessions.full() or self._others.full()
        return (NodeState(NAME, "", warning=full, full=bool(full)),)

    def node_of(self, key: CacheKey) -> str:  # noqa: ARG002 - the same question memcached answers
        """Return the name of the node that holds this key."""
        return NAME

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
            self._count_anew()

    def _live(self, key: CacheKey, now: Millis) -> Value | None:
        item = self._items.get(key)
        return item.value if item and item.expires_at > now else None

    def _put(self, key: CacheKey, data: bytes, expires_at: Millis) -> None:
        # Versions are never used twice, also not by a value that was removed and made anew.
        self._writes += 1
        self._items[key] = item = _Item(Value(data, CacheVersion(b"%d" % self._writes)), expires_at)
        self._budget(key).add(key, item)

    def _let_go(self, key: CacheKey) -> None:
        item = self._items.pop(key, None)
        if item:
            self._budget(key).add(key, item, times=-1)

    def _budget(self, key: CacheKey) -> _Budget:
        return self._sessions if key.startswith(SESSION_PREFIX) else self._others

    def _make_room(self, key: CacheKey, data: bytes, now: Millis) -> None:
        """Drop what has expired if it must be. Looks through everything, so once a second at most."""
        budget, size = self._budget(key), _size(key, data)
        if budget.has_room(size):
            return
        if budget.swept_at is None or not 0 <= now - budget.swept_at < SECOND:
            budget.swept_at = now
            self._items = {key: item for key, item in self._items.items() if item.expires_at > now}
            self._count_anew()
        if not budget.has_room(size):
            self._refused(NAME)
            raise StoreUnavailable(detail=f"the in-process cache {budget.full() or 'has no room for a value'}")

    def _count_anew(self) -> None:
        for budget in (self._sessions, self._others):
            budget.count = budget.bytes = 0
        for key, item in self._items.items():
            self._budget(key).add(key, item)


def _size(key: CacheKey, data: bytes) -> int:
    return len(key) + len(data) + _OVERHEAD_BYTES
