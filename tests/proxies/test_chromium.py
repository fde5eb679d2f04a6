"""A real browser behind each proxy: never logged out, its bodies whole, a thief unmasked."""

from typing import Any, Final

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, CDPSession, Page

from tests.support.browser import Browser
from tests.support.guarded_application import APPLICATION, GRACE_S, TOKEN_AGE_S, GuardedApplication
from tests.support.waiting import RealClock, elapse

pytestmark = [pytest.mark.memcached, pytest.mark.chromium]

RENEWALS: Final = 3
_ECHO: Final = f"{APPLICATION}/echo"
_FETCH: Final = """async ([address, size, credentials]) => {
  const asked = size ? { method: "POST", body: new Uint8Array(size) } : {};
  const answer = await fetch(address, { cache: "no-store", credentials, ...asked });
  return { status: answer.status, redirected: answer.redirected, told: await answer.json() };
}"""
_EVENTS: Final = """address => new Promise((done, failed) => {
  const source = new EventSource(address);
  source.onmessage = event => { source.close(); done(event.data); };
  source.onerror = () => { source.close(); failed(new Error("refused")); };
})"""
_SOCKET: Final = """address => new Promise((done, failed) => {
  const socket = new WebSocket(address);
  socket.onopen = () => socket.send("hello");
  socket.onmessage = event => { socket.close(); done(event.data); };
  socket.onerror = () => failed(new Error("refused"));
})"""


def opened(browser: Chromium, visitor: Browser) -> BrowserContext:
    """Return a browser with the visitor's jar."""
    context = browser.new_context(ignore_https_errors=True)
    show(context, visitor)
    return context


def show(context: BrowserContext, visitor: Browser) -> None:
    """Put the visitor's cookies into the browser's jar."""
    context.add_cookies(
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


class Rotating:
    """Gives the browser its present cookies while a bounce is on its way, as another tab's answer would."""

    def __init__(self, page: Page, after: Browser) -> None:
        self.bounces = 0
        self._page = page
        self._after = after
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.on("Fetch.requestPaused", self._paused)
        self._session.send("Fetch.enable", {"patterns": [{"urlPattern": "*/app/*", "requestStage": "Response"}]})

    def _paused(self, event: dict[str, Any]) -> None:
        if event.get("responseStatusCode") == 307:
            self.bounces += 1
            show(self._page.context, self._after)
        self._session.send("Fetch.continueRequest", {"requestId": event["requestId"]})


def bounced(browser: Chromium, guarded: GuardedApplication) -> tuple[Page, Rotating]:
    """Return a page whose next request shows old cookies, and who renews them while it is bounced."""
    before, after = guarded.parted()
    context = opened(browser, after)
    page = context.new_page()
    page.route("**/blank", lambda route: route.fulfill(body="<!doctype html><title>blank</title>"))
    page.goto(f"{guarded.url}{APPLICATION}/blank")
    context.clear_cookies()
    show(context, before)
    return page, Rotating(page, after)


class TestBouncing:
    """Chromium follows what the proxy makes of a bounce."""

    @pytest.mark.parametrize("size", [0, 5, 1 << 20, 8 << 20])
    def test_a_call_comes_again_with_its_body(self, guarded: GuardedApplication, browser: Chromium, size: int) -> None:
        """Otherwise an upload fails whenever the token changes during it."""
        page, rotating = bounced(browser, guarded)

        answer = page.evaluate(_FETCH, [f"{guarded.url}{_ECHO}", size, "same-origin"])

        assert (answer["status"], answer["told"]["body_bytes"]) == (200, size)
        assert rotating.bounces == 1
        page.context.close()

    def test_a_page_and_a_form_come_again(self, guarded: GuardedApplication, browser: Chromium) -> None:
        """Otherwise a person who comes back from lunch sees an error, or loses what was typed."""
        page, rotating = bounced(browser, guarded)
        page.goto(f"{guarded.url}{APPLICATION}/still")
        assert page.inner_text("#user").startswith("member")
        assert rotating.bounces == 1
        page.context.close()

        page, rotating = bounced(browser, guarded)
        page.set_content(
            f'<form method=post action="{guarded.url}{APPLICATION}/still">'
            "<textarea name=t></textarea><button>Send</button></form>"
        )
        page.fill("textarea", "x" * 20_000)
        page.click("button")
        page.wait_for_selector("#took")
        assert page.inner_text("#took") == "20002"
        assert rotating.bounces == 1
        page.context.close()

    def test_another_sites_call_comes_again(self, guarded: GuardedApplication, browser: Chromium) -> None:
        """Otherwise an application that is called from another site fails now and then."""
        before, after = guarded.parted()
        context = opened(browser, before)
        page = context.new_page()
        page.goto(f"{guarded.partner}/")
        rotating = Rotating(page, after)

        answer = page.evaluate(_FETCH, [f"{guarded.url}{_ECHO}", 0, "include"])

        assert (answer["status"], rotating.bounces) == (200, 1)
        context.close()


class TestLiving:
    """Somebody works behind the proxy for a while."""

    def test_events_and_sockets_work(self, guarded: GuardedApplication, browser: Chromium) -> None:
        """Otherwise what is alive in an application stands still behind the proxy."""
        context = opened(browser, guarded.aged())
        page = context.new_page()
        page.goto(f"{guarded.url}{APPLICATION}/page")

        assert page.evaluate(_EVENTS, f"{guarded.url}{APPLICATION}/events") == "first"
        heard = page.evaluate(_SOCKET, f"{guarded.url}{APPLICATION}/socket".replace("https:", "wss:"))
        assert heard.startswith("member")
        assert heard.endswith(": hello")
        context.close()

    def test_a_busy_person_is_never_logged_out_and_a_thief_is(
        self, guarded: GuardedApplication, browser: Chromium
    ) -> None:
        """The two promises of the product, with this proxy in between."""
        context = opened(browser, guarded.member())
        page, problems = context.new_page(), []
        app = f"{guarded.url}{APPLICATION}/page"
        page.goto(app)
        minted = guarded.daemon.metric("identityd_tokens_minted_total")
        ended = guarded.daemon.metric("identityd_sessions_ended_total")

        for _ in range(RENEWALS):
            elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
            problems += page.evaluate("window.seen.refused")
            page.goto(app)
            assert page.inner_text("#user").startswith("member")
        assert problems == []
        assert guarded.daemon.metric("identityd_tokens_minted_total") >= minted + 2
        assert guarded.daemon.metric("identityd_sessions_ended_total") == ended

        thief = browser.new_context(ignore_https_errors=True)
        thief.add_cookies(context.cookies())  # type: ignore[arg-type]  # what cookies() returns is what it takes
        for _ in range(RENEWALS):
            elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
            page.goto(app)
        elapse(GRACE_S + 0.1, RealClock.DAEMON)
        stolen = thief.new_page()
        stolen.goto(app)

        assert "/login" in stolen.url
        thief.close()
        context.close()
