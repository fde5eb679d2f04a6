"""What only a real browser can tell: the content security policy and the preload."""

import re
import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from identity.types import Host
from identity.web.http.base import Listener, Route
from identity.web.http.page import PageHandler
from tests.support.handlers import ROUTES
from tests.support.web import LOCAL, Site


class Leaving(PageHandler):
    """A form whose answer leads to another site."""

    async def get(self) -> None:
        """Show the form."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(f'<form method="post"><input name="to" value="{self.query("to")}"><button>go</button></form>')

    async def post(self) -> None:
        """Go there."""
        self._harmless = True
        self.go_out(self.field("to") or "")


def _free_port() -> int:
    with socket.create_server((LOCAL, 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def _site(**changes: object) -> Site:
    port = _free_port()
    host = Host(f"localhost:{port}")
    routes = (*ROUTES, Route("/test/leaving", Leaving, Listener.PUBLIC))
    return Site(public_url=f"http://{host}", hosts=frozenset({host}), port=port, routes=routes, changes=changes)


@pytest.fixture
def tab(browser: Browser) -> Iterator[BrowserContext]:
    """Give a browser with an empty jar."""
    context = browser.new_context()
    yield context
    context.close()


def test_a_form_may_lead_to_where_logins_return(tab: BrowserContext) -> None:
    """Otherwise a sign-up begun at an application ends on a blank page."""
    with _site() as other:
        target = f"http://localhost:{other.ports.internal}"
        with _site(form_origins=frozenset({target})) as site:
            page = tab.new_page()
            page.goto(f"{site.public_url}/test/leaving?to={target}/healthz")
            page.get_by_role("button").click()

            expect(page).to_have_url(f"{target}/healthz")


def test_a_form_leads_nowhere_else(tab: BrowserContext) -> None:
    """Otherwise injected markup sends what a person types to a stranger."""
    with _site() as other, _site() as site:
        page = tab.new_page()
        start = f"{site.public_url}/test/leaving?to=http://localhost:{other.ports.internal}/healthz"
        page.goto(start)
        with page.expect_console_message(lambda message: "form-action" in message.text):
            page.get_by_role("button").click()

        assert page.url == start


def test_a_browser_that_gets_a_token_comes_back_with_it_at_once(tab: BrowserContext) -> None:
    """Otherwise the old token stays current until the next click, and a copy of it works as long."""
    with _site() as site:
        jar = site.log_in()
        cookies = [{"name": name, "value": value, "url": site.public_url} for name, value in jar.cookies.items()]
        tab.add_cookies(cookies)  # type: ignore[arg-type]
        site.clock.advance(20_000)
        page = tab.new_page()

        with page.expect_response(re.compile(r"/\.identityd/ack$")) as coming:
            page.goto(f"{site.public_url}/test/open")

        assert coming.value.status == 204
        names = {part.partition("=")[0] for part in coming.value.request.all_headers()["cookie"].split("; ")}
        assert len(names - jar.cookies.keys()) == 1


def test_pages_break_none_of_their_own_rules(tab: BrowserContext) -> None:
    """Otherwise the policy blocks the stylesheet, and every page is bare."""
    with _site() as site:
        page = tab.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))

        page.goto(f"{site.public_url}/test/open")

        assert page.evaluate("document.styleSheets.length") == 1
        assert complaints == []
