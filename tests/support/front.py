"""A reverse proxy with a small application behind it, on a network as bad as a test wants.

The application shares the login host: `/app…` is protected by forward auth, everything else goes
to the daemon. Every answer may be delayed, which reorders it, or dropped after the server has
done its work, which is what a dying mobile connection does.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import httpx2
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from tests.support.own_loop import OwnLoop
from tests.support.waiting import RealClock, delay

_HOP_BY_HOP: Final = {"connection", "transfer-encoding", "content-length", "keep-alive", "content-encoding"}
_PAGE: Final = """<!doctype html><title>app</title><h1 id=user>%s</h1><script>
const seen = { ok: 0, lost: 0, refused: [] };
window.seen = seen;
async function call() {
  try {
    const answer = await fetch("/app/call", { cache: "no-store" });
    if (answer.ok) seen.ok += 1; else seen.refused.push(answer.status);
  } catch { seen.lost += 1; }
}
for (let n = 0; n < %d; n++) call();
setInterval(call, 700);
</script>"""


@dataclass(slots=True)
class Weather:
    """How bad the network is."""

    drop: float = 0.0
    delay: float = 0.0
    most_s: float = 0.0
    random: Random = field(default_factory=lambda: Random(1))
    dropped: int = 0
    delayed: int = 0


class Front(OwnLoop):
    """The proxy, on a thread of its own; a context manager.

    Args:
        daemon_port: the daemon's public listener.
        internal_port: its internal listener.
        calls: how many parallel calls the application's page makes when it is loaded.
    """

    def __init__(self, port: int, *, calls: int = 6) -> None:
        super().__init__()
        self.port = port
        self.url = f"http://localhost:{port}"
        self.weather = Weather()
        self.calls = calls
        self.public = self.internal = ""

    def lead_to(self, *, daemon_port: int, internal_port: int) -> None:
        """Send requests to this daemon from now on."""
        self.public, self.internal = f"http://127.0.0.1:{daemon_port}", f"http://127.0.0.1:{internal_port}"

    async def serve(self) -> None:
        """Send requests on until the end."""
        async with httpx2.AsyncClient(follow_redirects=False, timeout=20, trust_env=False) as client:
            routes: list[Any] = [(r"/app/call", _Call), (r"/app.*", _Page), (r".*", _Pass)]
            server = HTTPServer(Application(routes, front=self, client=client, log_function=lambda _: None))
            await self.until_the_end(server, bind_sockets(self.port, "127.0.0.1"))


class _Handler(RequestHandler):
    SUPPORTED_METHODS = ("GET", "POST", "HEAD")

    @property
    def front(self) -> Front:
        return self.settings["front"]  # type: ignore[no-any-return]

    async def ask(self, url: str, **changes: object) -> httpx2.Response | None:
        """Ask the daemon; None if it does not answer."""
        headers = [(k, v) for k, v in self.request.headers.get_all() if k.lower() not in _HOP_BY_HOP]
        headers += [(k, str(v)) for k, v in changes.items() if k.startswith("X-")]
        try:
            return await self.settings["client"].request(  # type: ignore[no-any-return]
                str(changes.get("method", self.request.method)),
                url,
                headers=headers,
                content=self.request.body if changes.get("body", True) else None,
            )
        except httpx2.HTTPError:
            return None

    async def check(self) -> httpx2.Response | None:
        """Forward auth, as a proxy does it."""
        return await self.ask(
            f"{self.front.internal}/auth",
            method="GET",
            body=False,
            **{
                "X-Forwarded-Method": self.request.method,
                "X-Forwarded-Uri": self.request.uri,
                "X-Forwarded-Host": self.request.headers["Host"],
                "X-Forwarded-Proto": "http",
                "X-Forwarded-For": "127.0.0.1",
            },
        )

    def refuse(self, answer: httpx2.Response | None) -> None:
        """Do what the verdict says."""
        self.set_header("Cache-Control", "no-store")
        if answer is None or answer.status_code not in (401, 403):
            self.set_status(503)
            return
        self.hand_on_cookies(answer)
        location = answer.headers.get("X-Identity-Location")
        if not location:
            self.set_status(answer.status_code)
            return
        self.set_header("Location", location)
        self.set_status(307 if answer.headers.get("X-Identity-Verdict") == "bounce" else 302)

    def hand_on_cookies(self, answer: httpx2.Response) -> None:
        """Give the browser what the daemon set."""
        for line in answer.headers.get_list("Set-Cookie"):
            self.add_header("Set-Cookie", line)

    async def travel(self) -> None:
        """Let the answer take its way."""
        weather = self.front.weather
        if weather.random.random() < weather.delay:
            weather.delayed += 1
            await delay(weather.random.uniform(0, weather.most_s), RealClock.NETWORK)
        if weather.random.random() < weather.drop:
            weather.dropped += 1
            self.request.connection.stream.close()  # type: ignore[union-attr]
            return
        try:
            await self.finish()
        except StreamClosedError:
            return


class _Page(_Handler):
    async def get(self) -> None:
        answer = await self.check()
        if answer is not None and answer.status_code == 200:
            self.hand_on_cookies(answer)
            self.set_header("Cache-Control", "no-cache, private")
            self.write(_PAGE % (answer.headers["X-Identity-User"], self.front.calls))
        else:
            self.refuse(answer)
        await self.travel()


class _Call(_Handler):
    async def get(self) -> None:
        answer = await self.check()
        if answer is not None and answer.status_code == 200:
            self.hand_on_cookies(answer)
            self.write(answer.headers["X-Identity-User"])
        else:
            self.refuse(answer)
        await self.travel()

    post = get


class _Pass(_Handler):
    async def get(self) -> None:
        answer = await self.ask(self.front.public + (self.request.uri or "/"))
        if answer is None:
            self.set_status(502)
        else:
            self.set_status(answer.status_code)
            for name, value in answer.headers.multi_items():
                if name.lower() not in _HOP_BY_HOP:
                    self.add_header(name, value)
            if answer.content:
                self.write(answer.content)
        await self.travel()

    post = get
    head = get
