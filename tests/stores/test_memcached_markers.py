"""A node is read only while its marker says that it is the node it should be."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from identity.keyring import SIGNS_AFTER_MS
from identity.sessions.store import Written
from identity.stores.cache import Missing, Trip
from identity.stores.memcached import MemcachedCache
from identity.types import HOUR
from options.secret import Secret
from tests.support.caches import KEYS, Trips, fill, markers, memcached_cache, of_node, ring, servers, those, wall_clock
from tests.support.guards import Expectation
from tests.support.memcached import MemcachedNode
from tests.support.waiting import RealClock, elapse

LOG = "identity.stores.memcached"

ExpectLog = Callable[..., Expectation]


def test_a_node_at_the_address_of_another_is_not_used(
    memcached: list[MemcachedNode], cache: MemcachedCache, expect_log: ExpectLog
) -> None:
    """Two addresses exchanged in a configuration must not look like two empty nodes: everybody would be logged out."""
    expect_log(LOG, "node a holds the marker of node b")
    expect_log(LOG, "node b holds the marker of node a")
    swapped = memcached_cache(servers([memcached[1], memcached[0], memcached[2]]))

    got = swapped.get_many(KEYS)

    assert those(got, Missing.UNREACHABLE) == {*of_node(cache, "a"), *of_node(cache, "b")}
    assert swapped.add(of_node(cache, "a")[0], b"v", expires_at=wall_clock() + HOUR) is Written.UNKNOWN
    assert swapped.nodes()[0].problem == "holds the marker of node b; check the addresses of the nodes"
    assert swapped.nodes()[2].problem == ""
    swapped.close()


@pytest.mark.parametrize(
    ("names", "generation", "seed", "problem"),
    [
        ("abc", 2, 1, "holds the marker of ring generation 1, not 2"),
        ("abcd", 1, 1, "holds the marker of a ring with other nodes; all daemons must list the same nodes"),
        ("abc", 1, 2, "holds a marker that this key ring did not write; another installation may be using it"),
    ],
    ids=["another generation", "another list of nodes", "another installation"],
)
def test_a_node_of_another_ring_is_not_used(
    memcached: list[MemcachedNode],
    cache: MemcachedCache,
    expect_log: ExpectLog,
    *,
    names: str,
    generation: int,
    seed: int,
    problem: str,
) -> None:
    """Data of an earlier ring, or of a daemon with other nodes, holds old records: they look like thefts."""
    expect_log(LOG, "holds ")
    codec = markers(names, generation=generation, keys=ring(seed))
    other = memcached_cache(servers(memcached), codec=codec)

    assert those(other.get_many(KEYS), Missing.UNREACHABLE) == set(KEYS)

    assert {state.problem for state in other.nodes()} == {problem}
    assert those(cache.get_many(KEYS), Missing.ABSENT) == set()
    other.close()


def test_a_node_marked_with_a_newer_key_waits_for_the_key_file(
    memcached: list[MemcachedNode], expect_log: ExpectLog
) -> None:
    """During the roll-out of a key nothing may be taken for foreign."""
    expect_log(LOG, "newer key ring")
    grown = ring().with_key(Secret(bytes(32)), now=wall_clock() - SIGNS_AFTER_MS)
    newer = memcached_cache(servers(memcached[:1]), codec=markers("a", keys=grown))
    assert newer.get_many(KEYS[:1])[KEYS[0]] is Missing.ABSENT
    older = memcached_cache(servers(memcached[:1]))

    assert older.get_many(KEYS[:1])[KEYS[0]] is Missing.UNREACHABLE

    newer.close()
    older.close()


def test_a_marker_is_sealed_anew_when_a_newer_key_signs(memcached: list[MemcachedNode], expect_log: ExpectLog) -> None:
    """A marker lives longer than any session: under its first key it would become foreign when that key is pruned."""
    grown = ring().with_key(Secret(bytes(32)), now=wall_clock() - SIGNS_AFTER_MS)
    listed = servers(memcached[:1])
    first = memcached_cache(listed)
    first.get_many(KEYS[:1])
    expect_log(LOG, "newer key ring")

    rolled = memcached_cache(listed, codec=markers("a", keys=grown))
    assert rolled.get_many(KEYS[:1])[KEYS[0]] is Missing.ABSENT
    again = memcached_cache(listed, codec=markers("a", keys=grown))
    assert again.get_many(KEYS[:1])[KEYS[0]] is Missing.ABSENT

    behind = memcached_cache(listed)
    assert behind.nodes()[0].problem.startswith("holds a marker made with a newer key ring")
    for each in (first, rolled, again, behind):
        each.close()


def test_two_daemons_that_meet_an_empty_node_agree_on_one_marker(memcached: list[MemcachedNode]) -> None:
    """The one whose `add` loses must read the other's marker, not give up the node."""
    trips = Trips()
    early, late = memcached_cache(servers(memcached[:1])), memcached_cache(servers(memcached[:1]), trips=trips)
    trips.before[Trip.WRITE] = lambda: early.get_many(KEYS[:1])

    assert late.get_many(KEYS[:1])[KEYS[0]] is Missing.ABSENT

    assert trips.of(Trip.READ) == 2
    assert late.nodes()[0].problem == ""
    early.close()
    late.close()


def test_a_node_that_keeps_no_marker_is_not_used(memcached: list[MemcachedNode], expect_log: ExpectLog) -> None:
    """Somebody empties it again and again: what it says means nothing."""
    expect_log(LOG, "has no marker, and none could be written")
    trips = Trips()
    other, cache = memcached_cache(servers(memcached[:1])), memcached_cache(servers(memcached[:1]), trips=trips)

    def marked_and_emptied() -> None:
        other.get_many(KEYS[:1])
        trips.before[Trip.READ] = memcached[0].reset

    trips.before[Trip.WRITE] = marked_and_emptied

    assert cache.get_many(KEYS[:1])[KEYS[0]] is Missing.UNREACHABLE
    other.close()
    cache.close()


def test_a_marker_that_changes_while_the_daemon_runs_is_noticed_at_once(
    memcached: list[MemcachedNode], cache: MemcachedCache, expect_log: ExpectLog
) -> None:
    """A node emptied and given to another ring must not be read for the minute its marker was trusted."""
    expect_log(LOG, "holds the marker of ring generation 2")
    memcached[1].reset()
    other = memcached_cache(servers(memcached[1:2], "b"), codec=markers("abc", generation=2))
    other.get_many(KEYS[:1])
    other.close()

    got = cache.get_many(KEYS)

    assert those(got, Missing.UNREACHABLE) == set(of_node(cache, "b"))


def test_the_first_read_of_an_empty_node_is_one_read_trip_and_the_marker(memcached: list[MemcachedNode]) -> None:
    """Marking a node must not need a second look at it."""
    trips = Trips()
    cache = memcached_cache(servers(memcached[:1]), trips=trips)

    cache.get_many(KEYS[:1])

    assert dict(trips.made) == {("a", Trip.READ): 1, ("a", Trip.WRITE): 1}
    cache.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that memcached, which does not run as root, may write to."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


def test_a_node_restarted_with_its_memory_keeps_everybody_logged_in(
    start_memcached: Callable[..., MemcachedNode], open_folder: Path, expect_log: ExpectLog
) -> None:
    """The documented way to upgrade memcached: option `-e`, SIGUSR1, and a second between stop and start."""
    expect_log(LOG, "refuses connections")
    node = start_memcached("-e", str(open_folder / "memory_file"))
    cache = memcached_cache(servers([node]))
    fill(cache)
    version = cache.get_many(KEYS[:1])[KEYS[0]]
    node._end(signal.SIGUSR1)
    assert cache.get_many(KEYS[:1])[KEYS[0]] is Missing.UNREACHABLE
    elapse(1.1, RealClock.MEMCACHED)

    node.start()

    assert not those(cache.get_many(KEYS), Missing.ABSENT)
    assert cache.get_many(KEYS[:1])[KEYS[0]] == version
    cache.close()
