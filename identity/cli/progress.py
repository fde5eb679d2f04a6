"""How far something long is: one line that changes on a terminal, a line now and then elsewhere.

Owns what is shown while it runs, and writes it to standard error; results are for standard output.
"""

import sys
import time
from collections.abc import Callable
from typing import TextIO

from identity.upkeep.copying import CopyProgress

_EVERY_S = 10.0
"""Between two lines where they pile up, for example in a journal."""
_WIDTH = 24


class Progress:
    """Shows steps as they are told.

    Args:
        out: where; a terminal gets a bar.
        clock: seconds that only go forward.
    """

    def __init__(self, out: TextIO = sys.stderr, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._bar = out.isatty()
        self._what: tuple[str, str] | None = None
        self._since = self._shown = clock()
        self._begun = 0
        self._last = ""

    def __call__(self, step: CopyProgress) -> None:
        """Show the step, if it is time to."""
        what, now = (step.stage.value, step.table), self._clock()
        if what != self._what:
            self.end()
            # The first step tells what was done before this clock was read, so it must not count for the pace.
            self._what, self._since, self._shown, self._begun = what, now, now, step.done
        self._last = self._line(step, now - self._since)
        if self._bar:
            self._out.write(f"\r{self._last}\x1b[K")
            self._out.flush()
        elif now - self._shown >= _EVERY_S:
            self._shown = now
            self._say()

    def end(self) -> None:
        """Leave the last line standing."""
        if self._bar and self._last:
            self._out.write("\n")
        elif self._last:
            self._say()
        self._last = ""

    def _say(self) -> None:
        self._out.write(f"{self._last}\n")
        self._out.flush()

    def _line(self, step: CopyProgress, seconds: float) -> str:
        rate = f"{(step.done - self._begun) / seconds:,.0f}/s" if seconds > 0 else ""
        if step.total is None:
            return f"{step.stage.value:<17} {step.table:<11} {step.done:>11,}  {rate}"
        share = step.done / step.total if step.total else 1.0
        bar = f"[{'#' * int(_WIDTH * share):<{_WIDTH}}] " if self._bar else ""
        return f"{step.stage.value:<17} {step.table:<11} {step.done:>11,} of {step.total:,}  {bar}{share:>4.0%}  {rate}"
