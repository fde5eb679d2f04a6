"""What a person and a thief do, and when.

Owns traffic, pauses, the crash and the six ways to use a copied jar. Knows nothing of tokens.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final, Protocol

from lab.browser import Browser
from lab.networks import NetworkTraffic, Thief
from lab.tally import Tally

DISCOURAGED: Final = 60.0
"""A thief who was refused for so long asks once a minute from then on."""
GIVEN_UP: Final = 600.0
"""And stops after so long. A token that was stale never counts again; nothing is left to measure."""


class Stage(Protocol):
    """Where they act: a clock that moves by events, and a way to send."""

    now: float
    random: Random
    tally: Tally

    def at(self, when: float, event: Callable[[Any], None], argument: object = None) -> None:
        """Call back later."""
        ...

    def stop(self) -> None:
        """End the hour here."""
        ...

    def send(self, browser: Browser, *, navigation: bool = False, bounced: int = 0) -> None:
        """Send a request with the jar as it is."""
        ...


class Person:
    """Opens a page, then makes calls, then pauses; perhaps polls; perhaps has a crash."""

    def __init__(self, stage: Stage, browser: Browser, traffic: NetworkTraffic, *, crash: bool) -> None:
        self._stage = stage
        self._browser = browser
        self._traffic = traffic
        random = stage.random
        stage.at(0.0, self._page)
        if random.random() < traffic.poll_share:
            stage.at(random.uniform(0, traffic.poll_every), self._poll)
        if crash:
            browser.past = [(0.0, dict(browser.jar))]
            stage.at(random.uniform(120, 300), self._crash)

    def _page(self, _: object) -> None:
        stage, traffic = self._stage, self._traffic
        chance = stage.random.random
        self._send(True)
        for _ in range(int(chance() * (traffic.most_calls + 1))):
            stage.at(stage.now + chance() * traffic.calls_within, self._send, False)
        if chance() < traffic.long_gap_share:
            gap = stage.random.uniform(*traffic.long_gap_range)
        else:
            gap = stage.random.expovariate(1 / traffic.gap_mean)
        stage.at(stage.now + gap, self._page)

    def _poll(self, _: object) -> None:
        self._send(False)
        self._stage.at(self._stage.now + self._traffic.poll_every, self._poll)

    def _send(self, navigation: object) -> None:
        if self._stage.now >= self._browser.asleep_until:
            self._stage.send(self._browser, navigation=bool(navigation))

    def _crash(self, _: object) -> None:
        """Lose up to 20 s of the jar, and come back within a minute."""
        stage = self._stage
        again = stage.now + stage.random.uniform(5, 60)
        stage.tally.crashed_at = stage.now
        self._browser.crash(stage.now - stage.random.uniform(0, self._traffic.crash_loses), asleep_until=again)
        stage.at(again, self._send, True)


class Intruder:
    """Copies the jar some minutes after the login and uses it."""

    def __init__(self, stage: Stage, victim: Browser, kind: Thief, *, token_age: float) -> None:
        self._stage = stage
        self._victim = victim
        self._kind = kind
        self._token_age = token_age
        self._browser = victim
        self._begins_at = stage.random.uniform(120, 600)
        stage.at(self._begins_at, self._steal)

    def _steal(self, _: object) -> None:
        stage = self._stage
        stage.tally.stolen_at = stage.now
        self._browser = self._victim.copy(frozen=not self._kind.keeps_jar)
        if self._kind is Thief.LURKER:
            self._begins_at += stage.random.uniform(60, 600)
        stage.at(self._begins_at, self._use)

    def _use(self, _: object) -> None:
        stage = self._stage
        refused_for = stage.now - max(self._begins_at, stage.tally.served_until or 0.0)
        if refused_for > GIVEN_UP:
            stage.stop()
            return
        stage.send(self._browser, navigation=True)
        stage.at(stage.now + (60.0 if refused_for > DISCOURAGED else self._pause()), self._use)

    def _pause(self) -> float:
        match self._kind:
            case Thief.PASSIVE:
                return 5.0
            case Thief.HAMMER:
                return 0.25
            case Thief.SNIPER:
                return 1.0
            case Thief.PACER:
                return self._token_age + self._stage.random.uniform(0.3, 1.5)
            case Thief.BROWSER | Thief.LURKER:
                return 8.0
