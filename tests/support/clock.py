"""A clock that moves only when a test says so."""

from threading import Lock
from typing import Final

from identity.types import Millis

NOON: Final[Millis] = 1_800_000_000_000
"""15 January 2027, 08:00 UTC: later than anything that was ever stored, early enough for every format."""


class ManualClock:
    """A `Clock` for tests; thread-safe. Call it for the time, `advance` it instead of sleeping."""

    __slots__ = ("_lock", "_now")

    def __init__(self, now: Millis = NOON) -> None:
        self._now = now
        self._lock = Lock()

    def __call__(self) -> Millis:
        """Return the time in milliseconds since 1970."""
        return self._now

    def advance(self, by_ms: Millis) -> Millis:
        """Move the clock (backwards too, as real ones sometimes do) and return the new time."""
        with self._lock:
            self._now += by_ms
            return self._now
