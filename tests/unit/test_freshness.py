"""Whether a login is fresh enough: a case for every row of the tables in `freshness.py`."""

import pytest

from identity.login.freshness import fresh_enough, proven_since
from identity.types import DAY, MINUTE, SECOND, Millis

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("auth_at", "max_age", "fresh"),
    [
        (None, 0, False),
        (None, 365 * DAY, False),
        (NOW + MINUTE + 1, DAY, False),
        (NOW + MINUTE, 0, True),
        (NOW + 1, 0, True),
        (NOW, 0, True),
        (NOW - 1, 0, False),
        (NOW - 5 * MINUTE, 5 * MINUTE, True),
        (NOW - 5 * MINUTE - 1, 5 * MINUTE, False),
        (0, DAY, False),
    ],
)
def test_a_login_is_fresh_as_long_as_was_demanded(auth_at: Millis | None, max_age: Millis, *, fresh: bool) -> None:
    """A stranger at a computer that was left unlocked must not pass for its owner."""
    assert fresh_enough(auth_at, max_age, NOW) is fresh


@pytest.mark.parametrize(
    ("auth_at", "proven"),
    [
        (None, False),
        (0, False),
        (NOW - MINUTE - 1, False),
        (NOW - MINUTE, True),
        (NOW - SECOND, True),
        (NOW, True),
        (NOW + 10 * MINUTE, True),
    ],
)
def test_a_forced_login_is_one_that_came_after_the_question(auth_at: Millis | None, *, proven: bool) -> None:
    """A provider that ignores the question would vouch for whoever sits there now."""
    assert proven_since(auth_at, NOW) is proven
