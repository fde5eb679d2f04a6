"""Real threads that do one thing at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")

_TIMEOUT_S = 30


def race(runners: int, act: Callable[[int], T]) -> list[T]:
    """Call `act(0)` … `act(runners - 1)`, each in a thread of its own, released together."""
    start = Barrier(runners)

    def run(number: int) -> T:
        start.wait(_TIMEOUT_S)
        return act(number)

    with ThreadPoolExecutor(runners) as threads:
        return list(threads.map(run, range(runners)))
