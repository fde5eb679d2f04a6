"""What is known of a write whose answer was lost, and of connections that died while idle."""

import socket
from collections.abc import Callable, Iterator

import pytest

from identity.errors import StoreUnavailable
from identity.login.store import RecordKind
from identity.sessions.store import Unread, Version, Written
from identity.stores.alarm import CorruptAlarm
from identity.stores.cache import CacheKey, Missing, Trip, Value
from identity.stores.memcached import MemcachedCache
from identity.stores.records import OneTimeRecords, SessionRecords, key_of
from identity.stores.servers import CacheServer, Limits
from identity.types import HOUR
from tests.support.caches import PATIENT, Trips, account, markers, memcached_cache, record_of, ring, servers, wall_clock
from tests.support.guards import Expectation
from tests.support.memcached import MemcachedNode
from tests.support.proxy import Proxy
from tests.support.racing import race

LOG = "identity.stores.memcached"
KEY = CacheKey("s1:record")

ExpectLog = Callable[..., Expectation]


@pytest.fixture
def direct(memcached: list[MemcachedNode]) -> Iterator[MemcachedCache]:
    """Give a cache with an undisturbed connection to the node."""
    cache = memcached_cache(servers(memcached[:1]))
    yield cache
    cache.close()


@pytest.fixture
def proxy(memcached: list[MemcachedNode]) -> Iterator[Proxy]:
    """Give the network in front of the node."""
    with Proxy(memcached[0].address) as running:
        yield running


@pytest.fixture
def trips() -> Trips:
    """Give a counter of round trips."""
    return Trips()


@pytest.fixture
def cache(proxy: Proxy, trips: Trips) -> Iterator[MemcachedCache]:
    """Give a cache that reaches the node through the proxy, and has met it."""
    cache = memcached_cache([CacheServer("a", "127.0.0.1", proxy.port)], trips=trips)
    cache.get_many([KEY])
    yield cache
    cache.close()


def value(cache: MemcachedCache, key: CacheKey = KEY) -> Value:
    """Read the record, which must be there."""
    got = cache.get_many([key])[key]
    assert isinstance(got, Value)
    return got


def test_an_add_whose_answer_is_lost_is_unknown(
    cache: MemcachedCache, direct: MemcachedCache, proxy: Proxy, expect_log: ExpectLog
) -> None:
    """It was written: had it been called lost, a login would be thrown away; applied would be a guess."""
    expect_log(LOG, "closed the connection|Connection reset")
    proxy.drops = 1

    assert cache.add(KEY, b"new", expires_at=wall_clock() + HOUR) is Written.UNKNOWN

    assert value(direct).data == b"new"


def test_a_swap_whose_answer_is_lost_is_unknown_and_not_repeated(
    cache: MemcachedCache, direct: MemcachedCache, proxy: Proxy, trips: Trips, *, expect_log: ExpectLog
) -> None:
    """Sent again it would lose against itself, and a rotation that happened would be called lost."""
    expect_log(LOG, "closed the connection|Connection reset")
    cache.add(KEY, b"old", expires_at=wall_clock() + HOUR)
    version = value(cache).version
    trips.made.clear()
    proxy.drops = 1

    assert cache.swap(KEY, b"new", version=version, expires_at=wall_clock() + HOUR) is Written.UNKNOWN

    assert trips.of(Trip.WRITE) == 1
    assert value(direct).data == b"new"


def test_a_removal_whose_answer_is_lost_gives_the_record_to_nobody(
    cache: MemcachedCache, direct: MemcachedCache, proxy: Proxy, *, expect_log: ExpectLog
) -> None:
    """A login code that may have been taken must be asked for anew, never used on a guess."""
    expect_log(LOG, "closed the connection|Connection reset")
    alarm = CorruptAlarm(clock=wall_clock)
    records = OneTimeRecords(cache, keys=ring, clock=wall_clock, alarm=alarm)
    records.put(RecordKind.FLOW, "x", b"body", expires_at=wall_clock() + HOUR)
    original = cache.remove

    def cut_off(key: CacheKey) -> Written:
        proxy.drops = 1
        return original(key)

    cache.remove = cut_off  # type: ignore[method-assign]

    with pytest.raises(StoreUnavailable):
        records.take(RecordKind.FLOW, "x")

    there = OneTimeRecords(direct, keys=ring, clock=wall_clock, alarm=alarm)
    assert there.take(RecordKind.FLOW, "x") is None


def test_a_read_whose_answer_is_lost_is_tried_once_more_and_not_for_ever(
    cache: MemcachedCache, proxy: Proxy, trips: Trips, *, expect_log: ExpectLog
) -> None:
    """A node that closes every connection must not hold a thread in a loop."""
    expect_log(LOG, "closed the connection|Connection reset")
    trips.made.clear()
    proxy.drops = 99

    assert cache.get_many([KEY])[KEY] is Missing.UNREACHABLE

    assert trips.of(Trip.READ) == 2


def test_a_read_whose_connection_dies_under_way_finds_a_new_one(
    cache: MemcachedCache, direct: MemcachedCache, proxy: Proxy
) -> None:
    """One connection closed by a firewall must not cost a person an error."""
    direct.add(KEY, b"there", expires_at=wall_clock() + HOUR)
    proxy.drops = 1

    assert value(cache).data == b"there"


@pytest.mark.parametrize(
    "answer",
    [
        b"VALUE f1:somebody-elses-secret 0 1 1\r\nx\r\nEND\r\n",
        b"VALUE s1:record 0 nonsense 1\r\nx\r\nEND\r\n",
        b"VALUE s1:record\r\nx\r\nEND\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"ERROR\r\n",
        b"SERVER_ERROR busy\r\n",
        b"\r\n",
        b"STORED\r\n",
        b"\xff\xfe\x00\r\n",
    ],
    ids=ascii,
)
def test_an_answer_that_makes_no_sense_is_trouble_and_tells_no_secret(
    cache: MemcachedCache, proxy: Proxy, expect_log: ExpectLog, answer: bytes
) -> None:
    """An answer out of step must never be taken for this question's, nor its keys be put in the log."""
    seen = expect_log(LOG, "memcached-node-unusable")
    proxy.garbles = answer

    assert cache.get_many([KEY])[KEY] is Missing.UNREACHABLE

    assert all("somebody" not in record.getMessage() for record in seen.records)


@pytest.mark.parametrize("answer", [b"NOT_FOUND\r\n", b"HTTP/1.1 400\r\n", b"ERROR\r\n", b"OK\r\n"], ids=ascii)
def test_a_write_answered_with_nonsense_is_unknown(
    cache: MemcachedCache, proxy: Proxy, *, expect_log: ExpectLog, answer: bytes
) -> None:
    """An answer that is none to an `add` says nothing about the `add`."""
    expect_log(LOG, "memcached-node-unusable")
    proxy.garbles = answer

    assert cache.add(KEY, b"new", expires_at=wall_clock() + HOUR) is Written.UNKNOWN


@pytest.mark.parametrize("answer", [b"STORED\r\n", b"HTTP/1.1 400\r\n", b"ERROR\r\n", b"\r\n"], ids=ascii)
def test_a_removal_answered_with_nonsense_is_unknown(
    cache: MemcachedCache, proxy: Proxy, *, expect_log: ExpectLog, answer: bytes
) -> None:
    """Whatever is not "not found" must not be taken for it."""
    expect_log(LOG, "memcached-node-unusable")
    proxy.garbles = answer

    assert cache.remove(KEY) is Written.UNKNOWN


def test_what_arrives_unasked_is_never_taken_for_an_answer(memcached: list[MemcachedNode]) -> None:
    """A late answer left on a connection would be given to the next person who asks."""
    cache = memcached_cache(servers(memcached[:1]))
    cache.add(KEY, b"mine", expires_at=wall_clock() + HOUR)
    with cache._nodes["a"]._pool.get_and_release() as connection:
        connection.sock.sendall(b"get s1:other\r\n")
        while not connection._events.poll(100):
            pass

    assert value(cache).data == b"mine"
    cache.close()


def test_after_a_restart_no_thread_meets_a_dead_connection(memcached: list[MemcachedNode]) -> None:
    """Sixteen idle connections die at once; not one request may fail for it."""
    cache = memcached_cache(servers(memcached[:1]))
    race(16, lambda _: cache.get_many([KEY]))
    memcached[0].restart()

    outcomes = race(16, lambda me: [cache.get_many([CacheKey(f"k{me}")])[CacheKey(f"k{me}")] for _ in range(5)])

    assert {answer for answers in outcomes for answer in answers} == {Missing.ABSENT}
    cache.close()


def test_after_a_power_loss_of_the_node_a_read_costs_one_more_trip(
    cache: MemcachedCache, proxy: Proxy, trips: Trips
) -> None:
    """No idle connection looks dead, and all are: another of them for the second try would fail the request."""
    trips.before[Trip.READ] = lambda: cache.get_many([KEY])
    cache.get_many([KEY])
    assert len(cache._nodes["a"]._pool.free) == 2
    proxy.reboot()
    trips.made.clear()

    assert cache.get_many([KEY])[KEY] is Missing.ABSENT

    assert trips.of(Trip.READ) == 2


def test_session_records_of_a_dead_node_are_down_and_not_absent(
    memcached: list[MemcachedNode], expect_log: ExpectLog
) -> None:
    """Absent ends a session; down is a retry."""
    expect_log(LOG, "refuses connections|closed the connection")
    keys = ring()
    cache = memcached_cache(servers(memcached[:1]))
    records = SessionRecords(cache, keys=lambda: keys, clock=wall_clock, alarm=CorruptAlarm(clock=wall_clock))
    locator, expires_at = keys.locator(account(1)), wall_clock() + HOUR
    records.add(locator, record_of(1), expires_at=expires_at)
    version = Version(value(cache, key_of(locator)).version)
    memcached[0].kill()

    assert records.read_many([locator]) == {locator: Unread.DOWN}
    assert records.add(locator, record_of(1), expires_at=expires_at) is Written.UNKNOWN
    assert records.swap(locator, record_of(1), version=version, expires_at=expires_at) is Written.UNKNOWN
    assert records.replace_corrupt(locator, record_of(1), expires_at=expires_at) is Written.UNKNOWN
    cache.close()


def test_more_calls_than_connections_are_unreachable_and_pass(
    memcached: list[MemcachedNode], expect_log: ExpectLog
) -> None:
    """A limit set too low must be told apart from a dead node, and harm nothing."""
    expect_log(LOG, "memcached-busy: node a: more than 1 calls at once")
    limits = Limits(PATIENT.connect_ms, PATIENT.answer_ms, connections=1)
    cache = memcached_cache(servers(memcached[:1]), limits=limits)
    node = cache._nodes["a"]

    with node._pool.get_and_release():
        assert cache.get_many([KEY])[KEY] is Missing.UNREACHABLE
        assert cache.nodes()[0].problem != ""

    assert cache.get_many([KEY])[KEY] is Missing.ABSENT
    cache.close()


def test_a_node_that_is_found_by_name_is_reached_on_any_of_its_addresses(memcached: list[MemcachedNode]) -> None:
    """`localhost` is ::1 first on most machines, and memcached often listens on 127.0.0.1 alone."""
    infos = socket.getaddrinfo("localhost", memcached[0].port, type=socket.SOCK_STREAM)
    assert infos
    cache = memcached_cache([CacheServer("a", "localhost", memcached[0].port)], codec=markers("a"))

    assert cache.get_many([KEY])[KEY] is Missing.ABSENT
    cache.close()


def test_versions_are_memcacheds_own(memcached: list[MemcachedNode]) -> None:
    """Two daemons must mean the same by a version, or compare-and-swap compares nothing."""
    one, two = memcached_cache(servers(memcached[:1])), memcached_cache(servers(memcached[:1]))
    one.add(KEY, b"old", expires_at=wall_clock() + HOUR)
    version = value(two).version

    assert one.swap(KEY, b"new", version=version, expires_at=wall_clock() + HOUR) is Written.APPLIED

    assert two.swap(KEY, b"late", version=version, expires_at=wall_clock() + HOUR) is Written.LOST
    one.close()
    two.close()
