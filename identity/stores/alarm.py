"""The alarm that rings when a cache holds something this installation did not write.

Owns its log line, and how often such lines are written: an attacker who can cause one per
request must not be able to flood the log. Every case is counted.
"""

import logging
from collections.abc import Callable
from threading import Lock
from typing import Final

from identity.types import MINUTE, Clock, Millis

log = logging.getLogger("identity.stores")

QUIET_MS: Final[Millis] = MINUTE


class LogPace:
    """Lets one line through a minute, and counts those it held back. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._passed_at: Millis | None = None
        self._held = 0

    def held(self) -> int | None:
        """Return how many lines were held back since the last one; None if this one is to be held back."""
        now = self._clock()
        with self._lock:
            if self._passed_at is not None and 0 <= now - self._passed_at < QUIET_MS:
                self._held += 1
                return None
            held, self._held, self._passed_at = self._held, 0, now
            return held


class CorruptAlarm:
    """Rings for values that fail their authentication.

    Args:
        clock: for the pause between two lines.
        count: called with the kind of each value, for a metric. Must not block.
    """

    def __init__(self, *, clock: Clock, count: Callable[[str], None] = lambda _kind: None) -> None:
        self._count = count
        self._pace = LogPace(clock)

    def ring(self, kind: str, where: str) -> None:
        """Count, and say it in the log at most once a minute. `where` must not be a secret."""
        self._count(kind)
        held = self._pace.held()
        if held is None:
            return
        log.error(
            "store-corrupt: a value of kind %s at %s was not written by this installation; "
            "another program may be able to write to the cache",
            kind,
            where,
            extra={"kind": kind, "where": where, "not_logged": held},
        )
