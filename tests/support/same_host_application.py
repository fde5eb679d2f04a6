"""An application on the login's own host, and everything its scripts try against the login's pages.

Each attempt is a script that returns what it could read. `Sheltered` answers the application's
pages below /app/ from the daemon itself, so that one real origin holds both, as behind a proxy.
"""

import socket
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from identity.types import Host
from identity.web.http.base import Handler, Listener, Route
from tests.support.account_site import AccountSite
from tests.support.browser import Browser
from tests.support.web import LOCAL

MARK: Final = "csrf"
"""Stands in every page that holds a form, and in no refusal."""
_LATER: Final = "await new Promise(done => setTimeout(done, 700));"
_WORKER: Final = """
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", event => event.waitUntil(clients.claim()));
self.addEventListener("fetch", event => {
  const how = new URL(event.request.url).searchParams.get("how");
  if (!how) return;
  event.respondWith((async () => {
    const ways = { pass: () => fetch(event.request), anew: () => fetch(event.request.url) };
    const answer = how === "preload" ? await event.preloadResponse : await ways[how]();
    const text = await answer.clone().text();
    for (const page of await clients.matchAll({ includeUncontrolled: true })) page.postMessage(text);
    return answer;
  })());
});"""


class Sheltered(Handler):
    """The application's page, with a policy of its own, and its service worker."""

    async def get(self) -> None:
        """Send it."""
        if self.request.path.endswith(".js"):
            self.set_header("Content-Type", "text/javascript")
            self.set_header("Service-Worker-Allowed", "/")
            self.finish(_WORKER)
            return
        if policy := self.query("opener"):
            self.put_header("Cross-Origin-Opener-Policy", policy)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish("<!doctype html><title>app</title><body>app</body>")


ROUTES: Final = (Route("/app/[a-z.]*", Sheltered, Listener.PUBLIC),)


class Visit:
    """Somebody who is logged in and has just looked at the account."""

    def __init__(
        self, account_site: AccountSite, browser: Browser, go: Callable[[str], object], run: Callable[[str], object]
    ) -> None:
        self.account_site = account_site
        self.browser = browser
        self._go = go
        self._run = run

    def at(self, path: str, script: str) -> str:
        """Return what a script says on a page."""
        self._go(f"{self.account_site.site.public_url}{path}")
        return str(self._run(script))

    def at_the_application(self, script: str, *, opener: str = "") -> str:
        """Return what a script of the application read, after the person looked at the account."""
        self.at("/account", "1")
        return self.at(f"/app/page?opener={opener}" if opener else "/app/page", script)


@pytest.fixture
def home() -> Iterator[AccountSite]:
    """Give a daemon that browsers find, with an application on its host."""
    with socket.create_server((LOCAL, 0)) as sock:
        port: int = sock.getsockname()[1]
    host = Host(f"localhost:{port}")
    account_site = AccountSite(public_url=f"http://{host}", hosts=frozenset({host}), port=port, routes=ROUTES)
    with account_site.site:
        yield account_site


def _asked(what: str) -> str:
    return f"(async () => (await {what}).text())().catch(String)"


def _framed(tag: str, attribute: str) -> str:
    return f"""(async () => {{
        const frame = document.createElement("{tag}");
        frame.{attribute} = "/account";
        document.body.append(frame);
        {_LATER}
        return frame.contentDocument?.documentElement.innerHTML ?? "";
    }})().catch(String)"""


READS: Final = {
    "fetch": _asked('fetch("/account")'),
    "fetch with credentials": _asked('fetch("/account", { credentials: "include", mode: "same-origin" })'),
    "the kept copy": _asked('fetch("/account", { cache: "only-if-cached", mode: "same-origin" })'),
    "any kept copy": _asked('fetch("/account", { cache: "force-cache" })'),
    "a forged destination": _asked('fetch("/account", { headers: { "Sec-Fetch-Dest": "document" } })'),
    "mode navigate": _asked('fetch("/account", { mode: "navigate" })'),
    "a beacon's way": _asked('fetch("/account", { keepalive: true })'),
    "a cache of its own": '(async () => { const kept = await caches.open("x"); await kept.add("/account");'
    ' return (await kept.match("/account")).text(); })().catch(String)',
    "XMLHttpRequest": """new Promise(done => {
        const call = new XMLHttpRequest();
        call.open("GET", "/account");
        call.onloadend = () => done(call.responseText);
        call.send();
    })""",
    "a prefetch and the copy it left": """(async () => {
        const link = document.createElement("link");
        Object.assign(link, { rel: "prefetch", href: "/account", as: "document" });
        document.head.append(link);
        await new Promise(done => setTimeout(done, 700));
        return (await fetch("/account", { cache: "force-cache" })).text();
    })().catch(String)""",
    "iframe": _framed("iframe", "src"),
    "object": _framed("object", "data"),
    "embed": _framed("embed", "src").replace("frame.contentDocument", "frame.getSVGDocument?.()"),
    "a window": f"""(async () => {{
        const other = window.open("/account");
        {_LATER}
        return other?.document.documentElement.innerHTML ?? "";
    }})().catch(String)""",
    "a window that was empty": f"""(async () => {{
        const other = window.open("");
        other.location = "/account";
        {_LATER}
        return other.document.documentElement.innerHTML;
    }})().catch(String)""",
}
"""Ways to read the account's page from a page of the application, by name."""


def sends(action: str, fields: str) -> dict[str, str]:
    """Return ways to send a form that a script may send, given its fields as a query."""
    fill = f"""
        const form = document.createElement("form");
        Object.assign(form, {{ method: "post", action: "{action}", target: "inside" }});
        for (const [name, value] of new URLSearchParams("{fields}")) {{
            const field = document.createElement("input");
            Object.assign(field, {{ name, value }});
            form.append(field);
        }}
        document.body.append(form);"""
    frame = 'const frame = document.createElement("iframe"); frame.name = "inside"; document.body.append(frame);'
    body = f'new URLSearchParams("{fields}")'
    return {
        "fetch": _asked(f'fetch("{action}", {{ method: "POST", body: {body} }})'),
        "no-cors": _asked(f'fetch("{action}", {{ method: "POST", mode: "no-cors", body: {body} }})'),
        "a beacon": f'(async () => {{ navigator.sendBeacon("{action}", {body}); {_LATER} return ""; }})()',
        "a form in a frame": f"(async () => {{ {frame} {fill} form.submit(); {_LATER} return ''; }})()",
    }


def worker(how: str) -> str:
    """Return a script that puts a service worker before the account's page and says what that read."""
    return f"""(async () => {{
        const heard = [];
        navigator.serviceWorker.onmessage = event => heard.push(event.data);
        const registration = await navigator.serviceWorker.register("/app/worker.js", {{ scope: "/" }});
        await navigator.serviceWorker.ready;
        await registration.navigationPreload?.enable();
        {_LATER}
        window.open("/account?how={how}");
        for (let turn = 0; turn < 60 && !heard.length; turn++) await new Promise(done => setTimeout(done, 100));
        return heard.join();
    }})().catch(String)"""
