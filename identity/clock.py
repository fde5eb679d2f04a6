"""Between which times identityd works at all, and what a clock outside of them is called.

Pure. A token says in five bytes when it was made, counted from 2020 (it could say so until 2054), and
everything that expires is counted by the clock. A machine whose battery is empty starts in 1970, and a
slip of the hand sets a century: nothing is signed or kept under such a time.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from identity.errors import ConfigError
from identity.types import DAY, Millis

EARLIEST: Final[Millis] = 1_577_836_800_000
"""2020-01-01."""
LATEST: Final[Millis] = 2_524_608_000_000
"""2050-01-01: a session that is opened then ends, at the latest 400 days later, before tokens cannot say so."""
AHEAD: Final[Millis] = DAY
"""A key may have been made by a machine whose clock is ahead of ours by this much."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REMEDY: Final = "set this machine's clock right"


def problem_at(now: Millis) -> str:
    """Return what is wrong with the time; empty if nothing is."""
    if EARLIEST <= now < LATEST:
        return ""
    which = "before 2020" if now < EARLIEST else "2050 or later"
    return f"[clock] this machine says it is {_said(now)}, which is {which}; {_REMEDY}"


def require(now: Millis) -> Millis:
    """Return the time. Raises ConfigError if nothing can be signed or kept at it."""
    if problem := problem_at(now):
        raise ConfigError((problem,))
    return now


def problem_with_key(number: int, created_at: Millis, *, now: Millis) -> str:
    """Return why this time cannot be right beside a key's; empty if it can."""
    if created_at <= now + AHEAD:
        return ""
    return (
        f"[clock] key {number} was made at {_said(created_at)}, and this machine says it is {_said(now)}: one of the "
        f"two clocks was wrong; {_REMEDY}, or if the key's time is wrong, correct it in the key ring"
    )


def _said(at: Millis) -> str:
    try:
        return (_EPOCH + timedelta(milliseconds=at)).strftime("%Y-%m-%d %H:%M UTC")
    except OverflowError:
        return "a year of five digits"


def moment(at: Millis) -> str:
    """Return a time as operators and programs read it: UTC, to the second."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
