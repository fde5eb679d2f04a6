"""An application behind a guard of examples/python, asked as a WSGI or an ASGI server asks it."""

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from identityd_client import Client
from identityd_guard import AsgiGuard, WsgiGuard

from tests.support.browser import PAGE, Reply
from tests.support.origin import Origin

OWN = [("Set-Cookie", "own1=1"), ("Set-Cookie", "own2=2"), ("Cache-Control", "max-age=60")]


@dataclass
class Application:
    """What stands behind a guard; `seen` is what reached it."""

    seen: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    own: list[tuple[str, str]] = field(default_factory=lambda: list(OWN))

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answer."""
        names = {n.removeprefix("HTTP_").replace("_", "-").lower(): v for n, v in environ.items() if n[:5] == "HTTP_"}
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.seen.append({"user": environ["identityd.user"], "headers": names, "body": body, "environ": environ})
        start_response(f"{self.status} Fine", [("Content-Type", "text/plain"), *self.own])
        return [b"page"]

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own
        """Answer."""
        if scope["type"] == "lifespan":
            self.seen.append(scope)
            return
        names = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        body, more = b"", scope["type"] == "http"
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        self.seen.append({"user": scope["identityd.user"], "headers": names, "body": body})
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        lines = [(name.encode(), value.encode()) for name, value in (("Content-Type", "text/plain"), *self.own)]
        await send({"type": "http.response.start", "status": self.status, "headers": lines})
        await send({"type": "http.response.body", "body": b"page"})


@dataclass
class Gate:
    """An application behind a guard, asked as a server asks it; `left` is what of the last body was not read."""

    kind: str
    origin: Origin
    app: Application = field(default_factory=Application)
    settings: dict[str, Any] = field(default_factory=dict)
    left: int = 0
    environ: dict[str, str] = field(default_factory=dict)
    """What a WSGI server says besides."""
    sent: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = Client(self.origin.url(""), "wiki", "geheim", timeout_s=2.0)
        self.build()

    def build(self, **settings: Any) -> None:  # noqa: ANN401 - the guard's own
        """Put a guard with these settings in front."""
        wsgi = self.kind == "wsgi"
        self.guard: Any = (WsgiGuard if wsgi else AsgiGuard)(
            self.app.wsgi if wsgi else self.app.asgi, self.client, **settings
        )

    def close(self) -> None:
        """End what the guard keeps."""
        self.client.close()
        if self.guard._public:
            self.guard._public.close()

    def ask(
        self,
        path: str = "/page",
        headers: Any = PAGE,  # noqa: ANN401 - pairs
        *,
        method: str = "GET",
        body: bytes = b"",
        peer: str = "192.0.2.7",
    ) -> Reply:
        """Make one request."""
        headers = [("Host", "wiki.example"), *headers]
        return (self._wsgi if self.kind == "wsgi" else self._asgi)(path, headers, method, body, peer)

    def _wsgi(self, path: str, headers: list[tuple[str, str]], method: str, body: bytes, peer: str) -> Reply:
        parts = urlsplit(path)
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "REMOTE_ADDR": peer}
        environ.update(PATH_INFO=unquote_to_bytes(parts.path).decode("latin-1"), QUERY_STRING=parts.query)
        for name, value in headers:
            key = "HTTP_" + name.upper().replace("-", "_")
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        if body:
            environ["CONTENT_LENGTH"] = str(len(body))
        environ.update(self.environ)
        stream = environ["wsgi.input"] = io.BytesIO(body)
        setup_testing_defaults(environ)
        got: list[Any] = []
        answer = validator(self.guard)(environ, lambda *started: got.append(started) or (lambda _: None))
        content = b"".join(answer)
        answer.close()  # type: ignore[attr-defined]
        self.left = len(body) - stream.tell()
        return Reply(int(got[0][0][:3]), tuple(got[0][1]), content)

    def _asgi(self, path: str, headers: list[tuple[str, str]], method: str, body: bytes, peer: str) -> Reply:
        parts = urlsplit(path)
        scope = {"type": "http", "method": method, "scheme": "http", "query_string": parts.query.encode()}
        scope |= {"path": unquote_to_bytes(parts.path).decode(), "raw_path": parts.path.encode(), "client": (peer, 1)}
        scope["headers"] = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        asyncio.run(self.call(scope, body))
        start, *rest = self.sent
        lines = tuple((name.decode().title(), value.decode("latin-1")) for name, value in start["headers"])
        return Reply(start["status"], lines, b"".join(each["body"] for each in rest))

    async def call(self, scope: Mapping[str, Any], body: bytes = b"") -> None:
        """Call an ASGI guard; `sent` is what it said."""
        pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)] or [b""]
        self.sent = []

        async def receive() -> dict[str, Any]:
            if scope["type"] == "websocket":
                return {"type": "websocket.connect"}
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message: dict[str, Any]) -> None:
            self.sent.append(message)

        await self.guard(scope, receive, send)
        self.left = sum(map(len, pieces))

    def asked(self) -> dict[str, Any]:
        """Return what identityd was asked last."""
        return dict(json.loads(self.origin.asked[-1].body))
