"""A small web server on loopback that answers as it is told, over http or https, and a proxy in front of it."""

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Self

from tests.support.certificates import Certificate
from tests.support.crowd import Crowded, CrowdServer


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent; with `Connection: close` among the headers, without a length.

    `dribble` repeats the body's last byte until the client goes away; `hang` sends nothing at all.
    """

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b"{}"
    dribble: bool = False
    reset: bool = False
    hang: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Origin(Crowded):
    """The server; `answer` decides from what was asked. Use as a context manager."""

    answer: Callable[[Asked], Answer] = lambda _: Answer()
    certificate: Certificate | None = None
    asked: list[Asked] = field(default_factory=list)
    closing: bool = False
    """Whether it closes a kept connection at the very moment the next request arrives on it."""
    connections: int = 0
    """How many were opened to it."""

    def __post_init__(self) -> None:
        server = self.listen(type("Handler", (_Handler,), {"origin": self}), made=_Server)
        if self.certificate and isinstance(server, _Server):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate.certificate, self.certificate.key)
            server.tls = context

    def url(self, path: str = "/", *, host: str = "127.0.0.1") -> str:
        """Return an address of it."""
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}{path}"


class _Server(CrowdServer):
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: object, client_address: object) -> None:
        """Shake hands in the thread of the connection, so that a client that refuses us disturbs nobody."""
        if self.tls is None:
            super().finish_request(request, client_address)  # type: ignore[arg-type]
            return
        with suppress(OSError), self.tls.wrap_socket(request, server_side=True) as wrapped:  # type: ignore[arg-type]
            super().finish_request(wrapped, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    wbufsize = 65_536
    origin: Origin

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        self.origin.connections += 1
        self._answered = False

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        """Answer."""
        if self._answered and self.origin.closing:
            self.close_connection = True
            return
        self._answered = True
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body)
        self.origin.asked.append(asked)
        # The client may give up on us, as it should.
        with suppress(OSError):
            self._send(self.origin.answer(asked))

    do_POST = do_GET  # noqa: N815 - the server's name for it

    def _send(self, answer: Answer) -> None:
        if answer.hang:
            self.close_connection = True
            self.origin.over.wait(30)
            return
        if answer.reset:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        named = {name.lower() for name, _ in answer.headers}
        framing = [] if named & {"content-length", "connection"} else [("Content-Length", str(len(answer.body)))]
        for name, value in (*answer.headers, *framing):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        while answer.dribble and not self.origin.over.wait(0.01):
            self.wfile.write(answer.body[-1:])
            self.wfile.flush()


class ConnectProxy:
    """An HTTP proxy that sends every CONNECT to one port; `heads` are the requests it got."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.heads: list[bytes] = []
        self.port: int = self._server.getsockname()[1]

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in list(self._threads):
            thread.join(timeout=5)

    def _begin(self, work: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=work, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._begin(self._serve, self._server.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            self.heads.append(head)
            with socket.create_connection(("127.0.0.1", self._target)) as target:
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=_pump, args=(target, client))
                back.start()
                _pump(client, target)
                back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
