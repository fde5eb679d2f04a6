"""A login without a person: what a provider says to this daemon's registration.

Owns the questions and the words of the answers. Each step is tried whatever became of the others,
so that everything wrong is said at once. Nothing is stored, and no code is worth anything.

| step | in order | what a failure tells |
|---|---|---|
| begin | discovery and, for OAuth 1.0a, a request token | the issuer, its endpoints, or the consumer's secret |
| keys | the provider's key set can be read | nothing could be verified |
| keys for security events | the same, where they are switched on | no notice could be verified |
| authorisation endpoint | a page, or a redirect to one | the client or the callback address is not registered |
| made-up code | refused, as a code | client or secret is wrong |
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from identity.cli.findings import Finding, ok, problem, warning
from providers.base import (
    Callback,
    Http,
    LoginBegun,
    LoginStart,
    Provider,
    ProviderBroken,
    ProviderDenied,
    Rehearsed,
    callback_address,
)
from providers.security_notices import TellsSecurityEvents

if TYPE_CHECKING:
    from identity.config import Config
    from identity.config.model import ProviderSection

CODE: Final = "identityd-dry-run"
_CODE_REFUSED: Final = frozenset({"invalid_grant", "bad_verification_code", "invalid_code", "OAuthException"})
_CLIENT_REFUSED: Final = frozenset(
    {"invalid_client", "unauthorized_client", "incorrect_client_credentials", "invalid_client_id"}
)
_ADDRESS_REFUSED: Final = frozenset({"redirect_uri_mismatch", "invalid_redirect_uri"})
_FEWEST_ERROR: Final = 400


def of(read: "Config", sections: "Sequence[ProviderSection]") -> Iterator[Finding]:
    """Try these providers, one after the other."""
    with _trials(read) as (runner, trial_of):
        for section in sections:
            yield from runner.run(_gathered(trial_of(section)))


def beginnings(read: "Config") -> Iterator[Finding]:
    """Begin a login with each provider and throw it away: whatever has to be fetched first is fetched."""
    with _trials(read) as (runner, trial_of):
        for section in read.providers:
            if section.enabled:
                yield runner.run(trial_of(section).beginning())
            else:
                yield ok(f"provider {section.name}: switched off")


@contextmanager
def _trials(read: "Config") -> "Iterator[tuple[asyncio.Runner, Callable[[ProviderSection], ProviderTrial]]]":
    """Give the loop that trials run on, and what makes one."""
    from identity.outbound.client import OutboundClient
    from identity.outside import built, outbound_rules, site
    from providers import scope_of

    def trial_of(section: "ProviderSection") -> ProviderTrial:
        provider = built(section, site(read))
        redirect_uri = callback_address(str(read.server.public_url), section.name)
        issuer = scope_of(section.kind, section.options).issuer
        return ProviderTrial(provider, outbound.for_provider(section.name), redirect_uri, issuer=issuer)

    with asyncio.Runner() as runner:
        outbound = OutboundClient(outbound_rules(read))
        try:
            yield runner, trial_of
        finally:
            runner.run(outbound.aclose())


async def _gathered(trial: "ProviderTrial") -> list[Finding]:
    return [finding async for finding in trial.findings()]


class ProviderTrial:
    """One provider, tried. Values of a login are made up: they protect no login here."""

    def __init__(self, provider: Provider, http: Http, redirect_uri: str, *, issuer: str) -> None:
        self._provider = provider
        self._http = http
        self._issuer = issuer
        self._start = LoginStart(redirect_uri, state="s" * 43, nonce="n" * 43, verifier="v" * 43)

    async def beginning(self) -> Finding:
        """Tell whether a login can begin, and what to register."""
        name = self._provider.name
        try:
            await self._provider.begin(self._start, self._http)
        except ProviderBroken as error:
            return problem(f"provider {name}: {error}; compare [provider:{name}] with what the provider says")
        return ok(f"provider {name} ({self._provider.label}): register {self._start.redirect_uri} there")

    async def findings(self) -> AsyncIterator[Finding]:
        """Yield what is in order and what is not."""
        name = self._provider.name
        try:
            begun = await self._provider.begin(self._start, self._http)
        except ProviderBroken as error:
            yield problem(f"{name}: {error}; compare [provider:{name}] with what the provider says")
            return
        yield ok(f"{name}: a login can begin")
        if isinstance(self._provider, Rehearsed):
            yield await self._keys(self._provider, "keys", "login")
        if isinstance(self._provider, TellsSecurityEvents) and self._provider.security_events:
            yield await self._keys(self._provider.security_events, "keys for security events", "security event")
        yield await self._authorisation(begun)
        yield await self._code(begun)

    async def _keys(self, signer: Rehearsed, keys: str, what: str) -> Finding:
        name = self._provider.name
        try:
            await signer.rehearse(self._http)
        except ProviderBroken as error:
            return problem(f"{name}: {error}; without its {keys} no {what} can be verified")
        return ok(f"{name}: its {keys} can be read")

    async def _authorisation(self, begun: LoginBegun) -> Finding:
        name, host = self._provider.name, urlsplit(begun.location).hostname
        remedy = f"register the callback address {self._start.redirect_uri} there, and compare client_id"
        try:
            answer = await self._http.fetch("GET", begun.location, headers={"Accept": "text/html"})
        except ProviderBroken as error:
            target = error.location
            if not target:
                return problem(f"{name}: the page people are sent to does not answer: {error}")
            said = parse_qs(urlsplit(target).query).get("error", [""])[0]
            if said.isprintable() and said:
                return problem(f"{name}: {host} refuses the login at once ({said[:64]}); {remedy}")
            return ok(f"{name}: {host} leads people on")
        if answer.status >= _FEWEST_ERROR:
            return problem(f"{name}: {host} answers {answer.status} to a login that begins; {remedy}")
        return ok(f"{name}: {host} shows its page")

    async def _code(self, begun: LoginBegun) -> Finding:
        name = self._provider.name
        params = {"state": self._start.state, "code": CODE, "iss": self._issuer}
        callback = Callback(params, self._start, kept=begun.kept, now=time.time_ns() // 1_000_000_000)
        try:
            await self._provider.finish(callback, self._http)
        except (ProviderBroken, ProviderDenied) as error:
            return self._verdict(getattr(error, "said", ""), str(error))
        return warning(f"{name}: it took a code that was made up for this trial")

    def _verdict(self, said: str, text: str) -> Finding:
        name = self._provider.name
        if said in _CODE_REFUSED:
            return ok(f"{name}: it knows client and secret (a made-up code was refused as {said})")
        if said in _CLIENT_REFUSED:
            return problem(f"{name}: it refuses client_id and client_secret ({said}); copy both again from there")
        if said in _ADDRESS_REFUSED:
            return problem(f"{name}: register the callback address {self._start.redirect_uri} there ({said})")
        return warning(f"{name}: whether it knows client and secret could not be found out: {text}")
