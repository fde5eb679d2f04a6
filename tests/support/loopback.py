"""The browser's way over real sockets: every host is on loopback, at the port of its address."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from tests.support.browser import Reply, Request

_TIMEOUT_S: Final = 30


class Loopback:
    """A transport: plain http, and https with the certificates that `trust` knows."""

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._trust = trust

    def __call__(self, request: Request) -> Reply:
        """Return the answer, read whole."""
        with self._answered(request) as answer:
            return Reply(answer.status, tuple(answer.headers.items()), answer.read())

    def first_line(self, request: Request) -> tuple[Reply, bytes]:
        """Return the head of an answer that goes on, and its first line; then leave."""
        with self._answered(request) as answer:
            return Reply(answer.status, tuple(answer.headers.items()), b""), answer.readline()

    @contextmanager
    def _answered(self, request: Request) -> Iterator[http.client.HTTPResponse]:
        parts = urlsplit(request.url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        try:
            connection.sock = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
            if parts.scheme == "https":
                assert self._trust, f"{request.url} needs certificates to trust"
                connection.sock = self._trust.wrap_socket(connection.sock, server_hostname=parts.hostname)
            _send(connection, request)
            yield connection.getresponse()
        finally:
            connection.close()


def _send(connection: http.client.HTTPConnection, request: Request) -> None:
    connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", request.netloc)
    for name, value in request.headers:
        connection.putheader(name, value)
    body = request.body
    if isinstance(body, bytes):
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    for chunk in (body,) if isinstance(body, bytes) else body or ():
        connection.send(chunk)
