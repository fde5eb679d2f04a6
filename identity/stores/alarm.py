"""The alarm that rings when a cache holds something this installation did not write.

Owns the log line, and how often it is written: who can write to memcached must not be able to
flood the log too. Every case is counted.
"""

import logging
from collections.abc import Callable
from threading import Lock
from typing import Final

from identity.types import MINUTE, Clock, Millis

log = logging.getLogger("identity.stores")

QUIET_MS: Final[Millis] = MINUTE


class CorruptAlarm:
    """Rings for values that fail their authentication.

    Args:
        clock: for the pause between two lines.
        count: called with the kind of each value, for a metric. Must not block.
    """

    def __init__(self, *, clock: Clock, count: Callable[[str], None] = lambda _kind: None) -> None:
        self._clock = clock
        self._count = count
        self._lock = Lock()
        self._rung_at: Millis | None = None
        self._silent = 0

    def ring(self, kind: str, where: str) -> None:
        """Count, and say it in the log at most once a minute. `where` must not be a secret."""
        self._count(kind)
        now = self._clock()
        with self._lock:
            if self._rung_at is not None and 0 <= now - self._rung_at < QUIET_MS:
                self._silent += 1
                return
            silent, self._silent, self._rung_at = self._silent, 0, now
        log.error(
            "store-corrupt: a value of kind %s at %s was not written by this installation; "
            "somebody else may be able to write to the cache",
            kind,
            where,
            extra={"kind": kind, "where": where, "not_logged": silent},
        )
