"""What becomes of keys when their node dies, hangs or comes back empty, and what a read costs."""

import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from identity.errors import StoreUnavailable
from identity.login.store import RecordKind
from identity.sessions.store import Written
from identity.stores.alarm import CorruptAlarm
from identity.stores.bounds import MARKER_KEY
from identity.stores.cache import CacheKey, Got, Missing, Trip, Value
from identity.stores.memcached import MemcachedCache
from identity.stores.records import OneTimeRecords
from identity.stores.servers import CacheServer, Limits
from identity.types import HOUR, MINUTE, SECOND, Millis
from tests.support.caches import KEYS, Trips, fill, markers, memcached_cache, of_node, ring, servers, those, wall_clock
from tests.support.clock import ManualClock
from tests.support.guards import Expectation
from tests.support.memcached import MemcachedNode, binary, free_port
from tests.support.waiting import until

LOG = "identity.stores.memcached"
HASTY = Limits(connect_ms=500, answer_ms=500, rest_ms=1_000)

ExpectLog = Callable[..., Expectation]


@pytest.fixture
def evicting() -> Iterator[CacheServer]:
    """Give a small memcached without `-M`, as it is started by default."""
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [str(binary()), "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "2", *user]
    with subprocess.Popen(command) as running:
        until(lambda: is_listening(port))
        yield CacheServer("a", "127.0.0.1", port)
        running.kill()


def is_listening(port: int) -> bool:
    """Tell whether a server accepts connections."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ShiftedClock:
    """The real time plus what a test adds: memcached's own clock cannot be moved."""

    def __init__(self) -> None:
        self.ahead: Millis = 0

    def __call__(self) -> Millis:
        """Return the time."""
        return wall_clock() + self.ahead


def test_keys_of_a_killed_node_are_unreachable_and_the_others_are_read(
    memcached: list[MemcachedNode], cache: MemcachedCache, expect_log: ExpectLog
) -> None:
    """A dead node must cost its own accounts a retry, and nobody a logout."""
    expect_log(LOG, "node b refuses connections")
    memcached[1].kill()

    got = cache.get_many(KEYS)

    assert those(got, Missing.UNREACHABLE) == set(of_node(cache, "b"))
    assert those(got, Missing.ABSENT) == set()
    assert all(
        answer == Value(key.encode(), answer.version) for key, answer in got.items() if isinstance(answer, Value)
    )


def test_writes_to_a_killed_node_are_unknown_and_land_nowhere_else(
    memcached: list[MemcachedNode], cache: MemcachedCache, expect_log: ExpectLog
) -> None:
    """A record that failed over would come back as an old one, and honest tokens would look stolen."""
    expect_log(LOG, "node b refuses connections")
    key = of_node(cache, "b")[0]
    there = cache.get_many([key])[key]
    assert isinstance(there, Value)
    memcached[1].kill()
    expires_at = wall_clock() + HOUR

    assert cache.swap(key, b"moved", version=there.version, expires_at=expires_at) is Written.UNKNOWN
    assert cache.add(key, b"moved", expires_at=expires_at) is Written.UNKNOWN
    assert cache.remove(key) is Written.UNKNOWN

    for name, node in (("a", memcached[0]), ("c", memcached[2])):
        alone = memcached_cache([CacheServer(name, node.host, node.port)], codec=markers("abc"))
        assert alone.get_many([key])[key] is Missing.ABSENT
        alone.close()


def test_a_node_restarted_empty_is_marked_again_and_has_no_records(
    memcached: list[MemcachedNode], cache: MemcachedCache, expect_log: ExpectLog
) -> None:
    """People of a node that lost its memory must be able to log in again at once, without an operator."""
    expect_log(LOG, "node b refuses connections")
    mine = of_node(cache, "b")
    memcached[1].kill()
    assert cache.get_many(mine)[mine[0]] is Missing.UNREACHABLE
    memcached[1].start()

    assert those(cache.get_many(mine), Missing.ABSENT) == set(mine)

    assert cache.add(mine[0], b"new", expires_at=wall_clock() + HOUR) is Written.APPLIED
    with pytest.raises(ValueError, match="reserved"):
        cache.get_many([MARKER_KEY])
    again = memcached_cache(servers(memcached))
    assert isinstance(again.get_many(mine[:1])[mine[0]], Value)
    again.close()


def test_a_restart_between_two_requests_fails_no_read(memcached: list[MemcachedNode], cache: MemcachedCache) -> None:
    """All idle connections are dead after a restart; none of them may cost a person an error."""
    mine = of_node(cache, "b")
    memcached[1].restart()

    for key in mine:
        assert cache.get_many([key])[key] is Missing.ABSENT


def test_a_restart_between_two_requests_fails_no_write(memcached: list[MemcachedNode], cache: MemcachedCache) -> None:
    """A dead idle connection is noticed before anything is sent on it, so the outcome stays known."""
    mine = of_node(cache, "b")
    memcached[1].restart()

    assert cache.add(mine[0], b"new", expires_at=wall_clock() + HOUR) is Written.APPLIED


def test_a_frozen_node_times_out_and_is_used_again_after(memcached: list[MemcachedNode], expect_log: ExpectLog) -> None:
    """A node that hangs must cost its accounts a retry, for as long as it hangs."""
    expect_log(LOG, "does not answer within 500 ms")
    cache = memcached_cache(servers(memcached), limits=HASTY)
    fill(cache)
    memcached[1].freeze()

    got = cache.get_many(KEYS)
    memcached[1].thaw()

    assert those(got, Missing.UNREACHABLE) == set(of_node(cache, "b"))
    assert those(got, Missing.ABSENT) == set()
    until(lambda: not those(cache.get_many(KEYS), Missing.UNREACHABLE))
    assert not those(cache.get_many(KEYS), Missing.ABSENT)
    cache.close()


def test_a_write_to_a_frozen_node_is_unknown_and_may_still_happen(
    memcached: list[MemcachedNode], expect_log: ExpectLog
) -> None:
    """The node carries out what it received when it wakes up: 'not written' would be a lie."""
    expect_log(LOG, "does not answer within 500 ms")
    cache = memcached_cache(servers(memcached[:1]), limits=HASTY)
    fill(cache)
    memcached[0].freeze()

    outcome = cache.add(CacheKey("f1:x"), b"late", expires_at=wall_clock() + HOUR)
    memcached[0].thaw()

    assert outcome is Written.UNKNOWN
    until(lambda: isinstance(cache.get_many(["f1:x"])["f1:x"], Value))  # type: ignore[list-item,index]
    cache.close()


def test_a_hanging_node_is_left_alone_between_two_tries(memcached: list[MemcachedNode], expect_log: ExpectLog) -> None:
    """Otherwise every thread would wait for the dead node, and the living ones could not be asked."""
    expect_log(LOG, "does not answer")
    clock, trips = ShiftedClock(), Trips()
    cache = memcached_cache(servers(memcached[:1]), limits=HASTY, clock=clock, trips=trips)
    clock.ahead = -HOUR
    memcached[0].freeze()

    for _ in range(50):
        assert cache.get_many(KEYS[:1])[KEYS[0]] is Missing.UNREACHABLE
        assert cache.remove(KEYS[0]) is Written.UNKNOWN
    assert trips.of(Trip.READ) == 1

    clock.ahead += HASTY.rest_ms
    assert cache.get_many(KEYS[:1])[KEYS[0]] is Missing.UNREACHABLE
    assert cache.get_many(KEYS[:1])[KEYS[0]] is Missing.UNREACHABLE
    assert trips.of(Trip.READ) == 2
    assert trips.of(Trip.WRITE) == 0
    cache.close()


def test_a_node_that_hung_is_tried_by_one_request_at_a_time(
    memcached: list[MemcachedNode], expect_log: ExpectLog
) -> None:
    """Otherwise each second all threads at once would wait for the dead node."""
    expect_log(LOG, "does not answer")
    clock, trips = ManualClock(wall_clock()), Trips()
    cache = memcached_cache(servers(memcached[:1]), limits=HASTY, clock=clock, trips=trips)
    memcached[0].freeze()
    cache.get_many(KEYS[:1])
    memcached[0].thaw()
    clock.advance(HASTY.rest_ms)
    meanwhile: list[Got] = []
    trips.before[Trip.READ] = lambda: meanwhile.append(cache.get_many(KEYS[:1])[KEYS[0]])
    trips.made.clear()

    assert cache.get_many(KEYS[:1])[KEYS[0]] is Missing.ABSENT

    assert meanwhile == [Missing.UNREACHABLE]
    assert trips.of(Trip.READ) == 1
    cache.close()


def test_a_node_that_was_away_is_used_only_when_its_revocations_are_done(
    memcached: list[MemcachedNode], expect_log: ExpectLog
) -> None:
    """A session revoked while its node was away must not be alive for the moment after it returns."""
    open_revocations = set[str]()
    cache = memcached_cache(servers(memcached), cleared=lambda name: name not in open_revocations)
    fill(cache)
    expect_log(LOG, "node b refuses connections")
    expect_log(LOG, "node b is back; open revocations must be carried out first")
    mine = of_node(cache, "b")
    memcached[1].kill()
    cache.get_many(KEYS)
    open_revocations.add("b")
    memcached[1].start()

    assert those(cache.get_many(KEYS), Missing.UNREACHABLE) == set(mine)
    assert cache.remove(mine[0]) is Written.UNKNOWN

    open_revocations.clear()
    assert not those(cache.get_many(KEYS), Missing.UNREACHABLE)
    cache.close()


def test_a_daemon_that_starts_asks_for_revocations_before_it_trusts_a_node(
    memcached: list[MemcachedNode], expect_log: ExpectLog
) -> None:
    """It cannot know whether the node was away a moment ago."""
    expect_log(LOG, "open revocations")
    cache = memcached_cache(servers(memcached[:1]), cleared=lambda _name: False)

    assert cache.get_many(KEYS[:1])[KEYS[0]] is Missing.UNREACHABLE
    cache.close()


def test_one_check_is_one_read_trip(memcached: list[MemcachedNode]) -> None:
    """The promise of one memcached read per check, markers included."""
    trips = Trips()
    cache = memcached_cache(servers(memcached[:1]), trips=trips)
    cache.get_many(KEYS[:1])
    trips.made.clear()

    cache.get_many(KEYS[:1])

    assert dict(trips.made) == {("a", Trip.READ): 1}
    cache.close()


def test_a_batch_of_a_thousand_is_one_read_trip_per_node(memcached: list[MemcachedNode]) -> None:
    """The promise to gateways: a batch costs what one check costs."""
    trips = Trips()
    cache = memcached_cache(servers(memcached), trips=trips)
    keys = [CacheKey(f"s1:{n:016d}") for n in range(1_000)]
    cache.get_many(keys)
    trips.made.clear()

    cache.get_many(keys)

    assert dict(trips.made) == {(name, Trip.READ): 1 for name in "abc"}
    cache.close()


def test_the_node_list_shows_how_far_a_clock_is_off(memcached: list[MemcachedNode]) -> None:
    """Expiry is by memcached's clock: an operator must hear of a difference before sessions end early."""
    clock = ShiftedClock()
    cache = memcached_cache(servers(memcached[:1]), clock=clock)
    (right,) = cache.nodes()
    clock.ahead = -MINUTE

    (wrong,) = cache.nodes()

    assert abs(right.clock_ahead_ms) < 5 * SECOND
    assert abs(wrong.clock_ahead_ms - MINUTE) < 5 * SECOND
    cache.close()


def test_the_node_list_names_what_is_wrong_with_each(
    memcached: list[MemcachedNode], cache: MemcachedCache, expect_log: ExpectLog
) -> None:
    """/readyz must say which node to look at."""
    expect_log(LOG, "node c refuses connections")
    memcached[2].kill()

    states = {state.name: state.problem for state in cache.nodes()}

    assert states == {"a": "", "b": "", "c": "refuses connections; memcached is not running there"}


def test_a_node_that_dies_while_it_is_probed_is_named(memcached: list[MemcachedNode], expect_log: ExpectLog) -> None:
    """/readyz must say so rather than fail."""
    expect_log(LOG, "closed the connection|Connection reset")
    trips = Trips()
    cache = memcached_cache(servers(memcached[:1]), trips=trips)
    trips.before[Trip.PROBE] = memcached[0].kill

    (state,) = cache.nodes()

    assert state.problem != ""
    cache.close()


@pytest.mark.memcached
def test_a_node_that_drops_values_is_a_warning(evicting: CacheServer, expect_log: ExpectLog) -> None:
    """Without `-M` people are logged out at random when memory runs short: the operator must hear why."""
    expect_log(LOG, "memcached-evicts: node a: dropped")
    cache = memcached_cache([evicting])
    (before,) = cache.nodes()
    for n in range(100):
        cache.add(CacheKey(f"f1:{n}"), bytes(60_000), expires_at=wall_clock() + HOUR)

    (after,) = cache.nodes()

    assert (before.warning, before.problem, after.problem) == ("", "", "")
    assert re.fullmatch(r"dropped \d+ unexpired values; start memcached with -M and more memory", after.warning)
    cache.close()


def test_a_clock_that_is_wrong_by_decades_is_refused(memcached: list[MemcachedNode]) -> None:
    """In early 1970 an absolute time is read as a duration, and records would outlive their sessions."""
    cache = memcached_cache(servers(memcached[:1]), clock=ManualClock(0))

    with pytest.raises(ValueError, match="1970"):
        cache.add(KEYS[0], b"v", expires_at=HOUR)
    cache.close()


def test_a_part_of_a_second_is_given_not_taken(memcached: list[MemcachedNode]) -> None:
    """Memcached counts whole seconds: cut off, a record would vanish before its session ends."""
    cache = memcached_cache(servers(memcached[:1]))

    assert cache._expire(KEYS[0], b"", 1_900_000_000_001) == 1_900_000_001
    assert cache._expire(KEYS[0], b"", 1_900_000_000_000) == 1_900_000_000
    cache.close()


def test_sessions_that_end_after_2038_are_kept(memcached: list[MemcachedNode]) -> None:
    """Beyond 31 bits of seconds memcached takes the time for past: everybody would be logged out at once."""
    cache = memcached_cache(servers(memcached[:1]), clock=ManualClock(2**31 * SECOND))

    assert cache.add(KEYS[0], b"v", expires_at=2**31 * SECOND + HOUR) is Written.APPLIED

    assert isinstance(cache.get_many(KEYS[:1])[KEYS[0]], Value)
    cache.close()


def test_a_full_node_refuses_and_goes_on_answering(
    start_memcached: Callable[..., MemcachedNode], expect_log: ExpectLog
) -> None:
    """With `-M` nobody's session is dropped to make room: the login that finds no room is told so."""
    expect_log(LOG, "memcached-refused: node a: MemcacheServerError .*out of memory")
    cache = memcached_cache(servers([start_memcached("-m", "2")]))
    expires_at = wall_clock() + HOUR
    outcomes = [cache.add(CacheKey(f"f1:{n}"), bytes(60_000), expires_at=expires_at) for n in range(100)]

    held = outcomes.index(Written.UNKNOWN)

    assert outcomes[:held] == [Written.APPLIED] * held
    got = cache.get_many([CacheKey(f"f1:{n}") for n in range(held)])
    assert not those(got, Missing.ABSENT)
    assert not those(got, Missing.UNREACHABLE)
    assert cache.nodes()[0].full
    cache.close()


def test_an_outage_reaches_the_login_as_unavailable(memcached: list[MemcachedNode], expect_log: ExpectLog) -> None:
    """A login in progress must hear 'try again', not 'this login was not started here'."""
    expect_log(LOG, "refuses connections")
    cache = memcached_cache(servers(memcached[:1]))
    records = OneTimeRecords(cache, keys=ring, clock=wall_clock, alarm=CorruptAlarm(clock=wall_clock))
    records.put(RecordKind.FLOW, "x", b"body", expires_at=wall_clock() + HOUR)
    memcached[0].kill()

    with pytest.raises(StoreUnavailable):
        records.put(RecordKind.FLOW, "y", b"body", expires_at=wall_clock() + HOUR)
    with pytest.raises(StoreUnavailable):
        records.peek(RecordKind.FLOW, "x")
    with pytest.raises(StoreUnavailable):
        records.take(RecordKind.FLOW, "x")
    cache.close()
