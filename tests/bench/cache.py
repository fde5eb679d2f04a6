"""What it costs to read session records, beside a bare memcached get.

CPU microseconds are those of this process (memcached's own are not counted), the best of several
rounds in one thread; on a shared machine times vary by half, their ratios less.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pymemcache.client.base import Client, PooledClient

from identity.stores.alarm import CorruptAlarm
from identity.stores.cache import Cache
from identity.stores.memory_cache import MemoryCache
from identity.stores.records import SessionRecords, key_of
from identity.types import HOUR
from tests.support.caches import account, memcached_cache, record_of, ring, servers, wall_clock
from tests.support.memcached import MemcachedNode, binary

ROUNDS = 5
CALLS = 4_000
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds per record."""

    cpu: float
    wall: float


def cost(call: Callable[[], object], *, calls: int = CALLS, each: int = 1) -> Cost:
    """Return what one record costs when a call reads `each` of them."""
    found = []
    for _ in range(ROUNDS):
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        for _ in range(calls):
            call()
        cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
        found.append((cpu, wall))
    per = 1_000 * calls * each
    return Cost(min(cpu for cpu, _ in found) / per, min(wall for _, wall in found) / per)


@contextmanager
def running_node() -> Iterator[MemcachedNode]:
    """Give a memcached for the time of the measurement."""
    node = MemcachedNode()
    node.start()
    try:
        yield node
    finally:
        node.stop()


def filled(cache: Cache) -> SessionRecords:
    """Return session records over a cache, with a batch of them in it."""
    keys = ring()
    records = SessionRecords(cache, keys=lambda: keys, clock=wall_clock, alarm=CorruptAlarm(clock=wall_clock))
    for number in range(BATCH):
        locator = keys.locator(account(number))
        records.add(locator, record_of(number), expires_at=wall_clock() + HOUR)
    return records


def bare_rows(node: MemcachedNode, key: str) -> Iterator[tuple[str, Cost]]:
    """Measure the client library alone."""
    client = Client(node.address, no_delay=True, default_noreply=False)
    pooled = PooledClient(node.address, no_delay=True, default_noreply=False)
    yield "bare pymemcache Client.get", cost(lambda: client.get(key))
    yield "bare pymemcache PooledClient.get", cost(lambda: pooled.get(key))
    yield "bare pymemcache PooledClient.gets_many, 2 keys", cost(lambda: pooled.gets_many(("n1:node", key)))
    client.close()
    pooled.close()


def own_rows(name: str, cache: Cache) -> Iterator[tuple[str, Cost]]:
    """Measure our own way to the same record."""
    records = filled(cache)
    locators = [ring().locator(account(number)) for number in range(BATCH)]
    one, key = locators[:1], (key_of(locators[0]),)
    yield f"{name}: one value", cost(lambda: cache.get_many(key))
    yield f"{name}: one record (verified, unpacked)", cost(lambda: records.read_many(one))
    yield f"{name}: {BATCH:,} records, each", cost(lambda: records.read_many(locators), calls=10, each=BATCH)


def rows() -> Iterator[tuple[str, Cost]]:
    """Measure everything."""
    yield from own_rows("memory", MemoryCache(clock=wall_clock))
    if binary() is None:
        return
    with running_node() as node:
        cache = memcached_cache(servers([node]))
        own = list(own_rows("memcached", cache))
        yield from bare_rows(node, key_of(ring().locator(account(0))))
        yield from own
        cache.close()


def main() -> None:
    """Print the table."""
    write = sys.stdout.write
    write(f"{'reading session records':<52}{'CPU µs':>9}{'wall µs':>9}\n")
    for name, each in rows():
        write(f"{name:<52}{each.cpu:>9.1f}{each.wall:>9.1f}\n")
    if binary() is None:
        write("memcached is not installed: nothing to compare with (apt-get install memcached)\n")
