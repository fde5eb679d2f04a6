"""A whole daemon on loopback for tests: both listeners, real sockets, the real session service.

`Site` runs it on a thread of its own. The clock stands still until a test moves it.
"""

import asyncio
import base64
import http.client
import json
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast
from uuid import UUID

import uvloop

from identity.app import compose
from identity.applications.application import Application
from identity.audit import Event
from identity.composing import Parts
from identity.config import Config, SessionStoreKind
from identity.config.model import ServerSection, SessionsSection, UsernamesSection
from identity.config.values import read_origin, read_proxy_network
from identity.keyring import KeyRing, new_ring
from identity.metrics import Metrics
from identity.opening import Accounts
from identity.sessions.check import Check, Opening
from identity.sessions.record import Copied
from identity.sessions.service import Opened
from identity.stores.cache import Cache, CacheKey, Got
from identity.stores.memory import MemoryAccounts
from identity.stores.memory_cache import MemoryCache
from identity.types import AccountId, ClientId, Host, IdentityKey, Username
from identity.upstream_tokens.letting_go import TakeBack
from identity.web.http.base import Route
from identity.web.process.listening import Listening, UnixSocket
from identity.web.server import Daemon, Ports
from identity.web.state.context import Probe
from identity.web.state.pool import Pool
from options.secret import Secret
from providers.base import Provider
from tests.support.applications import application
from tests.support.browser import Jar, Reply, Request
from tests.support.clock import ManualClock
from tests.support.replaced_parts import HeldRing, NoProviders, SecondConnections, unreachable
from tests.support.scripted import CountedAccounts, KilledError

ACCOUNT = AccountId(UUID(int=7))
APP = ClientId("wiki")
APP_SECRET = "a secret of the wiki application, 32+"
OTHER_HOST = Host("other.example")
LOCAL = "127.0.0.1"


@dataclass(kw_only=True)
class Site:
    """The daemon and what it stands on. Use as a context manager."""

    public_url: str = "https://login.example"
    hosts: frozenset[Host] = frozenset({Host("login.example")})
    trusted: tuple[str, ...] = ()
    mint: bool = True
    static: tuple[str, ...] = ("/static/",)
    routes: tuple[Route, ...] = ()
    probes: Callable[[], Sequence[Probe]] = tuple
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the context that differ."""
    origins: frozenset[str] = frozenset()
    """Where logins may lead, beside the login host."""
    policy: UsernamesSection = field(default_factory=UsernamesSection)
    logins_per_minute: int = 0
    providers: dict[str, Provider] = field(default_factory=dict)
    listening: Mapping[str, Any] = field(default_factory=dict)
    """Fields of both listeners that differ."""
    drain_s: float = 5.0
    chance: float = 0.0
    """What every draw gives: 0 lets each chance come true, 0.99 none."""
    port: int = 0
    """Of the public listener, for browsers, which must find it at `public_url`."""
    folder: Path | None = None
    """Where both listeners are Unix sockets, `public.sock` and `internal.sock`; left out, they have ports."""
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self._ring = HeldRing(new_ring(secret=Secret(b"k" * 32), locator=Secret(b"l" * 32), now=0))
        self.events: list[Event] = []
        self.metrics = Metrics()
        self.cache = self.made_cache()
        self.ending = SecondConnections(self.cache)
        self.store = CountedAccounts(self.made_store())
        self.stop_at = ""
        self._closing = ExitStack()
        made = compose(self.config(), cast("Any", NoProviders()), self._closing, self._parts())
        self.store.reads.clear()
        differing: dict[str, Any] = {"probes": self.probes, **self.changes}
        self.context = replace(made.context, **differing)
        self.sessions = made.context.sessions
        self.accounts = made.context.accounts
        self.logins = made.context.login
        self.starts = made.context.starts
        self._ready: Future[Ports] = Future()
        self._thread = threading.Thread(target=self._run, name="site")

    def made_cache(self) -> MemoryCache:
        """Return the store of everything short-lived."""
        return MemoryCache(clock=self.clock)

    def made_store(self) -> Accounts:
        """Return the account store."""
        return MemoryAccounts(clock=self.clock)

    def _parts(self) -> Parts:
        return Parts(
            metrics=self.metrics,
            clock=self.clock,
            chance=lambda: self.chance,
            random_bytes=secrets.token_bytes,
            ring=lambda _: self._ring,
            accounts=lambda *_: cast("Accounts", self.store),
            caches=lambda *_: (self.cache, cast("Cache", self.ending)),
            providers=lambda *_: self.providers,
            audit=self.events.append,
            take_back=lambda _: self.take_back(),
            checkpoint=self._reach,
        )

    def config(self) -> Config:
        """Return the configuration of this daemon."""
        server = ServerSection(
            public_url=read_origin(self.public_url),
            trusted_proxies=tuple(map(read_proxy_network, self.trusted)),
            internal_hosts=("identityd.internal", "a", "i"),
            logins_per_minute=self.logins_per_minute,
        )
        # A session store of one process would hold the file of the key ring; there is none here.
        sessions = SessionsSection(store=SessionStoreKind.MEMCACHED)
        return Config(server=server, sessions=sessions, usernames=self.policy, apps=tuple(self.apps()))

    def take_back(self) -> TakeBack:
        """Return what takes providers' tokens back: no test asks a real provider."""
        return lambda _provider, _tokens: None

    def _reach(self, place: str) -> None:
        if place == self.stop_at:
            raise KilledError(place)

    @property
    def ring(self) -> KeyRing:
        """The key ring in use."""
        return self._ring()

    @ring.setter
    def ring(self, ring: KeyRing) -> None:
        self._ring.hold(ring)

    @property
    def reused(self) -> list[AccountId | None]:
        """Whose sessions ended because a copy was shown, by the audit."""
        ends = {kind.code for kind in Copied if kind is not Copied.FOREIGN_HOST}
        return [event.account_id for event in self.events if event.action in ends]

    def __enter__(self) -> Self:
        self._thread.start()
        self.ports = self._ready.result(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop gracefully and wait for the end."""
        if self._thread.is_alive():
            with suppress(RuntimeError):  # it may be closing its loop already, having been stopped before
                self.loop.call_soon_threadsafe(self.daemon.stop)
            self._thread.join(timeout=20)
            assert not self._thread.is_alive()

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Call something on the daemon's event loop."""
        self.loop.call_soon_threadsafe(function, *args)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        try:
            public = Listening(address=LOCAL, port=self.port, **self._place("public"))
            internal = Listening(address=LOCAL, port=0, **self._place("internal"))
            self.daemon = Daemon(self.context, public=public, internal=internal, more=self.routes, drain_s=self.drain_s)
            self._ready.set_result(self.daemon.start())
        except BaseException as error:
            self._ready.set_exception(error)
            raise
        await self.daemon.stopped()
        self._closing.close()

    def _place(self, name: str) -> dict[str, Any]:
        unix = UnixSocket(path=self.folder / f"{name}.sock") if self.folder else None
        return {"unix": unix, **self.listening}

    def apps(self) -> Iterable[Application]:
        """Yield the registered applications."""
        yield self.app()

    def app(self) -> Application:
        """Return the one registered application."""
        app = application(APP, APP_SECRET, hosts=self.hosts)
        return replace(
            app,
            mint=self.mint,
            static_paths=self.static,
            background_paths=("/poll/",),
            return_to=tuple(self.origins),
        )

    def forget_everything(self) -> None:
        """Empty the session store and the audit."""
        self.cache._items.clear()
        self.events.clear()

    def break_the_store(self) -> None:
        """Make the session store answer like a dead node from now on."""
        self.cache.get_many = unreachable  # type: ignore[method-assign]

    def count_reads(self) -> list[int]:
        """Return a list that grows by the number of keys of each read from now on."""
        read = self.cache.get_many
        trips: list[int] = []

        def counted(keys: Collection[CacheKey]) -> Mapping[CacheKey, Got]:
            trips.append(len(keys))
            return read(keys)

        self.cache.get_many = counted  # type: ignore[method-assign]
        return trips

    def full_pool(self) -> Pool:
        """Return a pool that has no room."""
        pool = Pool("full", threads=1, waiting=0, observe=lambda *_, **__: None)
        pool._room.acquire()
        return pool

    # --- what tests do ---------------------------------------------------------------------

    @property
    def host(self) -> Host:
        """The login host."""
        return Host(self.public_url.partition("://")[2])

    def log_in(
        self,
        *,
        username: str = "ada",
        account_id: AccountId = ACCOUNT,
        host: Host | None = None,
        before: Jar | None = None,
    ) -> Jar:
        """Open a session and return its browser; `before` is what its jar showed, if it was not empty."""
        opening = Opening(
            account_id=account_id,
            username=Username(username),
            epoch=1,
            identity=IdentityKey("demo:1"),
            auth_at=self.clock(),
            host=host or self.host,
            agent="Firefox on Linux",
            address="192.0.2.x",
        )
        jar = Check(cookies=tuple((before or Jar()).header.values()), host=opening.host)
        opened = self.sessions.open(opening, ticket=self.sessions.ticket(account_id), jar=jar)
        assert isinstance(opened, Opened)
        return Jar(opened.set_cookies)

    def carry(self, request: Request) -> Reply:
        """Be the transport of a browser."""
        assert request.body is None or isinstance(request.body, bytes)
        host, headers, body = request.netloc, request.headers, request.body
        return ask(self.ports.public, request.method, request.target, host=host, headers=headers, body=body)

    def public(self, method: str, path: str, **given: Any) -> Reply:  # noqa: ANN401, those of `ask`
        """Ask the public listener."""
        return ask(self.ports.public, method, path, host=given.pop("host", self.host), **given)

    def internal(self, method: str, path: str, **given: Any) -> Reply:  # noqa: ANN401, those of `ask`
        """Ask the internal listener."""
        return ask(self.ports.internal, method, path, host=given.pop("host", "identityd.internal"), **given)

    def auth(self, uri: str = "/page", *, jar: Jar | None = None, redirect: bool = False, **given: Any) -> Reply:  # noqa: ANN401, those of `ask`
        """Ask as a listed proxy for a page that is being loaded."""
        headers = {**forwarded(host=self.host, uri=uri), **(jar.header if jar else {}), **given.pop("headers", {})}
        method = given.pop("method", "GET")
        return self.internal(method, "/auth?redirect=1" if redirect else "/auth", headers=headers, **given)

    def ask_app(self, path: str, body: object, *, headers: Mapping[str, str] | None = None) -> Reply:
        """Ask as the registered application."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = basic() if headers is None else headers
        return self.internal("POST", path, headers={"Content-Type": "application/json", **given}, body=data)

    def check(self, jar: Jar | None = None, **fields: object) -> Reply:
        """Ask `/session/check` about a page that is being loaded."""
        cookie = (jar.header if jar else {}).get("Cookie", "")
        asked = {"cookie": cookie, "url": f"{self.public_url}/page", "navigation": True}
        return self.ask_app("/session/check", {**asked, **fields})


def basic(client_id: str = APP, secret: str = APP_SECRET) -> dict[str, str]:
    """Return the header an application proves itself with."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def forwarded(*, host: str, uri: str = "/page", method: str = "GET", proto: str = "https") -> dict[str, str]:
    """Return what a proxy sends about a request."""
    return {
        "X-Forwarded-Method": method,
        "X-Forwarded-Uri": uri,
        "X-Forwarded-Host": host,
        "X-Forwarded-Proto": proto,
        "X-Forwarded-For": "203.0.113.9",
    }


def ask(
    port: int,
    method: str,
    path: str,
    *,
    host: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    tls: ssl.SSLContext | None = None,
) -> Reply:
    """Send one request as it stands and read the answer."""
    connection = (
        http.client.HTTPSConnection("localhost", port, timeout=20, context=tls)
        if tls
        else http.client.HTTPConnection(LOCAL, port, timeout=20)
    )
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host)
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            connection.putheader(name, value.encode("latin-1"))
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Reply(answer.status, tuple(answer.getheaders()), answer.read())
    finally:
        connection.close()


def raw(port: int, *pieces: bytes, timeout_s: float = 10) -> bytes:
    """Send bytes as they are and return everything until the daemon closes the connection."""
    with socket.create_connection((LOCAL, port), timeout=timeout_s) as sock:
        for piece in pieces:
            sock.sendall(piece)
        received = b""
        try:
            while part := sock.recv(65_536):
                received += part
        except ConnectionResetError:
            pass
        return received


@contextmanager
def connection(port: int) -> Iterator[socket.socket]:
    """Give an open connection."""
    with socket.create_connection((LOCAL, port), timeout=10) as sock:
        yield sock
