"""A daemon on loopback whose people log in through scripted providers, and browsers that do so.

Everything but the providers is real: services, stores, sockets.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from html import unescape
from typing import Final, NoReturn, Self, cast
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import pytest

from identity.accounts.results import By, Change
from identity.accounts.store import IdentityRow, ProfileRow
from identity.config.model import Config, ProviderSection
from identity.errors import StoreUnavailable
from identity.login.store import RecordKind
from identity.sessions.store import Written
from identity.stores.cache import CacheKey, Missing
from identity.types import IdentityKey, Millis
from providers.base import SubjectScope
from tests.support.browser import FORM, Browser, Jar, Reply
from tests.support.configuration import provider_options
from tests.support.scripted import ScriptedProvider
from tests.support.web import LOCAL, Site

WIKI = "https://wiki.example"
CROSS_SITE: Final = {
    **dict([FORM]),
    "Origin": "https://google.example",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}
"""What a browser says with a form that a provider's page posts."""


@dataclass(kw_only=True)
class LoginSite(Site):
    """A daemon people can log in to."""

    origins: frozenset[str] = frozenset({WIKI})

    def __post_init__(self) -> None:
        self.github = ScriptedProvider("github", "GitHub")
        self.google = ScriptedProvider("google", "Google")
        self.providers.update({provider.name: provider for provider in (self.github, self.google)})
        super().__post_init__()
        self.pins = self.logins._pins
        self.scopes = cast("dict[str, SubjectScope]", self.pins._scopes)
        self.entering = self.logins._entering
        self.carrying = self.logins._dependencies.carrying
        self._before = self._outcomes()

    def config(self) -> Config:
        """Return the configuration; what the scripted providers stand in for is its kind `github`."""
        options = provider_options("github", {"client_id": "me", "client_secret": "0123456789ab"})
        sections = (ProviderSection(name=name, kind="github", options=options) for name in self.providers)
        return replace(super().config(), providers=tuple(sections))

    def start_over(self) -> None:
        """Forget everybody and everything; the clock stays where it is."""
        self.stop_at = ""
        self.forget_everything()
        for rows in (
            self.store.identities,
            self.store.usernames,
            self.store.accounts,
            self.store.invitations,
            self.store.waiting,
        ):
            rows.forget()
        self.store.reads.clear()
        self.providers.clear()
        self.providers.update({provider.name: provider for provider in (self.github, self.google)})
        for provider in (self.github, self.google):
            provider.start_over()
        self._before = self._outcomes()

    def kept(self) -> int:
        """Return how many values beside session records are kept."""
        return sum(not key.startswith("s1:") for key in self.cache._items)

    @contextmanager
    def store_away(self) -> Iterator[None]:
        """Let the cache answer like a dead node meanwhile."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.cache, "get_many", lambda keys: dict.fromkeys(keys, Missing.UNREACHABLE))
            for write in ("add", "swap", "remove"):
                patch.setattr(self.cache, write, lambda *_, **__: Written.UNKNOWN)
            yield

    @contextmanager
    def accounts_away(self) -> Iterator[None]:
        """Let the account store answer nothing meanwhile."""

        def away(*_: object, **__: object) -> NoReturn:
            raise StoreUnavailable(detail="the account store is away")

        with pytest.MonkeyPatch.context() as patch:
            for rows in (self.store.identities, self.store.usernames, self.store.accounts):
                for call in ("read", "read_settled", "insert", "replace", "delete"):
                    patch.setattr(rows, call, away)
            yield

    def sessions_full(self) -> AbstractContextManager[None]:
        """Let no session record be written meanwhile."""
        return self._full("s1:")

    def records_full(self) -> AbstractContextManager[None]:
        """Let no marker of a login or sign-up be written meanwhile."""
        return self._full(*(f"{kind.value}:" for kind in RecordKind))

    @contextmanager
    def _full(self, *prefixes: str) -> Iterator[None]:
        write = self.cache.add

        def add(key: CacheKey, data: bytes, *, expires_at: Millis) -> Written:
            if key.startswith(prefixes):
                raise StoreUnavailable(detail="out of memory storing object")
            return write(key, data, expires_at=expires_at)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.cache, "add", add)
            yield

    def row(self, key: str) -> IdentityRow:
        """Return an index row."""
        found = self.accounts.find(IdentityKey(key))
        assert found is not None
        return found

    def profile_of(self, key: str) -> ProfileRow:
        """Return what is stored of what a provider said."""
        found = self.accounts.profile(self.row(key).account_id)
        assert found is not None
        return found

    def disable(self, key: str) -> None:
        """Disable the account an identity leads to."""
        self.accounts.disable(Change(uuid4(), self.row(key).account_id, By("operator:test")))

    def steal_from(self, browser: "Visitor") -> None:
        """Use a copy of the browser's tokens until the session is ended for it."""
        thief = self.browser()
        thief.jar.cookies |= browser.tokens
        for _ in range(4):
            self.clock.advance(20_000)
            assert browser.get("/.identityd/ack").status == 204
        bounced = thief.get("/account")
        assert bounced.status == 307
        assert "reason=reuse" in location(thief.get(location(bounced)))

    def browser(self) -> "Visitor":
        """Return a browser without any cookie."""
        return Visitor(self)

    def counted(self, outcome: str) -> int:
        """Return how many logins ended so since the start, by the metric."""
        return self._outcomes()[outcome] - self._before[outcome]

    def _outcomes(self) -> Counter[str]:
        lines = self.metrics.render().decode().splitlines()
        found = re.compile(r'identityd_logins_total\{.*outcome="([a-z-]+)".*\} ([0-9]+)\.0')
        counts: Counter[str] = Counter()
        for match in filter(None, map(found.fullmatch, lines)):
            counts[match[1]] += int(match[2])
        return counts

    def actions(self) -> list[str]:
        """Return the audited actions so far."""
        return [event.action for event in self.events]


class Visitor(Browser):
    """A browser of a site, and the steps that its person takes to log in."""

    def __init__(self, site: LoginSite, home: str = "", *, jars: dict[str, Jar] | None = None) -> None:
        super().__init__(site.carry, home or site.public_url, jars=jars)
        self.site = site

    def _with(self, home: str, jars: dict[str, Jar]) -> Self:
        return type(self)(self.site, home, jars=jars)

    def begin(self, provider: str = "github", **asked: str) -> str:
        """Begin a login; return its state."""
        reply = self.get(f"/login/{provider}" + (f"?{urlencode(asked)}" if asked else ""))
        assert reply.status == 302, reply.body
        return query_of(location(reply))["state"]

    def come_back(self, state: str, *, provider: str = "github", **answer: str) -> Reply:
        """Bring a provider's answer."""
        return self.get(f"/login/{provider}/callback?{urlencode({**answer, 'state': state})}")

    @property
    def cross_site(self) -> dict[str, str]:
        """Headers of a form that another site's page posts, its cookies among them."""
        shown = Jar.of({name: self.jar.cookies[name] for name in self.jar.cross_site & self.jar.cookies.keys()})
        return {**CROSS_SITE, **shown.header}

    def post_answer(self, state: str, *, provider: str = "google", kind: str = "", **answer: str) -> Reply:
        """Bring a provider's answer as its page would: a form of another site."""
        sent = {"Cookie": "", **self.cross_site} | ({"Content-Type": kind} if kind else {})
        body = urlencode({**answer, "state": state}).encode()
        return self.load("POST", f"/login/{provider}/callback", sent.items(), body)

    def log_in(self, code: str = "ada", *, provider: str = "github", **asked: str) -> Reply:
        """Begin a login and bring the answer at once."""
        return self.come_back(self.begin(provider, **asked), provider=provider, code=code)

    def choose(self, page: Reply, username: str, **changed: str) -> Reply:
        """Send a username form with this name."""
        return self.post("/welcome", {**form_of(page), "username": username, **changed})

    def sign_up(self, code: str = "ada", *, provider: str = "github", username: str = "", **asked: str) -> Reply:
        """Log in for the first time and take a username."""
        welcome = self.get(location(self.log_in(code, provider=provider, **asked)))
        assert welcome.status == 200, welcome.body
        return self.choose(welcome, username or code)

    def whoami(self) -> str | None:
        """Ask as an application whose session this jar shows."""
        user = self.site.check(self.jar).json()["user"]
        return None if user is None else str(user["name"])


def welcomed(logins: LoginSite, code: str = "ada", **asked: str) -> tuple[Visitor, Reply]:
    """Return a browser that is asked for a username, and the page."""
    browser = logins.browser()
    return browser, browser.get(location(browser.log_in(code, **asked)))


def location(reply: Reply) -> str:
    """Return where a redirect leads."""
    found = reply.one("Location")
    assert found is not None, (reply.status, reply.body)
    return found


def query_of(address: str) -> dict[str, str]:
    """Return an address's parameters."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query, strict_parsing=True).items()}


def form_of(page: Reply) -> dict[str, str]:
    """Return the fields of a page's first form as a browser would send them."""
    match = re.search(r"<form.*?</form>", page.body.decode(), re.DOTALL)
    assert match is not None, page.body
    inputs = re.findall(r"<input[^>]*>", match[0])
    found = {_attribute(tag, "name"): _attribute(tag, "value") for tag in inputs}
    return {name: value for name, value in found.items() if name}


def suggestion(page: Reply) -> str:
    """Return the username a welcome page offers."""
    return form_of(page)["username"]


def _attribute(tag: str, name: str) -> str:
    match = re.search(rf'\b{name}="([^"]*)"', tag)
    return unescape(match[1]) if match else ""


@pytest.fixture(scope="module")
def running_logins() -> Iterator[LoginSite]:
    """Give a daemon people can log in to."""
    with LoginSite(trusted=(LOCAL,)) as site:
        yield site


@pytest.fixture
def logins(running_logins: LoginSite) -> LoginSite:
    """Give the module's daemon with nobody known to it."""
    running_logins.start_over()
    return running_logins
