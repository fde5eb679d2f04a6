"""Bounded threads for the blocking work of handlers.

Owns the hop from the event loop to a thread and back. Invariant: at most `threads` calls run and
at most `waiting` wait; one more is refused at once, because a queue that grows only makes every
answer late.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from time import perf_counter
from typing import Protocol, TypeVar

from identity.errors import StoreUnavailable

T = TypeVar("T")


class Observe(Protocol):
    """Takes a measurement; `Metrics.observe` is one."""

    def __call__(self, name: str, value: float, /, **labels: str) -> None:
        """Add one measurement in seconds."""
        ...


class Pool:
    """A named, bounded set of threads.

    Args:
        name: as it appears in metrics and thread names.
        threads: how many calls run at once.
        waiting: how many more may wait.
        observe: told how long each call waited.
    """

    def __init__(self, name: str, *, threads: int, waiting: int, observe: Observe) -> None:
        self._name = name
        self._room = BoundedSemaphore(threads + waiting)
        self._observe = observe
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"idd-{name}")

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """Run the call on a thread, with this request's context variables.

        Raises StoreUnavailable (`overloaded`) at once when too many calls wait already. A caller
        that is cancelled leaves the call running to its end.
        """
        if not self._room.acquire(blocking=False):
            raise StoreUnavailable("overloaded", detail=f"the {self._name} pool is full")
        asked = perf_counter()
        variables = contextvars.copy_context()

        def work() -> T:
            self._observe("identityd_pool_wait_seconds", perf_counter() - asked, pool=self._name)
            return variables.run(call, *args)

        future = self._executor.submit(work)
        future.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Wait for the calls that run and stop the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)
