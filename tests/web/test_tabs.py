"""A browser that restores many tabs of applications: each must reach its page, whoever logs in where and when."""

import re
from html import unescape

import pytest

from identity.types import HOUR, MINUTE, SECOND
from tests.support.application_hosts import LOGIN, SHOP, WIKI, ApplicationHosts, HostVisitor, user
from tests.support.browser import Reply
from tests.support.logins import form_of, location

TABS = 25
PLACES = [f"{WIKI}/tab{number}?of=%C3%A9&n={number}" for number in range(TABS)]


def at_once(browser: HostVisitor, addresses: list[str]) -> list[Reply]:
    """Load addresses with the jars as they are; the answers' cookies arrive when all were sent."""
    replies = [browser.copy().get(address) for address in addresses]
    for address, reply in zip(addresses, replies, strict=True):
        browser.jars[address.split("/")[2]].take(reply)
    return replies


def all_at_once(browser: HostVisitor, addresses: list[str]) -> tuple[list[str], list[Reply]]:
    """Let each tab go where it is led, all in step; return where they are in the end, and what they see."""
    seen: dict[int, Reply] = {}
    at = list(addresses)
    for _ in range(12):
        moving = [number for number in range(len(at)) if number not in seen]
        for number, reply in zip(moving, at_once(browser, [at[n] for n in moving]), strict=True):
            place = reply.one("Location") or reply.one("X-Identity-Location")
            if place is None:
                seen[number] = reply
            else:
                base = "/".join(at[number].split("/")[:3])
                at[number] = base + place if place.startswith("/") else place
    assert len(seen) == len(at), at
    return at, [seen[number] for number in range(len(at))]


def arrived(browser: HostVisitor, tabs: list[str], places: list[str]) -> None:
    """Expect each tab, loaded again one after the other, to reach its own page."""
    for tab, place in zip(tabs, places, strict=True):
        assert user(browser.go(tab)) == "ada", (tab, browser.hops)
        assert browser.hops[-1] == place


def at_the_login(browser: HostVisitor, places: list[str] = PLACES) -> list[str]:
    """Open tabs one after the other; all wait at the login page."""
    tabs = []
    for place in places:
        browser.go(place)
        tabs.append(browser.hops[-1])
    return tabs


def test_after_a_login_in_one_tab_each_other_reaches_its_page(sites: ApplicationHosts) -> None:
    """24 of 25 pages of work would be lost to an error whose link forgets them."""
    browser = sites.browser()
    tabs = at_the_login(browser)

    page = browser.log_in_at(browser.get(tabs[7]))

    assert (user(page), browser.hops[-1]) == ("ada", PLACES[7])
    arrived(browser, tabs, PLACES)
    assert sorted(browser.jars["wiki.example"].cookies) == list(browser.jars["wiki.example"].tokens)


@pytest.mark.parametrize("pause_ms", [9 * MINUTE + 59 * SECOND, 10 * MINUTE, 3 * HOUR])
def test_however_long_the_person_was_away(sites: ApplicationHosts, pause_ms: int) -> None:
    """Tabs are restored in the morning, and the coffee comes first."""
    browser = sites.browser()
    tabs = at_the_login(browser)
    sites.clock.advance(pause_ms)
    for name in [each for each in browser.jars["wiki.example"].cookies if pause_ms >= 10 * MINUTE]:
        del browser.jars["wiki.example"].cookies[name]

    browser.log_in_at(browser.get(tabs[0]))

    arrived(browser, tabs, PLACES)


def test_a_login_in_two_tabs_loses_none(sites: ApplicationHosts) -> None:
    """The second login takes the place of the first, with all that was below it."""
    browser = sites.browser()
    tabs = at_the_login(browser)
    links = [re.search(r'href="(/login/github[^"]*)"', browser.get(tab).body.decode()) for tab in tabs[:2]]
    begun = [location(browser.get(LOGIN + unescape(link[1]))) for link in links if link]

    for number, provider in enumerate(begun):
        state = re.search("state=([^&]+)", provider)
        assert state
        reply = browser.go(f"{LOGIN}/login/github/callback?code=ada&state={state[1]}")
        if "/welcome" in browser.hops[-1]:
            reply = browser.send(browser.hops[-1], {**form_of(reply), "username": "ada"}, to=f"{LOGIN}/welcome")
        assert (user(reply), browser.hops[-1]) == ("ada", PLACES[number])

    arrived(browser, tabs, PLACES)


def test_tabs_that_are_all_loaded_again_at_once_all_arrive(sites: ApplicationHosts) -> None:
    """A browser that starts loads them in parallel: none has seen the cookies of the others."""
    browser = sites.browser()
    tabs = at_the_login(browser)
    browser.log_in_at(browser.get(tabs[0]))

    places, pages = all_at_once(browser, tabs)

    assert places == PLACES
    assert [user(page) for page in pages] == ["ada"] * TABS
    assert user(browser.go(PLACES[0])) == "ada"


@pytest.mark.parametrize("hosts", [[WIKI], [WIKI, SHOP]])
def test_tabs_of_somebody_who_is_logged_in_all_pass_at_once(sites: ApplicationHosts, hosts: list[str]) -> None:
    """A start of the browser in the morning, with a login that lasted the night."""
    browser = sites.browser()
    page = browser.log_in_at(browser.get(f"{LOGIN}/login"))
    assert page.status == 200
    wanted = [f"{host}/tab{number}" for host in hosts for number in range(TABS)]

    places, pages = all_at_once(browser, wanted)

    assert places == wanted
    assert [user(page) for page in pages] == ["ada"] * len(wanted)
    assert user(browser.go(f"{WIKI}/tab1")) == "ada"


def test_tabs_that_are_due_at_the_login_host_all_come_back(sites: ApplicationHosts) -> None:
    """Every eight hours all of them would fail together."""
    browser = sites.browser()
    browser.enter(PLACES[0])
    for _ in range(8):
        sites.clock.advance(HOUR)
        browser.go(PLACES[0])
    sites.clock.advance(MINUTE)

    places, pages = all_at_once(browser, PLACES)

    assert places == PLACES
    assert [user(page) for page in pages] == ["ada"] * TABS


def test_tabs_that_began_together_leave_room_again(sites: ApplicationHosts) -> None:
    """Cookies of ways that are over must not fill the header for ten minutes."""
    browser = sites.browser()
    at_once(browser, [f"{WIKI}/.identityd/login?return_to=/{number}" for number in range(TABS)])
    assert len(browser.jars["wiki.example"].cookies) == TABS
    sites.clock.advance(MINUTE)

    for _ in range(TABS):
        browser.get(f"{WIKI}/.identityd/login")

    assert len(browser.jars["wiki.example"].cookies) == 1


def test_a_way_that_failed_offers_its_page_again(sites: ApplicationHosts) -> None:
    """Otherwise somebody has to remember which page it was."""
    browser = sites.browser()
    browser.enter(f"{SHOP}/")
    start = browser.code(PLACES[3])
    browser.jars["wiki.example"].cookies.clear()

    error = browser.get(start)

    link = re.search(r'href="(/.identityd/login[^"]*)"', error.body.decode())
    assert error.status == 400
    assert link
    assert user(browser.go(WIKI + unescape(link[1]))) == "ada"
    assert browser.hops[-1] == PLACES[3]


@pytest.mark.threat(33)
@pytest.mark.parametrize("path", ["//evil.example/", "https://evil.example/", "/\\evil.example", "/.identityd/logout"])
def test_a_way_that_failed_offers_no_other_site(sites: ApplicationHosts, path: str) -> None:
    """The page comes from an address that anybody can write."""
    error = sites.browser().get(f"{WIKI}/.identityd/start?code=x&path={path}")

    links = re.findall(r'href="(/.identityd/login[^"]*)"', error.body.decode())
    assert error.status == 400
    assert links
    assert set(links) == {"/.identityd/login"}


@pytest.mark.threat(1)
def test_a_code_of_somebody_else_leads_nobody_on_as_them(sites: ApplicationHosts) -> None:
    """Who has a session of their own is not led on with an attacker's code, and gets nothing of it."""
    ada, eve = sites.browser(), sites.browser()
    ada.enter(PLACES[0])
    eve.enter(f"{SHOP}/", "eve")
    before = dict(ada.jars["wiki.example"].cookies)

    reply = ada.get(eve.code(f"{WIKI}/trap"))

    assert reply.status == 400
    assert ada.jars["wiki.example"].cookies == before
    assert user(ada.go(PLACES[0])) == "ada"
