"""The real servers the suites talk to: found, started once per run, ended with it.

A pytest plugin; tests/conftest.py loads it. A test asks by fixture (`memcached`,
`cassandra`, `browser` …) and thereby gets the marker of that name, or carries the marker
itself and starts what it needs. What is not installed is skipped with the command that installs
it; nothing is ever downloaded here.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import pytest

from tests.support import firefox as firefox_program
from tests.support import memcached as memcached_program
from tests.support import openid_provider as openid_program
from tests.support import proxies as proxy_programs
from tests.support.cassandra import installation as cassandra_installation
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra.settings import loopback
from tests.support.cassandra.tls import server_tls
from tests.support.certificates import Authority
from tests.support.memcached import MemcachedNode
from tests.support.openid_provider import OpenIdProvider

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

NODES: Final = 3
"""How many memcached nodes the `memcached` fixture gives."""

CHROMIUM_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The network guard cannot see into another process, so the browser is told the same.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
)


def chromium_binary() -> str | None:
    """Return the Chromium program, if it is installed; the environment's CHROMIUM names another one."""
    names = (os.environ.get("CHROMIUM", "chromium"), "chromium-browser", "google-chrome-stable", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@dataclass(frozen=True, slots=True)
class Need:
    """What a marker asks for, and what to do where it is missing."""

    found: Callable[[], bool]
    missing: str


NEEDS: Final = {
    "memcached": Need(
        lambda: memcached_program.binary() is not None,
        "memcached is not installed; get it with: apt-get install memcached",
    ),
    "cassandra": Need(
        cassandra_installation.installed,
        "Java 17 or Cassandra is not installed; get them with: make services",
    ),
    "chromium": Need(
        lambda: chromium_binary() is not None,
        "Chromium is not installed; get it with: apt-get install chromium",
    ),
    "firefox": Need(
        lambda: firefox_program.binary() is not None,
        "Firefox is not installed; get it with: apt-get install firefox-esr",
    ),
    "curl": Need(
        lambda: all(shutil.which(program) for program in ("curl", "openssl")),
        "curl or openssl is not installed; get them with: apt-get install curl openssl",
    ),
    "node": Need(
        lambda: openid_program.node() is not None and openid_program.installed(),
        "Node 20 or the OpenID provider is not installed; get them with: make services",
    ),
    **{
        name: Need(
            lambda name=name: proxy_programs.installed(name),  # type: ignore[misc]
            f"{name} is not installed; get it with: apt-get install {' '.join(kind.packages)}",
        )
        for name, kind in proxy_programs.KINDS.items()
    },
}

_MARKER_OF_FIXTURE: Final = {
    "memcached": "memcached",
    "start_memcached": "memcached",
    "cassandra": "cassandra",
    "start_cassandra": "cassandra",
    "openid_provider": "node",
    "start_openid_provider": "node",
    "playwright": "chromium",
    "browser": "chromium",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with what its fixtures need, so that `-m "not chromium"` finds all of them."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if marker := _MARKER_OF_FIXTURE.get(fixture):
                item.add_marker(marker)


_found: Final[dict[str, bool]] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose server is not installed."""
    for name, need in NEEDS.items():
        if item.get_closest_marker(name):
            if name not in _found:
                _found[name] = need.found()
            if not _found[name]:
                pytest.skip(need.missing)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give the certificate authority of this run; `ca_file` is what clients must trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def _memcached_nodes() -> Iterator[list[MemcachedNode]]:
    nodes = [MemcachedNode() for _ in range(NODES)]
    yield nodes
    for node in nodes:
        node.kill()


@pytest.fixture
def memcached(_memcached_nodes: list[MemcachedNode]) -> list[MemcachedNode]:
    """Give three running, empty memcached nodes; what a test does to them is undone before the next."""
    for node in _memcached_nodes:
        node.reset()
    return _memcached_nodes


@pytest.fixture
def start_memcached() -> Iterator[Callable[..., MemcachedNode]]:
    """Give a function that starts one more node, with command line options of its own, until the test ends."""
    started: list[MemcachedNode] = []

    def start(*options: str) -> MemcachedNode:
        started.append(MemcachedNode(*options))
        started[-1].start()
        return started[-1]

    yield start
    for node in started:
        node.stop()


class StartCassandra(Protocol):
    """Starts a cluster that ends with the test; see `CassandraCluster` for what is asked for."""

    def __call__(
        self,
        *,
        dcs: Sequence[str] = ("DC1",),
        durable: bool = False,
        hints: bool = True,
        auth: bool = False,
        tls: Literal["server", "mutual"] | None = None,
    ) -> CassandraCluster:
        """Return it, serving."""
        ...


@pytest.fixture(scope="session")
def _driver_may_warn() -> Iterator[None]:
    # The driver warns of each node that goes away, from threads of its own and as often as it tries
    # again, so also after the test that took the node away. Its errors still fail a test, and so does
    # what identityd itself says about the trouble, but for passing on that a node is away.
    loggers = [logging.getLogger(name) for name in ("cassandra", "identity.stores.cassandra.nodes")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory, _driver_may_warn: None) -> Iterator[CassandraCluster]:
    """Give one running Cassandra node; work in a `fresh_keyspace()`, and leave the node as it was."""
    cluster = CassandraCluster(tmp_path_factory.mktemp("cassandra"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def start_cassandra(tmp_path: Path, authority: Authority, _driver_may_warn: None) -> Iterator[StartCassandra]:
    """Give a function that starts a cluster, of one or more nodes, until the test ends."""
    started: list[CassandraCluster] = []

    def start(
        *,
        dcs: Sequence[str] = ("DC1",),
        durable: bool = False,
        hints: bool = True,
        auth: bool = False,
        tls: Literal["server", "mutual"] | None = None,
    ) -> CassandraCluster:
        secured = server_tls(authority, loopback(len(dcs)), mutual=tls == "mutual") if tls else None
        folder = tmp_path / f"cassandra{len(started)}"
        started.append(CassandraCluster(folder, dcs=dcs, durable=durable, hints=hints, auth=auth, tls=secured))
        started[-1].start()
        return started[-1]

    yield start
    for cluster in started:
        cluster.stop()


@pytest.fixture(scope="session")
def openid_provider(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[OpenIdProvider]:
    """Give a real OpenID provider (npm `oidc-provider`) over https; register a client with it."""
    provider = OpenIdProvider(tmp_path_factory.mktemp("openid"), authority)
    yield provider
    provider.stop()


@pytest.fixture
def start_openid_provider(tmp_path: Path, authority: Authority) -> Iterator[Callable[..., OpenIdProvider]]:
    """Give a function that starts one more provider, with settings of its own, until the test ends."""
    started: list[OpenIdProvider] = []

    def start(**options: Any) -> OpenIdProvider:  # noqa: ANN401 - settings of the npm package
        started.append(OpenIdProvider(tmp_path, authority, options))
        return started[-1]

    yield start
    for provider in started:
        provider.stop()


# Playwright's synchronous interface keeps an event loop marked as running in this thread, so a test
# elsewhere could not start its own: both end with the module that used them.
@pytest.fixture(scope="module")
def playwright() -> "Iterator[Playwright]":
    """Give Playwright; for browsers with a profile folder (`launch_persistent_context`)."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - slow, and few runs open a browser

    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: "Playwright") -> "Iterator[Browser]":
    """Give a headless Chromium. Each context (`browser.new_context()`) is a browser with a jar of its own."""
    running = playwright.chromium.launch(executable_path=chromium_binary(), args=list(CHROMIUM_FLAGS))
    yield running
    running.close()
