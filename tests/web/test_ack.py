"""`/.identityd/ack` where tokens are made nowhere else (`mint = no`), and where they are made by every page."""

from collections.abc import Mapping
from typing import Final

import pytest

from tests.support.application_hosts import WIKI, ApplicationHosts, HostVisitor
from tests.support.logins import location
from tests.support.web import APP, LOCAL, Site

PAGE: Final = f"{WIKI}/page"
ACK: Final = f"{WIKI}/.identityd/ack"
NEVER: Final = 0.99
"""A draw by which no chance comes true."""
PRELOAD: Final = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Accept": "image/*,*/*;q=0.8"}
WAYS: Final[Mapping[str, Mapping[str, str]]] = {
    "preload": PRELOAD,
    "script": {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "*/*"},
    "frame": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Accept": "text/html"},
    "old browser": {"Accept": "*/*"},
}
CALLS: Final = {name: headers for name, headers in WAYS.items() if name != "frame"}
"""A frame is loaded as a page is, and always got its token."""


def made(browser: HostVisitor, way: Mapping[str, str], url: str = ACK) -> list[str]:
    """Visit ack and return the cookies that it set, without those that it deleted."""
    reply = browser.load("GET", url, list(way.items()))
    assert reply.status == 204
    return [each for each in reply.cookies if "Max-Age=0" not in each]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_each_ack_of_an_application_without_cookies_makes_a_token(way: Mapping[str, str]) -> None:
    """By a chance, thirty pages can pass without one, and a copy of the cookie works all the while."""
    with ApplicationHosts(trusted=(LOCAL,), mints={APP: False}, chance=NEVER) as sites:
        browser = sites.browser()
        browser.enter(PAGE)
        for _ in range(6):
            sites.clock.advance(20_000)
            assert len(made(browser, way)) == 1


def test_a_copy_is_found_where_the_owner_only_preloads() -> None:
    """For a proxy that drops cookies it is the only way there is, so it may not be left to a chance."""
    with ApplicationHosts(trusted=(LOCAL,), mints={APP: False}, chance=NEVER) as sites:
        browser = sites.browser()
        browser.enter(PAGE)
        thief = browser.copy("wiki.example")
        for _ in range(2):
            sites.clock.advance(20_000)
            made(browser, PRELOAD)
            assert browser.get(PAGE).status == 200
        sites.clock.advance(20_000)

        assert location(thief.get(PAGE)) == f"{ACK}?then=%2Fpage"
        bounced = thief.get(f"{ACK}?then=/page")
        assert "reason=reuse" in location(thief.get(WIKI + location(bounced)))


@pytest.mark.parametrize("way", CALLS.values(), ids=CALLS)
def test_where_pages_carry_tokens_an_ack_is_a_call_like_any_other(way: Mapping[str, str]) -> None:
    """A page preloads it after each new token: always another one would double the cookies and the writes."""
    with ApplicationHosts(trusted=(LOCAL,), chance=NEVER) as sites:
        browser = sites.browser()
        browser.enter(PAGE)
        for _ in range(6):
            sites.clock.advance(20_000)
            assert made(browser, way) == []


def test_the_other_applications_hosts_decide_nothing() -> None:
    """One application behind such a proxy must not change how the others rotate."""
    with ApplicationHosts(trusted=(LOCAL,), mints={APP: False}, chance=NEVER) as sites:
        browser = sites.browser()
        browser.enter("https://shop.example/page")
        sites.clock.advance(20_000)

        assert made(browser, PRELOAD, "https://shop.example/.identityd/ack") == []


def test_a_preload_is_no_page_load_in_anything_else() -> None:
    """A page load passes through the login host every eight hours; a preload cannot, and would rotate nothing."""
    with ApplicationHosts(trusted=(LOCAL,), mints={APP: False}, chance=NEVER) as sites:
        browser = sites.browser()
        browser.enter(PAGE)
        sites.clock.advance(9 * 3_600_000)

        assert len(made(browser, PRELOAD)) == 1


@pytest.mark.parametrize("told", [{}, {"Sec-Purpose": "prefetch"}], ids=["a young token", "a prefetch"])
def test_an_ack_makes_no_more_than_a_page_load_does(told: Mapping[str, str]) -> None:
    """Otherwise a page that asks for it in a loop fills its own jar."""
    with Site(trusted=(LOCAL,), mint=False, chance=NEVER) as site:
        jar = site.log_in()
        site.clock.advance(20_000 if told else 5_000)

        assert site.public("GET", "/.identityd/ack", headers={**PRELOAD, **told, **jar.header}).cookies == []


def test_many_acks_of_one_jar_at_once_leave_few_names() -> None:
    """Each shows the same old jar; what they are given must be gone soon, or heads grow past what servers take."""
    with Site(trusted=(LOCAL,), mint=False, chance=NEVER) as site:
        jar = site.log_in()
        site.clock.advance(20_000)
        answers = [site.public("GET", "/.identityd/ack", headers={**PRELOAD, **jar.header}) for _ in range(40)]
        for answer in answers:
            jar.take(answer)
        shown = []
        for _ in range(15):
            site.clock.advance(20_000)
            jar.take(site.public("GET", "/.identityd/ack", headers={**PRELOAD, **jar.header}))
            shown.append(len(jar.cookies))

        assert max(shown) <= 41
        assert shown[-1] <= 4
