"""A daemon that keeps a scripted provider's tokens, and an application that fetches them."""

import asyncio
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from identity.applications.application import Application
from identity.config.model import Config
from identity.upstream_tokens.letting_go import TakeBack
from providers.base import Callback, GrantRefused, Http, ProviderBroken, ProviderProfile, RenewedGrant, UpstreamGrant
from tests.support.applications import application
from tests.support.browser import Jar, Reply
from tests.support.logins import LoginSite
from tests.support.scripted import ScriptedProvider
from tests.support.web import basic

OTHER_APP = "photos"
OTHER_SECRET = "a secret of the photos application, 32+"


class KeepingProvider(ScriptedProvider):
    """A provider whose refresh tokens rotate, and are good once: a second use of one ends them all."""

    keeps_tokens = True

    def start_over(self) -> None:
        """Know of no token."""
        super().start_over()
        self.gives_refresh = True
        self.expires_in: int | None = 3600
        self.fails: list[Exception] = []
        """What the next refreshes raise, one after the other."""
        self.refreshes = 0
        self.under_way = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.good: set[str] = set()
        self.used: set[str] = set()
        self.taken_back: list[str] = []

    async def finish(self, callback: Callback, http: Http) -> ProviderProfile:
        """Say who it is, with tokens."""
        return replace(await super().finish(callback, http), grant=self.granted())

    def granted(self) -> UpstreamGrant:
        """Return fresh tokens."""
        number = len(self.good) + len(self.used) + self.refreshes
        refresh = f"canary-refresh-{number}" if self.gives_refresh else ""
        self.good |= {refresh} - {""}
        return UpstreamGrant(f"canary-access-{number}", refresh, self.expires_in, "mail files")

    async def refresh(self, refresh_token: str, http: Http) -> RenewedGrant:
        """Rotate."""
        del http
        self.refreshes += 1
        self.under_way.set()
        await asyncio.to_thread(self.may_answer.wait)
        if self.fails:
            raise self.fails.pop(0)
        if refresh_token in self.used:
            self.good.clear()
        if refresh_token not in self.good:
            raise GrantRefused("the token endpoint says invalid_grant", said="invalid_grant")
        self.good.discard(refresh_token)
        self.used.add(refresh_token)
        return RenewedGrant(self.granted())

    async def revoke(self, tokens: Iterable[str], http: Http) -> bool:
        """Forget."""
        del http
        self.taken_back += tokens
        return True


@dataclass(kw_only=True)
class TokenSite(LoginSite):
    """A daemon that keeps Google's tokens for the wiki, and not for the photos."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.keeper = KeepingProvider("google", "Google")
        self.providers["google"] = self.keeper

    def start_over(self) -> None:
        """Forget everybody, and every token."""
        super().start_over()
        self.keeper.start_over()
        self.providers["google"] = self.keeper
        self.store.upstream_tokens.forget()

    def config(self) -> Config:
        """Return the configuration."""
        read = super().config()
        return replace(
            read, providers=tuple(replace(each, keep_tokens=each.name == "google") for each in read.providers)
        )

    def take_back(self) -> TakeBack:
        """Return what takes tokens back: the provider notes them."""

        def taken(provider: str, tokens: tuple[str, ...]) -> bool | None:
            if self.keeper.fails:
                raise self.keeper.fails.pop(0)
            self.keeper.taken_back += tokens
            return provider == "google"

        return taken

    def apps(self) -> Iterable[Application]:
        """Yield the wiki, which may fetch, and the photos, which may not."""
        yield replace(self.app(), tokens_of=("google", "github", "gone"))
        yield application(OTHER_APP, OTHER_SECRET, hosts=frozenset({self.host}))

    def fetch(
        self, jar: Jar | None, provider: str = "google", *, headers: Mapping[str, str] | None = None, **fields: object
    ) -> Reply:
        """Ask for a token as the application."""
        cookie = (jar.header if jar else {}).get("Cookie", "")
        asked = {"cookie": cookie, "url": f"{self.public_url}/page", **fields}
        return self.ask_app(f"/tokens/{provider}", asked, headers=headers)

    def member(self, code: str = "ada") -> Jar:
        """Return the jar of a person who signed up with Google."""
        browser = self.browser()
        browser.sign_up(code, provider="google")
        return browser.jar

    def failing(self, times: int = 1) -> None:
        """Let the next refreshes fail."""
        self.keeper.fails = [ProviderBroken("the token endpoint answered 500") for _ in range(times)]


@pytest.fixture(scope="module")
def running_tokens() -> Iterator[TokenSite]:
    """Give the daemon."""
    with TokenSite() as site:
        yield site


@pytest.fixture
def token_site(running_tokens: TokenSite) -> TokenSite:
    """Give the module's daemon with no person known to it, and no token."""
    running_tokens.start_over()
    return running_tokens


def said(reply: Reply) -> tuple[int, str]:
    """Return the status and the error's code."""
    return reply.status, str(reply.json().get("error", ""))


def as_photos() -> dict[str, str]:
    """Return how the other application proves itself."""
    return basic(OTHER_APP, OTHER_SECRET)
