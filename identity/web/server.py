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
from identity.web.process.handed import Handed
from identity.web.process.listening import Listening, SocketFile, listen, socket_file
from identity.web.process.successor import Succession
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
RETIRE_S: Final = 120.0
"""How long connections may stay open after a takeover: idle for as long as `idle_s`, and for a last answer."""
LOOK_EVERY_S: Final = 0.05


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
        self.traffic = Traffic()
        self._drain_s = drain_s
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self.sockets: dict[str, socket.socket] = {}
        """Those it listens on, by name."""
        self.retired = False
        """Whether a successor serves."""
        self._certificates: list[Certificates] = []
        self._files: list[SocketFile] = []
        more = tuple(more)
        public_pages = routes.public(context, self.traffic, more=more)
        internal_pages = routes.internal(context, self.traffic, more=more)
        self._applications = (public_pages, internal_pages)
        doors = Door(public_pages, max_body=PUBLIC_BODY), Door(internal_pages)
        self._listeners = [
            self._server(door, listening) for door, listening in zip(doors, (public, internal), strict=True)
        ]

    def start(self) -> Ports:
        """Bind and serve. Raises ConfigError for an address that cannot be bound."""
        try:
            ports = [
                self._listen(name, *listener)
                for name, listener in zip(("public", "internal"), self._listeners, strict=True)
            ]
        except ConfigError:
            self._close()
            raise
        return Ports(*ports)

    async def told_to_stop(self) -> None:
        """Wait for `stop`."""
        await self._stop.wait()

    async def stopped(self) -> None:
        """Wait for `stop`, then drain and close everything."""
        await self._stop.wait()
        await self._drain()

    def stop(self) -> None:
        """Begin to stop, or hurry if a successor serves already; harmless when stopping."""
        self._hurry.set()
        self._stop.set()

    def retire(self) -> None:
        """Begin to stop, as slowly as clients like: a successor takes all that is new."""
        self.retired = True
        self._files.clear()
        self._stop.set()

    @property
    def has_files(self) -> bool:
        """Whether files of sockets are removed at the end."""
        return bool(self._files)

    def adopt_files(self) -> None:
        """Remove the files of the sockets that were handed down at the end."""
        self._files = [made for made in map(socket_file, self.sockets.values()) if made]

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

    def _listen(self, name: str, server: HttpServer, listening: Listening) -> int:
        sock = listening.sock or listen(listening)
        if not listening.sock and (made := socket_file(sock)):
            self._files.append(made)
        listener = self.sockets[name] = Accepting(sock)
        server.add_sockets([listener])
        return 0 if listener.family == socket.AF_UNIX else int(listener.getsockname()[1])

    def _close(self) -> None:
        """Take no more connections."""
        for made in self._files:
            made.remove()
        for server, _ in self._listeners:
            server.stop()

    async def _drain(self) -> None:
        self.traffic.draining = True
        log.info("%s: %d requests under way", "retiring" if self.retired else "stopping", self.traffic.under_way)
        self._close()
        for server, _ in self._listeners:
            server.conn_params.no_keep_alive = True
        if self.retired:
            # A client that asks on a kept connection just when it is closed has lost its request. So each is
            # kept until its next answer, which says that it is the last, or until the client closes it.
            await self._until(lambda: not any(server._connections for server, _ in self._listeners), RETIRE_S)  # noqa: SLF001
        await self._until(lambda: not self._busy(), self._drain_s)
        await asyncio.sleep(GRACE_S)
        await self._until(lambda: not self._busy(), GRACE_S)
        if self.traffic.under_way:
            log.warning("stopped with %d requests unanswered", self.traffic.under_way)
        for server, _ in self._listeners:
            await server.close_all_connections()

    async def _until(self, reached: Callable[[], bool], within_s: float) -> None:
        """Wait until something holds, or the time is over; what waits for clients ends when there is a hurry."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        hurried = self._hurry.is_set if within_s == RETIRE_S else lambda: False
        while not (reached() or hurried()) and loop.time() < end:  # noqa: ASYNC110 - what arrives in part tells no event
            await asyncio.sleep(LOOK_EVERY_S)

    def _busy(self) -> bool:
        """Tell whether a request is being answered, or has arrived in part."""
        half = (request_heads.begun(each.stream) for server, _ in self._listeners for each in server._connections)  # noqa: SLF001
        return bool(self.traffic.under_way) or any(half)


async def run(
    daemon: Daemon,
    *,
    ready: Callable[[Ports], None] = lambda _: None,
    reload: Callable[[Callable[[], None]], None] = lambda done: done(),
    handed: Handed | None = None,
    status: str = "serving",
    hindrance: str = "",
) -> None:
    """Serve until SIGTERM or SIGINT, or until a successor does; be taken over on SIGUSR2.

    Args:
        daemon: what serves.
        ready: hears the ports that were bound.
        reload: called at SIGHUP with what it calls when it is done.
        handed: what the program that started this process handed down.
        status: how the supervisor is told that it serves.
        hindrance: why no successor can take over; empty if one can.
    """
    handed = handed or Handed()
    supervisor, loop = handed.supervisor, asyncio.get_running_loop()
    succession = Succession(daemon.traffic, supervisor, hindrance=hindrance)
    takeovers: set[asyncio.Task[None]] = set()

    def take_over() -> None:
        takeovers.add(loop.create_task(_hand_over(daemon, succession)))

    def hung_up() -> None:
        supervisor.reloading()
        reload(lambda: supervisor.ready(status))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop)
    loop.add_signal_handler(signal.SIGHUP, hung_up)
    ready(daemon.start())
    if handed.predecessor and await handed.predecessor.relieve():
        daemon.adopt_files()
    loop.add_signal_handler(signal.SIGUSR2, take_over)
    supervisor.ready(status)
    supervisor.watch()
    await daemon.told_to_stop()
    for each in takeovers:
        each.cancel()
    if not daemon.retired:
        supervisor.stopping(f"answering {daemon.traffic.under_way} requests before the end")
    await daemon.stopped()


def _loaded(context: ssl.SSLContext, certificate: Path, key: Path | None) -> ssl.SSLContext:
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        problem = f"[server] tls_certificate: cannot be used: {type(error).__name__}"
        raise ConfigError((problem,)) from error
    return context


async def _hand_over(daemon: Daemon, succession: Succession) -> None:
    if await succession.hand_over(daemon.sockets, files=daemon.has_files):
        daemon.retire()


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
