"""Connections that fall silent while their node is well, and nodes that do: what it costs whom, counted."""

from collections.abc import Callable

import pytest

from identity.sessions.store import Written
from identity.stores.cache import Got, Missing, Trip
from identity.stores.memcached import MemcachedCache
from identity.stores.servers import CacheServer, Limits
from identity.types import HOUR
from tests.support.caches import KEYS, Trips, fill, memcached_cache, of_node, servers, those, wall_clock
from tests.support.clock import ManualClock
from tests.support.guards import Expectation
from tests.support.memcached import MemcachedNode
from tests.support.proxy import Proxy
from tests.support.racing import race
from tests.support.silence import KEPT, LIMITS, Silences, found, keep

LOG = "identity.stores.memcached"

ExpectLog = Callable[..., Expectation]


@pytest.fixture
def cache(kept: MemcachedCache) -> MemcachedCache:
    """Give a filled cache that keeps 32 connections to each of three nodes, to the second through the proxy."""
    return kept


def test_thirty_two_connections_that_fall_silent_cost_one_time_out(
    cache: MemcachedCache, proxy: Proxy, silences: Silences, *, expect_log: ExpectLog
) -> None:
    """A firewall that forgot idle connections must not put everybody off for fifteen seconds."""
    expect_log(LOG, "memcached-connections-lost: node b")
    mine = of_node(cache, "b")
    proxy.silence()

    answers = [cache.get_many([key])[key] for key in mine]

    assert all(map(found, answers))
    assert silences.of == ["b"]


def test_when_all_ask_at_once_nobody_meets_more_than_one_time_out(
    cache: MemcachedCache, proxy: Proxy, silences: Silences, *, expect_log: ExpectLog
) -> None:
    """Thirty-two requests under way each hold a silent connection; accounts of other nodes must notice nothing."""
    expect_log(LOG, "memcached-connections-lost: node b")
    mine, others = of_node(cache, "b"), [*of_node(cache, "a"), *of_node(cache, "c")]
    proxy.silence()

    def ask(me: int) -> tuple[list[Got], list[Got]]:
        own = [cache.get_many([mine[me % len(mine)]]) for _ in range(3)]
        theirs = [cache.get_many([others[(me + n) % len(others)]]) for n in range(3)]
        return [got for each in own for got in each.values()], [got for each in theirs for got in each.values()]

    answers = race(KEPT, ask)

    assert [sum(not found(got) for got in own) for own, _ in answers] == [0] * KEPT
    assert all(found(got) for _, theirs in answers for got in theirs)
    assert set(silences.of) == {"b"}
    assert len(silences.of) <= KEPT


def test_a_node_that_hangs_costs_one_time_out_and_one_probe(
    cache: MemcachedCache, memcached: list[MemcachedNode], silences: Silences, *, expect_log: ExpectLog
) -> None:
    """Thirty-two connections were kept, and each would be tried: its accounts would hang thirty-two times."""
    expect_log(LOG, "memcached-node-unusable: node b does not answer within 1000 ms")
    mine, others = of_node(cache, "b"), [*of_node(cache, "a"), *of_node(cache, "c")]
    memcached[1].freeze()

    refused = [cache.get_many([key])[key] for key in mine]
    writes = [cache.remove(key) for key in mine[:5]]

    assert set(refused) == {Missing.UNREACHABLE}
    assert set(writes) == {Written.UNKNOWN}
    assert silences.of == ["b", "b"]
    assert all(map(found, cache.get_many(others).values()))


def test_a_node_that_hung_is_used_again_after_its_rest(
    cache: MemcachedCache, memcached: list[MemcachedNode], clock: ManualClock, *, expect_log: ExpectLog
) -> None:
    """Nobody may have to start the daemon again."""
    expect_log(LOG, "node b does not answer within 1000 ms")
    mine = of_node(cache, "b")
    memcached[1].freeze()
    assert cache.get_many(mine[:1])[mine[0]] is Missing.UNREACHABLE
    memcached[1].thaw()
    assert cache.get_many(mine[:1])[mine[0]] is Missing.UNREACHABLE

    clock.advance(LIMITS.rest_ms)

    assert all(map(found, cache.get_many(mine).values()))


def test_a_node_that_accepts_and_never_answers_is_left_alone_from_the_first_time_out(
    listed: list[CacheServer], proxy: Proxy, silences: Silences, *, expect_log: ExpectLog
) -> None:
    """A daemon that starts beside a hanging node must serve the accounts of the others."""
    expect_log(LOG, "node b does not answer within 1000 ms")
    proxy.deaf = True
    cache = memcached_cache(listed, limits=LIMITS, told=silences.told, clock=ManualClock(wall_clock()))

    answers = [cache.get_many(KEYS) for _ in range(5)]

    assert all(those(got, Missing.UNREACHABLE) == set(of_node(cache, "b")) for got in answers)
    assert silences.of == ["b"]
    cache.close()


def test_a_write_on_a_silent_connection_is_sent_once_and_the_next_one_arrives(
    cache: MemcachedCache, proxy: Proxy, trips: Trips, *, expect_log: ExpectLog
) -> None:
    """Sent again it might happen twice; believed lost, a rotation that happened would end a session."""
    expect_log(LOG, "memcached-connections-lost: node b")
    key = of_node(cache, "b")[0]
    proxy.silence()

    assert cache.remove(key) is Written.UNKNOWN
    assert trips.of(Trip.WRITE) == 1
    assert found(cache.get_many([key])[key])

    assert cache.remove(key) is Written.APPLIED


def test_after_a_silent_write_no_read_meets_a_time_out(
    cache: MemcachedCache, proxy: Proxy, silences: Silences, *, expect_log: ExpectLog
) -> None:
    """What one caller found out must serve all."""
    expect_log(LOG, "memcached-connections-lost: node b")
    mine = of_node(cache, "b")
    proxy.silence()
    cache.remove(mine[0])

    assert all(map(found, cache.get_many(mine[1:]).values()))

    assert silences.of == ["b"]


def test_silence_that_comes_again_is_found_out_again(
    cache: MemcachedCache, proxy: Proxy, silences: Silences, *, expect_log: ExpectLog
) -> None:
    """A firewall that restarts twice must not cost more the second time."""
    expect_log(LOG, "memcached-connections-lost: node b")
    mine = of_node(cache, "b")

    for times in range(1, 4):
        keep(cache, "b", KEPT)
        proxy.silence()
        assert all(map(found, (cache.get_many([key])[key] for key in mine)))
        assert silences.of == ["b"] * times


def test_a_connection_in_use_while_its_like_are_given_up_is_not_kept(
    cache: MemcachedCache, proxy: Proxy, *, expect_log: ExpectLog
) -> None:
    """It would wait in the pool, silent, for somebody later."""
    expect_log(LOG, "memcached-connections-lost: node b")
    pool, key = cache._nodes["b"]._pool, of_node(cache, "b")[0]

    with pool.get_and_release() as held:
        proxy.silence()
        assert found(cache.get_many([key])[key])

    assert held not in pool.free
    assert held.sock is None


def test_a_node_that_falls_silent_all_the_time_rests(
    cache: MemcachedCache, proxy: Proxy, clock: ManualClock, *, expect_log: ExpectLog
) -> None:
    """An overloaded node answers now and then: asked again each time, it would take the threads of all accounts."""
    expect_log(LOG, "memcached-connections-lost: node b")
    expect_log(LOG, "node b does not answer within 1000 ms")
    key = of_node(cache, "b")[0]

    def met() -> bool:
        proxy.silence()
        return found(cache.get_many([key])[key])

    assert [met() for _ in range(5)] == [True, True, True, False, False]
    clock.advance(LIMITS.rest_ms)
    assert found(cache.get_many([key])[key])


def test_when_all_ask_a_node_that_hangs_each_meets_one_time_out(
    cache: MemcachedCache, memcached: list[MemcachedNode], silences: Silences, *, expect_log: ExpectLog
) -> None:
    """One proves the node while the others wait for it: a time-out more for each would double the damage."""
    expect_log(LOG, "node b does not answer within 1000 ms")
    mine, others = of_node(cache, "b"), [*of_node(cache, "a"), *of_node(cache, "c")]
    memcached[1].freeze()

    answers = race(KEPT, lambda me: (cache.get_many([mine[me % len(mine)]]), cache.get_many(others)))

    assert {got for own, _ in answers for got in own.values()} == {Missing.UNREACHABLE}
    assert all(found(got) for _, theirs in answers for got in theirs.values())
    assert len(silences.of) <= KEPT + 1


class Meanwhile(Trips):
    """Does something once, before the `left`th round trip from now."""

    left = 0

    def __init__(self) -> None:
        super().__init__()
        self.happens: Callable[[], object] = lambda: None

    def __call__(self, node: str, trip: Trip) -> None:
        """Count one."""
        super().__call__(node, trip)
        self.left -= 1
        if self.left == 0:
            self.happens()


def test_while_one_proves_a_node_the_others_wait_a_moment_and_ask_nothing(
    listed: list[CacheServer], memcached: list[MemcachedNode], expect_log: ExpectLog
) -> None:
    """A node that hangs may cost one thread the time of a probe, never all of them."""
    expect_log(LOG, "node b does not answer")
    limits, trips = Limits(connect_ms=500, answer_ms=1_000, rest_ms=HOUR), Meanwhile()
    cache = memcached_cache(listed, limits=limits, clock=ManualClock(wall_clock()), trips=trips)
    fill(cache)
    key = of_node(cache, "b")[0]
    answers: list[object] = []
    memcached[1].freeze()
    trips.made.clear()
    trips.happens, trips.left = lambda: answers.extend([cache.get_many([key])[key], cache.remove(key)]), 2

    assert cache.get_many([key])[key] is Missing.UNREACHABLE

    assert answers == [Missing.UNREACHABLE, Written.UNKNOWN]
    assert dict(trips.made) == {("b", Trip.READ): 2}
    cache.close()


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(
    cache: MemcachedCache, proxy: Proxy, silences: Silences, *, expect_log: ExpectLog
) -> None:
    """Each byte comes in time and the answer never ends: a thread would be gone for minutes."""
    expect_log(LOG, "node b does not answer within 1000 ms")
    proxy.drips = 0.05

    got = cache.get_many(KEYS)

    assert those(got, Missing.UNREACHABLE) == set(of_node(cache, "b"))
    assert silences.of == ["b", "b"]


def test_an_empty_node_is_not_marked_because_the_connection_to_another_fell_silent(
    memcached: list[MemcachedNode], proxy: Proxy, expect_log: ExpectLog
) -> None:
    """A daemon with an outdated list would take the node into use while others serve the new ring."""
    expect_log(LOG, "node b holds the marker of a ring with other nodes")
    expect_log(LOG, "node a is empty, and another node is marked for another ring")
    expect_log(LOG, "memcached-connections-lost: node b")
    other = memcached_cache([CacheServer("b", "127.0.0.1", proxy.port), CacheServer("z", *memcached[2].address)])
    other.nodes()
    both = [*servers(memcached[:1]), CacheServer("b", "127.0.0.1", proxy.port)]
    cache = memcached_cache(both, limits=LIMITS, clock=ManualClock(wall_clock()))
    assert cache.get_many([of_node(cache, "b")[0]])
    proxy.silence()

    mine = of_node(cache, "a")[0]

    assert cache.get_many([mine])[mine] is Missing.UNREACHABLE
    other.close()
    cache.close()
