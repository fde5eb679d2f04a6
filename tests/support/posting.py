"""A daemon whose people log in at the signing upstream, which answers by form, and the browser in between.

Everything is real: the daemon with its sockets and services, the kind of provider, the outbound client,
the upstream, and the POST.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network

from identity.membership.facts import names_asked
from identity.outbound.allowed_addresses import AllowedAddresses
from identity.outbound.client import OutboundClient
from identity.outbound.rules import OutboundRules
from providers import REGISTRY, build
from providers.kind import ProviderSite
from tests.support.browser import Reply
from tests.support.configuration import provider_options
from tests.support.logins import LoginSite, Visitor, location
from tests.support.rerouting import ReroutedClient
from tests.support.upstream import Upstream
from tests.support.web import LOCAL

NAME = "op"


@dataclass(frozen=True, slots=True)
class Posting:
    """The daemon and its provider."""

    site: LoginSite
    upstream: Upstream

    def use(self, kind: str, options: Mapping[str, str]) -> None:
        """Make the provider, which people know as `op`, and ask it what the daemon's rules do."""
        values, asked = provider_options(kind, options), names_asked(self.site.logins.rules.facts, NAME)
        site = ProviderSite(public_url=self.site.public_url, clock=self.site.clock, random_bytes=secrets.token_bytes)
        self.site.scopes[NAME] = REGISTRY[kind].scope(values)
        self.site.providers[NAME] = build(kind, NAME, values, site=site, facts=asked)

    def answered(self, browser: Visitor, *, allow: bool = True, **more: str) -> Reply:
        """Begin a login, answer at the provider, and post what its page would."""
        begun = browser.get(f"/login/{NAME}")
        assert begun.status == 302, begun.body
        answer = {**self.upstream.visit(location(begun), allow=allow), **more}
        return browser.post_answer(answer.pop("state"), provider=NAME, **answer)

    def come_back(self, browser: Visitor) -> Reply:
        """Begin a login, answer at the provider, and come back as a redirect does."""
        begun = browser.get(f"/login/{NAME}")
        assert begun.status == 302, begun.body
        answer = self.upstream.visit(location(begun))
        return browser.come_back(answer.pop("state"), provider=NAME, **answer)

    def log_in(self, browser: Visitor, *, allow: bool = True, **more: str) -> Reply:
        """The same, and go where the daemon leads."""
        return browser.get(location(self.answered(browser, allow=allow, **more)))


@contextmanager
def posting(made: Callable[..., LoginSite] = LoginSite) -> Iterator[Posting]:
    """Start both."""
    clients: dict[str, ReroutedClient] = {}
    rules = OutboundRules(allowed=AllowedAddresses(networks=(ip_network("127.0.0.0/8"),)))

    def client(name: str) -> ReroutedClient:
        # Made by the first request, because it belongs to the daemon's loop.
        if name not in clients:
            clients[name] = ReroutedClient(OutboundClient(rules, on_call=lambda _: None), upstream.url)
        return clients[name]

    site = made(trusted=(LOCAL,), changes={"http": client})
    with Upstream(site.clock) as upstream, site:
        try:
            yield Posting(site, upstream)
        finally:
            for each in clients.values():
                asyncio.run_coroutine_threadsafe(each.client.aclose(), site.loop).result(timeout=10)
