"""People who arrive at a steady rate, whatever becomes of those before them, and how each fared."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from identity.errors import StoreUnavailable

_THREADS = 32
SLOW_S = 1.0
"""A call that took longer made somebody look at the clock."""


@dataclass(frozen=True, slots=True)
class Call:
    """One of them: when it came, how long it took, and why it failed ("" if it did not)."""

    number: int
    at: float
    took_s: float
    failure: str


@dataclass(slots=True)
class Calls:
    """All of them, in the order in which they ended."""

    all: list[Call] = field(default_factory=list)

    def came(self, begin: float, end: float = float("inf")) -> list[Call]:
        """Return those that came within a span of `time.monotonic()`."""
        return [call for call in self.all if begin <= call.at < end]

    def failed(self, begin: float = 0, end: float = float("inf")) -> list[Call]:
        """Return those of a span that failed."""
        return [call for call in self.came(begin, end) if call.failure]

    def slow(self, begin: float = 0, end: float = float("inf")) -> list[Call]:
        """Return those of a span that took more than a second."""
        return [call for call in self.came(begin, end) if call.took_s > SLOW_S]

    def numbers(self) -> list[int]:
        """Return the numbers of those that did not fail."""
        return [call.number for call in self.all if not call.failure]

    def report(self, name: str, begin: float) -> str:
        """Say in a line how those since a moment fared."""
        failed = [round(call.at - begin, 1) for call in self.failed(begin)]
        slow = [round(call.at - begin, 1) for call in self.slow(begin)]
        last = f"; failed {failed[0]} to {failed[-1]} s after it" if failed else ""
        last += f"; slow {slow[0]} to {slow[-1]} s after it" if slow else ""
        return f"{name}: {len(self.came(begin))} calls, {len(failed)} failed, {len(slow)} slow{last}"


@contextmanager
def arriving(act: Callable[[int], object], *, a_second: float) -> Iterator[Calls]:
    """Call `act(0)`, `act(1)` … at a rate, in threads, until the block ends; all have ended then.

    A StoreUnavailable is a failure; whatever else is raised comes out at the end.
    """
    calls, over = Calls(), Event()

    def one(number: int) -> None:
        at, failure = time.monotonic(), ""
        try:
            act(number)
        except StoreUnavailable as error:
            failure = error.detail or error.code
        calls.all.append(Call(number, at, time.monotonic() - at, failure))

    with ThreadPoolExecutor(_THREADS) as threads:
        sent = []

        def send() -> None:
            number = 0
            while not over.wait(1 / a_second):
                sent.append(threads.submit(one, number))
                number += 1

        sender = Thread(target=send)
        sender.start()
        try:
            yield calls
        finally:
            over.set()
            sender.join()
    for each in sent:
        each.result()
