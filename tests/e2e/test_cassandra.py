"""The daemon beside a Cassandra that is not there yet, hangs, and comes back; sessions in a real memcached."""

import json
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import Any, Final
from uuid import uuid4

import pytest

from identity.stores.cassandra.migrating import Migrator
from identity.stores.cassandra.migrations import Migrations
from identity.stores.cassandra.settings import Settings
from tests.support.browser import Browser, Reply
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import migrated, now, settings
from tests.support.loopback import Loopback
from tests.support.memcached import MemcachedNode
from tests.support.running import Running
from tests.support.waiting import until

_WITHIN_S: Final = 60
_LOGINS: Final = 20
"""More than there are threads for logins."""
pytestmark = [pytest.mark.memcached, pytest.mark.cassandra]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, _driver_may_warn: None) -> Iterator[CassandraCluster]:
    """Give a node for this module, which its tests kill and freeze; each leaves it running."""
    cluster = CassandraCluster(tmp_path_factory.mktemp("cassandra"), durable=True)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def tables(node: CassandraCluster) -> Settings:
    """Give a keyspace with this release's tables."""
    return migrated(node)


@pytest.fixture
def daemon(
    tmp_path: Path, node: CassandraCluster, memcached: list[MemcachedNode], tables: Settings
) -> Iterator[Running]:
    """Give a daemon over both, not started yet."""
    running = Running(tmp_path / "run", sections(node, tables.keyspace, memcached))
    yield running
    running.kill()


def sections(node: CassandraCluster, keyspace: str, memcached: list[MemcachedNode]) -> dict[str, dict[str, str]]:
    """Return what a daemon over these servers is told."""
    host, port = node.contact_points[0]
    return {
        "accounts": {"store": "cassandra"},
        "cassandra": {"contact_points": f"{host}:{port}", "local_data_centre": node.local_dc, "keyspace": keyspace},
        "sessions": {"store": "memcached"},
        "memcached": {
            "nodes": " ".join(f"n{at}=127.0.0.1:{each.port}" for at, each in enumerate(memcached)),
            # A busy machine must not make memcached look away: it is Cassandra that is broken here.
            "connect_timeout_s": "5",
            "timeout_s": "5",
        },
    }


def readiness(daemon: Running) -> tuple[int, str]:
    """Return the status of /readyz and what it says of the accounts."""
    status, _, body = daemon.ask("GET", "/readyz")
    parts: list[dict[str, Any]] = json.loads(body)["parts"]
    return status, next(part["problem"] or "" for part in parts if part["name"].startswith("accounts"))


def log_in(daemon: Running, name: str) -> Reply:
    """Log in as somebody; return the answer of the login's last step."""
    browser = Browser(Loopback(), daemon.url)
    page = browser.go("/login/demo")
    if page.status != 200:
        return page
    to, fields = browser.filled(page, {"person": name})
    sent = browser.post(to or browser.hops[-1], fields)
    place = sent.one("Location")
    return browser.get(place) if place else sent


def test_a_daemon_starts_without_its_cassandra_says_so_and_goes_on_by_itself_when_it_comes(
    daemon: Running, node: CassandraCluster
) -> None:
    """After a power cut machines come up in any order, and nobody is there to start the daemon again."""
    node.kill()
    daemon.start()

    status, problem = readiness(daemon)
    assert status == 503
    assert "connection refused" in problem.lower() or "no answer" in problem, problem
    page = log_in(daemon, "ann")
    assert (page.status, page.one("Retry-After")) == (503, "5")
    assert daemon.check("")["verdict"] == "login"
    assert daemon.metric("identityd_accounts_up") == 0
    assert daemon.log().count("cassandra-not-reached") == 1
    assert "Traceback" not in daemon.log()

    node.restart()
    until(lambda: readiness(daemon) == (200, ""), otherwise=daemon.log)
    cookie = daemon.sign_up("ann")

    assert daemon.check(cookie)["verdict"] == "ok"
    assert daemon.metric("identityd_accounts_up") == 1
    assert daemon.metric('identityd_cassandra_calls_total{kind="conditional"}') > 0


def test_tables_that_turn_out_to_be_missing_are_said_and_mended_without_a_restart(
    tmp_path: Path, node: CassandraCluster, memcached: list[MemcachedNode]
) -> None:
    """The daemon could not refuse to start for it; whoever looks at /readyz must read what to do."""
    bare = settings(node, node.fresh_keyspace())
    node.kill()
    with Running(tmp_path / "run", sections(node, bare.keyspace, memcached)) as daemon:
        node.restart()
        until(lambda: "has no tables yet; run `identityd.py migrate`" in readiness(daemon)[1], otherwise=daemon.log)

        Migrator(bare, Migrations(), clock=now, owner=uuid4(), who="a test").migrate(lambda _: None)

        until(lambda: readiness(daemon) == (200, ""), otherwise=daemon.log)


def test_checks_do_not_wait_for_a_cassandra_that_hangs(daemon: Running, node: CassandraCluster) -> None:
    """One overloaded node would log everybody out of every application."""
    daemon.start()
    cookie = daemon.sign_up("ben")
    answers: list[int] = []
    node.freeze()
    stuck = [Thread(target=lambda: answers.append(log_in(daemon, "ben").status)) for _ in range(_LOGINS)]
    try:
        for each in stuck:
            each.start()
        checked = 0
        while any(each.is_alive() for each in stuck):
            verdict = daemon.check(cookie)
            assert verdict["verdict"] == "ok", (verdict, daemon.log()[-3000:])
            checked += 1
        assert checked > _LOGINS
        assert set(answers) == {503}, daemon.log()[-3000:]
        assert readiness(daemon)[0] == 503
    finally:
        node.thaw()
        node.settle()
    until(lambda: readiness(daemon) == (200, ""), otherwise=daemon.log)
    assert log_in(daemon, "ben").one("Location") == "/account"
    assert daemon.check(cookie)["verdict"] == "ok"


def test_a_daemon_that_is_stopped_while_it_connects_ends_in_order(daemon: Running, node: CassandraCluster) -> None:
    """A supervisor that has to kill it loses the audit rows that were waiting."""
    node.freeze()
    try:
        daemon.start()
        assert readiness(daemon)[0] == 503
        assert daemon.stop() == 0
    finally:
        node.thaw()
        node.settle()


def test_a_daemon_that_is_stopped_while_its_cassandra_hangs_ends_in_order(
    daemon: Running, node: CassandraCluster
) -> None:
    """The same with logins under way."""
    daemon.start()
    daemon.sign_up("cem")
    node.freeze()
    try:
        stuck = Thread(target=_log_in_or_not, args=(daemon, "cem"))
        stuck.start()
        assert daemon.stop() == 0
        stuck.join(_WITHIN_S)
    finally:
        node.thaw()
        node.settle()


def _log_in_or_not(daemon: Running, name: str) -> None:
    with suppress(OSError, HTTPException):
        log_in(daemon, name)
