"""Caches and records for tests: a key ring, memcached caches that count their trips, session records."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from identity.keyring import KeyRing, Purpose, new_ring
from identity.sessions.record import Lineage, Record, Session
from identity.sessions.store import Written
from identity.stores.cache import CacheKey, Got, Missing, Trip
from identity.stores.markers import NodeMarkers
from identity.stores.memcached import MemcachedCache
from identity.stores.sealing import Sealer
from identity.stores.servers import UNTOLD, CacheServer, Limits, Told
from identity.stores.whereabouts import Resolve, system_resolve
from identity.types import (
    DAY,
    HOUR,
    AccountId,
    Clock,
    Host,
    IdentityKey,
    Millis,
    SessionId,
    TokenId,
    Username,
)
from options.secret import Secret
from tests.support.memcached import MemcachedNode

NAMES = ("a", "b", "c")
KEYS = [CacheKey(f"s1:{n:016d}") for n in range(60)]
PATIENT = Limits(connect_ms=10_000, answer_ms=10_000)
"""For tests that are not about time-outs: a busy machine must not look like a dead node."""


def wall_clock() -> Millis:
    """Return the real time: memcached has no other."""
    return time.time_ns() // 1_000_000


def ring(seed: int = 1) -> KeyRing:
    """Return a key ring of one key; another seed gives another installation's."""
    return new_ring(secret=Secret(bytes((seed,)) * 32), locator=Secret(bytes((seed + 100,)) * 32), now=0)


def markers(
    names: Sequence[str], *, keys: KeyRing | None = None, generation: int = 1, clock: Clock = wall_clock
) -> NodeMarkers:
    """Return the marker codec of a ring of nodes."""
    keys = keys or ring()
    return NodeMarkers(names, generation=generation, sealer=Sealer(lambda: keys, purpose=Purpose.NODE, clock=clock))


class Trips:
    """Counts round trips, by node and purpose.

    `before` holds things that happen once, just before the next trip of a purpose is made.
    """

    def __init__(self) -> None:
        self.made: Counter[tuple[str, Trip]] = Counter()
        self.before: dict[Trip, Callable[[], object]] = {}

    def __call__(self, node: str, trip: Trip) -> None:
        """Count one."""
        self.made[node, trip] += 1
        if happens := self.before.pop(trip, None):
            happens()

    def of(self, trip: Trip) -> int:
        """Return how many had this purpose, over all nodes."""
        return sum(count for (_, purpose), count in self.made.items() if purpose is trip)


def servers(nodes: Sequence[MemcachedNode], names: Sequence[str] = NAMES) -> list[CacheServer]:
    """Name the nodes a, b, c … in their order."""
    return [CacheServer(name, node.host, node.port) for name, node in zip(names, nodes, strict=False)]


def memcached_cache(
    listed: Sequence[CacheServer],
    *,
    clock: Clock = wall_clock,
    codec: NodeMarkers | None = None,
    limits: Limits = PATIENT,
    cleared: Callable[[str], bool] = lambda _name: True,
    trips: Trips | None = None,
    told: Told = UNTOLD,
    resolve: Resolve = system_resolve,
) -> MemcachedCache:
    """Return a cache over these servers, with the markers of its own ring unless told otherwise."""
    return MemcachedCache(
        listed,
        markers=codec or markers([server.name for server in listed]),
        clock=clock,
        limits=limits,
        cleared=cleared,
        on_trip=trips or Trips(),
        told=told,
        resolve=resolve,
    )


def fill(cache: MemcachedCache) -> None:
    """Write each of KEYS."""
    for key in KEYS:
        assert cache.add(key, key.encode(), expires_at=wall_clock() + HOUR) is Written.APPLIED


def of_node(cache: MemcachedCache, name: str) -> list[CacheKey]:
    """Return the keys one node holds."""
    return [key for key in KEYS if cache.node_of(key) == name]


def those(got: Mapping[CacheKey, Got], what: Missing) -> set[CacheKey]:
    """Return the keys that were answered so."""
    return {key for key, answer in got.items() if answer is what}


def account(number: int) -> AccountId:
    """Return the id of the account of this number."""
    return AccountId(UUID(int=number + 1))


def record_of(number: int, *, username: str = "ada", epoch: int = 1, now: Millis = 1_800_000_000_000) -> Record:
    """Return a record with one session, all of its fields away from their defaults."""
    seed = bytes((number % 256,))
    session = Session(
        id=SessionId(seed * 16),
        lineage=Lineage(base=TokenId(seed * 8), previous=TokenId(b"p" * 8), advanced_at=now - 5),
        created_at=now - 9_000,
        active_at=now - 7,
        ends_at=now + 30 * DAY,
        auth_at=now - 9_001,
        host=Host("login.example.com"),
        identity=IdentityKey("demo:ada"),
        agent="Firefox on Linux",
        address="192.0.2.x",
    )
    return Record(account(number), Username(username), epoch=epoch, compared_at=now - 11, sessions=(session,))
