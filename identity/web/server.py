"""Sockets, time-outs, certificates, signals: from an application to a daemon.

Owns how the two listeners start, reload and stop. Time-outs bound what a slow client can hold; a
stop takes no new connections, lets every request under way be answered, and only then closes.
Works on any asyncio loop; the composition root runs it on uvloop.
"""

import asyncio
import logging
import resource
import signal
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.iostream import IOStream

from identity.errors import ConfigError
from identity.forward_auth.peers import UNIX
from identity.web import routes
from identity.web.http import request_heads
from identity.web.http.accepting import Accepting
from identity.web.http.base import Route
from identity.web.http.framing import Door
from identity.web.process.listening import Listening, SocketFile, listen, socket_file
from identity.web.process.supervisor import Supervisor
from identity.web.state.context import Context
from identity.web.state.traffic import Traffic

log = logging.getLogger("identity.web.server")

HEAD_ROOM: Final = 262_144
"""Bytes of a request's head that are read; a longer one is cut off. What is answered is the door's affair."""
PUBLIC_BODY: Final = 262_144
READ_AT_ONCE: Final = 65_536
FILES_KEPT: Final = 256
"""Open files left for stores, providers and logs when connections are limited."""
MOST: Final = 16_384
"""Connections of one listener, however many files may be open: each may hold the head of a request."""
GRACE_S: Final = 0.1
"""Time for clients to close connections whose last answer said so."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that were bound; they differ from those asked for when 0 was. A Unix socket has none: 0."""

    public: int
    internal: int


class HttpServer(HTTPServer):
    """An HTTP server with a bound on its connections."""

    most: int

    def handle_stream(self, stream: IOStream, address: Any) -> None:  # noqa: ANN401, tornado's signature
        """Serve the connection, or close it when there are too many."""
        if len(self._connections) >= self.most:
            stream.close()
            return
        request_heads.search_once(stream)
        super().handle_stream(stream, address)

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Hand a request on; its peer over a Unix socket has no address, and a name of its own."""
        context: Any = cast("HTTP1Connection", request_conn).context
        if context.address_family == socket.AF_UNIX:
            context.remote_ip = UNIX
        return super().start_request(server_conn, request_conn)


class Certificates:
    """The TLS context of one listener, re-read while connections live on.

    Raises:
        ConfigError: the files cannot be used.
    """

    def __init__(self, certificate: Path, key: Path | None) -> None:
        self.context = _loaded(_tls_context(), certificate, key)

    def use(self, certificate: Path, key: Path | None) -> None:
        """Use these files as they are now for new connections. Raises ConfigError and keeps what is."""
        # Tried on a context of its own: a half-loaded pair would break every new connection.
        _loaded(_tls_context(), certificate, key)
        _loaded(self.context, certificate, key)


class Daemon:
    """Both listeners of one process.

    Args:
        context: what handlers are given.
        public, internal: where to listen.
        more: further routes, those of a demonstration.
        drain_s: how long a stop waits for requests under way.
    """

    def __init__(
        self,
        context: Context,
        *,
        public: Listening,
        internal: Listening,
        more: Iterable[Route] = (),
        drain_s: float = 10.0,
    ) -> None:
        self._traffic = Traffic()
        self._drain_s = drain_s
        self._stop = asyncio.Event()
        self._certificates: list[Certificates] = []
        self._files: list[SocketFile] = []
        more = tuple(more)
        public_pages = routes.public(context, self._traffic, more=more)
        internal_pages = routes.internal(context, self._traffic, more=more)
        self._applications = (public_pages, internal_pages)
        doors = Door(public_pages, max_body=PUBLIC_BODY), Door(internal_pages)
        self._listeners = [
            self._server(door, listening) for door, listening in zip(doors, (public, internal), strict=True)
        ]

    def start(self) -> Ports:
        """Bind and serve. Raises ConfigError for an address that cannot be bound."""
        try:
            ports = [self._listen(server, listening) for server, listening in self._listeners]
        except ConfigError:
            self._close()
            raise
        return Ports(*ports)

    @property
    def under_way(self) -> int:
        """How many requests are being answered."""
        return self._traffic.under_way

    async def told_to_stop(self) -> None:
        """Wait for `stop`."""
        await self._stop.wait()

    async def stopped(self) -> None:
        """Wait for `stop`, then drain and close everything."""
        await self._stop.wait()
        await self._drain()

    def stop(self) -> None:
        """Begin to stop; harmless when stopping already."""
        self._stop.set()

    def certify(self, certificate: Path | None, key: Path | None) -> None:
        """Use these files for new connections of listeners with TLS. Raises ConfigError and keeps what is."""
        if certificate:
            for certificates in self._certificates:
                certificates.use(certificate, key)

    def exchange(self, context: Context) -> None:
        """Give this to the requests that come from now on; those under way keep theirs."""
        for application in self._applications:
            application.settings["context"] = context

    def _server(self, door: Door, listening: Listening) -> tuple[HttpServer, Listening]:
        tls = None
        if listening.certificate:
            self._certificates.append(Certificates(listening.certificate, listening.key))
            tls = self._certificates[-1].context
        server = HttpServer(
            door,
            ssl_options=tls,
            max_header_size=HEAD_ROOM,
            max_buffer_size=HEAD_ROOM + READ_AT_ONCE,
            chunk_size=READ_AT_ONCE,
            idle_connection_timeout=listening.idle_s,
            body_timeout=listening.body_s,
            xheaders=False,
        )
        server.most = min(MOST, max(64, (_file_limit() - FILES_KEPT) // 2))
        return server, listening

    def _listen(self, server: HttpServer, listening: Listening) -> int:
        sock = listening.sock or listen(listening)
        if not listening.sock and (made := socket_file(sock)):
            self._files.append(made)
        listener = Accepting(sock)
        server.add_sockets([listener])
        return 0 if listener.family == socket.AF_UNIX else int(listener.getsockname()[1])

    def _close(self) -> None:
        """Take no more connections."""
        for made in self._files:
            made.remove()
        for server, _ in self._listeners:
            server.stop()

    async def _drain(self) -> None:
        self._traffic.draining = True
        log.info("stopping: %d requests under way", self._traffic.under_way)
        self._close()
        if not await self._traffic.quiet(within_s=self._drain_s):
            log.warning("stopped with %d requests unanswered", self._traffic.under_way)
        await asyncio.sleep(GRACE_S)
        for server, _ in self._listeners:
            await server.close_all_connections()


async def run(
    daemon: Daemon,
    *,
    ready: Callable[[Ports], None] = lambda _: None,
    reload: Callable[[Callable[[], None]], None] = lambda done: done(),
    supervisor: Supervisor | None = None,
    status: str = "serving",
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        daemon: what serves.
        ready: hears the ports that were bound.
        reload: called at SIGHUP with what it calls when it is done.
        supervisor: is told what the daemon does.
        status: how it is called while it serves.
    """
    supervisor = supervisor or Supervisor()
    loop = asyncio.get_running_loop()

    def hung_up() -> None:
        supervisor.reloading()
        reload(lambda: supervisor.ready(status))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop)
    loop.add_signal_handler(signal.SIGHUP, hung_up)
    ready(daemon.start())
    supervisor.ready(status)
    supervisor.watch()
    await daemon.told_to_stop()
    supervisor.stopping(f"answering {daemon.under_way} requests before the end")
    await daemon.stopped()


def _loaded(context: ssl.SSLContext, certificate: Path, key: Path | None) -> ssl.SSLContext:
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        problem = f"[server] tls_certificate: cannot be used: {type(error).__name__}"
        raise ConfigError((problem,)) from error
    return context


def _tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _file_limit() -> int:
    """Return how many files may be open, raised as far as allowed: a connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
    return soft
