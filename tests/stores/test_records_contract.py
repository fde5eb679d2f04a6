"""The contracts of session records and one-time records over the in-process cache and real memcached."""

from collections.abc import Callable, Iterator

import pytest

from identity.login.store import RecordKind
from identity.stores.alarm import CorruptAlarm
from identity.stores.cache import Cache, CacheKey
from identity.stores.memory_cache import MemoryCache
from identity.stores.records import OneTimeRecords, SessionRecords, key_of
from identity.types import Clock, Locator, Millis
from tests.contracts.one_time import OneTimeContract
from tests.contracts.one_time import Subject as OneTimeSubject
from tests.contracts.session_store import SessionStoreContract
from tests.contracts.session_store import Subject as SessionSubject
from tests.stores.test_cache_contract import wait_for_memcached
from tests.support.caches import memcached_cache, ring, servers, wall_clock
from tests.support.clock import ManualClock
from tests.support.guards import Expectation
from tests.support.memcached import MemcachedNode
from tests.support.planting import overwrite

Advance = Callable[[Millis], None]


def sessions_over(cache: Cache, clock: Clock, advance: Advance) -> SessionSubject:
    """Return session records over a cache."""
    keys = ring()

    def spoil(locator: Locator) -> None:
        overwrite(cache, key_of(locator), b"somebody else's bytes", clock=clock)

    store = SessionRecords(cache, keys=lambda: keys, clock=clock, alarm=CorruptAlarm(clock=clock))
    return SessionSubject(store, keys, clock, advance, spoil)


def one_time_over(cache: Cache, clock: Clock, advance: Advance) -> OneTimeSubject:
    """Return one-time records over a cache."""

    def spoil(kind: RecordKind, name: str) -> None:
        overwrite(cache, CacheKey(f"{kind.value}:{name}"), b"somebody else's bytes", clock=clock)

    store = OneTimeRecords(cache, keys=ring, clock=clock, alarm=CorruptAlarm(clock=clock))
    return OneTimeSubject(store, clock, advance, spoil)


@pytest.fixture
def memory() -> tuple[Cache, Clock, Advance]:
    """Give an in-process cache with a clock that is moved."""
    clock = ManualClock()

    def advance(by_ms: Millis) -> None:
        clock.advance(by_ms)

    return MemoryCache(clock=clock), clock, advance


@pytest.fixture
def three_nodes(memcached: list[MemcachedNode]) -> Iterator[tuple[Cache, Clock, Advance]]:
    """Give a cache over three real nodes."""
    cache = memcached_cache(servers(memcached))
    yield cache, wall_clock, lambda by_ms: wait_for_memcached(cache, by_ms)
    cache.close()


@pytest.fixture
def _alarms(expect_log: Callable[..., Expectation]) -> None:
    """Permit the alarm of the tests that spoil a record."""
    expect_log("identity.stores", "store-corrupt", required=False)


@pytest.mark.usefixtures("_alarms")
class TestSessionRecordsInMemory(SessionStoreContract):
    """Session records in the in-process cache."""

    @pytest.fixture
    def subject(self, memory: tuple[Cache, Clock, Advance]) -> SessionSubject:
        """Give an empty store."""
        return sessions_over(*memory)


@pytest.mark.usefixtures("_alarms")
class TestSessionRecordsInMemcached(SessionStoreContract):
    """Session records in real memcached."""

    @pytest.fixture
    def subject(self, three_nodes: tuple[Cache, Clock, Advance]) -> SessionSubject:
        """Give an empty store."""
        return sessions_over(*three_nodes)


class TestOneTimeRecordsInMemory(OneTimeContract):
    """One-time records in the in-process cache."""

    @pytest.fixture
    def subject(self, memory: tuple[Cache, Clock, Advance]) -> OneTimeSubject:
        """Give an empty store."""
        return one_time_over(*memory)


class TestOneTimeRecordsInMemcached(OneTimeContract):
    """One-time records in real memcached."""

    @pytest.fixture
    def subject(self, three_nodes: tuple[Cache, Clock, Advance]) -> OneTimeSubject:
        """Give an empty store."""
        return one_time_over(*three_nodes)
