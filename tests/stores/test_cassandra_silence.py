"""A cluster whose connections fall silent, that answers byte by byte, that moves, or whose name nobody knows.

Between the store and the one node is a proxy; an address of the node is a port on loopback.
"""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from identity.errors import StoreUnavailable
from identity.stores.cassandra.settings import Settings
from tests.support.accounts import Registry
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import answers, migrated, now, opened
from tests.support.proxy import Proxy
from tests.support.waiting import until

ExpectLog = Callable[..., object]
NAME = "db.internal"


@pytest.fixture(scope="module")
def direct(cassandra: CassandraCluster) -> Settings:
    """Give a keyspace with the tables in it."""
    return migrated(cassandra)


@pytest.fixture
def proxy(cassandra: CassandraCluster) -> Iterator[Proxy]:
    """Give the network in front of the node."""
    with Proxy(cassandra.contact_points[0]) as running:
        yield running


@pytest.fixture
def elsewhere(cassandra: CassandraCluster) -> Iterator[Proxy]:
    """Give another address of the node."""
    with Proxy(cassandra.contact_points[0]) as running:
        yield running


class Names:
    """The system's resolver, which knows one name more."""

    def __init__(self) -> None:
        self.port = 0
        self.answers = Event()
        self.answers.set()
        self._really = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the system has it
        """Answer, when it may."""
        if host != NAME:
            return self._really(host, port, *args, **kwargs)
        self.answers.wait()
        if not self.port:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self._really("127.0.0.1", self.port, *args, **kwargs)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """Give a name service a test may break."""
    made = Names()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.answers.set()


@pytest.fixture(autouse=True)
def _losses_are_logged(expect_log: ExpectLog) -> None:
    expect_log("identity.stores.cassandra", "cassandra-node-lost|cassandra-not-reached", required=False)
    expect_log("cassandra", required=False)  # the guard sees what the driver says, the log does not


@pytest.fixture
def named(direct: Settings) -> Settings:
    """Give a configuration that knows the node by name."""
    return replace(direct, contact_points=((NAME, 9042),))


def test_connections_that_fall_silent_are_found_out_and_made_anew(direct: Settings, proxy: Proxy) -> None:
    """A firewall that restarts would keep everybody from logging in until somebody restarts the daemon."""
    store = opened(replace(direct, contact_points=(("127.0.0.1", proxy.port),)))
    registry = Registry(store, audit=store.audit, clock=now)
    alice = registry.member("alice", "alice")

    for _ in range(2):
        proxy.silence()
        until(lambda: answers(store))
        assert registry.log_in("alice") == alice
    store.close()


def test_a_cluster_that_answers_byte_by_byte_keeps_nobody_for_ever(direct: Settings, proxy: Proxy) -> None:
    """Each byte comes in time and the answer never ends: every thread for logins would be gone."""
    store = opened(replace(direct, contact_points=(("127.0.0.1", proxy.port),), timeout_ms=500))
    proxy.drips = 0.2

    with pytest.raises(StoreUnavailable):
        store.probe()

    proxy.drips = 0
    until(lambda: answers(store))
    store.close()


def test_a_cluster_that_moved_is_found_at_its_new_address(
    named: Settings, names: Names, proxy: Proxy, *, elsewhere: Proxy
) -> None:
    """The driver knows nodes by address, and would look for them for ever where they were."""
    names.port = proxy.port
    store = opened(named)
    registry = Registry(store, audit=store.audit, clock=now)
    ben = registry.member("ben", "benjamin")

    names.port = elsewhere.port
    proxy.silence()
    proxy.deaf = True

    until(lambda: answers(store))
    assert elsewhere.accepted > 0
    assert registry.log_in("ben") == ben
    store.close()


def test_a_cluster_that_moves_while_the_resolver_hangs_is_found_when_it_answers(
    named: Settings, names: Names, proxy: Proxy, *, elsewhere: Proxy
) -> None:
    """Both fail together when a data centre does."""
    names.port = proxy.port
    store = opened(named)
    names.answers.clear()
    names.port = elsewhere.port
    proxy.silence()
    proxy.deaf = True
    until(lambda: not answers(store))

    names.answers.set()

    until(lambda: answers(store))
    store.close()


def test_a_cluster_that_is_where_it_was_is_used_though_its_name_is_gone(
    named: Settings, names: Names, proxy: Proxy
) -> None:
    """An outage of the name service must not become one of the accounts."""
    names.port = proxy.port
    store = opened(named)
    names.port = 0

    proxy.silence()

    until(lambda: answers(store))
    store.close()


@pytest.mark.parametrize("hangs", [False, True], ids=["refuses", "hangs"])
def test_a_store_opens_without_a_name_service_and_is_reached_when_there_is_one(
    named: Settings, names: Names, proxy: Proxy, *, hangs: bool
) -> None:
    """A daemon that starts together with its name service would end, or wait for it and serve nobody."""
    if hangs:
        names.answers.clear()
    store = opened(replace(named, connect_timeout_ms=500))
    with pytest.raises(StoreUnavailable, match=r"cassandra: no (contact point has an|address was found)"):
        store.probe()

    names.port = proxy.port
    names.answers.set()

    until(lambda: answers(store))
    store.close()


def test_a_store_opened_beside_a_node_that_never_answers_is_reached_when_it_does(
    direct: Settings, proxy: Proxy
) -> None:
    """It accepts connections, so that only a time-out tells."""
    proxy.deaf = True
    store = opened(replace(direct, contact_points=(("127.0.0.1", proxy.port),), connect_timeout_ms=500))
    assert not answers(store)

    proxy.deaf = False

    until(lambda: answers(store))
    store.close()


def test_doubts_about_a_cluster_that_answers_change_nothing(direct: Settings, proxy: Proxy) -> None:
    """Every lost statement would cost new connections to all nodes, when the cluster is busiest."""
    store = opened(replace(direct, contact_points=(("127.0.0.1", proxy.port),)))
    keeping = store._connection._keeping
    before, connections = keeping.there(), proxy.accepted

    keeping.doubt()
    until(lambda: not keeping._doubted.is_set())

    assert keeping.there() is before
    assert proxy.accepted == connections
    store.close()
