"""A login host and two applications on hosts of their own, and browsers with a jar for each host.

The applications stand behind a proxy that asks `/auth` for their pages and leads `/.identityd/` to
the daemon, as the examples do. Everything but the login provider is real.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import unescape
from typing import Final
from urllib.parse import urlencode, urlsplit

import pytest

from identity.applications.application import Application
from identity.sessions.record import Record
from identity.sessions.store import Found
from identity.types import ClientId, Host, IdentityKey
from tests.support.applications import application
from tests.support.browser import Reply, Request
from tests.support.logins import LoginSite, Visitor, form_of, location, query_of
from tests.support.web import APP, APP_SECRET, LOCAL, basic, forwarded

LOGIN: Final = "https://login.example"
WIKI: Final = "https://wiki.example"
SHOP: Final = "https://shop.example"
SHOP_APP: Final = ClientId("shop")
SHOP_SECRET: Final = "a secret of the shop application, 32+"


@dataclass(kw_only=True)
class ApplicationHosts(LoginSite):
    """The daemon, and what its configuration says of the applications."""

    hosts: frozenset[Host] = frozenset({Host("login.example"), Host("wiki.example"), Host("shop.example")})
    origins: frozenset[str] = frozenset({WIKI, SHOP})
    mints: dict[ClientId, bool] = field(default_factory=dict)
    labels: dict[ClientId, str] = field(default_factory=dict)

    def apps(self) -> Iterator[Application]:
        """Yield both applications."""
        for client, secret, host in ((APP, APP_SECRET, "wiki.example"), (SHOP_APP, SHOP_SECRET, "shop.example")):
            mint = self.mints.get(client, True)
            app = application(client, secret, hosts=[Host(host)])
            yield replace(app, label=self.labels.get(client, ""), mint=mint, return_to=tuple(self.origins))

    def browser(self) -> "HostVisitor":
        """Return a browser without any cookie."""
        return HostVisitor(self)

    def carry(self, request: Request) -> Reply:
        """Lead a request as the proxies do: to the daemon, or past its `/auth` to an application."""
        place = urlsplit(request.url)
        if place.netloc == self.host or place.path.startswith("/.identityd/"):
            return super().carry(request)
        asked = forwarded(host=request.netloc, uri=request.target, method=request.method)
        return self.internal("GET", "/auth?redirect=1", headers=(*asked.items(), *request.headers))

    def record(self, key: str = "github:ada") -> Record:
        """Return the session record of the account an identity leads to."""
        read = self.sessions.ticket(self.row(key).account_id).read
        assert isinstance(read, Found)
        return read.record

    def start_over_http(self, url: str, secret: str, *, client: str = APP, password: str = APP_SECRET) -> Reply:
        """Redeem a code as an application does it itself."""
        body = json.dumps({"url": url, "secret": secret}).encode()
        headers = {"Content-Type": "application/json", **basic(client, password)}
        return self.internal("POST", "/session/start", headers=headers, body=body)


class HostVisitor(Visitor):
    """A visitor who opens pages of the applications, and meets the login there."""

    def log_in_at(self, page: Reply, code: str = "ada", *, username: str = "") -> Reply:
        """Choose GitHub on a login page, be who `code` says, and take a username at the first time."""
        link = re.search(r'href="(/login/github[^"]*)"', page.body.decode())
        assert link, page.body
        state = query_of(location(self.get(LOGIN + unescape(link[1]))))["state"]
        reply = self.go(f"{LOGIN}/login/github/callback?{urlencode({'code': code, 'state': state})}")
        if "/welcome" in self.hops[-1]:
            reply = self.send(self.hops[-1], {**form_of(reply), "username": username or code}, to=f"{LOGIN}/welcome")
        return reply

    def enter(self, url: str, code: str = "ada") -> Reply:
        """Open a page of an application, logging in on the way."""
        return self.log_in_at(self.go(url), code)

    def code(self, url: str) -> str:
        """Walk up to the redeeming of a start code, and return its address."""
        self.go(url, until="/.identityd/start")
        return self.hops[-1]


def user(reply: Reply) -> str | None:
    """Return whose page it is, as the application hears it."""
    return reply.one("X-Identity-User")


def key_of(code: str) -> IdentityKey:
    """Return the identity a login with this code proves."""
    return IdentityKey(f"github:{code}")


@pytest.fixture(scope="module")
def running_sites() -> Iterator[ApplicationHosts]:
    """Give a daemon with two applications."""
    with ApplicationHosts(trusted=(LOCAL,)) as site:
        yield site


@pytest.fixture
def sites(running_sites: ApplicationHosts) -> ApplicationHosts:
    """Give the module's daemon with nobody known to it."""
    running_sites.start_over()
    return running_sites
