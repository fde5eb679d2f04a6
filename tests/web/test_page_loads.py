"""Pages and forms are for page loads: every route of the public listener, whatever asks."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from identity.web import routes
from identity.web.http.base import Listener, Route
from identity.web.http.page import PageHandler, Side
from identity.web.people import ack, demo, provider_logout, security_events
from identity.web.people.assets import Picture, Style
from tests.support.account_site import AccountSite, text
from tests.support.application_hosts import ApplicationHosts
from tests.support.browser import Browser, Jar, Reply
from tests.support.web import LOCAL, Site

ROUTES: Final = tuple(route for route in (*routes.ROUTES, *demo.ROUTES) if route.listener is Listener.PUBLIC)
EXEMPT: Final = frozenset(
    {
        ack.Ack,
        Style,
        Picture,
        provider_logout.BackChannelLogout,
        provider_logout.FrontChannelLogout,
        security_events.SecurityEvents,
        routes.Canonical,
        routes.MissingPage,
    }
)
"""What anything may ask for: it shows nothing of a session, and takes no form."""
GUARDED: Final = tuple(route for route in ROUTES if route.handler not in EXEMPT)
OTHERS: Final = (
    *("audio", "audioworklet", "embed", "empty", "fencedframe", "font", "frame", "iframe", "image", "json", "manifest"),
    *("object", "paintworklet", "report", "script", "serviceworker", "sharedworker", "style", "track", "video"),
    *("webidentity", "worker", "xslt", "", "Document", "document, empty", "tomorrow"),
)
"""Every destination there is but `document`, and what is none."""
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://login.example"}
OPENED: Final = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}
WRONG: Final = (
    {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"},
    {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "same-origin"},
    {"Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Service-Worker-Navigation-Preload": "true"},
)
ASKED: Final = tuple((route, method) for route in GUARDED for method in route.handler.allowed_methods())


def address(route: Route) -> str:
    """Return an address of a route."""
    return re.sub(r"\(.*?\)", "demo", route.path.replace("\\", ""))


def ask(site: Site, route: Route, method: str, jar: Jar, headers: Mapping[str, str]) -> Reply:
    """Ask on the side the page is on."""
    sent, body = ({**FORM, **headers, **jar.header}, b"") if method == "POST" else ({**headers, **jar.header}, None)
    host = "wiki.example" if getattr(route.handler, "side", Side.LOGIN) is Side.APPLICATION else site.host
    return site.public(method, address(route), host=host, headers=sent, body=body)


def is_refused(reply: Reply, method: str) -> bool:
    """Tell whether the answer says so, in words a program reads, and does nothing else."""
    said = method == "HEAD" or reply.json()["error"] == "not-a-page"
    return reply.status == 400 and said and not reply.cookies and reply.one("Cache-Control") == "no-store"


@pytest.fixture(scope="module")
def open_house() -> Iterator[ApplicationHosts]:
    """Give a daemon with every page, the demonstration's too, and an application's host."""
    with ApplicationHosts(trusted=(LOCAL,), routes=demo.ROUTES) as site:
        yield site


def test_what_is_exempt_stands_in_one_list() -> None:
    """Otherwise a page is opened to scripts in passing, and nobody who reads the list knows."""
    pages = {route.handler for route in ROUTES} | {routes.Canonical, routes.MissingPage}

    assert {page for page in pages if not getattr(page, "documents_only", False)} == EXEMPT
    assert all(issubclass(route.handler, PageHandler) for route in GUARDED)


@pytest.mark.threat(49)
def test_no_page_and_no_form_answers_what_is_no_page_load(open_house: ApplicationHosts) -> None:
    """Otherwise an application below /app/ reads its visitors' account, and logs them out elsewhere."""
    jar = open_house.log_in()

    answered = [
        (method, address(route), headers)
        for route, method in ASKED
        for headers in WRONG
        if not is_refused(ask(open_house, route, method, jar, headers), method)
    ]

    assert answered == []
    assert open_house.public("GET", "/account", headers=jar.header).status == 200


@pytest.mark.threat(49)
@pytest.mark.parametrize("dest", OTHERS)
def test_only_a_document_is_a_page_load(open_house: ApplicationHosts, dest: str) -> None:
    """Otherwise one way of embedding, or of writing the word, is a way in."""
    reply = open_house.public("GET", "/account", headers={"Sec-Fetch-Dest": dest, **open_house.log_in().header})

    assert is_refused(reply, "GET")


def test_what_a_person_opens_is_not_refused(open_house: ApplicationHosts) -> None:
    """Otherwise nobody logs in with a browser that says what it does, a provider's redirect included."""
    refused = [
        (method, address(route), headers)
        for route, method in ASKED
        for headers in ({}, OPENED, OPENED | {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Mode": "navigate"})
        if b"not-a-page" in ask(open_house, route, method, Jar(), headers).body
    ]

    assert refused == []


def test_an_exempt_address_answers_whatever_asks(account_site: AccountSite, ada: Browser) -> None:
    """Otherwise the preload brings no token back, and every page is bare."""
    for dest in OTHERS:
        headers = {"Sec-Fetch-Dest": dest, "Sec-Fetch-Mode": "no-cors", **ada.jar.header}
        assert account_site.site.public("GET", "/.identityd/ack", headers=headers).status == 204
        assert account_site.site.public("GET", "/.identityd/style.css", headers=headers).status == 200
        assert b"not-a-page" not in account_site.site.public("GET", "/.identityd/logo", headers=headers).body
        assert account_site.site.public("GET", "/nothing", headers=headers).status == 404


@pytest.mark.threat(49)
def test_a_script_that_stole_a_form_cannot_send_it(account_site: AccountSite, ada: Browser) -> None:
    """Otherwise one leaked form token is enough for any script of the host to end every session."""
    fields = account_site.form(ada, "/account/sessions/end-all")

    reply = ada.post("/account/sessions/end-all", fields, Sec_Fetch_Mode="cors")

    assert (reply.status, reply.json()["error"]) == (400, "not-a-page")
    assert account_site.is_in(ada.jar)
    assert ada.post("/account/sessions/end-all", fields).status == 303


@pytest.mark.threat(49)
def test_a_kept_page_is_not_shown_to_a_script(ada: Browser) -> None:
    """Otherwise `fetch` with `only-if-cached` reads a copy of a person's visit that some browser keeps all the same."""
    page = ada.get("/account")

    assert "ada" in text(page)
    assert page.one("Cache-Control") == "no-store"
    assert {"Sec-Fetch-Dest", "Sec-Fetch-Mode"} <= set((page.one("Vary") or "").split(", "))


@pytest.mark.threat(49)
@pytest.mark.parametrize(
    ("brands", "policy"),
    [
        (None, "same-origin"),
        ('"Not A Brand";v="24"', "same-origin"),
        ('"Chromium";v="120", "Not_A Brand";v="24"', "same-origin"),
        ('"Google Chrome";v="150", "Chromium";v="150"', "noopener-allow-popups"),
        ('"Chromium";v="99999"', "same-origin"),
    ],
)
def test_a_window_that_opened_a_page_cannot_look_into_it(
    open_house: ApplicationHosts, brands: str | None, policy: str
) -> None:
    """Otherwise a script opens /account in a window and reads it; an unknown word would isolate nothing."""
    reply = open_house.public("GET", "/login", headers={"Sec-CH-UA": brands} if brands else {})

    assert reply.one("Cross-Origin-Opener-Policy") == policy
