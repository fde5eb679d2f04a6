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
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast
from uuid import UUID

import uvloop

from identity.applications.application import Application
from identity.audit import Event
from identity.forward_auth.peers import TrustedPeers
from identity.keyring import KeyRing, new_ring
from identity.metrics import Metrics
from identity.sessions.check import Check, Opening, SetCookie
from identity.sessions.cookie import Names
from identity.sessions.planning import Rules
from identity.sessions.record import Copied, Session
from identity.sessions.service import Opened
from identity.stores.alarm import CorruptAlarm
from identity.stores.cache import CacheKey, Got, Missing
from identity.stores.memory_cache import MemoryCache
from identity.stores.records import SessionRecords
from identity.types import AccountId, ClientId, Host, IdentityKey, Username
from identity.web.http.base import Route
from identity.web.pages import Pages
from identity.web.server import Daemon, Listening, Ports
from identity.web.state.context import Context, Probe
from identity.web.state.pool import Pool
from options.secret import Secret
from tests.support.applications import application, registered
from tests.support.clock import ManualClock
from tests.support.daemons import SessionDaemon

ACCOUNT = AccountId(UUID(int=7))
APP = ClientId("wiki")
APP_SECRET = "a secret of the wiki application, 32+"
OTHER_HOST = Host("other.example")
LOCAL = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str | None:
        """Return the value of a header that must not be repeated."""
        found = self.all(name)
        assert len(found) <= 1, f"{name} stands {len(found)} times"
        return found[0] if found else None

    @property
    def cookies(self) -> list[str]:
        """The Set-Cookie lines."""
        return self.all("Set-Cookie")

    def json(self) -> Any:  # noqa: ANN401, whatever was sent
        """Return the body."""
        return json.loads(self.body)


class Jar:
    """A browser's cookies: applies Set-Cookie by name, in order of arrival."""

    def __init__(self, cookies: Iterable[SetCookie] = ()) -> None:
        self.cookies = {cookie.name: cookie.value for cookie in cookies}
        self.cross_site: set[str] = set()
        """Names of those that come with other sites' forms."""

    def take(self, reply: Reply) -> None:
        """Apply an answer."""
        for line in reply.cookies:
            name, _, value = line.partition(";")[0].partition("=")
            (self.cross_site.add if "SameSite=None; Secure" in line else self.cross_site.discard)(name)
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value

    @property
    def header(self) -> dict[str, str]:
        """The Cookie header, if there are cookies."""
        line = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": line} if line else {}


class Heard:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.reused: list[AccountId] = []
        self.foreigners: list[AccountId] = []

    def ended(self, account_id: AccountId, session: Session, kind: Copied, check: Check) -> None:
        """Remember a reuse."""
        del session, kind, check
        self.reused.append(account_id)

    def foreign(self, account_id: AccountId, session: Session, check: Check) -> None:
        """Remember a foreign token."""
        del session, check
        self.foreigners.append(account_id)

    def corrupt(self) -> None:
        """Nothing to remember."""

    def compare_due(self, account_id: AccountId) -> None:
        """Nothing to remember."""


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
    changes: Mapping[str, object] = field(default_factory=dict)
    """Fields of the context that differ."""
    listening: Mapping[str, Any] = field(default_factory=dict)
    """Fields of both listeners that differ."""
    drain_s: float = 5.0
    port: int = 0
    """Of the public listener, for browsers, which must find it at `public_url`."""

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.ring = new_ring(secret=Secret(b"k" * 32), locator=Secret(b"l" * 32), now=0)
        self.heard = Heard()
        self.events: list[Event] = []
        self.metrics = Metrics()
        self.cache = self.made_cache()
        secure = self.public_url.startswith("https")
        port = 443 if secure else int(self.public_url.rpartition(":")[2])
        self.sessions = SessionDaemon(
            SessionRecords(self.cache, keys=self._keys, clock=self.clock, alarm=CorruptAlarm(clock=self.clock)),
            keys=self._keys,
            names=Names(secure=secure, port=port),
            rules=Rules(),
            clock=self.clock,
            chance=lambda: 0.0,
            random_bytes=secrets.token_bytes,
            watcher=self.heard,
        )
        self._ready: Future[Ports] = Future()
        self._thread = threading.Thread(target=self._run, name="site")

    def made_cache(self) -> MemoryCache:
        """Return the store of everything short-lived."""
        return MemoryCache(clock=self.clock)

    def _keys(self) -> KeyRing:
        return self.ring

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
            self.context = self._context()
            public = Listening(address=LOCAL, port=self.port, **self.listening)
            internal = Listening(address=LOCAL, port=0, **self.listening)
            self.daemon = Daemon(self.context, public=public, internal=internal, more=self.routes, drain_s=self.drain_s)
            self._ready.set_result(self.daemon.start())
        except BaseException as error:
            self._ready.set_exception(error)
            raise
        await self.daemon.stopped()
        self.context.checks.close()
        self.context.durable.close()

    def _context(self) -> Context:
        values: dict[str, Any] = {
            "sessions": self.sessions,
            "checker": self.sessions,
            "accounts": cast("Any", None),
            "login": cast("Any", None),
            "starts": cast("Any", None),
            "pages": Pages(clock=self.clock),
            "http": lambda _: cast("Any", None),
            "providers": {},
            "applications": registered(self.app()),
            "keys": self._keys,
            "metrics": self.metrics,
            "audit": self.events.append,
            "clock": self.clock,
            "random": secrets.token_bytes,
            "checks": Pool("checks", threads=4, waiting=64, observe=self.metrics.observe),
            "durable": Pool("durable", threads=2, waiting=64, observe=self.metrics.observe),
            "public_url": self.public_url,
            "hosts": self.hosts,
            "internal_hosts": frozenset({"identityd.internal", "a", "i"}),
            "peers": TrustedPeers(self.trusted),
            "probes": self.probes,
        }
        return Context(**{**values, **self.changes})

    def app(self) -> Application:
        """Return the one registered application."""
        app = application(APP, APP_SECRET, hosts=self.hosts)
        return replace(app, mint=self.mint, static_paths=self.static, background_paths=("/poll/",))

    def forget_everything(self) -> None:
        """Empty the store and what was heard."""
        self.cache._items.clear()
        self.heard.__init__()  # type: ignore[misc]
        self.events.clear()

    def break_the_store(self) -> None:
        """Make the session store answer like a dead node from now on."""
        self.cache.get_many = lambda keys: dict.fromkeys(keys, Missing.UNREACHABLE)  # type: ignore[method-assign]

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
