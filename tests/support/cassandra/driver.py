"""Sessions of the real driver, for tests that look at a cluster from outside identityd."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.io.libevreactor import LibevConnection
from cassandra.policies import ConstantReconnectionPolicy, DCAwareRoundRobinPolicy, FallthroughRetryPolicy

if TYPE_CHECKING:
    from tests.support.cassandra.cluster import CassandraCluster

_PROTOCOL: Final = 5
_REQUEST_TIMEOUT_S: Final = 20.0
_CONNECT_TIMEOUT_S: Final = 5.0
_RECONNECT_AFTER_S: Final = 0.2


def connect(
    cluster: "CassandraCluster",
    *,
    login: tuple[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> Session:
    """Open a session with the nodes that answer; end it with `session.cluster.shutdown()`.

    Raises NoHostAvailable. With a cluster that has TLS, `context` replaces the one every client should have.
    """
    profile = ExecutionProfile(
        load_balancing_policy=DCAwareRoundRobinPolicy(local_dc=cluster.local_dc),
        # A test is to see what the node asked said, not what became of asking the others.
        retry_policy=FallthroughRetryPolicy(),
        request_timeout=_REQUEST_TIMEOUT_S,
    )
    driver = Cluster(
        [node.host for node in cluster.nodes if node.answering],
        port=cluster.plan.cql_port,
        # Named, so that the driver does not begin with a newer one and warn of each step down.
        protocol_version=_PROTOCOL,
        connection_class=LibevConnection,
        auth_provider=PlainTextAuthProvider(*login) if login else None,
        ssl_context=context or cluster.client_context(),
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ConstantReconnectionPolicy(_RECONNECT_AFTER_S, max_attempts=None),
        connect_timeout=_CONNECT_TIMEOUT_S,
    )
    try:
        return driver.connect()
    except BaseException:
        driver.shutdown()
        raise


@contextmanager
def connected(
    cluster: "CassandraCluster",
    *,
    login: tuple[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> Iterator[Session]:
    """Give a session as `connect` does, for the length of the block."""
    session = connect(cluster, login=login, context=context)
    try:
        yield session
    finally:
        session.cluster.shutdown()
