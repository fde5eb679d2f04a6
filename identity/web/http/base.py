"""What all handlers have in common: request ids, errors, headers, forms, sessions.

Errors are mapped to answers here and nowhere else: a handler raises and does not catch. A page's
error is a page, a program's is JSON. A handler answers `get`, `post` and so on; whatever it does
not define is 405 with `Allow`.

    Handler            both listeners
    ├── PageHandler    public; HTML; sessions with bounces and redirects; forms
    └── JsonHandler    programs; JSON; strict bodies

Absolute links come from the configured public URL, never from the Host header (THREATS 41).
"""

import json
import logging
import re
import uuid
from asyncio import Future
from collections.abc import Awaitable, Mapping
from enum import Enum
from functools import cached_property
from http import HTTPStatus
from types import TracebackType
from typing import Any, ClassVar, Final, NamedTuple, cast

from tornado.web import HTTPError, RequestHandler, stream_request_body

from identity import cookies
from identity.audit import Event
from identity.clock import problem_at
from identity.errors import BadInput, ClockWrong, IdentityError, NotFound, StoreError, StoreUnavailable, TooOften
from identity.forward_auth.peers import UNIX
from identity.forward_auth.requests import AGENT_LIMIT
from identity.log import request as serving
from identity.sessions.check import SetCookie
from identity.types import AccountId, Host
from identity.web.http import parameters
from identity.web.http.bodies import Bodies
from identity.web.http.lingering import Lingering, announced
from identity.web.http.refusals import TooLarge, WrongHost, WrongMethod
from identity.web.state import internal_hosts
from identity.web.state.context import Context
from identity.web.state.traffic import Traffic

log = logging.getLogger("identity.web")

PATH_LIMIT: Final = 200
"""Of a path in the log: a stranger chooses it."""
GIVEN_ID_LIMIT: Final = 64
_NOT_IN_AN_ID: Final = re.compile(r"[^A-Za-z0-9._:+/=@-]")
_COOKIE_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_VALUE: Final = re.compile(r"[A-Za-z0-9_.~%-]*")
_COOKIE_PATH: Final = re.compile(r"/[a-z0-9/-]*")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_HEADER_BYTES: Final = re.compile(r"[\x20-\x7e\x80-\xff]*")
"""Beyond ASCII as Latin-1 characters: a display name, for applications that read it as UTF-8 (RFC 9110 §5.5)."""
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Listener(Enum):
    """Which socket a route is on."""

    PUBLIC = "public"
    """People's browsers reach it, through a proxy or directly."""
    INTERNAL = "internal"
    """Only proxies, applications and operators reach it."""


class Route(NamedTuple):
    """One address: `path` is a regular expression for the whole path, in its canonical spelling."""

    path: str
    handler: "type[Handler]"
    listener: Listener


@stream_request_body
class Handler(RequestHandler):
    """Base of every handler.

    `prepare` runs when the headers have arrived: a request refused there is refused before a byte of
    the body is read. `get`, `post` and so on run when all of it is there.
    """

    max_body: ClassVar[int] = 65_536
    """Bytes; more is 413, as soon as it is announced or has arrived."""
    needs_clock: ClassVar[bool] = True
    """Whether nothing can be answered while the machine's clock cannot be right."""
    request_id: str = ""
    reason: str = ""
    """Why the session check ended as it did, for the log."""

    @cached_property
    def context(self) -> Context:
        """The services, and what the web knows of the configuration: one and the same for all of this request."""
        return cast("Context", self.application.settings["context"])

    # --- reading -------------------------------------------------------------------------

    def query(self, name: str, *, limit: int = parameters.LIMIT) -> str | None:
        """Return a query parameter, or None. Raises BadInput if it is repeated or unreadable."""
        return parameters.one(self.request.query_arguments, name, limit=limit)

    def cookie_lines(self) -> tuple[str, ...]:
        """Return the Cookie header lines as they arrived."""
        return tuple(self.request.headers.get_list("Cookie"))

    def own_cookie(self, name: str) -> str | None:
        """Return one of our cookies; None if it is absent or was sent with two values."""
        return cookies.value_of(self.cookie_lines(), name)

    @cached_property
    def address(self) -> str:
        """Whose request it is, seen through listed proxies only."""
        forwarded = self.request.headers.get("X-Forwarded-For", "")
        return self.context.peers.client(self.request.remote_ip or "", forwarded)

    @property
    def has_unknown_address(self) -> bool:
        """Tell whether `address` is not a person's."""
        told = any(name in self.request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"))
        return self.context.peers.hides(self.address, peer=self.request.remote_ip or "", told=told)

    @property
    def given_request_id(self) -> str:
        """What a browser or proxy calls this request; information only, because a sender can call two the same."""
        given = self.request.headers.get("X-Request-Id", "")[:GIVEN_ID_LIMIT]
        return _NOT_IN_AN_ID.sub("?", given)

    @property
    def agent(self) -> str:
        """The browser as it names itself, cut to a bounded length; information only."""
        return self.request.headers.get("User-Agent", "")[:AGENT_LIMIT]

    @property
    def body(self) -> bytes:
        """The request's body, whole."""
        return bytes(self._body)

    # --- answering -----------------------------------------------------------------------

    def put_header(self, name: str, value: str, *, octets: bool = False) -> None:
        """Set a header, with `octets` beyond ASCII too. Raises ValueError for a value that could end it (THREATS 4)."""
        if not (_HEADER_BYTES if octets else _HEADER_VALUE).fullmatch(value):
            raise ValueError(f"unsafe value for the header {name}")
        self.set_header(name, value)

    def put_cookie(self, cookie: SetCookie) -> None:
        """Add a `Set-Cookie` line. Raises ValueError for a cookie that could carry another attribute."""
        if not (
            _COOKIE_NAME.fullmatch(cookie.name)
            and _COOKIE_VALUE.fullmatch(cookie.value)
            and _COOKIE_PATH.fullmatch(cookie.path)
        ):
            raise ValueError("a cookie's name, value or path holds characters that could change its meaning")
        self.add_header("Set-Cookie", str(cookie))

    def go(self, location: str, *, status: HTTPStatus = HTTPStatus.SEE_OTHER) -> None:
        r"""Redirect to an address of this site, given as a path. Raises ValueError for anything else.

        A path that a browser would read as another site (`//host`, `/\host`) is refused (THREATS 33).
        """
        if not is_local(location):
            raise ValueError("not an address of this site")
        self._redirect(location, status)

    def go_out(self, url: str) -> None:
        """Redirect to a provider's or application's absolute address, which the caller vouches for."""
        if not url.startswith(("https://", "http://")):
            raise ValueError("not an absolute address")
        self._redirect(url, HTTPStatus.FOUND)

    def _redirect(self, location: str, status: HTTPStatus) -> None:
        self.set_status(status)
        self.put_header("Location", location)
        self.put_header("Cache-Control", "no-store")
        self.finish()

    def note(self, action: str, account_id: AccountId | None, **facts: str) -> None:
        """Write an audit event about this request."""
        context = self.context
        self.context.audit(
            Event(
                id=uuid.UUID(bytes=context.random(16), version=4),
                at=context.clock(),
                action=action,
                account_id=account_id,
                actor="self",
                address=self.address,
                request_id=self.request_id,
                facts=facts,
            )
        )

    # --- what tornado calls --------------------------------------------------------------

    async def _execute(self, transforms: Any, *args: bytes, **named: bytes) -> None:  # noqa: ANN401, tornado's own
        # The one place that encloses everything tornado does for a request, its own refusals included.
        with serving(self.request_id, given=self.given_request_id):
            await super()._execute(transforms, *args, **named)

    def initialize(self) -> None:
        """Name the request before anything can fail."""
        self.request_id = self.context.random(12).hex()
        self.set_header("X-Request-Id", self.request_id)
        self._body = bytearray()
        self._arrived = 0
        self._traffic.begin(self)

    def prepare(self) -> Awaitable[None] | None:
        """Refuse what no handler should see, when the headers have arrived."""
        self.require_own_host()
        if self.needs_clock and (problem := problem_at(self.context.clock())):
            raise ClockWrong(detail=problem)
        if self.request.method not in self.allowed_methods():
            raise WrongMethod
        if announced(self.request.headers) > self.max_body:
            raise TooLarge
        return None

    def require_own_host(self) -> None:
        """Raise WrongHost if programs ask under a name that is not this daemon's (THREATS 52)."""
        # No page of a browser can ask through a Unix socket.
        if self.application.settings["listener"] is Listener.PUBLIC or self.request.remote_ip == UNIX:
            return
        context = self.context
        host = host_of(self.request.host, secure=context.secure)
        if not internal_hosts.answers(
            host, arrived_at=self._arrived_at, listed=context.internal_hosts, registered=context.hosts
        ):
            raise WrongHost(
                detail=f"{host} is no name of the internal listener; list it in [server] internal_hosts",
                public="The internal listener does not answer under this host name. If the name is meant, list it in "
                "[server] internal_hosts.",
            )

    @property
    def _arrived_at(self) -> str:
        """This end of the connection; empty if it is closed."""
        sock = cast("Lingering", self.request.connection).stream.socket
        return str(sock.getsockname()[0]) if sock else ""

    def data_received(self, chunk: bytes) -> None:
        """Take a part of the body, unless it is too much."""
        self._arrived += len(chunk)
        if self._arrived > self.max_body:
            self._give_up(TooLarge())
        else:
            self.keep_body(chunk)

    def keep_body(self, chunk: bytes) -> None:
        """Keep a part of the body, if there is room left for those of all requests."""
        if self._bodies.take(len(chunk)):
            self._body += chunk
        else:
            self._give_up(StoreUnavailable("overloaded", detail="the bodies of requests fill the room there is"))

    def _give_up(self, error: IdentityError) -> None:
        with serving(self.request_id, given=self.given_request_id):
            self.log_exception(type(error), error, None)
            self.send_error(error.status, exc_info=(type(error), error, None))

    def _forget_body(self) -> None:
        self._bodies.give_back(len(self._body))
        self._body.clear()

    @property
    def _bodies(self) -> Bodies:
        return cast("Bodies", self.application.settings["bodies"])

    def set_default_headers(self) -> None:
        """Set what every answer carries; called again before an error is written."""
        self.clear_header("Server")
        self.clear_header("Content-Type")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        if self.request_id:
            self.set_header("X-Request-Id", self.request_id)

    def compute_etag(self) -> None:
        """Give no validator: a 304 would lose the cookies or the verdict of this answer."""

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> "Future[None]":
        """Send the answer; while the daemon stops, as the last one of its connection."""
        if self._traffic.draining:
            self.set_header("Connection", "close")
        return super().finish(chunk)

    def on_finish(self) -> None:
        """Note that the answer is out."""
        self._forget_body()
        self._traffic.end(self)

    def on_connection_close(self) -> None:
        """Note that the sender has closed the connection and waits for no answer."""
        super().on_connection_close()
        self._forget_body()
        self._traffic.end(self)

    @property
    def _traffic(self) -> Traffic:
        return cast("Traffic", self.application.settings["traffic"])

    @classmethod
    def allowed_methods(cls) -> tuple[str, ...]:
        """Return the methods the handler defines itself."""
        base = RequestHandler
        return tuple(m for m in _METHODS if getattr(cls, m.lower()) is not getattr(base, m.lower()))

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ANN401, tornado's signature
        """Turn whatever was raised into the answer of this kind of handler."""
        error = as_identity_error(kwargs.get("exc_info", (None, None, None))[1], status_code)
        self.set_status(error.status)
        if isinstance(error, StoreError | TooOften):
            self.set_header("Retry-After", str(error.retry_after_s))
        if isinstance(error, WrongMethod):
            self.set_header("Allow", ", ".join(self.allowed_methods()))
        self.answer_error(error)

    def answer_error(self, error: IdentityError) -> None:
        """Write the error for the one who asked; JSON unless a subclass says otherwise."""
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"error": error.code, "message": error.public, "request_id": self.request_id}))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log what an operator needs: never a query, a header or a body, which may hold codes and tokens."""
        where = f"{self.request.method} {self.request.path[:PATH_LIMIT]}"
        if isinstance(value, StoreError):
            self.context.metrics.count("identityd_store_errors_total", code=value.code)
        if isinstance(value, IdentityError):
            log.log(_level(value), "%s: %s", where, value.code, extra={"code": value.code, "detail": value.detail})
        elif isinstance(value, HTTPError):
            log.info("%s: %s", where, value.status_code)
        else:
            log.error("%s failed", where, exc_info=(typ, value, tb) if typ and value else None)


class JsonHandler(Handler):
    """Answers programs."""

    def json_body(self) -> dict[str, object]:
        """Return the body, a JSON object. Raises BadInput or WrongMediaType."""
        return parameters.json_object(self.request.headers.get("Content-Type", ""), self.body)

    def answer(self, value: Mapping[str, object]) -> None:
        """Send the value as JSON."""
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(value, separators=(",", ":")))


_BY_STATUS: Final[Mapping[int, type[IdentityError]]] = {404: NotFound, 405: WrongMethod, 413: TooLarge}


def as_identity_error(raised: BaseException | None, status: int) -> IdentityError:
    """Return the one error of ours that stands for what was raised."""
    if isinstance(raised, IdentityError):
        return raised
    if isinstance(raised, HTTPError) and raised.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _BY_STATUS.get(raised.status_code, BadInput)()
    if raised is None and status in _BY_STATUS:
        return _BY_STATUS[status]()
    return IdentityError()


def _level(error: IdentityError) -> int:
    """Return how loud an error is: a fault of ours, trouble around us, or the sender's mistake."""
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return logging.ERROR
    return logging.WARNING if error.status > HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO


def is_local(location: str) -> bool:
    r"""Tell whether every browser reads this as a path on the site that sent it.

    Browsers read `\` as `/` and drop tabs and line ends before they parse (WHATWG URL).
    """
    return (
        location.startswith("/")
        and location[1:2] not in ("/", "\\")
        and _HEADER_VALUE.fullmatch(location) is not None
        and "\\" not in location
    )


def host_of(header: str, *, secure: bool) -> Host:
    """Return the Host header in the form hosts are configured in: lower case, default port left out."""
    host = header.lower()
    default = ":443" if secure else ":80"
    return Host(host.removesuffix(default))


def require_host(host: Host, hosts: frozenset[Host]) -> None:
    """Raise WrongHost unless the public listener answers for this host."""
    if host not in hosts:
        raise WrongHost
