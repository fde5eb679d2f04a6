"""Nodes that come back at another address under their name, and resolvers that do not answer.

An address here is a port on loopback: what the resolver says is all that counts.
"""

import socket
from collections.abc import Callable, Iterator
from threading import Event
from threading import enumerate as threads

import pytest

from identity.sessions.store import Written
from identity.stores import whereabouts
from identity.stores.cache import CacheKey, Missing, Value
from identity.stores.connections import OLDEST_MS
from identity.stores.memcached import MemcachedCache
from identity.stores.servers import CacheServer, Limits
from identity.stores.whereabouts import Found, Whereabouts
from identity.types import HOUR, SECOND
from tests.support.caches import PATIENT, markers, memcached_cache, wall_clock
from tests.support.clock import ManualClock
from tests.support.guards import Expectation
from tests.support.memcached import MemcachedNode, free_port
from tests.support.proxy import Proxy

LOG = "identity.stores.memcached"
KEY = CacheKey("s1:record")
NAMED = [CacheServer("a", "node-a.internal", 11211)]
LIMITS = Limits(connect_ms=2_000, answer_ms=1_000, rest_ms=HOUR)

ExpectLog = Callable[..., Expectation]


class Names:
    """A resolver that says what a test wants."""

    def __init__(self, *ports: int) -> None:
        self.ports = list(ports)
        self.asked = 0
        self.answers = Event()
        self.answers.set()
        self.problem: OSError | None = None

    def __call__(self, host: str, port: int) -> Found:
        """Answer, when it may."""
        self.asked += 1
        assert (host, port) == ("node-a.internal", 11211)
        self.answers.wait()
        if self.problem:
            raise self.problem
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", at)) for at in self.ports]


@pytest.fixture
def names(memcached: list[MemcachedNode]) -> Iterator[Names]:
    """Give a resolver that knows the node at its first address."""
    made = Names(memcached[0].port)
    yield made
    made.answers.set()


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands still."""
    return ManualClock(wall_clock())


@pytest.fixture
def cache(names: Names, clock: ManualClock) -> Iterator[MemcachedCache]:
    """Give a cache over one node that is known by name, with a record in it."""
    made = memcached_cache(NAMED, resolve=names, limits=LIMITS, clock=clock)
    assert made.add(KEY, b"first address", expires_at=wall_clock() + HOUR) is Written.APPLIED
    yield made
    made.close()


def stands(cache: MemcachedCache) -> bytes | Missing:
    """Return what the cache has under the key."""
    got = cache.get_many([KEY])[KEY]
    return got.data if isinstance(got, Value) else got


def settle(node: MemcachedNode) -> None:
    """Give the node's name and record to another memcached."""
    there = memcached_cache([CacheServer("a", *node.address)], codec=markers("a"))
    assert there.add(KEY, b"second address", expires_at=wall_clock() + HOUR) is Written.APPLIED
    there.close()


def test_a_node_that_stopped_is_found_at_its_new_address_by_the_next_request(
    cache: MemcachedCache, memcached: list[MemcachedNode], names: Names
) -> None:
    """A container that is started again has another address; nobody restarts the daemons for it."""
    settle(memcached[1])
    memcached[0].kill()
    names.ports = [memcached[1].port]

    assert stands(cache) == b"second address"


def test_a_machine_that_vanished_is_found_at_its_new_address_after_one_time_out(
    memcached: list[MemcachedNode], names: Names, clock: ManualClock, *, expect_log: ExpectLog
) -> None:
    """It closes nothing: its connections are silent, and nothing at the old address answers any more."""
    expect_log(LOG, "memcached-connections-lost: node a")
    with Proxy(memcached[0].address) as old:
        names.ports = [old.port]
        cache = memcached_cache(NAMED, resolve=names, limits=LIMITS, clock=clock)
        cache.get_many([KEY])
        settle(memcached[1])
        old.silence()
        old.deaf = True
        names.ports = [memcached[1].port]

        assert stands(cache) == b"second address"
        cache.close()


def test_all_connections_go_together_when_the_node_moves(
    cache: MemcachedCache, memcached: list[MemcachedNode], names: Names
) -> None:
    """If both addresses live, a daemon that writes to one and reads from the other takes honest tokens for stolen."""
    pool = cache._nodes["a"]._pool
    with pool.get_and_release() as one, pool.get_and_release() as two:
        for connection in (one, two):
            connection.ready()
            connection.gets_many([KEY])
        settle(memcached[1])
        names.ports = [memcached[1].port]
        with pool.get_and_release() as third:
            third.ready()
            third.gets_many([KEY])

    assert len(pool.free) == 0
    assert stands(cache) == b"second address"


def test_a_node_that_moved_while_it_ran_is_followed_after_five_minutes(
    cache: MemcachedCache, memcached: list[MemcachedNode], names: Names, *, clock: ManualClock
) -> None:
    """Busy connections would stay at the old address for ever, and other daemons are at the new one."""
    settle(memcached[1])
    names.ports = [memcached[1].port]
    for _ in range(20):
        assert stands(cache) == b"first address"
        clock.advance(LIMITS.idle_ms // 2)
        if clock() - wall_clock() > OLDEST_MS:
            break

    assert stands(cache) == b"second address"


def test_a_name_with_two_addresses_leads_to_the_same_server_each_time(
    cache: MemcachedCache, memcached: list[MemcachedNode], names: Names, *, clock: ManualClock
) -> None:
    """Resolvers turn their list round; a daemon that follows would read here what it wrote there."""
    settle(memcached[1])

    for turn in ([memcached[1].port, memcached[0].port], [memcached[0].port, memcached[1].port]) * 2:
        names.ports = turn
        clock.advance(LIMITS.idle_ms)
        assert stands(cache) == b"first address"


def test_an_address_that_is_out_of_use_costs_no_request(
    memcached: list[MemcachedNode], names: Names, clock: ManualClock
) -> None:
    """Names often have an address more than the server listens on."""
    names.ports = [free_port(), memcached[0].port]
    cache = memcached_cache(NAMED, resolve=names, limits=LIMITS, clock=clock)

    assert stands(cache) is Missing.ABSENT
    cache.close()


@pytest.mark.parametrize(
    "problem", [socket.gaierror(socket.EAI_AGAIN, "try again"), socket.gaierror(socket.EAI_NONAME, "not known")]
)
def test_a_resolver_that_fails_leaves_the_node_where_it_was(
    cache: MemcachedCache, names: Names, clock: ManualClock, *, problem: OSError
) -> None:
    """An outage of the name service must not become one of the sessions."""
    names.problem = problem
    clock.advance(LIMITS.idle_ms)

    assert stands(cache) == b"first address"


def test_a_resolver_that_hangs_leaves_the_node_where_it_was_and_costs_one_thread(
    cache: MemcachedCache, names: Names, clock: ManualClock
) -> None:
    """It may take half a minute each time, and nothing can interrupt it."""
    before = names.asked
    names.answers.clear()

    for _ in range(3):
        clock.advance(LIMITS.idle_ms)
        assert stands(cache) == b"first address"

    assert names.asked == before + 1
    assert [thread.name for thread in threads()].count("idd-resolve") == 1


def test_a_name_that_is_never_found_puts_its_node_to_rest(
    memcached: list[MemcachedNode], clock: ManualClock, expect_log: ExpectLog
) -> None:
    """A daemon that starts without a name service must say which name, and serve the other nodes."""
    expect_log(LOG, "node a has a name whose address was not found within 100 ms")
    names = Names()
    names.answers.clear()
    limits = Limits(connect_ms=100, answer_ms=10_000, rest_ms=HOUR)
    listed = [*NAMED, CacheServer("b", *memcached[1].address)]
    cache = memcached_cache(listed, resolve=names, limits=limits, clock=clock)

    keys = [CacheKey(f"s1:{n}") for n in range(20)]
    answers = [cache.get_many(keys) for _ in range(3)]

    assert all((cache.node_of(key) == "a") == (got[key] is Missing.UNREACHABLE) for got in answers for key in keys)
    assert names.asked == 1
    names.answers.set()
    cache.close()


def test_a_name_that_is_found_late_is_used_by_the_next_who_asks(
    memcached: list[MemcachedNode], clock: ManualClock, expect_log: ExpectLog
) -> None:
    """A slow name service would keep a daemon from its node for ever, if every answer came too late."""
    expect_log(LOG, "address was not found within 500 ms")
    names = Names(memcached[0].port)
    names.answers.clear()
    limits = Limits(connect_ms=500, answer_ms=10_000, rest_ms=1)
    cache = memcached_cache(NAMED, resolve=names, limits=limits, clock=clock)
    assert stands(cache) is Missing.UNREACHABLE
    names.answers.set()
    until_over(names)
    names.answers.clear()
    clock.advance(1)

    assert stands(cache) is Missing.ABSENT
    names.answers.set()
    cache.close()


def until_over(names: Names) -> None:
    """Wait for the look-up that is under way."""
    for thread in threads():
        if thread.name == "idd-resolve":
            thread.join(10)
    assert names.asked == 1


def test_several_silent_addresses_take_no_longer_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address with a time-out of its own would keep a thread for as many time-outs as there are addresses."""
    passed = [0.0]

    def silent(_: object, within_s: float) -> socket.socket:
        passed[0] += within_s
        raise TimeoutError

    monkeypatch.setattr(whereabouts, "_connected", silent)
    monkeypatch.setattr(whereabouts, "monotonic", lambda: passed[0])
    where = Whereabouts("node-a.internal", 11211, moved=lambda: None, resolve=Names(*range(1, 10)))

    with pytest.raises(TimeoutError):
        where.connect(8.0)

    assert passed == [8.0]


def test_connections_are_kept_alive_and_given_up_by_the_system_too(cache: MemcachedCache) -> None:
    """Without it a firewall forgets a connection that waits, and what was sent last may arrive minutes later."""
    with cache._nodes["a"]._pool.get_and_release() as connection:
        made = connection.sock._socket
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) * SECOND < LIMITS.idle_ms
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10 * SECOND


def test_numbers_are_asked_of_nobody(memcached: list[MemcachedNode]) -> None:
    """An address needs no name service, and must not depend on one."""
    names = Names()
    cache = memcached_cache([CacheServer("a", *memcached[0].address)], resolve=names, limits=PATIENT)

    assert stands(cache) is Missing.ABSENT
    assert names.asked == 0
    cache.close()
