"""Connections to one server that are kept for the next call. Thread-safe.

Owns which connection a call gets, and must not know what is said on it. The one used last is
taken first, so that those beyond the need grow old. A connection is not used again

- unused for `idle_ms`: a firewall on the way may have forgotten it, and would not say so;
- older than `OLDEST_MS`: the server's name may lead elsewhere by now;
- of a generation that was given up, also when it was in use at that moment.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Final, Generic, Protocol, TypeVar

from identity.types import MINUTE, Clock, Millis

OLDEST_MS: Final[Millis] = 5 * MINUTE


class Busy(RuntimeError):
    """All connections are in use: our own limit, which says nothing about the server."""


class Link(Protocol):
    """A connection; the pool writes down on it when it was made and used, and its generation."""

    generation: int
    made_at: Millis
    used_at: Millis

    def close(self) -> None:
        """Hang up; does nothing if it was done."""
        ...


L = TypeVar("L", bound=Link)


class Connections(Generic[L]):
    """The connections to one server.

    Args:
        make: makes one.
        most: how many there are at once.
        idle_ms: unused for so long one is not used again.
        clock: may jump; then more are made anew than need be.
    """

    def __init__(self, make: Callable[[], L], *, most: int, idle_ms: Millis, clock: Clock) -> None:
        self._make = make
        self._most = most
        self._idle_ms = idle_ms
        self._clock = clock
        self._lock = Lock()
        self._free: deque[L] = deque()
        self._used = 0
        self.generation = 0
        """Of the connections that are made now."""

    @property
    def free(self) -> Sequence[L]:
        """Those that are not in use."""
        return tuple(self._free)

    @contextmanager
    def get_and_release(self) -> Iterator[L]:
        """Give a connection for one call; one that failed is closed. Raises Busy."""
        link = self._take()
        try:
            yield link
        except BaseException:
            with self._lock:
                self._used -= 1
            link.close()
            raise
        self._give_back(link)

    def give_up(self, generation: int) -> bool:
        """Use none of this generation again; True for the first who says so."""
        with self._lock:
            if generation != self.generation:
                return False
            self.generation += 1
            dropped, self._free = self._free, deque()
        _close(dropped)
        return True

    def close(self) -> None:
        """Close those that are not in use, and the others when they are released."""
        self.give_up(self.generation)

    def _take(self) -> L:
        now = self._clock()
        with self._lock:
            old = self._too_old(now)
            link = self._free.pop() if self._free else None
            if link is None:
                if self._used >= self._most:
                    raise Busy
                link = self._make()
                link.generation, link.made_at = self.generation, now
            self._used += 1
        _close(old)
        return link

    def _too_old(self, now: Millis) -> list[L]:
        """Take out those not to be used again. What a clock that was set back calls the future is old, too."""
        old = []
        while self._free and not 0 <= now - self._free[0].used_at < self._idle_ms:
            old.append(self._free.popleft())
        while self._free and not 0 <= now - self._free[-1].made_at < OLDEST_MS:
            old.append(self._free.pop())
        return old

    def _give_back(self, link: L) -> None:
        now = self._clock()
        with self._lock:
            self._used -= 1
            kept = link.generation == self.generation
            if kept:
                link.used_at = now
                self._free.append(link)
        if not kept:
            link.close()


def _close(links: Sequence[L] | deque[L]) -> None:
    for link in links:
        link.close()
