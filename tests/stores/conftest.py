"""What the tests of the stores share."""

from collections.abc import Iterator

import pytest

from identity.stores.memcached import MemcachedCache
from identity.stores.servers import CacheServer
from tests.support.caches import Trips, fill, memcached_cache, servers, wall_clock
from tests.support.clock import ManualClock
from tests.support.memcached import MemcachedNode
from tests.support.proxy import Proxy
from tests.support.silence import KEPT, LIMITS, Silences, keep


@pytest.fixture
def cache(memcached: list[MemcachedNode]) -> Iterator[MemcachedCache]:
    """Give a filled cache over three nodes."""
    made = memcached_cache(servers(memcached))
    fill(made)
    yield made
    made.close()


@pytest.fixture
def proxy(memcached: list[MemcachedNode]) -> Iterator[Proxy]:
    """Give the network in front of node b."""
    with Proxy(memcached[1].address) as running:
        yield running


@pytest.fixture
def listed(memcached: list[MemcachedNode], proxy: Proxy) -> list[CacheServer]:
    """Give three nodes, the second through the proxy."""
    a, _, c = servers(memcached)
    return [a, CacheServer("b", "127.0.0.1", proxy.port), c]


@pytest.fixture
def silences() -> Silences:
    """Give who counts time-outs."""
    return Silences()


@pytest.fixture
def trips() -> Trips:
    """Give a counter of round trips."""
    return Trips()


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands still: no node that rests is tried again by itself."""
    return ManualClock(wall_clock())


@pytest.fixture
def kept(
    listed: list[CacheServer], silences: Silences, trips: Trips, *, clock: ManualClock
) -> Iterator[MemcachedCache]:
    """Give a filled cache over the three nodes, with 32 connections kept to each."""
    made = memcached_cache(listed, limits=LIMITS, trips=trips, told=silences.told, clock=clock)
    fill(made)
    for name in "abc":
        keep(made, name, KEPT)
    trips.made.clear()
    yield made
    made.close()
