"""The first look at every request, before anything reads its body or finds its handler.

Owns what is refused for its framing: both framings at once (the seed of request smuggling,
THREATS 4), framings nobody needs, and heads and bodies beyond the listener's limits. A long head
passes below `/.identityd/`, where a browser gets rid of the cookies that made it long. Everything
else goes on to the application unchanged. Also owns the count of what is under way, for a stop that cuts
nothing off.
"""

import json
import re
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Final, cast

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.web import Application

from identity.errors import BadInput, IdentityError
from identity.web.refusals import HeadTooLong, TooLarge

HEAD_LIMIT: Final = 65_536
"""Bytes of request line and headers."""
_AROUND: Final = len(": \r\n")
_LONG_HEADS_BELOW: Final = "/.identityd/"
_LENGTH: Final = re.compile(r"[0-9]{1,12}")


class Door(HTTPServerConnectionDelegate):
    """Stands between a listener and its application.

    Args:
        application: who answers.
        max_body: bytes a request may announce; handlers have smaller limits of their own.
        unlimited: paths that lift the limit themselves.
    """

    def __init__(self, application: Application, *, max_body: int, unlimited: frozenset[str] = frozenset()) -> None:
        self._application = application
        self._max_body = max_body
        self._unlimited = unlimited

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Look at one request."""
        return _Entering(self, server_conn, request_conn)

    def enter(
        self, server_conn: object, request_conn: HTTPConnection, start_line: RequestStartLine, headers: HTTPHeaders
    ) -> HTTPMessageDelegate:
        """Return who takes the request on. Raises BadInput."""
        path = start_line.path.partition("?")[0].rstrip("/")
        if not path.startswith(_LONG_HEADS_BELOW) and head_bytes(start_line, headers) > HEAD_LIMIT:
            raise HeadTooLong
        check_framing(headers, max_body=None if path in self._unlimited else self._max_body)
        return self._application.start_request(server_conn, request_conn)


class _Entering(HTTPMessageDelegate):
    """One request, until it is refused or handed on."""

    def __init__(self, door: Door, server_conn: object, request_conn: HTTPConnection) -> None:
        self._door = door
        self._server_conn = server_conn
        self._request_conn = request_conn
        self._inner: HTTPMessageDelegate | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        request_line = cast("RequestStartLine", start_line)
        try:
            inner = self._door.enter(self._server_conn, self._request_conn, request_line, headers)
            answer = inner.headers_received(start_line, headers)
        except (BadInput, HTTPInputError) as error:
            self._refuse(error if isinstance(error, IdentityError) else BadInput())
            return None
        self._inner = inner
        return answer

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._inner.data_received(chunk) if self._inner else None

    def finish(self) -> None:
        if self._inner:
            self._inner.finish()

    def on_connection_close(self) -> None:
        if self._inner:
            self._inner.on_connection_close()

    def _refuse(self, error: IdentityError) -> None:
        body = json.dumps({"error": error.code, "message": error.public}).encode()
        status = HTTPStatus(error.status)
        headers = HTTPHeaders(
            {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "Connection": "close",
            }
        )
        line = ResponseStartLine("HTTP/1.1", status.value, status.phrase)
        self._request_conn.write_headers(line, headers, body)
        # The body is not read, so the connection cannot be used again: this closes it.
        self._request_conn.finish()


def head_bytes(start_line: RequestStartLine, headers: HTTPHeaders) -> int:
    """Return how long the request line and the headers are, about."""
    return len(start_line.path) + sum(len(name) + len(value) + _AROUND for name, value in headers.get_all())


def check_framing(headers: HTTPHeaders, *, max_body: int | None) -> None:
    """Raise BadInput unless it is beyond doubt where the body ends (RFC 9112 section 6)."""
    lengths = set(headers.get_list("Content-Length"))
    codings = headers.get_list("Transfer-Encoding")
    if codings and (lengths or [c.lower() for c in codings] != ["chunked"]):
        raise BadInput("framing", public="The request's body has an ambiguous or unknown framing.")
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise BadInput("framing", public="The request's Content-Length is not one number.")
    if max_body is not None and lengths and int(lengths.pop()) > max_body:
        raise TooLarge
