"""The application behind the real proxies: it says what reached it, and knows nothing of logins.

Every address may stand below any path, because an application on the login's host does:

    …/echo      what was asked, as JSON: method, address, headers in order, size of the body
    …/status/N  that status
    …/page      a page whose script calls …/echo
    …/still     a page that does nothing more, and takes a form
    …/old       a page that says nothing of caching, and when it was changed: long ago
    …/events    server-sent events, one at once and then none until the browser leaves
    …/socket    a WebSocket that says back what it hears
    …/worker    a service worker that asks for the whole host

Each answer sets two cookies of the application's own and has a `Cache-Control` of its own.
"""

import asyncio
import json
from typing import Any, Final

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, stream_request_body
from tornado.websocket import WebSocketHandler

from tests.support.own_loop import OwnLoop

OWN_COOKIES: Final = ("own1=1; Path=/", "own2=2; Path=/")
OWN_CACHE: Final = "private, max-age=60"
LONGEST_HEADER: Final = 8_192
"""As most application servers have it."""
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
_ACK: Final = '<link rel="preload" as="image" href="/.identityd/ack">'
_PAGE: Final = """<!doctype html><title>app</title>%s<h1 id=user>%s</h1><script>
window.seen = { ok: 0, refused: [] };
async function call() {
  try {
    const answer = await fetch("echo", { cache: "no-store" });
    if (answer.ok) seen.ok += 1; else seen.refused.push(answer.status);
  } catch { seen.refused.push("network"); }
}
for (let n = 0; n < 6; n++) call();
setInterval(call, 500);
</script>"""


class Behind(OwnLoop):
    """The application, on a thread of its own; a context manager. `asked` counts what reached it."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self.asked = 0
        self.partner = ""
        """An origin whose scripts it lets read its answers."""
        self.preloads = False
        """Whether its page renews its tokens itself, as one with `mint = no` must."""
        self.longest_header = LONGEST_HEADER

    async def serve(self) -> None:
        """Answer until the end."""
        routes: list[Any] = [
            (r".*/echo", _Echo),
            (r".*/status/(\d+)", _Status),
            (r".*/page", _Page),
            (r".*/still", _Still),
            (r".*/old", _Old),
            (r".*/events", _Events),
            (r".*/socket", _Socket),
            (r".*/worker", _Worker),
            (r".*", _Echo),
        ]
        application = Application(routes, behind=self, log_function=lambda _: None)
        server = HTTPServer(application, max_body_size=1 << 26, max_header_size=self.longest_header)
        sockets = bind_sockets(0, "127.0.0.1")
        self.port = sockets[0].getsockname()[1]
        await self.until_the_end(server, sockets)


class _Handler(RequestHandler):
    SUPPORTED_METHODS = _METHODS  # tornado's own list lacks PROPFIND

    def prepare(self) -> None:
        behind: Behind = self.settings["behind"]
        behind.asked += 1
        for cookie in OWN_COOKIES:
            self.add_header("Set-Cookie", cookie)
        if behind.partner and self.request.headers.get("Origin") == behind.partner:
            self.set_header("Access-Control-Allow-Origin", behind.partner)
            self.set_header("Access-Control-Allow-Credentials", "true")

    def compute_etag(self) -> None:
        """Answer 304 only when asked to."""


@stream_request_body
class _Echo(_Handler):
    body_bytes = 0

    def data_received(self, chunk: bytes) -> None:
        self.body_bytes += len(chunk)

    def get(self) -> None:
        self.set_header("Cache-Control", OWN_CACHE)
        self.set_header("Content-Type", "application/json")
        told = {
            "method": self.request.method,
            "uri": self.request.uri,
            "headers": list(self.request.headers.get_all()),
            "body_bytes": self.body_bytes,
        }
        self.finish(json.dumps(told))

    head = post = put = patch = delete = options = propfind = get


class _Worker(_Handler):
    def get(self) -> None:
        self.set_header("Content-Type", "text/javascript")
        self.set_header("Service-Worker-Allowed", "/")
        self.finish("")


class _Status(_Handler):
    def get(self, number: str) -> None:
        self.set_status(int(number))
        if int(number) == 302:
            self.set_header("Location", "/elsewhere")
        self.finish()

    head = post = get


class _Page(_Handler):
    def get(self) -> None:
        self.set_header("Cache-Control", "no-cache, private")
        behind: Behind = self.settings["behind"]
        self.finish(_PAGE % (_ACK if behind.preloads else "", self.request.headers.get("X-Identity-User", "")))


class _Still(_Handler):
    def get(self) -> None:
        self.finish(f"<!doctype html><title>still</title><p id=user>{self.request.headers.get('X-Identity-User')}</p>")

    def post(self) -> None:
        self.finish(f"<!doctype html><title>took</title><p id=took>{len(self.request.body)}</p>")


class _Old(_Handler):
    def get(self) -> None:
        self.set_header("Last-Modified", "Sat, 01 Jan 2011 00:00:00 GMT")
        self.finish(f"<!doctype html><title>old</title><p id=user>{self.request.headers.get('X-Identity-User')}</p>")

    head = get


class _Events(_Handler):
    async def get(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.write("data: first\n\n")
        try:
            await self.flush()
            self._gone = asyncio.Event()
            await self._gone.wait()
        except StreamClosedError:
            return

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._gone.set()


class _Socket(WebSocketHandler):
    def prepare(self) -> None:
        behind: Behind = self.settings["behind"]
        behind.asked += 1
        for cookie in OWN_COOKIES:
            self.add_header("Set-Cookie", cookie)

    def check_origin(self, origin: str) -> bool:
        del origin
        return True

    async def on_message(self, message: str | bytes) -> None:
        user = self.request.headers.get("X-Identity-User", "")
        await self.write_message(f"{user}: {message if isinstance(message, str) else len(message)}")
