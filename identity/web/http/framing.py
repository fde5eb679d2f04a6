"""The first look at every request, before anything reads its body or finds its handler.

Owns what is refused for its framing: both framings at once (the seed of request smuggling,
THREATS 4), framings no client needs, a target or Host with two readings, and heads beyond the limits.
A long head passes below `/.identityd/`, where a browser gets rid of the cookies that made it long.
Everything else goes on to the application, its target a path and its Host the one that counts; how
large a body may be is said by its handler. Also owns the way of a body: to the handler until it has
answered, past it afterwards.
"""

import json
import re
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Final, cast

from tornado.http1connection import HTTP1Connection
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
from identity.web.http import request_heads
from identity.web.http.lingering import Lingering, announced
from identity.web.http.refusals import HeadTooLong, TooLarge
from identity.web.http.request_target import addressed

HEAD_LIMIT: Final = 65_536
"""Bytes of request line and headers."""
_AROUND: Final = len(": \r\n")
_LONG_HEADS_BELOW: Final = "/.identityd/"
# `int()` alone would take `+5` and `1_0`, which a proxy in front may read otherwise.
_LENGTH: Final = re.compile(r"[0-9]{1,12}")


class Door(HTTPServerConnectionDelegate):
    """Stands between a listener and its application.

    Args:
        application: who answers.
        max_body: bytes a request may announce, if no handler can take more.
    """

    def __init__(self, application: Application, *, max_body: int | None = None) -> None:
        self._application = application
        self.max_body = max_body

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Look at one request."""
        connection = cast("HTTP1Connection", request_conn)
        request_heads.bound(connection)
        return _Entering(self, server_conn, connection)

    def look(self, start_line: RequestStartLine, headers: HTTPHeaders) -> RequestStartLine:
        """Return the request line as handlers read it. Raises BadInput."""
        if isinstance(headers, request_heads.TooManyLines):
            raise HeadTooLong
        check_framing(headers)
        start_line = addressed(start_line, headers)
        path = start_line.path.partition("?")[0]
        if not path.startswith(_LONG_HEADS_BELOW) and head_bytes(start_line, headers) > HEAD_LIMIT:
            raise HeadTooLong
        return start_line

    def enter(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return who takes the request on."""
        return self._application.start_request(server_conn, request_conn)


class _Entering(HTTPMessageDelegate):
    """One request, until it is refused or handed on."""

    def __init__(self, door: Door, server_conn: object, request_conn: HTTP1Connection) -> None:
        self._door = door
        self._server_conn = server_conn
        self._request_conn = request_conn
        self._lingering = Lingering(request_conn)
        self._inner: HTTPMessageDelegate | None = None
        self._head_only = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._head_only = cast("RequestStartLine", start_line).method == "HEAD"
        try:
            looked_at = self._door.look(cast("RequestStartLine", start_line), headers)
            self._lingering.expect(headers, announced(headers))
            # Before a handler exists: none of this listener takes more.
            if self._door.max_body is not None and announced(headers) > self._door.max_body:
                raise TooLarge
            inner = self._door.enter(self._server_conn, self._lingering)
            answer = inner.headers_received(looked_at, headers)
        except (BadInput, HTTPInputError) as error:
            self._refuse(error if isinstance(error, IdentityError) else BadInput())
            return None
        self._inner = inner  # last: a request whose headers were refused has no part of its body handed on
        return answer

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._lingering.answered:
            self._lingering.passed_over(len(chunk))
            return None
        return self._inner.data_received(chunk) if self._inner else None

    def finish(self) -> None:
        answered = self._lingering.answered
        self._lingering.whole()
        if self._inner and answered:
            self._inner.on_connection_close()  # a handler that still waits for the body need not
        elif self._inner:
            self._inner.finish()

    def on_connection_close(self) -> None:
        self._lingering.gone()
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
                # What follows may be a body whose end is in doubt: it must never be read as a request.
                "Connection": "close",
            }
        )
        line = ResponseStartLine("HTTP/1.1", status.value, status.phrase)
        # Where a body ends may be what is in doubt: then nothing of it is read, and this closes the connection.
        connection = self._lingering if isinstance(error, TooLarge) else self._request_conn
        connection.write_headers(line, headers, b"" if self._head_only else body)
        connection.finish()


def head_bytes(start_line: RequestStartLine, headers: HTTPHeaders) -> int:
    """Return how long the request line and the headers are, about."""
    return len(start_line.path) + sum(len(name) + len(value) + _AROUND for name, value in headers.get_all())


def check_framing(headers: HTTPHeaders) -> None:
    """Raise BadInput unless it is beyond doubt where the body ends (RFC 9112 section 6)."""
    # A set: one length said several times has one meaning (RFC 9112 section 6.3), two lengths have none.
    lengths = set(headers.get_list("Content-Length"))
    codings = headers.get_list("Transfer-Encoding")
    # With both, a proxy that goes by one and we by the other would disagree on where the next request begins.
    if codings and (lengths or [c.lower() for c in codings] != ["chunked"]):
        raise BadInput("framing", public="The request's body has an ambiguous or unknown framing.")
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise BadInput("framing", public="The request's Content-Length is not one number.")
