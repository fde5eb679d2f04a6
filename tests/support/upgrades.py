"""Two hundred browsers at a daemon behind nginx, while it is upgraded and rolled back.

Each browser keeps its connection to the proxy, as browsers do, and asks for one thing after the other: its
account's page, a page behind `auth_request`, a form behind it. Every answer is looked at; none is asked for twice.
"""

import http.client
import itertools
import queue
import shutil
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from urllib.parse import urlsplit

from tests.support.application import Behind
from tests.support.browser import FORM, PAGE, Browser, Header, Reply, Request
from tests.support.certificates import Authority
from tests.support.demo_sign_up import sign_up
from tests.support.empty_site import EmptySite
from tests.support.loopback import Loopback
from tests.support.memcached import MemcachedNode
from tests.support.proxies import Places, new_proxy
from tests.support.versions import Upgradable, Versions
from tests.support.waiting import until

OLD: Final = "1.2.3"
NEW: Final = "1.2.4"
_TIMEOUT_S: Final = 60
_HANDS: Final = 12
"""Requests at once, at most."""
_ASKED: Final = ("account", "page", "page", "form")
_FORM: Final = (*PAGE, FORM)
_REQUESTS: Final[Mapping[str, tuple[str, str, tuple[Header, ...], bytes | None]]] = {
    "account": ("/account", "GET", PAGE, None),
    "page": ("/app/echo", "GET", PAGE, None),
    "form": ("/app/echo", "POST", _FORM, b"field=" + b"x" * 2_000),
}


class KeptConnection:
    """A browser's way to one host: a connection that is kept until the other side says that it ends."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        self._connection: http.client.HTTPSConnection | None = None

    def __call__(self, request: Request) -> Reply:
        """Ask, and read the answer whole. Raises OSError or HTTPException for a request that is lost."""
        parts = urlsplit(request.url)
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=_TIMEOUT_S, context=self._trust
            )
        headers = {**dict(request.headers), "Host": request.netloc}
        self._connection.request(request.method, request.target, request.body, headers)
        answer = self._connection.getresponse()
        reply = Reply(answer.status, tuple(answer.headers.items()), answer.read())
        if answer.will_close:
            self.close()
        return reply

    def close(self) -> None:
        """Close it."""
        if self._connection:
            self._connection.close()
            self._connection = None


@dataclass
class Seen:
    """What browsers saw."""

    answers: Counter[str] = field(default_factory=Counter)
    """By what was asked for and its status."""
    failed: list[str] = field(default_factory=list)
    """What was neither the page nor, once, the way back to it."""
    slowest_ms: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str, ask: Callable[[], object]) -> None:
        """Ask for something, and note how it went; what is returned is what was wrong."""
        began = time.monotonic()
        try:
            problem = str(ask() or "")
        except (OSError, http.client.HTTPException, AssertionError) as error:
            problem = f"{type(error).__name__}: {error}"
        with self._lock:
            self.answers[f"{what}{': lost' if problem else ''}"] += 1
            self.slowest_ms = max(self.slowest_ms, 1_000 * (time.monotonic() - began))
            if problem:
                self.failed.append(f"{what}: {problem}")

    @property
    def requests(self) -> int:
        """How many answers there were."""
        return self.answers.total()


class BusySite:
    """memcached, nginx with its example, an application, a daemon through a link, and its people.

    Args:
        folder: for files.
        authority: certifies the proxy.
        people: how many browsers.
        unix: let nginx ask through Unix sockets.
    """

    def __init__(self, folder: Path, authority: Authority, *, people: int, unix: bool) -> None:
        self._certificate = authority.issue("localhost", "wiki.localhost")
        self._trust = authority.client_context()
        self._node, self._behind, self._proxy = MemcachedNode(), Behind(), new_proxy("nginx")
        self._partner = EmptySite(self._certificate)
        self.url = f"https://localhost:{self._proxy.port}"
        self.versions = Versions(folder, OLD, NEW)
        self._sockets = Path(mkdtemp())
        """A path that is short enough for them."""
        self.daemon = Upgradable(
            folder / "run",
            {
                "server": {"logins_per_minute": "0", "log_level": "warning", **(self._places() if unix else {})},
                "sessions": {"store": "memcached"},
                "memcached": {"nodes": f"one={self._node.name}", "timeout_s": "5", "connect_timeout_s": "5"},
            },
            program=self.versions.program,
            public_url=self.url,
        )
        self._unix = unix
        self.daemon.internal_socket = self._sockets / "internal.sock" if unix else None
        self._wanted = people
        self.people: list[Browser] = []
        self._new = itertools.count()

    def __enter__(self) -> "BusySite":
        self._behind.__enter__()
        self._partner.__enter__()
        try:
            self._node.start()
            self.daemon.start()
            self._proxy.start(
                Places(
                    public=self.daemon.port,
                    internal=self.daemon.internal_port,
                    application=self._behind.port,
                    partner=self._partner.url,
                    certificate=self._certificate,
                    login="localhost",
                    wiki="wiki.localhost",
                ),
                faults=self._of_example() if self._unix else None,
            )
            with ThreadPoolExecutor(4) as hands:
                self.people = list(hands.map(lambda _: self.person(), range(self._wanted)))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for browser in self.people:
            browser.transport.close()  # type: ignore[attr-defined]
        self._proxy.stop()
        self.daemon.kill()
        shutil.rmtree(self._sockets)
        self._node.kill()
        self._partner.__exit__()
        self._behind.__exit__()

    def _places(self) -> dict[str, str]:
        places = {"address": "public", "internal_address": "internal"}
        return {option: f"unix:{self._sockets}/{name}.sock" for option, name in places.items()} | {
            "trusted_proxies": "unix:"
        }

    def _of_example(self) -> dict[str, str]:
        """Return what docs/proxies.md says to change in nginx's example."""
        return {
            "server 127.0.0.1:8887;": f"server unix:{self._sockets}/public.sock;",
            "server 127.0.0.1:8888;": f"server unix:{self._sockets}/internal.sock;",
        }

    def person(self) -> Browser:
        """Return a browser that has just signed up."""
        visitor = Browser(Loopback(self._trust), self.url)
        sign_up(visitor, f"person{next(self._new)}")
        return Browser(KeptConnection(self._trust), self.url, jars=visitor.jars)

    @contextmanager
    def busy(self, *, per_second: float) -> Iterator[Seen]:
        """Let people ask so many times a second, one sign-up a second among them, until the block ends."""
        seen, over, turns, numbers = Seen(), threading.Event(), queue.SimpleQueue[Browser](), itertools.count()
        for browser in self.people:
            turns.put(browser)

        def ask(at: int) -> None:
            due = time.monotonic() + at / per_second
            while not over.wait(max(0.0, due - time.monotonic())):
                due += _HANDS / per_second
                browser, what = turns.get(), _ASKED[next(numbers) % len(_ASKED)]
                seen.count(what, partial(_visited, browser, what))
                turns.put(browser)

        def arrive() -> None:
            while not over.wait(1.0):
                seen.count("sign-up", lambda: self.person().home != self.url)

        threads = [threading.Thread(target=ask, args=(at,)) for at in range(_HANDS)]
        threads.append(threading.Thread(target=arrive))
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            over.set()
            for thread in threads:
                thread.join()


def _visited(browser: Browser, what: str) -> str:
    """Ask, and once more where a bounce leads; return what was wrong with the answer."""
    path, method, headers, body = _REQUESTS[what]
    reply = browser.load(method, path, headers, body)
    if reply.status == HTTPStatus.TEMPORARY_REDIRECT:
        reply = browser.load(method, reply.one("Location") or path, headers, body)
    good = reply.status == HTTPStatus.OK and b"person" in reply.body
    return "" if good else f"{reply.status} {reply.one('Location')} {reply.body[:200]!r}"


@dataclass(frozen=True, slots=True)
class Upgraded:
    """How it went: what browsers saw, what the operator did, who is still logged in."""

    seen: Seen
    said: tuple[str, ...]
    took_s: tuple[float, ...]
    logged_in: int


def upgraded_and_back(
    folder: Path, authority: Authority, *, people: int, per_second: float, between: int, unix: bool = False
) -> Upgraded:
    """Upgrade a busy site and roll it back; `between` is how many answers come before, between and after."""
    said, took = [], []
    with BusySite(folder, authority, people=people, unix=unix) as site:
        with site.busy(per_second=per_second) as seen:
            _more(seen, between)
            for version in (NEW, OLD):
                site.versions.lead_to(version)
                began = time.monotonic()
                done = site.daemon.upgrade()
                took.append(time.monotonic() - began)
                said.append(done.stdout + done.stderr)
                _more(seen, between)
        logged_in = sum(not _visited(browser, "account") for browser in site.people)
    return Upgraded(seen, tuple(said), tuple(took), logged_in)


def _more(seen: Seen, answers: int) -> None:
    target = seen.requests + answers
    until(lambda: seen.requests >= target, within_s=600, otherwise=lambda: seen.failed)
