"""Row 33: no handler sends a browser to another site because of what the browser sent.

The handlers are found in the code, so that a new one cannot be forgotten: each function that sets
a Location is listed here with the requests that reach it.
"""

import ast
import re
from collections.abc import Iterator
from html import unescape
from typing import Final
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import pytest

from identity.web.base import is_local
from tests.support.handlers import ROUTES
from tests.support.logins import LoginSite, location
from tests.support.sources import files, name, tree
from tests.support.web import LOCAL, Jar, Reply, Site, forwarded

pytestmark = pytest.mark.threat(33)

EVIL: Final = (
    "//evil.example",
    "///evil.example",
    "////evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/%09/evil.example",
    "/%5cevil.example",
    "/%2f/evil.example",
    "/%2fevil.example",
    "/%252f%252fevil.example",
    "/..//evil.example",
    "/.//evil.example",
    "/x/..;//evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "https:///evil.example",
    "http://evil.example",
    "HTTPS://evil.example",
    "https://login.example@evil.example",
    "https://login.example:443@evil.example",
    "https://login.example.evil.example",
    "https://login.example%2eevil.example",
    "https://login.example%00.evil.example",
    "https://login.example\\@evil.example",
    "https://[::1]/",
    "https://[::ffff:198.51.100.1]/",
    "//login.example@evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    ".evil.example",
    "@evil.example",
    "%2f%2fevil.example",
    "/\u2028/evil.example",
    "\uff0f\uff0fevil.example",
    "https://login。example/",
    "x" * 5_000,
)
OWN: Final = "https://login.example"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a daemon that trusts loopback as a proxy."""
    with Site(trusted=(LOCAL,), routes=ROUTES) as running:
        yield running


def _lands_at_home(location: str) -> bool:
    """Resolve as a browser does (WHATWG URL): tabs and line ends out, backslashes are slashes."""
    seen = location.strip(" \t\r\n").translate({9: None, 10: None, 13: None}).replace("\\", "/")
    if seen.startswith("///"):
        return False
    target = urlsplit(urljoin(f"{OWN}/page", seen))
    return (target.scheme, target.netloc) == ("https", "login.example")


def _assert_home(reply: Reply) -> None:
    for address in (*reply.all("Location"), *reply.all("X-Identity-Location")):
        assert _lands_at_home(address), address
        for nested in ("return_to", "then"):
            for inner in parse_qs(urlsplit(address).query).get(nested, []):
                assert _lands_at_home(inner), address


@pytest.mark.parametrize("evil", EVIL)
def test_ack_leads_nowhere_else(site: Site, evil: str) -> None:
    """Otherwise a link to our own host ends at a copy of our login page."""
    for jar in (Jar(), site.log_in()):
        reply = site.public("GET", f"/.identityd/ack?then={quote(evil)}", headers=jar.header)

        assert reply.status in (303, 400)
        _assert_home(reply)


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize(
    "path", ["{}", "/login{}", "{}/login/", "{}/login//", "/test/open/{}", "/{}/", "/test/open/?{}"]
)
def test_a_canonical_address_is_never_another_site(site: Site, path: str, evil: str) -> None:
    """Otherwise `//evil.example/` is redirected to evil.example without its slash."""
    asked = path.format(quote(evil, safe="/:@%?;\\[]"))
    if not asked.startswith("/") or len(asked) > 4_000:
        asked = f"/{asked[:4_000]}"

    reply = site.public("GET", asked)

    assert reply.status in (200, 303, 308, 400, 404)
    _assert_home(reply)


@pytest.mark.parametrize("evil", [each for each in EVIL if each.isascii() and each.isprintable()])
@pytest.mark.parametrize("redirect", [True, False])
def test_a_proxied_address_stays_on_its_host(site: Site, evil: str, redirect: bool) -> None:  # noqa: FBT001, a case
    """Otherwise the address line of one site opens another after the login."""
    stale = site.log_in()
    copy = Jar()
    copy.cookies = dict(stale.cookies)
    for _ in range(3):
        site.clock.advance(20_000)
        stale.take(site.auth(jar=stale))
    site.clock.advance(20_000)
    for jar in (Jar(), copy):
        reply = site.auth(evil if evil.startswith("/") else f"/{evil}", jar=jar, redirect=redirect)

        assert reply.status in (302, 307, 401)
        _assert_home(reply)


@pytest.mark.parametrize(
    "host", ["evil.example", "login.example.evil.example", "login.example@evil.example", "login.example/x"]
)
def test_a_proxied_host_that_is_not_registered_gets_no_address(site: Site, host: str) -> None:
    """Otherwise whoever points a name at the proxy gets redirects with our name on them."""
    reply = site.internal("GET", "/auth?redirect=1", headers=forwarded(host=host))

    assert reply.status in (400, 403)
    assert reply.one("Location") is None


@pytest.mark.parametrize("evil", EVIL)
def test_an_application_is_never_given_another_site(site: Site, evil: str) -> None:
    """Otherwise an application passes on a redirect it got from us, and thinks it safe."""
    for url in (evil, f"{OWN}{evil}", f"{OWN}/{evil}"):
        reply = site.check(url=url)

        assert reply.status in (200, 400, 403)
        if reply.status == 200:
            assert _lands_at_home(reply.json()["location"])


@pytest.mark.parametrize("evil", EVIL)
def test_a_page_that_needs_a_login_leads_back_to_itself_only(site: Site, evil: str) -> None:
    """Otherwise the login page is given an address of somebody else to return to."""
    reply = site.public("GET", f"/test/mine?{quote(evil)}")

    assert reply.status == 303
    _assert_home(reply)


@pytest.mark.parametrize("evil", [each for each in EVIL if not each.startswith(("/%", "/..", "/.", "/x"))])
def test_the_one_test_for_local_addresses_knows_the_corpus(evil: str) -> None:
    """Otherwise everything built on it is open."""
    assert not is_local(evil) or _lands_at_home(evil)


@pytest.mark.parametrize("evil", EVIL)
def test_a_login_leads_nowhere_else(logins: LoginSite, evil: str) -> None:
    """Otherwise a link to our login page ends at a copy of some application that asks for a password."""
    browser = logins.browser()

    first = browser.sign_up("ada", return_to=evil)
    again = browser.log_in("ada", return_to=evil)
    chooser = browser.get(f"/login?return_to={quote(evil)}")

    for reply in (first, again, chooser):
        assert reply.status == 303
        assert _lands_at_home(location(reply)), location(reply)


@pytest.mark.parametrize("evil", EVIL)
def test_no_link_on_a_page_leads_elsewhere(logins: LoginSite, evil: str) -> None:
    """Otherwise the page does with a click what the redirect refuses."""
    asked = quote(evil)
    pages = [
        logins.browser().get(f"/login?return_to={asked}&reason={asked}"),
        logins.browser().get(f"/logout?with={asked}&done={asked}"),
        logins.browser().get(f"/login/github/callback?state=x&return_to={asked}"),
        logins.browser().get(f"/welcome?s={asked[:60]}"),
    ]

    for page in pages:
        for link in re.findall(r'(?:href|action)="([^"]*)"', page.body.decode()):
            address = unescape(link)
            assert address.startswith("data:image/") or _lands_at_home(address), address
            for inner in parse_qs(urlsplit(address).query).get("return_to", []):
                assert _lands_at_home(inner), address


REACHED: Final = {
    "identity/web/base.py": {"_redirect"},
    "identity/web/session.py": {"_refuse_to_proxy", "_refuse_to_browser"},
}
"""Every function that writes a Location header; all others go through `go`, `go_out` of the base."""


def test_every_function_that_sets_a_location_is_known() -> None:
    """Otherwise a handler that builds its own redirect is missed by the corpus."""
    found: dict[str, set[str]] = {}
    for path in files("*.py", "identity", "providers"):
        for function in ast.walk(tree(path)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and _sets_location(function):
                found.setdefault(name(path), set()).add(function.name)

    assert found == REACHED


def _sets_location(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            node.func.attr == "redirect"
            or (node.func.attr in ("put_header", "set_header", "add_header") and _names_location(node))
        )
        for node in ast.walk(function)
    )


def _names_location(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    return isinstance(first, ast.Constant) and str(first.value).lower() in (
        "location",
        "x-identity-location",
        "refresh",
    )


GO_OUT: Final = {"identity/web/login.py", "identity/web/demo.py"}
"""The files that may lead to another site: to a provider, or back to a registered application."""


def test_only_logins_lead_to_other_sites() -> None:
    """Otherwise a page hands a stranger's address to `go_out`, which checks no host."""
    callers = {
        name(path)
        for path in files("*.py", "identity")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "go_out"
    }

    assert callers <= GO_OUT
