"""The real Cassandra of this suite does what the tests that use it rely on."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cassandra import ConsistencyLevel, Unavailable, WriteTimeout
from cassandra.cluster import NoHostAvailable, Session
from cassandra.query import SimpleStatement

from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra.driver import connected
from tests.support.services import StartCassandra
from tests.support.waiting import until

_NOTICED_WITHIN_S = 60.0


def _keyspace(cluster: CassandraCluster) -> str:
    """Make a keyspace with the table `rows`."""
    name = cluster.fresh_keyspace()
    _in(cluster, name).execute("CREATE TABLE rows (k text PRIMARY KEY, v text)")
    return name


def _in(cluster: CassandraCluster, keyspace: str) -> Session:
    session = cluster.session()
    session.set_keyspace(keyspace)
    return session


def _keep(session: Session, key: str, level: int = ConsistencyLevel.LOCAL_ONE) -> None:
    session.execute(SimpleStatement("INSERT INTO rows (k, v) VALUES (%s, 'kept')", consistency_level=level), (key,))


def _keys(session: Session) -> set[str]:
    return {row.k for row in session.execute("SELECT k FROM rows")}


def _say(cluster: CassandraCluster) -> bytes:
    """Ask the first node which versions it speaks, with nothing but a socket."""
    with socket.create_connection(cluster.contact_points[0], timeout=1) as connection:
        connection.sendall(b"\x04\0\0\0\x05\0\0\0\0")
        return connection.recv(9)


def test_each_keyspace_is_one_of_its_own(cassandra: CassandraCluster) -> None:
    """Otherwise the rows of one test module would be found by another."""
    one, two = _keyspace(cassandra), _keyspace(cassandra)

    _keep(_in(cassandra, one), "a")

    assert _keys(_in(cassandra, one)) == {"a"}
    assert _keys(_in(cassandra, two)) == set()


def test_a_condition_is_decided_by_the_server(cassandra: CassandraCluster) -> None:
    """Otherwise tests of two people who want one username would run against something weaker."""
    session = _in(cassandra, _keyspace(cassandra))
    insert = "INSERT INTO rows (k, v) VALUES ('a', %s) IF NOT EXISTS"

    first, second = (session.execute(insert, (value,)).was_applied for value in "xy")

    assert (first, second) == (True, False)


def test_clusters_side_by_side_have_ports_of_their_own(
    cassandra: CassandraCluster, start_cassandra: StartCassandra
) -> None:
    """Otherwise two workers of one run, or two runs on one machine, would write to each other's nodes."""
    other = start_cassandra()
    keyspace = _keyspace(other)

    assert set(other.contact_points).isdisjoint(cassandra.contact_points)
    assert keyspace not in cassandra.session().cluster.metadata.keyspaces


def test_a_killed_durable_node_comes_back_with_every_acknowledged_row(start_cassandra: StartCassandra) -> None:
    """Otherwise the tests of an outage would blame identityd for what the server lost."""
    cluster = start_cassandra(durable=True)
    keyspace = _keyspace(cluster)
    keys = {f"{number}" for number in range(50)}
    for key in keys:
        _keep(_in(cluster, keyspace), key)

    cluster.kill()
    with pytest.raises(ConnectionRefusedError):
        _say(cluster)
    cluster.restart()

    assert _keys(_in(cluster, keyspace)) == keys


def test_a_frozen_node_is_silent_and_goes_on_after_it(start_cassandra: StartCassandra) -> None:
    """Otherwise the tests of time-outs would pass against a node that refuses quickly."""
    cluster = start_cassandra()
    _say(cluster)

    cluster.freeze()
    with pytest.raises(TimeoutError):
        _say(cluster)
    cluster.thaw()

    cluster.settle()
    assert _say(cluster)


@pytest.mark.cassandra
@pytest.mark.nightly
def test_a_node_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Otherwise each run that is broken off would leave nodes behind, of 400 MB each."""
    script = (
        "import os, pathlib, sys; from tests.support.cassandra.cluster import CassandraCluster; "
        "cluster = CassandraCluster(pathlib.Path(sys.argv[1])); cluster.start(); "
        "print(cluster.nodes[0].process_id, flush=True); os.kill(os.getpid(), 9)"
    )

    died = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False)

    assert died.returncode == -signal.SIGKILL
    until(lambda: not Path(f"/proc/{int(died.stdout)}").exists(), within_s=_NOTICED_WITHIN_S)


def test_a_node_with_passwords_lets_nobody_in_without(
    start_cassandra: StartCassandra, expect_log: Callable[..., object]
) -> None:
    """Otherwise a configuration with the wrong password would seem to work in every test."""
    cluster = start_cassandra(auth=True)
    cluster.session().execute("CREATE ROLE identityd WITH PASSWORD = 'right' AND LOGIN = true")
    expect_log("cassandra", required=False)

    with connected(cluster, login=("identityd", "right")):
        pass
    for login in (("identityd", "wrong"), None):
        with pytest.raises(NoHostAvailable), connected(cluster, login=login):
            pass


def test_a_node_may_demand_a_certificate(start_cassandra: StartCassandra, expect_log: Callable[..., object]) -> None:
    """Otherwise TLS with certificates on both sides would be documented and never tried."""
    cluster = start_cassandra(tls="mutual")
    assert cluster.tls is not None
    expect_log("cassandra", required=False)

    assert _keys(_in(cluster, _keyspace(cluster))) == set()
    bare = cluster.tls.client_context(with_certificate=False)
    with pytest.raises(NoHostAvailable), connected(cluster, context=bare):
        pass


def test_nodes_of_two_data_centres_hold_one_row(start_cassandra: StartCassandra) -> None:
    """Otherwise the tests of data centres would run against nodes that know nothing of each other."""
    cluster = start_cassandra(dcs=["DC1", "DC1", "DC2"])
    session = _in(cluster, _keyspace(cluster))

    _keep(session, "a", ConsistencyLevel.ALL)

    hosts = session.cluster.metadata.all_hosts()
    assert sorted(host.datacenter for host in hosts) == ["DC1", "DC1", "DC2"]


@pytest.mark.nightly
def test_a_data_centre_that_lost_its_majority_is_helped_by_the_other(start_cassandra: StartCassandra) -> None:
    """Otherwise what docs say operators keep after a loss would be hearsay."""
    cluster = start_cassandra(dcs=["DC1", "DC1", "DC2"])
    keyspace = _keyspace(cluster)

    cluster.kill(1)
    session = _in(cluster, keyspace)
    _until_noticed(session)

    with pytest.raises(Unavailable):
        _keep(session, "a", ConsistencyLevel.LOCAL_QUORUM)
    _keep(session, "b", ConsistencyLevel.QUORUM)
    assert _keys(session) == {"b"}

    cluster.restart(1)
    _keep(_in(cluster, keyspace), "a", ConsistencyLevel.ALL)


def _until_noticed(session: Session) -> None:
    until = time.monotonic() + _NOTICED_WITHIN_S
    while time.monotonic() < until:
        try:
            _keep(session, "b", ConsistencyLevel.ALL)
        except WriteTimeout:
            pass
        except Unavailable:
            return
    pytest.fail("the other nodes never noticed")
