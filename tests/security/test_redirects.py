"""Row 33: no handler sends a browser to another site because of what the browser sent.

The handlers are found in the code, so that a new one cannot be forgotten: each function that sets
a Location is listed here with the requests that reach it.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from html import unescape
from textwrap import dedent
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from identity.web import routes
from identity.web.http.base import Handler, Listener, Route, is_local
from identity.web.http.page import PageHandler
from providers.base import LogoutThere
from tests.support.browser import Jar
from tests.support.evil import EVIL, OWN, assert_home, lands_at_home
from tests.support.handlers import ROUTES
from tests.support.logins import LoginSite, form_of, location, query_of
from tests.support.scripted import ScriptedEvents
from tests.support.sources import cases, files, name, tree
from tests.support.web import LOCAL, Site, forwarded

pytestmark = pytest.mark.threat(33)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a daemon that trusts loopback as a proxy."""
    with Site(trusted=(LOCAL,), routes=ROUTES) as running:
        yield running


@pytest.mark.parametrize("evil", EVIL)
def test_ack_leads_nowhere_else(site: Site, evil: str) -> None:
    """Otherwise a link to our own host ends at a copy of our login page."""
    for jar in (Jar(), site.log_in()):
        reply = site.public("GET", f"/.identityd/ack?then={quote(evil)}", headers=jar.header)

        assert reply.status in (303, 400)
        assert_home(reply)


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
    assert_home(reply)


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
        assert_home(reply)


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
            assert lands_at_home(reply.json()["location"])


@pytest.mark.parametrize("evil", EVIL)
def test_a_page_that_needs_a_login_leads_back_to_itself_only(site: Site, evil: str) -> None:
    """Otherwise the login page is given an address of somebody else to return to."""
    reply = site.public("GET", f"/test/mine?{quote(evil)}")

    assert reply.status == 303
    assert_home(reply)


@pytest.mark.parametrize("evil", [each for each in EVIL if not each.startswith(("/%", "/..", "/.", "/x"))])
def test_the_one_test_for_local_addresses_knows_the_corpus(evil: str) -> None:
    """Otherwise everything built on it is open."""
    assert not is_local(evil) or lands_at_home(evil)


@pytest.mark.parametrize("evil", EVIL)
def test_a_login_leads_nowhere_else(logins: LoginSite, evil: str) -> None:
    """Otherwise a link to our login page ends at a copy of some application that asks for a password."""
    browser = logins.browser()

    first = browser.sign_up("ada", return_to=evil)
    again = browser.log_in("ada", return_to=evil)
    chooser = browser.get(f"/login?return_to={quote(evil)}")

    for reply in (first, again, chooser):
        assert reply.status == 303
        assert lands_at_home(location(reply)), location(reply)


@pytest.mark.parametrize("evil", EVIL)
def test_the_page_of_a_refusal_leads_nowhere_else(logins: LoginSite, evil: str) -> None:
    """Otherwise a link to a page of ours that says "you may enter now" leads to another site."""
    asked = quote(evil)
    stranger = logins.browser().get(f"/.identityd/refused?return_to={asked}")
    visitor = logins.browser()
    visitor.sign_up("ada", username="ada")

    member = visitor.get(f"/.identityd/refused?return_to={asked}")

    for reply in (stranger, member):
        assert reply.status == 303
        assert_home(reply)


@pytest.mark.parametrize("evil", EVIL)
def test_a_posted_answer_leads_nowhere_else(logins: LoginSite, evil: str) -> None:
    """Otherwise a provider's form, or a page that pretends to be one, chooses where a login ends."""
    logins.google.posted = True
    browser = logins.browser()
    state = browser.begin("google", return_to=evil)

    posted = browser.post_answer(state, code="ada", return_to=evil)
    finished = browser.get(f"{location(posted)}&return_to={quote(evil)}")
    nameless = browser.post_answer("", error="access_denied", return_to=evil)
    made_up = browser.post_answer(evil, code="ada")

    for reply in (posted, finished, nameless):
        assert lands_at_home(location(reply)), location(reply)
    assert made_up.status == 400


@pytest.mark.parametrize("evil", EVIL)
def test_logging_out_at_the_provider_leads_there_and_home_only(logins: LoginSite, evil: str) -> None:
    """Otherwise a link to our logout ends at a site that asks for the password of the login before it."""
    logins.google.logout_there, logins.google.leaves_by = LogoutThere.YES, "https://google.example/out"
    browser, asked = logins.browser(), quote(evil)
    browser.sign_up("ada", provider="google")
    names = ("post_logout_redirect_uri", "return_to", "state", "with", "iss", "sid")
    query = "&".join(f"{each}={asked}" for each in names)

    away = browser.get(f"/login/google/logout?{query}")
    back = browser.get(f"/logged-out?{query}")
    frame = browser.get(f"/login/google/frontchannel?{query}")
    said = logins.browser().get(f"/logout?done=session&{query}")
    told = logins.browser().post(
        "/login/google/backchannel", {"logout_token": "x", **dict.fromkeys(names, "//evil.example")}
    )

    leading = urlsplit(location(away))
    assert f"{leading.scheme}://{leading.netloc}{leading.path}" == "https://google.example/out"
    assert parse_qs(leading.query)["post_logout_redirect_uri"] == [f"{OWN}/logged-out"]
    assert location(back) == "/account"
    for reply in (frame, said, told):
        assert reply.one("Location") is None
        assert reply.one("Refresh") is None


@pytest.mark.parametrize("evil", EVIL)
def test_what_a_provider_tells_leads_nowhere(logins: LoginSite, evil: str) -> None:
    """Otherwise a server that was led there by a stranger is led on to his."""
    logins.google.security_events = ScriptedEvents()
    headers = {"Content-Type": "application/secevent+jwt"}

    for body in (b"forged", evil.encode()):
        told = logins.public("POST", f"/login/google/events?return_to={quote(evil)}", headers=headers, body=body)

        assert (told.status, told.one("Location"), told.one("Refresh")) == (400, None, None)


@pytest.mark.parametrize("evil", EVIL)
def test_a_notice_leads_nowhere_else(logins: LoginSite, evil: str) -> None:
    """Otherwise a warning of ours ends at a copy of our login page."""
    browser, asked = logins.browser(), quote(evil)
    browser.sign_up("ada")
    logins.steal_from(browser)
    browser.log_in("ada")
    page = browser.get(f"/account/notice?return_to={asked}")
    links = re.findall(r'href="([^"]*)"', page.body.decode())
    assert all(lands_at_home(unescape(link)) for link in links if not link.startswith("data:image/"))

    answered = browser.post("/account/notice", {**form_of(page), "return_to": evil})
    nothing = browser.get(f"/account/notice?return_to={asked}")

    # What cannot be a parameter at all is refused before.
    assert answered.status in (303, 400)
    assert answered.status == 400 or lands_at_home(location(answered))
    assert nothing.status in (200, 303)
    assert nothing.status == 200 or lands_at_home(location(nothing))


@pytest.mark.parametrize("evil", EVIL)
def test_changing_the_ways_to_log_in_leads_nowhere_else(logins: LoginSite, evil: str) -> None:
    """Otherwise a question of ours, which a person answers because it is ours, ends at another site."""
    browser, asked = logins.browser(), quote(evil)
    browser.sign_up("ada")
    more = f"return_to={asked}&reason={asked}"
    begun = browser.get(f"/login/google?for=link&{more}")
    proven = browser.come_back(query_of(location(begun))["state"], provider="google", code="bob", return_to=evil)
    confirm = browser.get(f"{location(proven)}&{more}")
    linked = browser.post("/account/ways/confirm", form_of(confirm))
    removal = re.findall(r'href="(/account/ways/remove[^"]*)"', browser.get("/account").body.decode())[1]
    removed = browser.post("/account/ways/remove", form_of(browser.get(f"{unescape(removal)}&{more}")))
    welcome = form_of(browser.get(location(browser.log_in("eve", provider="google"))))["s"]
    pages = [
        browser.get(f"/account/ways/add?{more}"),
        browser.get(f"/account/ways/adopt?s={welcome}&{more}"),
        browser.get(f"/welcome/existing?s={welcome}&{more}"),
        *(browser.get(f"{path}={asked[:60]}") for path in ("/account/ways/adopt?s", "/account/ways/confirm?l")),
        browser.get(f"/account/ways/remove?way={asked[:60]}"),
    ]

    assert (proven.status, linked.status, removed.status) == (303, 303, 303)
    for reply in (proven, linked, removed, *(page for page in pages if page.status == 303)):
        assert lands_at_home(location(reply)), location(reply)
    for page in pages:
        for link in re.findall(r'(?:href|action)="([^"]*)"', page.body.decode()):
            assert link.startswith("data:image/") or lands_at_home(unescape(link)), link


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
            assert address.startswith("data:image/") or lands_at_home(address), address
            for inner in parse_qs(urlsplit(address).query).get("return_to", []):
                assert lands_at_home(inner), address


LEADERS: Final = {
    "account.Account": "test_no_location_without_a_parameter",
    "account.EndAll": "test_no_location_without_a_parameter",
    "account.EndSession": "test_no_location_without_a_parameter",
    "account.HomePage": "test_no_location_without_a_parameter",
    "application_login.Continue": "test_the_way_to_an_application_ends_on_its_host",
    "application_login.Enter": "test_the_way_to_an_application_ends_on_its_host",
    "application_login.RedeemStartCode": "test_the_way_to_an_application_ends_on_its_host",
    "invitation.Invitation": "test_an_invitation_leads_to_its_own_page_only",
    "login_begin.Begin": "test_a_login_leads_nowhere_else",
    "login_begin.Chooser": "test_a_login_leads_nowhere_else",
    "logout.ApplicationLogout": "test_leaving_leads_nowhere_else",
    "logout.Logout": "test_leaving_leads_nowhere_else",
    "posted_answer.AnyAnswer": "test_a_posted_answer_leads_nowhere_else",
    "posted_answer.PostedAnswer": "test_a_posted_answer_leads_nowhere_else",
    "notices.Notices": "test_a_notice_leads_nowhere_else",
    "provider_logout.BackChannelLogout": "test_logging_out_at_the_provider_leads_there_and_home_only",
    "provider_logout.EndThere": "test_logging_out_at_the_provider_leads_there_and_home_only",
    "provider_logout.FrontChannelLogout": "test_logging_out_at_the_provider_leads_there_and_home_only",
    "provider_logout.LoggedOutThere": "test_logging_out_at_the_provider_leads_there_and_home_only",
    "security_events.SecurityEvents": "test_what_a_provider_tells_leads_nowhere",
    "refused.EntryRefused": "test_the_page_of_a_refusal_leads_nowhere_else",
    "routes.Canonical": "test_a_canonical_address_is_never_another_site",
    "ack.Ack": "test_ack_leads_nowhere_else",
    "sign_up.Welcome": "test_a_login_leads_nowhere_else",
    "ways.ExistingAccount": "test_changing_the_ways_to_log_in_leads_nowhere_else",
    "ways.RemoveWay": "test_changing_the_ways_to_log_in_leads_nowhere_else",
    "ways.AdoptSignUp": "test_changing_the_ways_to_log_in_leads_nowhere_else",
    "ways.ConfirmWay": "test_changing_the_ways_to_log_in_leads_nowhere_else",
    "ways.AddWay": "test_changing_the_ways_to_log_in_leads_nowhere_else",
}
"""Every handler of the public listener that can answer with a Location, and the test that tries the corpus on it."""
LEADING: Final = frozenset({"go", "go_out", "onward", "send_to_login", "signed_in", "visitor", "_redirect", "enter"})
"""What ends in a Location header."""


def test_every_handler_that_can_lead_somewhere_is_tried() -> None:
    """Otherwise a new page is added, and nobody remembers this file."""
    leading = {
        f"{route.handler.__module__.rpartition('.')[2]}.{route.handler.__name__}"
        for route in (*routes.ROUTES, Route("", routes.Canonical, Listener.PUBLIC))
        if route.listener is Listener.PUBLIC and _leads(route.handler)
    }

    assert leading == set(LEADERS)
    here = files("*redirects.py", "tests/security")
    assert set(LEADERS.values()) <= {case.name for path in here for case in cases(path)}


def _leads(handler: type) -> bool:
    """Tell whether any method of the handler, or one it inherits from our own classes below the base, redirects."""
    own = [
        each
        for each in handler.__mro__
        if each.__module__.startswith("identity.") and each not in (PageHandler, Handler)
    ]
    return any(
        isinstance(node, ast.Attribute) and node.attr in LEADING
        for each in own
        for node in ast.walk(ast.parse(dedent(inspect.getsource(each))))
    )


REACHED: Final = {
    "identity/web/http/base.py": {"_redirect"},
    "identity/forward_auth/answers.py": {"answer"},
    "identity/web/people/logout.py": {"say_ended"},
}
"""Every function that names a Location header; all others go through `go`, `go_out` of the base."""


def test_every_function_that_sets_a_location_is_known() -> None:
    """Otherwise a handler that builds its own redirect is missed by the corpus."""
    found: dict[str, set[str]] = {}
    for path in files("*.py", "identity", "providers"):
        for function in ast.walk(tree(path)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and _sets_location(function):
                found.setdefault(name(path), set()).add(function.name)

    assert found == REACHED


def _sets_location(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether a function names such a header; `location`, so spelt, is a field of JSON unless it is put."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "redirect")
        or (_names_location(node) and ast.unparse(node) != "'location'")
        or (isinstance(node, ast.Call) and _called(node).endswith("_header") and any(map(_names_location, node.args)))
        for node in ast.walk(function)
    )


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _names_location(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and str(node.value).lower() in ("location", "x-identity-location", "refresh")


GO_OUT: Final = {
    "identity/web/people/login.py",
    "identity/web/people/login_begin.py",
    "identity/web/people/demo.py",
    "identity/web/people/application_login.py",
    "identity/web/people/provider_logout.py",
}
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
