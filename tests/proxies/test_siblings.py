"""What a sibling host puts into a jar counts for nothing: header lines of any browser, and Chromium (THREATS 47)."""

from typing import Final
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser as Chromium

from tests.support.browser import PAGE, Browser
from tests.support.guarded_application import GuardedApplication
from tests.support.planted import (
    CASES,
    DOMAIN,
    SCRIPT,
    Person,
    Prepared,
    script_arguments,
    stays_nobody,
    stays_who_it_is,
    was_sent,
)
from tests.support.siblings import Sibling, as_received, disguised, lines

pytestmark = [pytest.mark.memcached, pytest.mark.threat(47)]

LATIN_1: Final = 0xFF


class Raw:
    """Sends header lines as the test spells them: what a browser of any age might send."""

    def __init__(self, guarded: GuardedApplication) -> None:
        self._browser = guarded.stranger()
        self._planted: list[str] = []

    def show(self, visitor: Browser) -> None:
        """Take over what a jar of one host holds."""
        self._browser.at(visitor.home).jar = visitor.jar.duplicate()

    def plant(self, name: str, value: str) -> None:
        """Put every disguise into both jars, as bytes of UTF-8 and as single bytes."""
        cookies = [each for text in disguised(name, value).values() for each in {text, as_received(text)}]
        self._planted += [each for each in cookies if all(ord(mark) <= LATIN_1 for mark in each)]

    def open(self, url: str) -> tuple[str, str]:
        """Load a page; the planted cookies stand around the real ones, on every request."""
        for _ in range(10):
            real = self._browser.at(url).jar.line
            line = "; ".join((*self._planted[::2], *filter(None, [real]), *self._planted[1::2]))
            reply = self._browser.load("GET", url, (*PAGE, ("Cookie", line)))
            location = reply.one("Location")
            if not location:
                return url, reply.body.decode()
            url = urljoin(url, location)
        raise AssertionError(f"redirected more than ten times, last to {url}")


class Chromium:
    """A tab with a jar of its own."""

    def __init__(self, browser: Chromium, sibling: Sibling) -> None:
        self._context = browser.new_context(ignore_https_errors=True)
        self._page = self._context.new_page()
        self._sibling = sibling

    def show(self, visitor: Browser) -> None:
        """Take over what a jar of one host holds."""
        self._context.add_cookies(
            [
                {
                    "name": name,
                    "value": value,
                    "url": visitor.home,
                    "httpOnly": True,
                    "secure": True,
                    "sameSite": "Lax",
                }
                for name, value in visitor.jar.items()
            ]
        )

    def plant(self, name: str, value: str) -> None:
        """Visit the sibling; its script tries what its answer cannot."""
        self._sibling.lines = lines(name, value, domain=DOMAIN)
        self._page.goto(self._sibling.url)
        self._page.evaluate(SCRIPT, script_arguments(name, value))

    def open(self, url: str) -> tuple[str, str]:
        """Load a page."""
        self._page.goto(url)
        return self._page.url, self._page.content()


@pytest.fixture(params=["raw", pytest.param("chromium", marks=pytest.mark.chromium)])
def person(request: pytest.FixtureRequest, corp: GuardedApplication, sibling: Sibling) -> Person:
    """Give somebody with each kind of client."""
    return Chromium(request.getfixturevalue("browser"), sibling) if request.param == "chromium" else Raw(corp)


@pytest.mark.parametrize("prepared", CASES, ids=lambda each: each.__name__)
def test_somebody_who_is_logged_in_stays_who_it_is(
    corp: GuardedApplication, person: Person, prepared: Prepared
) -> None:
    """Otherwise a page of any sub-host logs people in as somebody who then reads what they write."""
    stays_who_it_is(corp, person, prepared)


@pytest.mark.parametrize("prepared", CASES, ids=lambda each: each.__name__)
def test_somebody_who_is_not_logged_in_stays_nobody(
    corp: GuardedApplication, person: Person, prepared: Prepared
) -> None:
    """Otherwise somebody else's session, login or sign-up is waiting in the browser of a newcomer."""
    stays_nobody(corp, person, prepared)


def test_what_a_sibling_set_was_really_sent(corp: GuardedApplication, person: Person) -> None:
    """Otherwise the tests above pass because the browser threw everything away."""
    was_sent(corp, person)
