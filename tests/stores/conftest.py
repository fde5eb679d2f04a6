"""What the tests of the stores share."""

from collections.abc import Iterator

import pytest

from identity.stores.memcached import MemcachedCache
from tests.support.caches import fill, memcached_cache, servers
from tests.support.memcached import MemcachedNode


@pytest.fixture
def cache(memcached: list[MemcachedNode]) -> Iterator[MemcachedCache]:
    """Give a filled cache over three nodes."""
    made = memcached_cache(servers(memcached))
    fill(made)
    yield made
    made.close()
