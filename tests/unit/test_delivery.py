"""Whether cookies arrive: a case for each row of the table, and how long a finding stands."""

import pytest

from identity.sessions.delivery import ENOUGH, WINDOW_MS, Delivery, Window, is_dropping, noted

BEGAN = 1_800_000_000_000


@pytest.mark.parametrize(
    ("minted", "advanced", "said"),
    [
        (ENOUGH - 1, 0, False),
        (ENOUGH, 0, True),
        (ENOUGH, 1, False),
        (100, 2, False),
        (101, 2, True),
        (10_000, 199, True),
        (0, 0, False),
    ],
)
def test_the_table(minted: int, advanced: int, *, said: bool) -> None:
    """A false alarm is ignored the next time too; a missed one is a session that nobody protects."""
    delivery = Delivery(Window(BEGAN + WINDOW_MS), over=Window(BEGAN, minted, advanced))

    assert is_dropping(delivery, now=BEGAN + WINDOW_MS + 1) is said


def test_ten_minutes_under_way_are_not_judged_before_they_are_over() -> None:
    """After a start every browser gets a token before the first of them can come back."""
    delivery = Delivery(Window(BEGAN, minted=1_000))

    assert not is_dropping(delivery, now=BEGAN + WINDOW_MS - 1)
    assert is_dropping(delivery, now=BEGAN + WINDOW_MS)


def test_a_finding_of_long_ago_is_not_repeated() -> None:
    """An application nobody visits any more needs no warning."""
    delivery = Delivery(Window(BEGAN, minted=1_000))

    assert not is_dropping(delivery, now=BEGAN + 3 * WINDOW_MS)


def test_checks_are_counted_into_ten_minutes_each() -> None:
    """A proxy that was mended must be believed after ten minutes."""
    delivery = None
    for at in range(40):
        delivery = noted(delivery, minted=True, advanced=False, now=BEGAN + at)
    assert delivery is not None
    assert delivery.under_way == Window(BEGAN, minted=40)
    after = noted(delivery, minted=True, advanced=True, now=BEGAN + WINDOW_MS)

    assert after == Delivery(Window(BEGAN + WINDOW_MS, 1, 1), over=Window(BEGAN, minted=40))


def test_a_clock_that_is_set_back_begins_anew() -> None:
    """Otherwise the same ten minutes would last for the hour the clock went back."""
    delivery = noted(Delivery(Window(BEGAN, minted=5)), minted=True, advanced=False, now=BEGAN - 1)

    assert delivery.under_way == Window(BEGAN - 1, minted=1)
