"""Which applications' proxies drop our cookies, said to the operator: in the log, and by `/readyz`.

Owns the counts by application and how often the log says so; what they mean is decided in
`identity/sessions/delivery.py`. Only the event loop touches it. Must cost a check next to nothing.
"""

import logging
from collections.abc import Iterator
from typing import Final

from identity.sessions.check import Verdict
from identity.sessions.delivery import Delivery, is_dropping, noted
from identity.types import HOUR, Clock, Millis

SAY_EVERY_MS: Final[Millis] = HOUR
ADVANCE: Final = "advance"

log = logging.getLogger("identity.web.state.dropped_cookies")


class Arriving:
    """Counts tokens handed out and lines moved, by application.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deliveries: dict[str, Delivery] = {}
        self._said_at: dict[str, Millis] = {}

    def note(self, app: str, verdict: Verdict) -> None:
        """Count what became of a check; says in the log, once an hour, if cookies seem to be dropped."""
        advanced = verdict.reason == ADVANCE
        if not verdict.minted and not advanced:
            return
        now = self._clock()
        delivery = noted(self._deliveries.get(app), minted=verdict.minted, advanced=advanced, now=now)
        self._deliveries[app] = delivery
        if is_dropping(delivery, now=now) and now - self._said_at.get(app, 0) >= SAY_EVERY_MS:
            self._said_at[app] = now
            log.warning("cookies-dropped: %s", sentence(app), extra={"app": app})

    def dropping(self) -> Iterator[str]:
        """Yield the applications whose cookies seem to be dropped."""
        now = self._clock()
        return (app for app, delivery in self._deliveries.items() if is_dropping(delivery, now=now))


def sentence(app: str) -> str:
    """Return what the operator is told."""
    return (
        f"the proxy in front of {app} drops Set-Cookie: tokens are handed out there and none comes back, so sessions "
        "do not rotate and a copy is never noticed; `identityd.py doctor --url` looks closer, `mint = no` gives up"
    )
