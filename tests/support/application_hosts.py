"""A login host and two applications on hosts of their own, and browsers with a jar for each host.

The applications stand behind a proxy that asks `/auth` for their pages and leads `/.identityd/` to
the daemon, as the examples do. Everything but the login provider is real.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import unescape
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

import pytest

from identity.applications.application import Application
from identity.sessions.record import Record
from identity.sessions.store import Found
from identity.types import ClientId, Host, IdentityKey
from tests.support.applications import application
from tests.support.browser import Jar, Reply
from tests.support.logins import LoginSite, form_of, location, query_of
from tests.support.web import APP, APP_SECRET, LOCAL, basic, forwarded

LOGIN: Final = "https://login.example"
WIKI: Final = "https://wiki.example"
SHOP: Final = "https://shop.example"
SHOP_APP: Final = ClientId("shop")
SHOP_SECRET: Final = "a secret of the shop application, 32+"
MOST_HOPS: Final = 12


@dataclass(kw_only=True)
class ApplicationHosts(LoginSite):
    """The daemon, and what its configuration says of the applications."""

    hosts: frozenset[Host] = frozenset({Host("login.example"), Host("wiki.example"), Host("shop.example")})
    origins: frozenset[str] = frozenset({WIKI, SHOP})
    mints: dict[ClientId, bool] = field(default_factory=dict)

    def apps(self) -> Iterator[Application]:
        """Yield both applications."""
        for client, secret, host in ((APP, APP_SECRET, "wiki.example"), (SHOP_APP, SHOP_SECRET, "shop.example")):
            mint = self.mints.get(client, True)
            yield replace(application(client, secret, hosts=[Host(host)]), mint=mint, return_to=tuple(self.origins))

    def host_browser(self) -> "HostBrowser":
        """Return a browser without any cookie."""
        return HostBrowser(self)

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


class HostBrowser:
    """A browser that goes from host to host."""

    def __init__(self, site: ApplicationHosts) -> None:
        self.site = site
        self.jars: dict[str, Jar] = defaultdict(Jar)
        self.hops: list[str] = []
        """Addresses of the last walk, in order."""

    def load(self, url: str, *, method: str = "GET", **headers: str) -> Reply:
        """Ask for one address, without following."""
        parts = urlsplit(url)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        jar = self.jars[parts.netloc]
        sent = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", **jar.header, **named}
        place = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        if parts.netloc != "login.example" and not parts.path.startswith("/.identityd/"):
            asked = forwarded(host=parts.netloc, uri=place, method=method)
            reply = self.site.internal("GET", "/auth?redirect=1", headers={**asked, **sent})
        else:
            reply = self.site.public(method, place, host=parts.netloc, headers=sent)
        jar.take(reply)
        return reply

    def go(self, url: str, *, until: str = "") -> Reply:
        """Follow redirects from an address, up to the one that contains `until`, which is not asked for."""
        self.hops = [url]
        reply = self.load(url)
        while reply.one("Location"):
            assert len(self.hops) < MOST_HOPS, self.hops
            url = urljoin(url, location(reply))
            self.hops.append(url)
            if until and until in url:
                break
            reply = self.load(url)
        return reply

    def log_in(self, page: Reply, code: str = "ada", *, username: str = "") -> Reply:
        """Choose GitHub on a login page, be who `code` says, and take a username at the first time."""
        link = re.search(r'href="(/login/github[^"]*)"', page.body.decode())
        assert link, page.body
        state = query_of(location(self.load(LOGIN + unescape(link[1]))))["state"]
        reply = self.go(f"{LOGIN}/login/github/callback?{urlencode({'code': code, 'state': state})}")
        if "/welcome" in self.hops[-1]:
            reply = self.send(self.hops[-1], {**form_of(reply), "username": username or code}, to=f"{LOGIN}/welcome")
        return reply

    def send(self, page: str, fields: dict[str, str], *, to: str = "", **headers: str) -> Reply:
        """Send a form of a page, and follow where it leads."""
        target = urlsplit(to or page)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page))
        kind = "application/x-www-form-urlencoded"
        sent = {"Content-Type": kind, "Origin": origin, **self.jars[target.netloc].header, **named}
        body = urlencode(fields).encode()
        reply = self.site.public("POST", target.path, host=target.netloc, headers=sent, body=body)
        self.jars[target.netloc].take(reply)
        self.hops = [to or page]
        if reply.status == 303:
            return self.go(urljoin(to or page, location(reply)))
        return reply

    def enter(self, url: str, code: str = "ada") -> Reply:
        """Open a page of an application, logging in on the way."""
        return self.log_in(self.go(url), code)

    def copy(self, host: str) -> "HostBrowser":
        """Return a thief with this browser's cookies of one host."""
        thief = HostBrowser(self.site)
        thief.jars[host].cookies |= self.jars[host].cookies
        return thief

    def tokens(self, host: str) -> list[str]:
        """Return the names of the session tokens on a host."""
        return [name for name in self.jars[host].cookies if name.startswith("__Host-idd-")]

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
