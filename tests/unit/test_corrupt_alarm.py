"""The alarm: every case counted, one line a minute."""

from collections.abc import Callable

from identity.stores.alarm import QUIET_MS, CorruptAlarm
from tests.support.clock import ManualClock
from tests.support.guards import Expectation

ExpectLog = Callable[..., Expectation]


def test_a_thousand_corrupt_values_are_one_line_and_a_thousand_counts(expect_log: ExpectLog) -> None:
    """Whoever can write to memcached must not be able to fill the disk with log lines."""
    seen, counted, clock = expect_log("identity.stores", "store-corrupt"), list[str](), ManualClock()
    alarm = CorruptAlarm(clock=clock, count=counted.append)

    for _ in range(1_000):
        alarm.ring("s1", "s1:here")

    assert len(seen.records) == 1
    assert counted == ["s1"] * 1_000


def test_after_a_minute_it_says_how_many_were_not_logged(expect_log: ExpectLog) -> None:
    """The operator must see that it goes on, and how much."""
    seen, clock = expect_log("identity.stores", "store-corrupt"), ManualClock()
    alarm = CorruptAlarm(clock=clock)
    for _ in range(3):
        alarm.ring("s1", "s1:here")
    clock.advance(QUIET_MS)

    alarm.ring("f1", "FLOW")

    assert [vars(record)["not_logged"] for record in seen.records] == [0, 2]


def test_a_clock_set_back_does_not_silence_it(expect_log: ExpectLog) -> None:
    """Otherwise a corrected clock would keep the alarm quiet for as long as it was ahead."""
    seen, clock = expect_log("identity.stores", "store-corrupt"), ManualClock()
    alarm = CorruptAlarm(clock=clock)
    alarm.ring("s1", "s1:here")
    clock.advance(-10 * QUIET_MS)

    alarm.ring("s1", "s1:here")

    assert len(seen.records) == 2
