"""Times as people read them: how long ago, and exactly when. Pure."""

from datetime import UTC, datetime
from typing import Final

from identity.types import DAY, HOUR, MINUTE, SECOND, Millis

_UNITS: Final = (("years", 365 * DAY), ("months", 30 * DAY), ("days", DAY), ("hours", HOUR), ("minutes", MINUTE))


def ago(at: Millis, *, now: Millis) -> tuple[str, int]:
    """Return the unit and the number to speak of, for example `("minutes", 3)`; under a minute `("now", 0)`.

    A time ahead of the clock, as another server's may be, is now too.
    """
    age = now - at
    return next(((unit, age // length) for unit, length in _UNITS if age >= length), ("now", 0))


def exact(at: Millis) -> str:
    """Return the time in UTC as `2027-01-15 08:00 UTC`: the one spelling no reader takes for another day."""
    return f"{_moment(at):%Y-%m-%d %H:%M} UTC"


def machine(at: Millis) -> str:
    """Return the time as HTML's `datetime` attribute wants it (RFC 3339)."""
    return f"{_moment(at):%Y-%m-%dT%H:%M:%SZ}"


def _moment(at: Millis) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC)
