"""Whether a provider is called at all: no caller waits for one that let the last callers wait in vain.

Pure: the time is an argument, and every step gives a new value. One circuit for each provider.

    state       a call that asks    goes on when
    ---------   -----------------   -------------------------------------------------------------------
    closed      passes              IN_VAIN calls in a row end in vain                    -> open
    open        is refused          REST_MS have passed, and a call asks                  -> on trial
    on trial    is refused; the     the trial ends in vain                                -> open, again
                one that is the     it ends and tells nothing                             -> open, and due
                trial is on its     (any call, in any state, is answered                  -> closed)
                way

What counts is whether a caller waited in vain or no server was there. A stranger can begin a login and
bring a code that is junk, as often as he likes; what the provider makes of the *content* of a request
must therefore not open the circuit for all people: a whole answer, whatever its status, is an answer (400
`invalid_grant` as much as 500), and a POST that broke off after it was sent tells nothing, because a
firewall in front of the provider may do that to a code that looks like an attack.

Beside it, and for eyes only, `troubles` counts the calls in a row that brought nothing usable; a
provider that answers 503 to everything is reported, and goes on being asked.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from identity.types import SECOND, Millis

IN_VAIN: Final = 5
"""Calls in a row that open the circuit."""
REST_MS: Final[Millis] = 15 * SECOND
"""From its opening to the next trial."""
WORTH_A_WORD: Final = 5
"""Calls in a row without a usable answer that are reported."""


class CallEnd(Enum):
    """How a call ended, as far as it tells something of the provider."""

    ANSWERED = "a whole answer"
    FAULTY = "an answer that says the provider is broken, or that cannot be read"
    BROKEN_OFF = "no whole answer, to a request whose content a stranger can choose"
    IN_VAIN = "nobody there, or no answer in time"
    UNTOLD = "ended by us, or never sent"


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of one provider. Closed is the beginning."""

    in_vain: int = 0
    troubles: int = 0
    opened_at: Millis | None = None
    """When it was opened last; None while it is closed."""
    on_trial: bool = False

    @property
    def closed(self) -> bool:
        """Tell whether every call passes."""
        return self.opened_at is None

    @property
    def troubled(self) -> bool:
        """Tell whether there is something to report."""
        return not self.closed or self.troubles >= WORTH_A_WORD

    def passes(self, now: Millis) -> bool:
        """Tell whether a call that asks at this moment may be made."""
        if self.opened_at is None:
            return True
        # A clock that was set back must not keep it open for longer than it rests.
        return not self.on_trial and not 0 <= now - self.opened_at < REST_MS

    def begun(self) -> "Circuit":
        """Note that a call which passed is made; while the circuit is not closed, it is the trial."""
        return self if self.closed else replace(self, on_trial=True)

    def ended(self, how: CallEnd, now: Millis, *, trial: bool) -> "Circuit":
        """Note how a call ended; `trial` tells the one that passed an open circuit from stragglers."""
        match how:
            case CallEnd.ANSWERED:
                return Circuit()
            case CallEnd.FAULTY:
                return Circuit(troubles=self.troubles + 1)
            case CallEnd.IN_VAIN:
                return self._failed(now, trial=trial)
            case CallEnd.BROKEN_OFF:
                return replace(self, troubles=self.troubles + 1, on_trial=self.on_trial and not trial)
            case CallEnd.UNTOLD:
                return replace(self, on_trial=self.on_trial and not trial)

    def _failed(self, now: Millis, *, trial: bool) -> "Circuit":
        failed = replace(self, in_vain=self.in_vain + 1, troubles=self.troubles + 1)
        if self.closed:
            return replace(failed, opened_at=now) if failed.in_vain >= IN_VAIN else failed
        # Calls that were on their way when it opened end later and say nothing new.
        return replace(failed, opened_at=now, on_trial=False) if trial else failed
