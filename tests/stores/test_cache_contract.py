"""The cache contract over the in-process cache and over real memcached, one node and three."""

import time
from collections.abc import Iterator

import pytest

from identity.stores.cache import Cache, CacheKey, Missing
from identity.stores.memory_cache import MemoryCache
from identity.types import SECOND, Millis
from tests.contracts.cache import CacheContract, Subject
from tests.support.caches import memcached_cache, servers, wall_clock
from tests.support.clock import ManualClock
from tests.support.memcached import MemcachedNode
from tests.support.waiting import until


def wait_for_memcached(cache: Cache, by_ms: Millis) -> None:
    """Wait until values that were to live this long from now on have expired on every node.

    memcached has clocks of its own, which tick once a second.
    """
    keys = [CacheKey(f"waiting:{time.monotonic_ns()}:{n}") for n in range(30)]
    for key in keys:
        cache.add(key, b"", expires_at=wall_clock() + by_ms)
    until(lambda: set(cache.get_many(keys).values()) == {Missing.ABSENT}, within_s=by_ms / SECOND + 3)


class TestMemoryCache(CacheContract):
    """The in-process cache."""

    @pytest.fixture
    def subject(self) -> Subject:
        """Give an empty cache with a clock that is moved."""
        clock = ManualClock()

        def advance(by_ms: Millis) -> None:
            clock.advance(by_ms)

        return Subject(MemoryCache(clock=clock), clock, advance)


class TestOneMemcached(CacheContract):
    """One real node."""

    @pytest.fixture
    def subject(self, memcached: list[MemcachedNode]) -> Iterator[Subject]:
        """Give an empty node."""
        cache = memcached_cache(servers(memcached[:1]))
        yield Subject(cache, wall_clock, lambda by_ms: wait_for_memcached(cache, by_ms))
        cache.close()


class TestThreeMemcached(CacheContract):
    """Three real nodes."""

    @pytest.fixture
    def subject(self, memcached: list[MemcachedNode]) -> Iterator[Subject]:
        """Give three empty nodes."""
        cache = memcached_cache(servers(memcached))
        yield Subject(cache, wall_clock, lambda by_ms: wait_for_memcached(cache, by_ms))
        cache.close()
