"""What only the in-process cache does: it is bounded, and says so."""

from itertools import takewhile

import pytest

from identity.errors import StoreUnavailable
from identity.sessions.store import Written
from identity.stores.cache import CacheKey, Missing, Value
from identity.stores.memory_cache import MemoryCache
from identity.types import HOUR, SECOND
from tests.support.clock import ManualClock


def filled(clock: ManualClock, count: int) -> MemoryCache:
    """Return a cache that is full of values that stay."""
    cache = MemoryCache(clock=clock, count=count)
    for n in range(count):
        assert cache.add(CacheKey(f"k{n}"), b"v", expires_at=clock() + HOUR) is Written.APPLIED
    return cache


def test_a_full_cache_refuses_and_drops_nobody() -> None:
    """Evicting would log somebody out to let somebody else in."""
    clock = ManualClock()
    cache = filled(clock, 10)

    with pytest.raises(StoreUnavailable):
        cache.add(CacheKey("one-more"), b"v", expires_at=clock() + HOUR)

    got = cache.get_many([CacheKey(f"k{n}") for n in range(10)])
    assert all(isinstance(value, Value) for value in got.values())


def test_a_full_cache_still_changes_what_it_holds() -> None:
    """People who are logged in go on rotating and logging out."""
    clock = ManualClock()
    cache = filled(clock, 10)
    there = cache.get_many([CacheKey("k0")])[CacheKey("k0")]
    assert isinstance(there, Value)

    swapped = cache.swap(CacheKey("k0"), b"new", version=there.version, expires_at=clock() + HOUR)

    assert swapped is Written.APPLIED
    assert cache.add(CacheKey("k0"), b"again", expires_at=clock() + HOUR) is Written.LOST
    assert cache.remove(CacheKey("k0")) is Written.APPLIED
    assert cache.add(CacheKey("one-more"), b"v", expires_at=clock() + HOUR) is Written.APPLIED


def test_what_has_expired_makes_room() -> None:
    """A cache that was full once must not stay full."""
    clock = ManualClock()
    cache = filled(clock, 10)
    clock.advance(HOUR)

    assert cache.add(CacheKey("one-more"), b"v", expires_at=clock() + HOUR) is Written.APPLIED

    assert len(cache._items) == 1


def test_a_full_cache_is_searched_once_a_second_at_most() -> None:
    """Otherwise each refused login would cost a walk through every session."""
    clock = ManualClock()
    cache = MemoryCache(clock=clock, count=1)
    cache.add(CacheKey("k"), b"v", expires_at=clock() + SECOND // 2)
    with pytest.raises(StoreUnavailable):
        cache.add(CacheKey("one-more"), b"v", expires_at=clock() + HOUR)
    clock.advance(SECOND // 2)

    with pytest.raises(StoreUnavailable):
        cache.add(CacheKey("one-more"), b"v", expires_at=clock() + HOUR)

    clock.advance(SECOND // 2)
    assert cache.add(CacheKey("one-more"), b"v", expires_at=clock() + HOUR) is Written.APPLIED


def test_an_expired_value_of_the_same_key_is_replaced_though_the_cache_is_full() -> None:
    """Its place is its own."""
    clock = ManualClock()
    cache = MemoryCache(clock=clock, count=1)
    cache.add(CacheKey("k"), b"old", expires_at=clock() + SECOND)
    clock.advance(SECOND)

    assert cache.add(CacheKey("k"), b"new", expires_at=clock() + HOUR) is Written.APPLIED


def test_fullness_is_shown_to_the_operator() -> None:
    """/readyz must say why nobody can log in."""
    clock = ManualClock()

    assert filled(clock, 3).nodes()[0].warning == "holds 3 values, its limit"
    assert MemoryCache(clock=clock, count=3).nodes()[0].warning == ""


def test_every_key_is_on_the_one_node_there_is() -> None:
    """Messages that name the node of an account must work without memcached."""
    cache = filled(ManualClock(), 1)

    assert cache.node_of(CacheKey("k0")) == cache.nodes()[0].name


def test_a_closed_cache_is_empty() -> None:
    """A test's or a restarted daemon's sessions must not show up in the next."""
    cache = filled(ManualClock(), 3)

    cache.close()

    assert cache.get_many([CacheKey("k0")])[CacheKey("k0")] is Missing.ABSENT


@pytest.mark.threat(48)
def test_values_beside_sessions_cannot_keep_anybody_from_logging_in() -> None:
    """Strangers who fill what they can reach must not take the room that sessions need, nor the other way round."""
    clock = ManualClock()
    refused: list[str] = []
    cache = MemoryCache(clock=clock, count=10, refused=refused.append)
    for prefix in ("f1", "s1"):
        for n in range(10):
            assert cache.add(CacheKey(f"{prefix}:{n}"), b"v", expires_at=clock() + HOUR) is Written.APPLIED
        with pytest.raises(StoreUnavailable):
            cache.add(CacheKey(f"{prefix}:one-more"), b"v", expires_at=clock() + HOUR)

    assert cache.nodes()[0].full
    assert refused == [cache.nodes()[0].name] * 2
    assert cache.nodes()[0].warning == "holds 10 session records, its limit"


@pytest.mark.threat(48)
@pytest.mark.parametrize("size", [1, 1_000, 60_000])
def test_memory_is_bounded_in_bytes(size: int) -> None:
    """A limit by count alone let 100,000 large values take 292 MB."""
    clock = ManualClock()
    cache = MemoryCache(clock=clock, other_bytes=1_000_000)

    def fits(number: int) -> bool:
        try:
            cache.add(CacheKey(f"f1:{number}"), bytes(size), expires_at=clock() + SECOND)
        except StoreUnavailable:
            return False
        return True

    taken = len(list(takewhile(fits, range(10_000))))

    assert 900_000 < taken * (size + 450) <= 1_000_000
    clock.advance(SECOND)
    assert cache.add(CacheKey("f1:later"), bytes(size), expires_at=clock() + SECOND) is Written.APPLIED
    assert not cache.nodes()[0].full


@pytest.mark.threat(48)
def test_what_is_let_go_is_not_counted_any_more() -> None:
    """A count that only grows would refuse logins after days, with nothing in the cache."""
    clock = ManualClock()
    cache = MemoryCache(clock=clock, count=3)
    for n in range(50):
        key = CacheKey(f"s1:{n}")
        assert cache.add(key, b"v", expires_at=clock() + HOUR) is Written.APPLIED
        there = cache.get_many([key])[key]
        assert isinstance(there, Value)
        assert cache.swap(key, bytes(n), version=there.version, expires_at=clock() + HOUR) is Written.APPLIED
        assert cache.remove(key) is Written.APPLIED
        assert cache.remove(key) is Written.LOST

    assert (cache._sessions.count, cache._sessions.bytes) == (0, 0)
