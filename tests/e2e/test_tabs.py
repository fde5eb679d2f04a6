"""A real browser that restores 25 tabs of an application on a host of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.front import Front
from tests.support.memcached import free_port
from tests.support.running import Running

pytestmark = pytest.mark.chromium

TABS: Final = 25


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """Give a proxy for a login host and an application, and the daemon behind it."""
    front = Front(free_port(), calls=1)
    hosts = f"wiki.localhost:{front.port}"
    sections = {"app:wiki": {"secret": "a secret of the wiki, of 32 characters at least", "hosts": hosts}}
    with Running(tmp_path / "run", sections, public_url=front.url) as daemon:
        front.lead_to(daemon_port=daemon.port, internal_port=daemon.internal_port)
        with front:
            yield front


@pytest.fixture
def person(browser: Browser) -> Iterator[BrowserContext]:
    """Give a browser with an empty jar."""
    context = browser.new_context()
    context.set_default_timeout(60_000)
    yield context
    context.close()


def opened(person: BrowserContext, places: list[str]) -> list[Page]:
    """Open a tab for each place, all at once."""
    tabs = [person.new_page() for _ in places]
    for tab, place in zip(tabs, places, strict=True):
        tab.evaluate("place => { setTimeout(() => { location = place; }, 0); }", place)
    return tabs


def log_in(page: Page) -> None:
    """Log in for the first time."""
    page.get_by_role("link", name="Continue with Demo").click()
    page.get_by_role("button", name="Ida Brook").click()
    page.get_by_label("Username").fill("ida")
    page.get_by_role("button", name="Create account").click()
    page.wait_for_selector("#user")


def test_all_tabs_of_an_application_reach_their_page(front: Front, person: BrowserContext) -> None:
    """24 of 25 pages would be lost to errors, in the morning of everybody who restores tabs."""
    places = [f"http://wiki.localhost:{front.port}/app/page?n={number}" for number in range(TABS)]
    tabs = opened(person, places)
    for tab in tabs:
        tab.wait_for_url(f"{front.url}/login?**")

    log_in(tabs[3])
    waiting = [tab for tab in tabs if tab is not tabs[3]]
    for tab in waiting:
        tab.evaluate("setTimeout(() => location.reload(), 0)")
    for tab in waiting:
        tab.wait_for_selector("#user")

    assert [tab.url for tab in tabs] == places
    assert {tab.inner_text("#user") for tab in tabs} == {"ida"}


def test_all_tabs_pass_the_login_host_together(front: Front, person: BrowserContext) -> None:
    """Somebody whose login lasted the night starts the browser."""
    page = person.new_page()
    page.goto(f"{front.url}/app")
    log_in(page)
    places = [f"http://wiki.localhost:{front.port}/app/page?n={number}" for number in range(TABS)]

    tabs = opened(person, places)
    for tab in tabs:
        tab.wait_for_selector("#user")

    assert [tab.url for tab in tabs] == places
    assert {tab.inner_text("#user") for tab in tabs} == {"ida"}
    tabs[0].reload()
    assert tabs[0].inner_text("#user") == "ida"
