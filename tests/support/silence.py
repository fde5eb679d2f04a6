"""A cache over three nodes that keeps 32 connections to each, and who counts its time-outs."""

from contextlib import ExitStack
from typing import Final

from identity.stores.cache import CacheKey, Got, Value
from identity.stores.memcached import MemcachedCache
from identity.stores.servers import Limits, Told
from identity.types import HOUR

KEPT: Final = 32
"""Connections a daemon keeps to a node with the settings it has from the start."""
LIMITS: Final = Limits(connect_ms=2_000, answer_ms=1_000, rest_ms=HOUR)
"""A node that is put to rest stays there for the whole test."""


class Silences:
    """Hears of calls that were not answered in time."""

    def __init__(self) -> None:
        self.of: list[str] = []
        self.told = Told(silent=self.of.append)


def keep(cache: MemcachedCache, name: str, number: int) -> None:
    """Let the cache keep so many connections to a node that have all been used."""
    pool = cache._nodes[name]._pool
    with ExitStack() as together:
        for _ in range(number):
            connection = together.enter_context(pool.get_and_release())
            connection.ready()
            connection.gets_many([CacheKey("x")])
    assert len(pool.free) >= number


def found(got: Got) -> bool:
    """Tell whether the value that was filled in is there."""
    return isinstance(got, Value)
