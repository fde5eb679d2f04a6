"""An answer that is given before the request's body is there.

Owns the rest of such a body: it is passed over, a bounded time and amount, so that the client reads
the answer and not a reset connection (RFC 9112 section 9.6). Nothing of it is kept.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPConnection, HTTPHeaders, RequestStartLine, ResponseStartLine

LINGER_S: Final = 2.0
LINGER_BYTES: Final = 67_108_864
"""Passed over at most after an answer; passing over costs less than any other byte a client can send."""
_SHORT: Final = 65_536
"""A body announced as no longer than this is waited for, and its connection is kept."""
_UNJUDGED: Final = 1 << 62
"""Bytes of a body that the connection itself takes: how many is the handler's affair."""


class Lingering(HTTPConnection):
    """The connection of one request, as its handler sees it."""

    def __init__(self, connection: HTTP1Connection) -> None:
        self._connection = connection
        self.context = connection.context
        self.stream = connection.stream
        self.answered = False
        """Whether the handler has finished; what arrives after that is passed over."""
        self._headers = HTTPHeaders()
        self._announced = 0
        self._whole = False
        self._ended = False
        self._left = LINGER_BYTES
        self._timer: asyncio.TimerHandle | None = None

    # --- what the handler does -------------------------------------------------------------

    def write_headers(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> "asyncio.Future[None]":
        """Send the head of the answer."""
        if not self._whole and self._not_waited_for():
            headers["Connection"] = "close"
        return self._connection.write_headers(start_line, headers, chunk)

    def write(self, chunk: bytes) -> "asyncio.Future[None]":
        """Send a part of the answer."""
        return self._connection.write(chunk)

    def finish(self) -> None:
        """Note that the answer is complete; the connection goes on when the body has passed."""
        self.answered = True
        # The answer is there: the sender must not be told to go on ("100 Continue", RFC 9110 §10.1.1).
        self._headers.pop("Expect", None)
        if self._whole:
            self.end()
        else:
            self._timer = asyncio.get_running_loop().call_later(LINGER_S, self.end)

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Be told when the client leaves."""
        self._connection.set_close_callback(callback)

    def set_body_timeout(self, seconds: float) -> None:
        """Give this request's body another time than the listener's."""
        self._connection.set_body_timeout(seconds)

    # --- what the door does ----------------------------------------------------------------

    def expect(self, headers: HTTPHeaders, announced: int) -> None:
        """Hear what the request says of its body."""
        self._headers = headers
        self._announced = announced
        self._connection.set_max_body_size(_UNJUDGED)

    def passed_over(self, size: int) -> None:
        """Hear of a part of the body that arrived after the answer."""
        self._left -= size
        if self._left < 0:
            self.end()

    def whole(self) -> None:
        """Hear that the body has ended."""
        self._whole = True
        if self.answered:
            self.end()

    def end(self) -> None:
        """Let go of the request: the connection is used again, or closed if a part of the body is unread."""
        if self._timer:
            self._timer.cancel()
        if not self._ended:
            self._ended = True
            self._connection.finish()

    def gone(self) -> None:
        """Hear that the connection was closed."""
        self._ended = True
        if self._timer:
            self._timer.cancel()

    def _not_waited_for(self) -> bool:
        """Tell whether it is not worth waiting for the body's end, or not known whether there will be one."""
        return "Transfer-Encoding" in self._headers or "Expect" in self._headers or self._announced > _SHORT


def announced(headers: HTTPHeaders) -> int:
    """Return how long the request says its body is; 0 if it does not say. Its framing is beyond doubt."""
    return int((headers.get_list("Content-Length") or ("0",))[0])
