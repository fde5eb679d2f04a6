"""Parts of a daemon that tests put into the places of real ones, to exchange or to cut them."""

from collections.abc import Collection, Mapping
from typing import Any

from identity.keyring import KeyRing
from identity.opening import Ring
from identity.stores.cache import CacheKey, Got, Missing
from identity.stores.memory_cache import MemoryCache


class HeldRing(Ring):
    """A key ring that a test exchanges."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def hold(self, ring: KeyRing) -> None:
        """Use this one from now on."""
        self._ring = ring


def unreachable(keys: Collection[CacheKey]) -> Mapping[CacheKey, Got]:
    """Answer as a cache does whose nodes are dead."""
    return dict.fromkeys(keys, Missing.UNREACHABLE)


class SecondConnections:
    """The same cache as what ends sessions reaches it, over connections that a test can cut."""

    def __init__(self, cache: MemoryCache) -> None:
        self._cache = cache
        self.cut = False

    def get_many(self, keys: Collection[CacheKey]) -> Mapping[CacheKey, Got]:
        """Read, if the connections are there."""
        return unreachable(keys) if self.cut else self._cache.get_many(keys)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401, whatever the cache has
        return getattr(self._cache, name)


class NoProviders:
    """An outbound client that calls nothing: the providers of these tests are not called over http."""

    def for_provider(self, _: str) -> Any:  # noqa: ANN401, a client that is never used
        """Return what a scripted provider ignores."""
        return None

    def troubles(self) -> Mapping[str, str]:
        """Return that no provider is in trouble."""
        return {}
