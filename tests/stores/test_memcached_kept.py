"""How long connections to memcached are kept, and what operators hear of those that fell silent."""

from collections import Counter
from collections.abc import Callable

import pytest

from identity.sessions.store import Written
from identity.stores.memcached import MemcachedCache
from identity.stores.servers import CacheServer, Told
from identity.types import HOUR, MINUTE, SECOND
from tests.support.caches import KEYS, memcached_cache, of_node
from tests.support.clock import ManualClock
from tests.support.guards import Expectation
from tests.support.memcached import MemcachedNode
from tests.support.proxy import Proxy
from tests.support.silence import LIMITS, Silences, found

LOG = "identity.stores.memcached"

ExpectLog = Callable[..., Expectation]


@pytest.fixture
def cache(kept: MemcachedCache) -> MemcachedCache:
    """Give a filled cache that keeps 32 connections to each of three nodes, to the second through the proxy."""
    return kept


def test_a_connection_that_was_unused_too_long_is_not_used_again(
    cache: MemcachedCache, proxy: Proxy, clock: ManualClock, *, silences: Silences
) -> None:
    """After a quiet night the first who comes would wait for connections that a firewall has forgotten."""
    mine = of_node(cache, "b")
    proxy.silence()
    clock.advance(LIMITS.idle_ms)

    assert all(map(found, (cache.get_many([key])[key] for key in mine)))
    assert cache.remove(mine[0]) is Written.APPLIED

    assert silences.of == []
    assert len(cache._nodes["b"]._pool.free) == 1


def test_connections_beyond_the_need_are_closed_while_others_are_used(
    cache: MemcachedCache, proxy: Proxy, clock: ManualClock
) -> None:
    """They would stay open for ever after one busy minute, and be the first to fall silent."""
    key, before = of_node(cache, "b")[0], proxy.accepted

    for _ in range(4):
        clock.advance(LIMITS.idle_ms // 3)
        assert found(cache.get_many([key])[key])

    assert len(cache._nodes["b"]._pool.free) == 1
    assert proxy.accepted == before


@pytest.mark.parametrize("step", [-HOUR, -SECOND, SECOND, HOUR])
def test_a_clock_that_jumps_costs_connections_and_no_request(
    cache: MemcachedCache, clock: ManualClock, step: int
) -> None:
    """A time service that sets the clock must not make a node look dead, or a dead connection look fresh."""
    clock.advance(step)

    for _ in range(2):
        assert all(map(found, cache.get_many(KEYS).values()))


def test_the_node_list_tells_of_connections_that_fell_silent(
    cache: MemcachedCache, proxy: Proxy, clock: ManualClock, *, expect_log: ExpectLog
) -> None:
    """It costs people time again and again, and nobody would look at the firewall."""
    expect_log(LOG, "memcached-connections-lost: node b")
    key = of_node(cache, "b")[0]
    proxy.silence()
    cache.get_many([key])

    told = {state.name: (state.problem, state.warning) for state in cache.nodes()}
    clock.advance(10 * MINUTE)
    later = [(state.problem, state.warning) for state in cache.nodes()]

    assert told["b"] == ("", "its connections fell silent 1 times of late; does a firewall on the way drop idle ones?")
    assert told["a"] == told["c"] == ("", "")
    assert later == [("", "")] * 3


def test_the_node_list_names_the_node_that_is_silent(
    cache: MemcachedCache, memcached: list[MemcachedNode], *, expect_log: ExpectLog
) -> None:
    """/readyz must say which node to look at."""
    expect_log(LOG, "node b does not answer")
    memcached[1].freeze()

    assert [state.problem for state in cache.nodes()] == ["", "does not answer within 1000 ms", ""]


def test_who_watches_hears_of_each_change_once(
    listed: list[CacheServer], memcached: list[MemcachedNode], clock: ManualClock, *, expect_log: ExpectLog
) -> None:
    """A number that is as old as the last question wakes nobody."""
    expect_log(LOG, "node b does not answer")
    heard: list[tuple[str, str]] = []
    told = Told(changed=lambda name, problem: heard.append((name, problem)))
    cache = memcached_cache(listed, limits=LIMITS, told=told, clock=clock)
    cache.get_many(KEYS)
    memcached[1].freeze()
    for _ in range(3):
        cache.get_many(KEYS)
    memcached[1].thaw()
    clock.advance(LIMITS.rest_ms)
    cache.get_many(KEYS)

    assert Counter(heard) == Counter(
        {("a", ""): 1, ("b", ""): 2, ("c", ""): 1, ("b", "does not answer within 1000 ms"): 1}
    )
    cache.close()
