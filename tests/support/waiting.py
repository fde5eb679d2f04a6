"""Waiting for real servers, which take the time they take."""

import time
from collections.abc import Callable

_WITHIN_S = 90


def until(reached: Callable[[], bool], *, within_s: float = _WITHIN_S) -> None:
    """Wait until something holds; fail if it does not in time."""
    end = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < end, "it never came to it"
        time.sleep(0.1)
