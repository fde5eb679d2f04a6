"""Row 33 on the way to an application's host, and on the pages that take no address at all."""

import re
from html import unescape
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from identity.login.codes import challenge_of
from tests.support.application_hosts import SHOP, WIKI, ApplicationHosts
from tests.support.evil import EVIL, OWN, assert_home, lands_at_home
from tests.support.logins import form_of, location
from tests.support.web import forwarded

pytestmark = pytest.mark.threat(33)


@pytest.mark.parametrize("evil", EVIL)
def test_the_way_to_an_application_ends_on_its_host(sites: ApplicationHosts, evil: str) -> None:
    """Otherwise a link to the application's own host ends at a copy of it that asks for a password."""
    browser = sites.browser()
    browser.enter(f"{SHOP}/")
    asked = quote(evil, safe="")

    entered = browser.get(f"{WIKI}/.identityd/login?return_to={asked}&reason={asked}")
    assert entered.status in (302, 400)
    for place in [location(entered)] if entered.status == 302 else []:
        assert place.startswith(f"{OWN}/continue?host=wiki.example&start=")
        assert lands_at_home(parse_qs(urlsplit(place).query)["path"][0], home=WIKI)
    onward = browser.get(f"{OWN}/continue?host=wiki.example&start={'c' * 43}&path={asked}&reason={asked}")
    assert onward.status in (302, 400)
    assert onward.status == 400 or location(onward).startswith(f"{WIKI}/.identityd/start?code=")
    arrived = browser.go(f"{WIKI}/.identityd/login?return_to={asked}")
    assert arrived.status in (200, 400)
    assert lands_at_home(browser.hops[-1], home=WIKI), browser.hops


@pytest.mark.parametrize("evil", EVIL)
def test_whoever_is_not_logged_in_is_led_from_an_application_to_the_login_host_only(
    sites: ApplicationHosts, evil: str
) -> None:
    """Otherwise the detour by the login page is where the other site comes in."""
    browser = sites.browser()
    asked = quote(evil, safe="")

    for place in (
        f"continue?host={asked}&start={'c' * 43}",
        f"continue?host=wiki.example&start={'c' * 43}&path={asked}",
    ):
        reply = browser.get(f"{OWN}/{place}")
        assert reply.status in (303, 400, 403)
        assert_home(reply)
    ack = browser.get(f"{WIKI}/.identityd/ack?then={asked}")
    assert ack.status in (303, 400)
    for address in ack.all("Location"):
        assert lands_at_home(address, home=WIKI)
        for inner in parse_qs(urlsplit(address).query).get("return_to", []):
            assert lands_at_home(inner, home=WIKI), address


@pytest.mark.parametrize("evil", [each for each in EVIL if each.isascii() and each.isprintable()])
def test_a_proxied_address_of_an_application_stays_on_its_host(sites: ApplicationHosts, evil: str) -> None:
    """Otherwise the address line of one application opens another site after the login."""
    uri = evil if evil.startswith("/") else f"/{evil}"
    headers = forwarded(host="wiki.example", uri=uri)

    proxied = sites.internal("GET", "/auth", headers=headers)
    by_url = sites.check(url=f"{WIKI}{uri}")

    places = [*proxied.all("X-Identity-Location"), *([by_url.json()["location"]] if by_url.status == 200 else [])]
    assert places
    for place in places:
        assert place.startswith(f"{WIKI}/.identityd/login")
        for inner in parse_qs(urlsplit(place).query).get("return_to", []):
            assert lands_at_home(inner, home=WIKI), place


@pytest.mark.parametrize("evil", EVIL)
def test_leaving_leads_nowhere_else(sites: ApplicationHosts, evil: str) -> None:
    """Otherwise logging out ends at a page that asks for a login."""
    browser = sites.browser()
    browser.enter(f"{SHOP}/")
    asked = quote(evil, safe="")

    for home, page in ((SHOP, "/.identityd/logout"), (OWN, "/logout")):
        fields = {**form_of(browser.get(f"{home}{page}")), "login": evil[:2_000], "scope": evil[:2_000]}
        done = browser.send(f"{home}{page}", fields)
        assert done.status in (200, 400, 403)
        assert lands_at_home(browser.hops[-1], home=home)
        shown = browser.get(f"{home}{page}?done={asked}&with={asked}&ended={asked}")
        for link in re.findall(r'(?:href|action)="([^"]*)"', shown.body.decode()):
            address = unescape(link)
            away = address.startswith("data:image/") or address == f"{OWN}/"
            assert away or lands_at_home(address, home=home), address


@pytest.mark.parametrize("evil", EVIL)
def test_an_application_that_redeems_itself_is_given_a_path(sites: ApplicationHosts, evil: str) -> None:
    """Otherwise it redirects where we said, and thinks it safe."""
    browser, secret = sites.browser(), "r" * 43
    browser.enter(f"{SHOP}/")
    asked = f"host=wiki.example&start={challenge_of(secret)}&path={quote(evil, safe='')}"
    browser.go(f"{OWN}/continue?{asked}", until="/.identityd/start")

    reply = sites.start_over_http(browser.hops[-1], secret)

    assert reply.status in (200, 400)
    if reply.status == 200:
        assert lands_at_home(reply.json()["location"], home=WIKI)


@pytest.mark.parametrize("evil", EVIL)
def test_no_location_without_a_parameter(sites: ApplicationHosts, evil: str) -> None:
    """The account's own pages take no address at all; whatever is sent with them changes nothing."""
    browser = sites.browser()
    asked = quote(evil, safe="")
    browser.enter(f"{SHOP}/")
    fields = {**form_of(browser.get(f"{OWN}/account")), "return_to": evil, "then": evil, "next": evil}

    for page in ("/", "/account", "/account/sessions/end", "/account/sessions/end-all"):
        assert_home(browser.get(f"{OWN}{page}?return_to={asked}&then={asked}&next={asked}"))
    for page in ("/account/sessions/end", "/account/sessions/end-all"):
        browser.send(f"{OWN}/account", {**fields, "session": evil}, to=f"{OWN}{page}")
        assert all(lands_at_home(hop) for hop in browser.hops)
