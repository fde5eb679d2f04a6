"""Guesses at applications' secrets: slowed, counted, and said aloud.

Owns who guessed how often: by application and by address range, in the last minute, in a bounded
table. A right secret is never counted here, so that an attacker cannot lock an application out by
guessing beside it. Only the event loop touches it.
"""

import logging
from dataclasses import dataclass
from typing import Final

from identity.sessions.client_summary import summarise_address
from identity.types import MINUTE, SECOND, ClientId, Clock, Millis

log = logging.getLogger("identity.web.state.secret_guesses")

FREE: Final = 20
"""Wrong secrets in a minute that are answered at once: a deployment with the old secret makes as many."""
WAIT_S: Final = 0.2
"""A wrong answer beyond those comes so much later."""
HELD: Final = 256
"""Wrong answers that wait at once; more are refused at once, and nothing is kept of them."""
PLACES: Final = 1_024
"""Pairs of application and range that are remembered; beyond, the one that was quiet longest is forgotten."""
UNKNOWN_CLIENT: Final = ClientId("(unknown)")
"""Stands for every id that no application has: strangers must not fill the table, or the metrics, with ids."""


@dataclass(slots=True)
class _Minute:
    began: Millis
    wrong: int = 0


class Guesses:
    """Wrong secrets, by application and range."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._places: dict[tuple[ClientId, str], _Minute] = {}
        self._clients: dict[ClientId, _Minute] = {}
        self.held = 0
        """Wrong answers that wait now."""

    def wrong(self, client: ClientId, address: str) -> int:
        """Note a wrong secret; return how many came from this range for this application within a minute.

        `client` is registered, or `UNKNOWN_CLIENT`. The alarm is by application, over all ranges, once a minute.
        """
        key = (client, summarise_address(address))
        place = self._places[key] = self._current(self._places.pop(key, None))
        while len(self._places) > PLACES:
            del self._places[next(iter(self._places))]
        everywhere = self._clients[client] = self._current(self._clients.get(client))
        place.wrong += 1
        everywhere.wrong += 1
        if everywhere.wrong == FREE + 1:
            told = {"client": client, "range": key[1]}
            log.warning("secrets-guessed: more than %d wrong secrets in a minute for %s", FREE, client, extra=told)
        return place.wrong

    def _current(self, minute: "_Minute | None") -> _Minute:
        now = self._clock()
        return minute if minute and 0 <= now - minute.began < MINUTE else _Minute(now)

    def retry_after_s(self, client: ClientId, address: str) -> int:
        """Return in how many seconds this range is answered as before."""
        place = self._places.get((client, summarise_address(address)))
        return max(1, (place.began + MINUTE - self._clock()) // SECOND) if place else 1
