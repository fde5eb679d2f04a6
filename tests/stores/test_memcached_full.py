"""A memcached whose memory is full: it goes on for those who are in, and says so to the operator."""

from collections.abc import Callable, Iterator

import pytest

from identity.sessions.store import Written
from identity.stores.cache import CacheKey, Value
from identity.stores.fullness import REMEMBERED_MS, SAID, Fullness
from identity.stores.memcached import MemcachedCache
from identity.stores.servers import Told
from identity.types import HOUR
from tests.support.caches import memcached_cache, servers, wall_clock
from tests.support.clock import NOON, ManualClock
from tests.support.guards import Expectation
from tests.support.memcached import MemcachedNode

LOG = "identity.stores.memcached"
ExpectLog = Callable[..., Expectation]


@pytest.fixture
def node() -> Iterator[MemcachedNode]:
    """Give a memcached of two megabytes that refuses what is new when they are used."""
    node = MemcachedNode("-m", "2")
    node.start()
    yield node
    node.stop()


def filled(node: MemcachedNode, *, told: Told, size: int) -> MemcachedCache:
    """Return a cache over the node, full of values of one size."""
    cache = memcached_cache(servers([node]), told=told)
    for n in range(100_000):
        if cache.add(CacheKey(f"s1:{n}"), bytes(size), expires_at=wall_clock() + HOUR) is not Written.APPLIED:
            return cache
    raise AssertionError("it takes everything")


@pytest.mark.memcached
@pytest.mark.threat(48)
@pytest.mark.parametrize("size", [300, 5_000])
def test_a_full_node_says_so_and_serves_who_is_in(node: MemcachedNode, expect_log: ExpectLog, size: int) -> None:
    """/readyz said all is well while nobody could log in."""
    expect_log(LOG, "memcached-refused")
    refused: list[str] = []
    cache = filled(node, told=Told(refused=refused.append), size=size)

    (state,) = cache.nodes()
    there = cache.get_many([CacheKey("s1:0")])[CacheKey("s1:0")]

    assert (state.full, state.problem, state.warning) == (True, "", SAID)
    assert refused
    assert isinstance(there, Value)
    cache.close()


@pytest.mark.memcached
def test_a_daemon_that_wrote_nothing_sees_it_too(node: MemcachedNode, expect_log: ExpectLog) -> None:
    """Every daemon is asked by its own monitor, and most of them write seldom."""
    expect_log(LOG, "memcached-refused")
    filled(node, told=Told(), size=200).close()
    other = memcached_cache(servers([node]))

    (state,) = other.nodes()

    assert state.full
    other.close()


@pytest.mark.memcached
def test_a_node_with_room_is_not_full_and_keeps_nothing_of_the_question(node: MemcachedNode) -> None:
    """A look every few seconds must neither cry wolf nor leave values behind."""
    cache = memcached_cache(servers([node]))

    states = [cache.nodes()[0] for _ in range(3)]

    assert [(state.full, state.warning) for state in states] == [(False, "")] * 3
    assert node._ask(b"get n1:room\r\n") == b"END\r\n"
    cache.close()


def test_a_refusal_is_remembered_for_a_minute() -> None:
    """A value of another size may fit just then, and the operator would see nothing."""
    clock = ManualClock(NOON)
    memory = Fullness(clock)
    assert memory.said(has_room=True) == ""

    memory.refuse()

    assert memory.said(has_room=True) == SAID
    clock.advance(REMEMBERED_MS)
    assert memory.said(has_room=True) == ""
    assert memory.said(has_room=False) == SAID
