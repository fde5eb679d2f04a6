"""Closing a real browser: who is logged in when it opens again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from tests.support.running import Running
from tests.support.services import CHROMIUM_FLAGS, chromium_binary

pytestmark = pytest.mark.chromium


@pytest.fixture
def open_browser(playwright: Playwright, tmp_path: Path) -> Iterator[Callable[[], BrowserContext]]:
    """Give a function that opens the same browser again, without scripts: its profile is on the disk."""
    opened: list[BrowserContext] = []

    def open_() -> BrowserContext:
        for context in opened:
            context.close()
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=chromium_binary(),
            args=list(CHROMIUM_FLAGS),
            java_script_enabled=False,
        )
        opened[:] = [context]
        return context

    yield open_
    for context in opened:
        context.close()


def log_in(page: Page, url: str, *, tick: bool) -> None:
    """Log in as Ida, for the first time or again."""
    page.goto(f"{url}/login")
    box = page.get_by_role("checkbox", name="Stay logged in")
    expect(box).not_to_be_checked()
    if tick:
        box.check()
    page.get_by_role("link", name="Continue with Demo").click()
    page.get_by_role("button", name="Ida").click()
    if "/welcome" in page.url:
        page.get_by_label("Username").fill("ida")
        page.get_by_role("button", name="Create account").click()
    expect(page).to_have_url(f"{url}/account")


def test_a_login_ends_with_the_browser_unless_the_box_was_ticked(
    tmp_path: Path, open_browser: Callable[[], BrowserContext]
) -> None:
    """On a shared computer the next person opens the browser; at home one wants to stay in."""
    with Running(tmp_path / "run", {}) as daemon:
        log_in(open_browser().new_page(), daemon.url, tick=False)

        again = open_browser().new_page()
        again.goto(f"{daemon.url}/account")
        assert again.url.startswith(f"{daemon.url}/login")
        log_in(again, daemon.url, tick=True)

        later = open_browser().new_page()
        later.goto(f"{daemon.url}/account")
        expect(later).to_have_url(f"{daemon.url}/account")
