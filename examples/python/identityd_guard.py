"""identityd in front of a WSGI or ASGI application; to copy together with identityd_client.py.

    application = WsgiGuard(application, Client("http://127.0.0.1:8888", "wiki", secret),
                            public="http://127.0.0.1:8887")

Does with each verdict what docs/clients.md demands. The application sees requests of people who are
logged in: `identityd.user` in its environ or scope says who, `REMOTE_USER` by name. Invariants: it never
sees a cookie of ours, nor what a client says about itself; `/.identityd/` never reaches it; what is
not a verdict is 503, never a login page and never an open door; a body is read before it is refused.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import quote, urlsplit

from identityd_client import Client, Listener, Refused, Unreachable, User, Verdict

__all__ = ["AsgiGuard", "WsgiGuard"]

OURS = "/.identityd/"
FORM_BYTES = 1 << 16
DRAINED_BYTES = 1 << 30
_OUR_COOKIE = re.compile(r"[ \t]*(?:__Host-idd[a-z]?|idd[a-z]?[0-9]+m?)(?:-[^=]*|[ \t]*)=")
_NOT_FORWARDED = re.compile(
    r"host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-length|expect|date|server"
    r"|proxy-.*|forwarded|x-forwarded-.*|x-original-.*|x.identity.*"
)
_CLAIM = re.compile(
    "x_?identity|remote_(user|name|email|groups)|x_auth_request|x_forwarded_(user|email|groups|preferred)"
)
_DOCUMENTS = ("document", "iframe", "frame", "embed", "object")
_PAGES = ("text/html", "application/xhtml+xml")
_ODD = ("//", "/.", "\\", ";", "%2e", "%2f", "%5c")
_SAID = {
    400: "This request cannot be read. Go back and try again.",
    401: "You are not logged in.",
    403: "You may not use this address.",
    404: "There is nothing at this address.",
    413: "More was sent than this address takes.",
    503: "The login service does not answer. You are still logged in. Try again in a few seconds.",
}
_Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class _Asked:
    """A request, however a server hands it on; names of headers in lower case."""

    method: str
    scheme: str
    path: str
    uri: str
    peer: str
    headers: _Headers
    websocket: bool = False

    def all(self, name: str) -> str:
        return ("; " if name == "cookie" else ",").join(value for each, value in self.headers if each == name)

    @property
    def is_page(self) -> bool:
        """Tell whether a page is being loaded: only then can a person be led to a login.

        The table is at `is_navigation` in identityd's `verdicts.py`.
        """
        if self.websocket or any(name == "sec-fetch-mode" for name, _ in self.headers):
            return not self.websocket and self.all("sec-fetch-mode") == "navigate"
        if (self.all("sec-fetch-dest") or "document") not in _DOCUMENTS or self.method not in ("GET", "HEAD"):
            return False
        if any(name == "x-requested-with" and "." not in value for name, value in self.headers):
            return False
        ranges = [re.sub("[ \t]", "", each.lower()).split(";") for each in self.all("accept").split(",")]
        kinds = {kind for kind, *rest in ranges if not any(re.fullmatch(r"q=0(\.0*)?", each) for each in rest)}
        return kinds == {""} or (not kinds.isdisjoint(_PAGES) and "text/event-stream" not in kinds)


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: _Headers
    body: bytes = b""


class _Guard:
    """What both guards share.

    Args:
        app: the application behind it.
        client: asks identityd.
        public: identityd's public listener, to which `/.identityd/` of this host is led. Left out, those
            addresses are 404 here: for a proxy in front that leads them there itself.
        origin: `https://wiki.example.com` if that is what browsers always ask for; left out, scheme and `Host`.
        proxies: addresses or networks whose `X-Forwarded-For` and `-Proto` are believed; `unix` for a socket.
        optional: paths for which nobody has to be logged in; `/docs/*` means all below, `/*` everything.
        unguarded: paths for which identityd is not asked, such as `/static/*`.
    """

    def __init__(
        self,
        app: Callable[..., Any],
        client: Client,
        *,
        public: str = "",
        origin: str = "",
        proxies: Sequence[str] = (),
        optional: Sequence[str] = (),
        unguarded: Sequence[str] = (),
    ) -> None:
        self._app, self._client, self._origin = app, client, origin.rstrip("/")
        self._public = Listener(public, 10.0) if public else None
        self._networks = [ip_network(each) for each in proxies if each != "unix"]
        self._unix = "unix" in proxies
        self._optional, self._unguarded = optional, unguarded

    def _judge(self, asked: _Asked, body: bytes) -> _Answer | Verdict:
        """Return the whole answer; or the verdict with which the application may be asked."""
        if asked.path.startswith(OURS):
            return self._forward(asked, body)
        if _listed(asked.path, self._unguarded):
            return Verdict("ok", "unguarded")
        fields = {"mode": "websocket"} if asked.websocket else {"navigation": asked.is_page}
        about: dict[str, object] = {"address": self._address(asked)[:64], "agent": asked.all("user-agent")[:256]}
        about["prefetch"] = "prefetch" in asked.all("sec-purpose")
        if asked.all("x-user-activity") in ("yes", "no"):
            about["background"] = asked.all("x-user-activity") == "no"
        try:
            url, cookies = self._here(asked) + asked.uri, [line for line in [asked.all("cookie")] if line]
            verdict = self._client.check(url, cookies, method=asked.method, **fields, **about)
        except Refused as refused:
            return _refuse(asked, 400, str(refused))
        optional = verdict.reason != "return-due" and _listed(asked.path, self._optional)
        if verdict.kind == "ok" or (verdict.kind == "login" and optional):
            return verdict
        return _refusal(asked, verdict)

    def _forward(self, asked: _Asked, body: bytes) -> _Answer:
        """Lead an address of identityd on this host to its public listener, which knows the host."""
        if len(body) > FORM_BYTES:
            return _refuse(asked, 413, "too-large")
        if self._public is None or asked.websocket:
            return _refuse(asked, 404, "not-found")
        hops = {name.strip().lower() for name in asked.all("connection").split(",")}
        names = {name for name, _ in asked.headers if not _NOT_FORWARDED.fullmatch(name)} - hops
        # A folded line may still hold its line end; nothing of a client's may end a header here.
        headers = {name: value for name in names if not re.search(r"[\r\n\0]", value := asked.all(name))}
        headers.update({"Host": urlsplit(self._here(asked)).netloc, "X-Forwarded-For": self._address(asked)})
        try:
            status, lines, content = self._public.ask(asked.method, asked.uri, headers.items(), body)
        except Unreachable as trouble:
            return _refuse(asked, 503, trouble.reason, ("Retry-After", str(trouble.after_s)))
        kept = [each for each in lines if not _NOT_FORWARDED.fullmatch(each[0].lower())]
        typed = status in (204, 304) or any(name.lower() == "content-type" for name, _ in kept)  # WSGI asks for one
        return _Answer(status, kept if typed else [*kept, ("Content-Type", "text/plain; charset=utf-8")], content)

    def _here(self, asked: _Asked) -> str:
        told = asked.all("x-forwarded-proto") if self._trusts(asked.peer) else ""
        return self._origin or f"{told if told in ('http', 'https') else asked.scheme}://{asked.all('host')}"

    def _address(self, asked: _Asked) -> str:
        """Return the nearest address that is no listed proxy."""
        hops = [asked.peer, *(hop.strip() for hop in reversed(asked.all("x-forwarded-for").split(",")))]
        return next((hop for hop in hops if not self._trusts(hop)), asked.peer)

    def _trusts(self, peer: str) -> bool:
        try:
            return any(ip_address(peer) in network for network in self._networks) if peer else self._unix
        except ValueError:
            return False


class WsgiGuard(_Guard):
    """Stands in front of a WSGI application; takes the arguments of `_Guard`."""

    __doc__ = f"{__doc__}\n\n{_Guard.__doc__}"

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, or let the application answer."""
        asked, body = _of_environ(environ), b""
        if asked.path.startswith(OURS):
            body = b"".join(_pieces(environ, FORM_BYTES + 1))
        judged = self._judge(asked, body)
        if isinstance(judged, _Answer):
            for _ in _pieces(environ, DRAINED_BYTES - len(body), read=len(body)):
                pass
            length = [] if judged.status in (204, 304) else [("Content-Length", str(len(judged.body)))]
            start_response(f"{judged.status} {_phrase(judged.status)}", [*judged.headers, *length])
            return [b"" if asked.method == "HEAD" else judged.body]

        def begin(status: str, headers: _Headers, *exc_info: object) -> Any:  # noqa: ANN401 - the server's `write`
            return start_response(status, _dressed(headers, judged, asked), *exc_info)

        return self._app(_cleaned(environ, judged.user), begin)  # type: ignore[no-any-return]


class AsgiGuard(_Guard):
    """Stands in front of an ASGI application, `http` and `websocket`; takes the arguments of `_Guard`."""

    __doc__ = f"{__doc__}\n\n{_Guard.__doc__}"

    def __init__(self, app: Callable[..., Awaitable[None]], client: Client, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(app, client, **settings)
        self._threads = ThreadPoolExecutor(32, thread_name_prefix="identityd")

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer, or let the application answer."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        asked, body, more = _of_scope(scope), b"", scope["type"] == "http"
        while more and asked.path.startswith(OURS) and len(body) <= FORM_BYTES:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        judged = await asyncio.get_running_loop().run_in_executor(self._threads, self._judge, asked, body)
        if isinstance(judged, _Answer):
            drained = len(body)
            while more and drained < DRAINED_BYTES:
                message = await receive()
                drained, more = drained + len(message.get("body", b"")), message.get("more_body", False)
            await _send(scope, receive, send, judged)
            return

        async def begin(message: Mapping[str, Any]) -> None:
            told = dict(message)
            if message["type"] == "http.response.start":
                told["headers"] = _raw(_dressed(_read(message.get("headers", ())), judged, asked))
            await send(told)

        kept = _without_ours(asked.headers)
        await self._app({**scope, "headers": _raw(kept), "identityd.user": judged.user}, receive, begin)


async def _send(
    scope: Mapping[str, Any],
    receive: Callable[[], Awaitable[Mapping[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
    answer: _Answer,
) -> None:
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()
        kind = "websocket.http.response"
        if kind not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})  # the server makes a 403 of it
            return
    length = [] if answer.status in (204, 304) else [("content-length", str(len(answer.body)))]
    await send({"type": f"{kind}.start", "status": answer.status, "headers": _raw([*answer.headers, *length])})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else answer.body})


def _refusal(asked: _Asked, verdict: Verdict) -> _Answer:
    cookies = [("Set-Cookie", line) for line in verdict.set_cookie]
    if verdict.kind == "retry":
        return _refuse(asked, 503, verdict.reason, ("Retry-After", str(verdict.after_s)))
    if verdict.location is None or asked.websocket:
        return _refuse(asked, 403 if verdict.kind == "forbidden" else 401, verdict.reason, *cookies)
    login = 302 if asked.method in ("GET", "HEAD") else 303
    status = 307 if verdict.kind == "bounce" else login
    return _Answer(status, [*_plain(), ("Location", verdict.location), *cookies])


def _plain(kind: str = "text/plain; charset=utf-8") -> _Headers:
    return [("Content-Type", kind), ("Cache-Control", "no-store")]


def _refuse(asked: _Asked, status: int, reason: str, *headers: tuple[str, str]) -> _Answer:
    """Refuse with words for a person, or with JSON for a program."""
    if asked.is_page:
        return _Answer(status, [*_plain(), *headers], f"{_SAID[status]}\n".encode())
    text = json.dumps({"error": reason, "message": _SAID[status]})
    return _Answer(status, [*_plain("application/json"), *headers], text.encode())


def _dressed(headers: Iterable[tuple[str, str]], verdict: Verdict, asked: _Asked) -> _Headers:
    """Add the cookies beside the application's own; an answer that carries a token is not stored.

    One of which the application does not say how long it may be kept would be shown from the browser's
    cache to whoever comes after the logout.
    """
    headers = list(headers)
    told = ",".join(value for name, value in headers if name.lower() == "cache-control")
    if not verdict.set_cookie:
        unsaid = not told.strip() and verdict.reason != "unguarded"
        return [*headers, ("Cache-Control", "no-cache, private")] if unsaid else headers
    kept = [each for each in headers if each[0].lower() != "cache-control"]
    # A page with no-store would leave the browser's back and forward cache whenever a token changes.
    cache = "no-cache, private" if asked.is_page and "no-store" not in told.lower() else "no-store"
    return [*kept, *(("Set-Cookie", line) for line in verdict.set_cookie), ("Cache-Control", cache)]


def _listed(path: str, places: Sequence[str]) -> bool:
    """Tell whether a path is listed; one that an application might read as another path is not."""
    if any(odd in path.lower() for odd in _ODD):
        return False
    return any(path.startswith(place[:-1]) if place.endswith("*") else path == place for place in places)


def _without_ours(headers: Iterable[tuple[str, str]]) -> _Headers:
    """Leave out our cookies, and what a client says about who it is in any spelling."""
    kept = []
    for name, value in headers:
        if _CLAIM.match(re.sub("[^a-z0-9]", "_", name.lower())):
            continue
        own = value
        if name.lower() == "cookie":
            # As browsers mean it: a `;` ends a cookie and nothing else does, a comma belongs to its value.
            own = ";".join(pair for pair in value.split(";") if not _OUR_COOKIE.match(pair)).strip(" \t")
        if own or not value:
            kept.append((name, own))
    return kept


def _of_environ(environ: Mapping[str, Any]) -> _Asked:
    names = [name for name in environ if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")]
    headers = [(name.removeprefix("HTTP_").replace("_", "-").lower(), str(environ[name])) for name in names]
    if "HTTP_HOST" not in environ:
        headers.append(("host", f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"))
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    sent = next((environ[n] for n in ("REQUEST_URI", "RAW_URI") if str(environ.get(n)).startswith("/")), None)
    query = environ.get("QUERY_STRING", "")
    uri = sent or quote(path.encode("latin-1"), safe="/:@!$&'()*+,;=~") + (f"?{query}" if query else "")
    socket = "HTTP_SEC_WEBSOCKET_VERSION" in environ
    peer = environ.get("REMOTE_ADDR", "")
    return _Asked(environ["REQUEST_METHOD"], environ["wsgi.url_scheme"], path or "/", uri, peer, headers, socket)


def _cleaned(environ: Mapping[str, Any], user: User | None) -> dict[str, Any]:
    cookies = [("cookie", str(environ["HTTP_COOKIE"]))] if environ.get("HTTP_COOKIE") else []
    own = [("HTTP_COOKIE", value) for _, value in _without_ours(cookies)]
    claims = {name for name in environ if _is_claim(name)}
    kept = {name: environ[name] for name in environ if name not in {*claims, "REMOTE_USER", "HTTP_COOKIE"}}
    return {**kept, **dict(own), "identityd.user": user, **({"REMOTE_USER": user.name} if user else {})}


def _is_claim(name: str) -> bool:
    read = re.sub("[^a-z0-9]", "_", name.lower())
    return read.startswith("http_") and _CLAIM.match(read.removeprefix("http_")) is not None


def _pieces(environ: Mapping[str, Any], most: int, *, read: int = 0) -> Iterator[bytes]:
    """Yield the body; `read` bytes of it were taken before."""
    length = environ.get("CONTENT_LENGTH") or ""
    ends = environ.get("wsgi.input_terminated") and not length
    left = most if ends else min(most, int(length) - read if length.isdigit() else 0)
    while left > 0:
        piece = environ["wsgi.input"].read(min(left, 1 << 16))
        if not piece:
            return
        left -= len(piece)
        yield piece


def _of_scope(scope: Mapping[str, Any]) -> _Asked:
    websocket = scope["type"] == "websocket"
    scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "http"), scope.get("scheme", "http"))
    raw = scope.get("raw_path") or quote(scope["path"], safe="/:@!$&'()*+,;=~").encode()
    uri = raw.partition(b"?")[0].decode("latin-1")
    uri += f"?{scope['query_string'].decode('latin-1')}" if scope.get("query_string") else ""
    peer, headers = (scope.get("client") or ("",))[0], _read(scope["headers"])
    return _Asked(scope.get("method", "GET"), scheme, scope["path"], uri, peer, headers, websocket)


def _read(headers: Iterable[Iterable[bytes]]) -> _Headers:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]


def _raw(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Answer"
