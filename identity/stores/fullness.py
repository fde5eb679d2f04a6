"""What is known of a memcached's memory: whether it takes what is new, and since when it does not.

Owns the words for an operator. Must not call the node. A node that is full looks well: open sessions
go on, and logins fail.
"""

from threading import Lock
from typing import Final

from identity.types import MINUTE, Clock, Millis

REMEMBERED_MS: Final[Millis] = MINUTE
"""For so long a write that was refused is told: memory is kept by size, and a small value may still fit."""
SAID: Final = "is full: nobody can log in; who is logged in goes on. Give it more memory (-m)"


class Fullness:
    """One node's memory. Thread-safe.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._refused_at: Millis | None = None
        self.refused = 0

    def refuse(self) -> None:
        """Note that the node had no memory for a value."""
        with self._lock:
            self.refused += 1
            self._refused_at = self._clock()

    def said(self, *, has_room: bool) -> str:
        """Return what an operator is told; empty while there is room."""
        at = self._refused_at
        lately = at is not None and 0 <= self._clock() - at < REMEMBERED_MS
        return "" if has_room and not lately else SAID
