"""A value fetched from a provider and shared by all its logins: discovery documents and key sets.

Owns when it is fetched: once for any number of callers at the same time; again in the background
when it is an hour old, so that no login waits for it; and never twice within a pause, whether the
attempt succeeded or failed. A value that does not pass its check never replaces one that did.
Lives on one event loop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from providers.base import Http, ProviderBroken, ProviderSlow

T = TypeVar("T")
_log = logging.getLogger(__name__)

FRESH_MS: Final = 3_600_000
"""Older than this, it is fetched again in the background."""
USABLE_MS: Final = 24 * FRESH_MS
"""Older than this, it is not used: keys a provider withdrew must stop working some day."""
PAUSE_MS: Final = 5_000
"""After a failure, when there is nothing to go on with."""
RENEW_PAUSE_MS: Final = 30_000
"""Between fetches asked for with `newer`, and after a failure when what is at hand still serves."""


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    value: T
    at: int


class Remembered(Generic[T]):
    """One such value. `load` fetches and checks it, and raises ProviderBroken."""

    def __init__(self, what: str, load: Callable[[Http], Awaitable[T]], *, clock: Callable[[], int]) -> None:
        self._what = what
        self._load = load
        self._clock = clock
        self._held: _Held[T] | None = None
        self._flight: asyncio.Task[T] | None = None
        self._failed_at: int | None = None
        self._failure: BaseException | None = None
        self._renewed_at: int | None = None
        self._doubted = False

    async def value(self, http: Http) -> T:
        """Return the value, fetching it if there is none that may be used. Raises ProviderBroken."""
        held = self._usable()
        if held is None:
            return await self._fetch(http)
        old = self._clock() - held.at > FRESH_MS and not self._pausing(RENEW_PAUSE_MS)
        if old or (self._doubted and self._may_renew()):
            self._start(http)
        return held.value

    def doubt(self) -> None:
        """Have it fetched again in the background when it is next asked for, as often as `newer` may at most."""
        self._doubted = True

    async def newer(self, http: Http) -> T | None:
        """Fetch again at once; None if that was done too short a while ago. Raises ProviderBroken."""
        if self._flight is None and not self._may_renew():
            return None
        return await self._fetch(http)

    def _may_renew(self) -> bool:
        """Take the one fetch out of turn that each pause has; False if it was taken."""
        since = self._since(self._renewed_at)
        if since is not None and since < RENEW_PAUSE_MS:
            return False
        self._renewed_at, self._doubted = self._clock(), False
        return True

    async def _fetch(self, http: Http) -> T:
        if self._flight is None and self._pausing(PAUSE_MS):
            said = f"{self._what} could not be had a moment ago and is not asked for again yet: {self._failure}"
            raise (ProviderSlow if isinstance(self._failure, ProviderSlow) else ProviderBroken)(said)
        # Shielded: a caller whose browser goes away must not take the others' answer along.
        return await asyncio.shield(self._start(http))

    def _start(self, http: Http) -> asyncio.Task[T]:
        if self._flight is None:
            self._flight = asyncio.get_running_loop().create_task(self._attempt(http))
            self._flight.add_done_callback(self._landed)
        return self._flight

    async def _attempt(self, http: Http) -> T:
        value = await self._load(http)
        self._held = _Held(value, self._clock())
        return value

    def _landed(self, flight: asyncio.Task[T]) -> None:
        self._flight = None
        error = None if flight.cancelled() else flight.exception()
        self._failed_at = self._clock() if error else None
        self._failure = error
        if error and self._usable():
            _log.warning("%s could not be fetched again, the one at hand is used on: %s", self._what, error)

    def _usable(self) -> _Held[T] | None:
        age = self._since(self._held.at) if self._held else None
        return self._held if age is not None and age <= USABLE_MS else None

    def _pausing(self, pause_ms: int) -> bool:
        since = self._since(self._failed_at)
        return since is not None and since < pause_ms

    def _since(self, at: int | None) -> int | None:
        """Milliseconds since then; None if never, or if the clock was set back behind it."""
        if at is None:
            return None
        since = self._clock() - at
        return since if since >= 0 else None
