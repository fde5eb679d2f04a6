"""How many logins may come from one place, and what is one place."""

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.login.pacing import BUCKETS, Counted, Pacing, range_of, wait_ms
from identity.stores.alarm import CorruptAlarm
from identity.stores.memory_cache import MemoryCache
from identity.stores.records import OneTimeRecords
from identity.types import MINUTE, SECOND, Millis
from tests.support.caches import ring
from tests.support.clock import NOON, ManualClock

ONE, OTHER = "192.0.2.7", "192.0.2.8"


class Door:
    """A limit of so many a minute, over a cache in memory."""

    def __init__(self, most: int = 10, place: Callable[[bytes], bytes] | None = None) -> None:
        self.clock = ManualClock(NOON)
        self.cache = MemoryCache(clock=self.clock)
        keys = ring()
        one_time = OneTimeRecords(self.cache, keys=lambda: keys, clock=self.clock, alarm=CorruptAlarm(clock=self.clock))
        self.pacing = Pacing(one_time, place=place or _hashed, clock=self.clock, most=most)

    def come(self, address: str = ONE, what: Counted = Counted.START) -> int:
        """Come once; return how long to wait."""
        return self.pacing.wait_s(what, address)


def _hashed(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_so_many_pass_in_a_minute_and_the_next_one_waits() -> None:
    """One address could begin as many logins as it can send."""
    door = Door(10)

    assert [door.come() for _ in range(10)] == [0] * 10
    assert 0 < door.come() <= 61


def test_others_do_not_notice() -> None:
    """One busy address would keep everybody from logging in."""
    door = Door(10)
    for _ in range(30):
        door.come()

    assert door.come(OTHER) == 0
    assert door.come("2001:db8::1") == 0


@pytest.mark.parametrize("lasts_ms", [0, MINUTE // 3, MINUTE - 1])
def test_whoever_waits_as_long_as_told_goes_on(lasts_ms: Millis) -> None:
    """A time that is too short would have people try again in vain."""
    door = Door(10)
    for _ in range(10):
        door.come()
    door.clock.advance(lasts_ms)
    wait = door.come()

    door.clock.advance(wait * SECOND)

    assert wait > 0
    assert door.come() == 0


def test_the_window_slides() -> None:
    """Two bursts around the turn of a minute would be twice as many."""
    door = Door(10)
    door.clock.advance(MINUTE - SECOND)
    for _ in range(10):
        assert door.come() == 0

    door.clock.advance(2 * SECOND)

    assert [door.come() > 0 for _ in range(3)] == [False, True, True]


def test_those_who_are_told_to_wait_are_not_counted() -> None:
    """Whoever keeps on trying would never be let in again."""
    door = Door(10)
    for _ in range(10):
        door.come()
    for _ in range(500):
        door.come()

    door.clock.advance(2 * MINUTE)

    assert door.come() == 0


def test_starts_and_answers_are_counted_apart() -> None:
    """Otherwise one who was let in to begin could be kept from coming back."""
    door = Door(10)
    for _ in range(11):
        door.come(what=Counted.START)

    assert door.come(what=Counted.ANSWER) == 0


def test_no_limit_is_no_limit() -> None:
    """Zero must switch it off, and cost nothing."""
    door = Door(0)

    assert {door.come() for _ in range(50)} == {0}
    assert door.cache._items == {}


@pytest.mark.threat(60)
@pytest.mark.parametrize(
    "spelt",
    [
        "::ffff:192.0.2.7",
        "::FFFF:C000:0207",
        "0:0:0:0:0:ffff:c000:207",
        " 192.0.2.7 ",
        "::ffff:192.0.2.7%eth0",
    ],
)
def test_another_spelling_of_an_address_is_the_same_address(spelt: str) -> None:
    """Authelia CVE-2026-47203: a limit was evaded by spelling the name otherwise."""
    door = Door(10)
    for at in range(10):
        door.come(spelt if at % 2 else ONE)

    assert door.come(ONE) > 0
    assert door.come(spelt) > 0


@pytest.mark.threat(60)
@given(st.integers(0, 2**72 - 1))
def test_a_subscribers_many_ipv6_addresses_are_one_range(tail: int) -> None:
    """Whoever is given 2^72 addresses would have as many limits."""
    first = int.from_bytes(b"\x20\x01\x0d\xb8\0\0\x12", "big") << 72
    from ipaddress import IPv6Address  # noqa: PLC0415

    address = IPv6Address(first | tail)

    assert range_of(str(address)) == range_of(address.exploded.upper()) == b"\x20\x01\x0d\xb8\0\0\x12"


@pytest.mark.threat(60)
def test_neighbours_are_others() -> None:
    """Otherwise a limit would hit whoever happens to be next door."""
    ranges = {range_of(each) for each in ("192.0.2.7", "192.0.2.8", "2001:db8:0:100::1", "2001:db8:0:200::1", "::1")}

    assert len(ranges) == 5


@pytest.mark.parametrize("address", ["", "unknown", "unix:", "1.2.3", "1.2.3.4:80", "\ud800"])
def test_who_has_no_address_is_not_slowed(address: str) -> None:
    """Otherwise everybody behind a socket without addresses would share one limit."""
    door = Door(1)

    assert {door.come(address) for _ in range(5)} == {0}


@pytest.mark.threat(48)
def test_the_counters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting strangers must not be the new way to fill the store."""
    monkeypatch.setattr("identity.login.pacing.BUCKETS", 16)
    door = Door(1_000)
    for number in range(400):
        door.come(f"198.51.{number // 256}.{number % 256}")

    assert len(door.cache._items) <= 16
    assert max(len(item.value.data) for item in door.cache._items.values()) <= 32
    assert BUCKETS == 2_048


@pytest.mark.parametrize("broken", ["get_many", "add"])
def test_a_store_in_trouble_slows_nobody(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that fails closed would turn a full store into an outage for everybody."""
    door = Door(10)
    with monkeypatch.context() as patch:
        patch.setattr(door.cache, broken, _away)

        assert {door.come() for _ in range(50)} == {0}


@given(st.integers(0, 2_000), st.integers(0, 2_000), st.integers(1, 1_000), st.integers(0, MINUTE - 1))
def test_the_wait_is_the_shortest_that_helps(before: int, during: int, most: int, at: Millis) -> None:
    """Too short, and people try in vain; too long, and they go away."""

    def free(after: Millis) -> bool:
        then = at + after
        if then < MINUTE:
            return wait_ms(before, during, most=most, at=then) == 0
        return then >= 2 * MINUTE or wait_ms(during, 0, most=most, at=then - MINUTE) == 0

    wait = wait_ms(before, during, most=most, at=at)

    assert wait >= 0
    assert free(wait)
    assert wait <= 2 * MINUTE
    assert wait < 2 or not free(wait - 2)


def _away(*_: object, **__: object) -> object:
    from identity.errors import StoreUnavailable  # noqa: PLC0415

    raise StoreUnavailable(detail="away")
