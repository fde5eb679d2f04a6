"""The real servers the suites talk to: found, started once per run, ended with it.

A pytest plugin; tests/conftest.py loads it. A test asks by fixture (`memcached`,
`cassandra`, `browser` …) and thereby gets the marker of that name, or carries the marker
itself and starts what it needs; what a marker needs stands in `tests.support.needs`. What is not
installed is skipped with the command that installs it, a test that starts what it does not name
fails; nothing is ever downloaded here.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import pytest

from tests.support import needs
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra.settings import loopback
from tests.support.cassandra.tls import server_tls
from tests.support.certificates import Authority
from tests.support.keycloak.server import Keycloak
from tests.support.memcached import MemcachedNode
from tests.support.openid_provider import TWO_KEYS, OpenIdProvider

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
    return needs.find("chromium")


_MARKER_OF_FIXTURE: Final = {
    "memcached": "memcached",
    "start_memcached": "memcached",
    "cassandra": "cassandra",
    "start_cassandra": "cassandra",
    "_driver_may_warn": "cassandra",
    "openid_provider": "openid",
    "start_openid_provider": "openid",
    "keycloak": "keycloak",
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


def pytest_configure() -> None:
    """Refuse to begin where `IDENTITYD_TESTS_WITHOUT` would hide nothing."""
    try:
        needs.hidden()
    except ValueError as wrong:
        raise pytest.UsageError(str(wrong)) from None


class ProgramGuard:
    """Fails a test that starts a program of `tests.support.needs` without the marker that says so.

    Such a test would not be skipped where the program is missing. Sees what this process starts, not what
    its children do.
    """

    def __init__(self) -> None:
        self._markers: frozenset[str] | None = None

    def watch(self, item: pytest.Item) -> None:
        """Hold this test, and the fixtures that begin for it, to its markers."""
        self._markers = frozenset(marker for marker in needs.MARKERS if item.get_closest_marker(marker))

    def rest(self) -> None:
        """Watch nobody."""
        self._markers = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at what the interpreter is about to do (sys.addaudithook)."""
        if event != "subprocess.Popen" or self._markers is None:
            return
        program = os.fspath(arguments[0])
        wanted = needs.markers_of(program if isinstance(program, str) else os.fsdecode(program))
        if wanted and not wanted & self._markers:
            names = " or ".join(f"@pytest.mark.{marker}" for marker in sorted(wanted))
            pytest.fail(f"starts {program} and is not marked {names}, so it would not be skipped without it")


_program_guard: Final = ProgramGuard()
sys.addaudithook(_program_guard)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose server is not installed; hold another one to the servers it names."""
    for marker in needs.MARKERS:
        if item.get_closest_marker(marker) and (missing := needs.missing(marker)):
            pytest.skip(missing)
    _program_guard.watch(item)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Let whatever comes between two tests start what it likes."""
    _program_guard.rest()


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

    def start(keys: Mapping[str, str] = TWO_KEYS, **options: Any) -> OpenIdProvider:  # noqa: ANN401 - settings of npm's
        started.append(OpenIdProvider(tmp_path, authority, options, keys=keys))
        return started[-1]

    yield start
    for provider in started:
        provider.stop()


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Keycloak]:
    """Give a running Keycloak; work in a realm of your own."""
    server = Keycloak(tmp_path_factory.mktemp("keycloak"), authority)
    yield server
    server.stop()


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
