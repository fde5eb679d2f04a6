"""Waiting for real servers and for other threads. The only file of the tests that sleeps.

`until` waits for a condition and `serving` for a program that starts, both with a deadline. `elapse`
lets real time pass where there is nothing to ask, and names whose clock it is: see `RealClock`.
"""

import asyncio
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

_WITHIN_S: Final = 90
_EVERY_S: Final = 0.02


class RealClock(Enum):
    """Whose clock a test cannot advance, and why it cannot ask whether the time has come."""

    DAEMON = "a daemon in a process of its own: asking it is what renews the token that has to grow old"
    CASSANDRA = "rows and claims expire by Cassandra's clock, which counts whole seconds"
    MEMCACHED = "memcached restarts with its memory only a whole second after it stopped"
    ARRIVALS = "people arrive at a steady rate for as long as the measured stretch is"
    NETWORK = "answers that a network delays"
    PROVIDER = "access tokens end by the clock of a provider in a process of its own, and asking for one renews it"


def until(
    reached: Callable[[], object], *, within_s: float = _WITHIN_S, otherwise: Callable[[], object] | None = None
) -> None:
    """Wait until something holds; fail, with what `otherwise` says, if it does not in time."""
    end = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < end, otherwise() if otherwise else f"it did not hold within {within_s} s"
        time.sleep(_EVERY_S)


def serving(
    ask: Callable[[], object],
    *,
    alive: Callable[[], bool],
    within_s: float,
    failure: Callable[[], str],
    busy: tuple[type[Exception], ...] = (OSError,),
) -> None:
    """Wait until a program that was started answers.

    Args:
        ask: asks it.
        alive: tells whether its process runs.
        within_s: how long it may take.
        failure: what to say, with the end of its log.
        busy: what `ask` raises while it is not ready.

    Raises:
        RuntimeError: it ended, or did not answer in time.
    """
    reason: Exception | None = None
    end = time.monotonic() + within_s
    while time.monotonic() < end and alive():
        try:
            ask()
        except busy as error:
            reason = error
            time.sleep(_EVERY_S)
        else:
            return
    raise RuntimeError(failure()) from reason


def elapse(seconds: float, clock: RealClock) -> None:
    """Let real time pass by a clock that no test can advance."""
    assert clock in RealClock
    time.sleep(max(0.0, seconds))


async def delay(seconds: float, clock: RealClock) -> None:
    """Do so on an event loop."""
    assert clock in RealClock
    await asyncio.sleep(seconds)


async def let_others_run(*, turns: int = 1) -> None:
    """Let every task that is ready run until it waits, so many times; no time passes."""
    for _ in range(turns):
        await asyncio.sleep(0)
