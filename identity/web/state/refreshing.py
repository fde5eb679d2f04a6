"""Handing out providers' tokens: the service's steps, with the provider's answer between them.

Owns who waits for whom in this daemon: of all requests for one identity's tokens one talks to store and
provider, and the others share what comes of it. Across daemons the row's claim decides
(`identity.upstream_tokens.service`). Lives on the event loop.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from identity.errors import ProviderAway, ProviderTrouble
from identity.types import SECOND, IdentityKey, Millis
from identity.upstream_tokens.results import (
    DueForRefresh,
    HandedOut,
    LoginDue,
    NotLinked,
    Orphaned,
    RefreshClaim,
    TokenQuestion,
    Waiting,
)
from identity.upstream_tokens.service import UpstreamTokens
from identity.web.state.pool import Pool
from providers.base import GrantRefused, Http, KeepsTokens, Provider, ProviderBroken, ProviderDenied, ProviderSlow

log = logging.getLogger("identity.upstream_tokens")

LOOK_AGAIN_MS: Final[Millis] = 250
"""How often a daemon looks whether another one has the fresh token."""

Fetched: TypeAlias = HandedOut | NotLinked | LoginDue


class Refreshing:
    """Fetches tokens for applications.

    Args:
        tokens: the service.
        pool: threads for its calls.
        providers: all that are configured and switched on.
        http: the outbound client as the provider of a name sees it.
    """

    def __init__(
        self,
        tokens: UpstreamTokens,
        pool: Pool,
        *,
        providers: Mapping[str, Provider],
        http: Callable[[str], Http],
    ) -> None:
        self._tokens = tokens
        self._pool = pool
        self._providers = providers
        self._http = http
        self._flights: dict[IdentityKey, asyncio.Task[Fetched]] = {}

    def keeps(self, provider: str) -> bool:
        """Tell whether a provider is switched on and its tokens are kept."""
        return provider in self._providers and provider in self._tokens.rules.keeping

    async def fetch(self, question: TokenQuestion) -> Fetched:
        """Return an access token that is good, refreshed if need be, or why there is none.

        Raises:
            StoreError: the store is away, or a daemon with a newer key ring wrote there.
            ProviderTrouble: a fresh token is needed, and the provider failed, now or a moment ago.
        """
        try:
            found = await self._pool.run(self._tokens.look, question)
            if isinstance(found, DueForRefresh):
                found = await self._shared(found)
        except ProviderTrouble:
            self._tokens.tally(question.provider, "provider-failed")
            raise
        self._tokens.tally(question.provider, _WORDS[type(found)])
        return found

    async def _shared(self, due: DueForRefresh) -> Fetched:
        """Join the flight that is under way for this identity, or begin one; a request that is gone ends none."""
        flight = self._flights.get(due.key)
        if flight is None:
            flight = self._flights[due.key] = asyncio.create_task(self._fly(due))
            flight.add_done_callback(lambda _: self._flights.pop(due.key, None))
        return await asyncio.shield(flight)

    async def _fly(self, due: DueForRefresh) -> Fetched:
        name, waited_ms = due.key.partition(":")[0], 0
        while True:
            match await self._pool.run(self._tokens.claim, due):
                case RefreshClaim() as claimed:
                    return await self._refresh(name, claimed)
                case Waiting(asking=True) if waited_ms < self._tokens.rules.hold_ms:
                    await asyncio.sleep(LOOK_AGAIN_MS / SECOND)
                    waited_ms += LOOK_AGAIN_MS
                case Waiting(ms=ms):
                    raise ProviderAway(detail=f"{name}: no fresh token could be had; tried again in {ms} ms")
                case outcome:
                    return outcome

    async def _refresh(self, name: str, claimed: RefreshClaim) -> Fetched:
        """Ask the provider, once. Whatever it answers, the claim is given back."""
        provider, http, tokens = self._providers[name], self._http(name), self._tokens
        if not isinstance(provider, KeepsTokens):
            raise TypeError(f"{name} keeps no tokens")
        try:
            renewed = await provider.refresh(claimed.grant.refresh_token, http)
        except (GrantRefused, ProviderDenied) as refusal:
            log.info("tokens-refused: %s wants its person to log in again: %s", name, refusal)
            return await self._pool.run(tokens.refuse, claimed)
        except ProviderBroken as fault:
            await self._pool.run(tokens.rest, claimed)
            usable = tokens.still_usable(claimed)
            if usable is None:
                trouble = ProviderAway if isinstance(fault, ProviderSlow) else ProviderTrouble
                raise trouble(detail=f"{name}: {fault}") from fault
            log.warning("tokens-not-refreshed: %s, whose token is used for a moment more: %s", name, fault)
            return usable
        tokens.tally(name, "refreshed")
        match await self._pool.run(tokens.settle, claimed, renewed):
            case Orphaned(tokens=left):
                await self._take_back(name, partial(provider.revoke, left, http))
                return LoginDue()
            case settled:
                return settled

    async def _take_back(self, name: str, revoke: "Callable[[], object]") -> None:
        """Take back what was refreshed while its link went."""
        try:
            await revoke()  # type: ignore[misc]
        except ProviderBroken as fault:
            log.warning("tokens-not-taken-back: %s: %s", name, fault)


_WORDS: Final = {HandedOut: "handed-out", NotLinked: "not-linked", LoginDue: "login-needed"}
