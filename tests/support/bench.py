"""One provider under test, its upstream, the production outbound client, and the browser between them.

Owns one event loop for the life of a test, as a daemon has one; every call of a provider runs on it.
"""

import asyncio
import secrets
import ssl
from collections.abc import Collection, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from ipaddress import ip_network
from typing import Any, Final, Protocol, TypeVar

from identity.outbound.allowed_addresses import AllowedAddresses
from identity.outbound.client import Called, OutboundClient
from identity.outbound.rules import OutboundRules
from providers import build
from providers.base import Callback, LoginBegun, LoginStart, Provider, ProviderProfile
from providers.kind import ProviderSite
from tests.support.clock import ManualClock
from tests.support.configuration import provider_options
from tests.support.rerouting import ReroutedClient
from tests.support.upstream import Upstream

T = TypeVar("T")
PUBLIC_URL: Final = "http://127.0.0.1:8887"


@dataclass(frozen=True, slots=True)
class Login:
    """A login on its way: what was remembered, and where the browser was sent."""

    start: LoginStart
    begun: LoginBegun


class Visit(Protocol):
    """What a browser does where it was sent."""

    def __call__(self, bench: "Bench", login: Login, /, *, allow: bool) -> dict[str, str]:
        """Answer there, and return the parameters it comes back with."""
        ...


def upstream_visit(bench: "Bench", login: Login, *, allow: bool) -> dict[str, str]:
    """Let the browser answer at the upstream."""
    return bench.upstream.visit(login.begun.location, allow=allow)


@dataclass
class Bench:
    """The whole set-up. `log_in` is a complete login; its parts can be called one by one."""

    upstream: Upstream
    clock: ManualClock
    runner: asyncio.Runner
    http: ReroutedClient
    visit: Visit = upstream_visit
    called: list[Called] = field(default_factory=list)
    providers: dict[str, Provider] = field(default_factory=dict)

    def build(
        self,
        kind: str,
        options: Mapping[str, str],
        *,
        name: str = "under-test",
        keep_tokens: bool = False,
        facts: Collection[str] = (),
    ) -> None:
        """Make the provider."""
        self.provider = self.made(kind, options, name=name, keep_tokens=keep_tokens, facts=facts)

    def made(
        self,
        kind: str,
        options: Mapping[str, str],
        *,
        name: str,
        keep_tokens: bool = False,
        facts: Collection[str] = (),
    ) -> Provider:
        """Return another provider."""
        site = ProviderSite(public_url=PUBLIC_URL, clock=self.clock, random_bytes=secrets.token_bytes, demo=True)
        given = provider_options(kind, options)
        self.providers[name] = build(kind, name, given, site=site, keep_tokens=keep_tokens, facts=frozenset(facts))
        return self.providers[name]

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something on the daemon's loop."""
        return self.runner.run(coroutine)

    def start(self, *, provider: Provider | None = None, force_login: bool = False) -> LoginStart:
        """Return the fresh values a login begins with."""
        name = (provider or self.provider).name
        return LoginStart(
            redirect_uri=f"{PUBLIC_URL}/login/{name}/callback",
            state=f"canary-state-{secrets.token_urlsafe(24)}",
            nonce=f"canary-nonce-{secrets.token_urlsafe(24)}",
            verifier=f"canary-verifier-{secrets.token_urlsafe(32)}",
            force_login=force_login,
        )

    def begin(self, *, provider: Provider | None = None, force_login: bool = False) -> Login:
        """Start a login."""
        start = self.start(provider=provider, force_login=force_login)
        return Login(start, self.run((provider or self.provider).begin(start, self.http)))

    def come_back(self, login: Login, *, allow: bool = True) -> dict[str, str]:
        """Let the person answer; the parameters the browser brings back."""
        return self.visit(self, login, allow=allow)

    def callback(self, login: Login, params: Mapping[str, str]) -> Callback:
        """Return what the daemon hands to the provider."""
        return Callback(params=params, start=login.start, kept=login.begun.kept, now=self.clock() // 1000)

    def finish(self, login: Login, params: Mapping[str, str], *, provider: Provider | None = None) -> ProviderProfile:
        """Finish a login."""
        return self.run((provider or self.provider).finish(self.callback(login, params), self.http))

    def log_in(self, *, force_login: bool = False) -> ProviderProfile:
        """Log in from beginning to end."""
        login = self.begin(force_login=force_login)
        return self.finish(login, self.come_back(login))

    def with_start(self, login: Login, **changes: Any) -> Login:  # noqa: ANN401 - fields of Start
        """Return the login with other remembered values."""
        return replace(login, start=replace(login.start, **changes))


@cache
def _trust() -> ssl.SSLContext:
    """Reading the system's certificates takes longer than a login."""
    return ssl.create_default_context()


@contextmanager
def bench(*, total_ms: int = 10_000, made: type[Upstream] = Upstream) -> Iterator[Bench]:
    """Set everything up, and take it down in the order a daemon does."""
    clock = ManualClock()
    called: list[Called] = []
    rules = OutboundRules(
        allowed=AllowedAddresses(networks=(ip_network("127.0.0.0/8"),)), total_ms=total_ms, connect_ms=10_000
    )
    with made(clock) as upstream, asyncio.Runner() as runner:

        async def opened() -> OutboundClient:
            return OutboundClient(rules, on_call=called.append, trust=_trust())

        http = runner.run(opened())
        try:
            yield Bench(upstream, clock, runner, ReroutedClient(http, upstream.url), called=called)
        finally:
            runner.run(http.aclose())
