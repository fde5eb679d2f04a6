"""Every page in a real browser: for people with a phone, a keyboard, a screen reader, or no scripts.

The pages come from a running daemon with the policy it really sends, in every state of
`tests.support.samples`.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from identity.errors import NotFound
from identity.types import Host
from identity.web.http.base import Listener, Route
from identity.web.http.page import PageHandler
from identity.web.pages import away
from identity.web.pages.style import in_colour
from tests.support.account_site import AccountSite
from tests.support.browser import Jar
from tests.support.openid_provider import MODULES
from tests.support.samples import samples
from tests.support.services import CHROMIUM_FLAGS, chromium_binary
from tests.support.web import ACCOUNT, LOCAL

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

HOST: Final = Host("login.localhost:8887")
"""A name browsers trust over plain http, as they do localhost."""
SAMPLES: Final = {sample.label: sample for sample in samples()}
SAME_BUT_FOR_WORDS: Final = ("login-because-", "error-")
TYPICAL: Final = {
    "login-because-too-many",
    "error-bounce-lost",
    "error-flow-invalid-in",
    "error-login-not-fresh",
    "error-parameter-missing",
    "error-start-invalid",
    "error-store-unavailable",
}
LABELS: Final = sorted(label for label in SAMPLES if not label.startswith(SAME_BUT_FOR_WORDS) or label in TYPICAL)
PHONE: Final = {"width": 320, "height": 568}
DESKTOP: Final = {"width": 1280, "height": 800}
AXE: Final = MODULES / "node_modules" / "axe-core" / "axe.min.js"
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FINGER: Final = 44
"""CSS pixels; what a finger hits (WCAG 2.5.5)."""
PRESSED: Final = "button, a.button, a.way, input:not([type=hidden], [type=checkbox]), input[type=checkbox] + label"
"""A box is pressed by its label."""


class ShowSample(PageHandler):
    """Shows a page of the samples as a handler would."""

    async def get(self, label: str) -> None:
        """Show it."""
        sample = SAMPLES.get(label)
        if sample is None:
            raise NotFound
        if sample.page == "error":
            self.set_header("Content-Type", "text/html; charset=utf-8")
            await self.finish(self.context.pages.render("error", **sample.values))
        else:
            self.show(sample.page, **sample.values)


@pytest.fixture(scope="module")
def account_site() -> Iterator[AccountSite]:
    """Give a running daemon that shows samples too."""
    route = Route(r"/sample/([a-z-]+)", ShowSample, Listener.PUBLIC)
    made = AccountSite(public_url=f"http://{HOST}", hosts=frozenset({HOST}), routes=(route,))
    with made.site:
        yield made


@pytest.fixture(scope="module")
def browser(playwright: Playwright, account_site: AccountSite) -> Iterator[Browser]:
    """Give a Chromium that finds the daemon, and nothing else, under the daemon's name."""
    flags = [flag for flag in CHROMIUM_FLAGS if "host-resolver" not in flag]
    rule = (
        f"--host-resolver-rules=MAP {HOST} {LOCAL}:{account_site.site.ports.public}, MAP * ~NOTFOUND, EXCLUDE {LOCAL}"
    )
    running = playwright.chromium.launch(executable_path=chromium_binary(), args=[*flags, rule])
    yield running
    running.close()


def open_tab(browser: Browser, size: dict[str, int], *, scheme: str) -> Iterator[Page]:
    """Give a tab of a browser of that size and colour scheme; whatever it complains about fails the test."""
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if scheme == "dark" else "light",
        base_url=f"http://{HOST}",
    )
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def phone(browser: Browser) -> Iterator[Page]:
    """Give a small phone at night."""
    yield from open_tab(browser, PHONE, scheme="dark")


@pytest.fixture(scope="module")
def desktop(browser: Browser) -> Iterator[Page]:
    """Give a desktop by day."""
    yield from open_tab(browser, DESKTOP, scheme="light")


def violations(tab: Page) -> list[str]:
    """Return what axe finds wrong with the page that is open."""
    tab.evaluate(AXE.read_text() + "; null")
    options = json.dumps({"runOnly": {"type": "tag", "values": RULES}})
    found: dict[str, Any] = tab.evaluate(f"axe.run(document, {options})")
    assert len(found["passes"]) > 10, "axe did not look at the page"
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.axe
@pytest.mark.parametrize("label", LABELS)
def test_axe_finds_nothing_on_a_phone_at_night(phone: Page, label: str) -> None:
    """Somebody with a screen reader, or weak eyes, could not log in or out."""
    phone.goto(f"/sample/{label}")

    assert violations(phone) == []


@pytest.mark.axe
@pytest.mark.parametrize("label", LABELS)
def test_axe_finds_nothing_on_a_desktop_by_day(desktop: Page, label: str) -> None:
    """The same on a large screen, with the other colours."""
    desktop.goto(f"/sample/{label}")

    assert violations(desktop) == []


@pytest.mark.axe
def test_axe_finds_nothing_on_the_page_of_an_outage(phone: Page, desktop: Page) -> None:
    """It is shown by a proxy, to the same people. That it tries again by itself is left out: axe would count that."""
    text = away.page().decode().replace('http-equiv="refresh"', 'name="tries-again"')
    for tab in (phone, desktop):
        tab.goto("about:blank")  # a page of ours would forbid the style that this one brings along
        tab.set_content(text)

        assert violations(tab) == []
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("label", ["login-last", "account-back", "notices", "error-start-invalid"])
def test_axe_finds_nothing_in_a_colour_that_cannot_be_read_as_it_is(browser: Browser, label: str, scheme: str) -> None:
    """An operator's yellow, or navy blue, would be that of the links and the main button."""
    sheet = in_colour("#ffe600" if scheme == "light" else "#000080").body
    for tab in open_tab(browser, DESKTOP, scheme=scheme):
        tab.route("**/style.css*", lambda route: route.fulfill(body=sheet, content_type="text/css"))
        tab.goto(f"/sample/{label}")

        assert violations(tab) == []


@pytest.mark.parametrize("label", LABELS)
def test_nothing_sticks_out_of_a_narrow_phone(phone: Page, label: str) -> None:
    """At 320 pixels, or 400 % zoom, people would have to scroll sideways to read (WCAG 1.4.10)."""
    phone.goto(f"/sample/{label}")

    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("label", LABELS)
def test_what_can_be_pressed_is_large_enough(phone: Page, label: str) -> None:
    """Thumbs would hit "Log out everywhere" instead of "Log out here"."""
    phone.goto(f"/sample/{label}")

    for control in phone.locator(PRESSED).filter(visible=True).all():
        box = control.bounding_box()
        assert box
        assert box["height"] >= FINGER
        assert box["width"] >= FINGER


@pytest.mark.parametrize("label", ["login-ask", "welcome-taken", "account", "logout-others", "notices"])
def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(desktop: Page, label: str) -> None:
    """Somebody without a mouse could not press a button, or not see which one."""
    desktop.goto(f"/sample/{label}")
    controls = desktop.locator("a, button, input:not([type=hidden])").filter(visible=True)
    desktop.evaluate("document.activeElement.blur()")
    desktop.locator("a.brand").focus()

    for n in range(1, controls.count()):
        desktop.keyboard.press("Tab")
        reached = controls.nth(n)
        assert reached.evaluate("control => control === document.activeElement")
        assert reached.evaluate("control => getComputedStyle(control).outlineStyle") == "solid"


def test_enter_in_the_username_sends_what_was_typed(desktop: Page) -> None:
    """Enter would press the first proposal instead, and make an account of another name."""
    desktop.goto("/sample/welcome-taken")
    field = desktop.get_by_label("Username", exact=True)
    assert field.evaluate("field => field === document.activeElement")
    desktop.route("**/welcome**", lambda route: route.fulfill(status=204))

    field.fill("grace")
    with desktop.expect_request("**/welcome**") as sent:
        field.press("Enter")

    desktop.unroute("**/welcome**")
    assert "username=grace" in (sent.value.post_data or "")


@pytest.mark.parametrize(
    ("label", "text", "title"),
    [("account", "25 minutes ago", "2027-01-15 02:35 EST"), ("notices", "2 hours ago, 2027-01-15 01:00 EST", None)],
)
def test_times_are_in_the_readers_own_zone(browser: Browser, label: str, text: str, title: str | None) -> None:
    """A person who must remember what they did at that time would have to work it out from UTC."""
    with browser.new_context(timezone_id="America/New_York", locale="de-DE", base_url=f"http://{HOST}") as context:
        tab = context.new_page()
        tab.goto(f"/sample/{label}")

        time = tab.locator("time").filter(has_text=text).first

        assert time.get_attribute("title") == title


def test_a_script_that_is_not_ours_does_not_run(browser: Browser) -> None:
    """Allowing one by its hash would have opened the pages to all."""
    with browser.new_context(base_url=f"http://{HOST}") as context:
        tab = context.new_page()
        tab.goto("/sample/account")

        ran = tab.evaluate(
            """() => {
                const other = document.createElement("script");
                other.textContent = "window.ran = true";
                document.body.append(other);
                return window.ran === true;
            }"""
        )

        assert not ran


# --- pressing the real buttons


def enter(context: BrowserContext, jar: Jar) -> None:
    """Put a session's cookies into a browser."""
    context.add_cookies(
        [{"name": n, "value": v, "url": f"http://{HOST}", "httpOnly": True} for n, v in jar.cookies.items()]
    )


@pytest.fixture
def ada(browser: Browser, account_site: AccountSite) -> Iterator[Page]:
    """Give the browser, without scripts, of somebody who is logged in."""
    account_site.site.forget_everything()
    jar = account_site.move_in(ACCOUNT, "ada").jar
    context = browser.new_context(base_url=f"http://{HOST}", java_script_enabled=False)
    enter(context, jar)
    yield context.new_page()
    context.close()


def test_another_session_is_ended_with_one_press(account_site: AccountSite, ada: Page) -> None:
    """The policy or the form check would refuse our own form in a real browser."""
    account_site.site.clock.advance(60_000)
    phone = account_site.site.log_in()
    ada.goto("/account")

    ada.get_by_role("button", name="Log out Firefox on Linux, network 192.0.2.x").click()

    assert ada.get_by_role("status").inner_text().startswith("That session was ended")
    assert account_site.reason(phone) == "revoked"
    assert account_site.reason(Jar()) == "anonymous"
    assert ada.url.endswith("/account?done=ended")


def test_logging_out_here_ends_on_a_page_that_says_so(account_site: AccountSite, ada: Page) -> None:
    """The person would not know whether it worked, and go back to a page that still looks logged in."""
    ada.goto("/logout")

    ada.get_by_role("button", name="Log out here").click()

    assert ada.get_by_role("heading", level=1).inner_text() == "You are logged out"
    assert ada.context.cookies() == []
    assert account_site.site.sessions.devices(ACCOUNT) == ()


def test_logging_out_everywhere_takes_one_press(account_site: AccountSite, ada: Page) -> None:
    """In a panic nobody finds a second page."""
    account_site.site.log_in()
    ada.goto("/account")

    ada.get_by_role("button", name="Log out everywhere").click()

    assert ada.get_by_role("heading", level=1).inner_text() == "You are logged out everywhere"
    assert account_site.site.sessions.devices(ACCOUNT) == ()
