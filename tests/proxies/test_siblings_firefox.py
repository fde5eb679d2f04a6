"""What a sibling host puts into a jar counts for nothing: Firefox, which judges cookies by itself (THREATS 47)."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.support.browser import Browser
from tests.support.firefox import Firefox
from tests.support.guarded_application import GuardedApplication
from tests.support.planted import (
    CASES,
    DOMAIN,
    SCRIPT,
    Prepared,
    script_arguments,
    stays_nobody,
    stays_who_it_is,
    was_sent,
)
from tests.support.siblings import Sibling, lines

pytestmark = [pytest.mark.memcached, pytest.mark.firefox, pytest.mark.threat(47)]


class Fox:
    """A tab of Firefox with a jar of its own."""

    def __init__(self, firefox: Firefox, sibling: Sibling) -> None:
        self._tab = firefox.tab()
        self._sibling = sibling

    def show(self, visitor: Browser) -> None:
        """Take over what a jar of one host holds."""
        self._tab.show(visitor.jar, host=urlsplit(visitor.home).hostname or "")

    def plant(self, name: str, value: str) -> None:
        """Visit the sibling; its script tries what its answer cannot."""
        self._sibling.lines = lines(name, value, domain=DOMAIN)
        self._tab.go(self._sibling.url)
        self._tab.evaluate(f"({SCRIPT})({json.dumps(script_arguments(name, value))})")

    def open(self, url: str) -> tuple[str, str]:
        """Load a page."""
        self._tab.go(url)
        return self._tab.url, self._tab.evaluate("document.documentElement.outerHTML")


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    """Give a running Firefox."""
    with Firefox() as running:
        yield running


@pytest.fixture
def person(firefox: Firefox, sibling: Sibling) -> Fox:
    """Give somebody with a new Firefox."""
    return Fox(firefox, sibling)


@pytest.mark.parametrize("prepared", CASES, ids=lambda each: each.__name__)
def test_firefox_somebody_who_is_logged_in_stays_who_it_is(
    corp: GuardedApplication, person: Fox, prepared: Prepared
) -> None:
    """Otherwise a page of any sub-host logs people in as somebody who then reads what they write."""
    stays_who_it_is(corp, person, prepared)


@pytest.mark.parametrize("prepared", CASES, ids=lambda each: each.__name__)
def test_firefox_somebody_who_is_not_logged_in_stays_nobody(
    corp: GuardedApplication, person: Fox, prepared: Prepared
) -> None:
    """Otherwise somebody else's session, login or sign-up is waiting in the browser of a newcomer."""
    stays_nobody(corp, person, prepared)


def test_firefox_what_a_sibling_set_was_really_sent(corp: GuardedApplication, person: Fox) -> None:
    """Otherwise the tests above pass because the browser threw everything away."""
    was_sent(corp, person)
