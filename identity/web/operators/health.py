"""For operators and what watches the daemon: is it alive, is it ready, what does it count?

Owns `/healthz`, `/readyz` and `/metrics`. They tell names and problems, never an address of a
person or a secret, and have no side effects.
"""

import os
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from identity import __version__
from identity.clock import problem_at
from identity.web.http.base import Handler, JsonHandler, Listener, Route
from identity.web.state.context import Probe
from identity.web.state.dropped_cookies import sentence
from identity.web.state.traffic import Traffic

CLOCK_WARNING_MS: Final = 5_000
"""A clock further off than this is reported; expiry tolerates a minute."""


class Alive(JsonHandler):
    """The process answers; no store and no provider is asked."""

    needs_clock = False

    def get(self) -> None:
        """Say so, and which process it is: an operator's `upgrade` sees by it who serves."""
        traffic: Traffic = self.application.settings["traffic"]
        self.answer(
            {
                "status": "ok",
                "version": __version__,
                "process": os.getpid(),
                "takeovers": traffic.takeovers,
                "takeover": traffic.takeover.value,
            }
        )

    head = get


class Ready(JsonHandler):
    """Everything the daemon needs answers."""

    needs_clock = False

    async def get(self) -> None:
        """Ask each store and provider; 503 if one is missing or the daemon is stopping."""
        probes = [*self._clock(), *await self.context.durable.run(self.context.probes), *self._applications()]
        traffic: Traffic = self.application.settings["traffic"]
        missing = [probe.name for probe in probes if probe.problem]
        ready = not missing and not traffic.stopping
        self.set_status(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)
        self.answer(
            {
                "status": "stopping" if traffic.stopping else "ready" if ready else "not-ready",
                "version": __version__,
                "missing": missing,
                "full": [probe.name for probe in probes if probe.full],
                "parts": [
                    {
                        "name": probe.name,
                        "problem": probe.problem or None,
                        "warning": probe.warning or None,
                        "clock_ahead_s": probe.clock_ahead_ms / 1_000,
                        "clock_warning": abs(probe.clock_ahead_ms) >= CLOCK_WARNING_MS,
                    }
                    for probe in probes
                ],
            }
        )

    head = get

    def _clock(self) -> Iterator[Probe]:
        """Yield what is wrong with the machine's clock."""
        if problem := problem_at(self.context.clock()):
            yield Probe("clock", problem)

    def _applications(self) -> Iterator[Probe]:
        """Yield what is wrong in front of applications; this daemon is ready all the same."""
        for app in self.context.arriving.dropping():
            yield Probe(f"application ({app})", warning=sentence(app))


class Numbers(Handler):
    """What was counted since the start."""

    needs_clock = False

    def get(self) -> None:
        """Send the text format of Prometheus."""
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(self.context.metrics.render())

    head = get


ROUTES: Final = (
    Route("/healthz", Alive, Listener.INTERNAL),
    Route("/readyz", Ready, Listener.INTERNAL),
    Route("/metrics", Numbers, Listener.INTERNAL),
)
