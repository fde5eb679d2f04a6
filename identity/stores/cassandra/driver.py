"""How the driver is set up: what a connection to the cluster, and a statement, may take.

Owns policies, time-outs and TLS. Must not connect.
"""

import ssl
from collections.abc import Sequence
from typing import Any, Final

from cassandra import ProtocolVersion
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.io.libevreactor import LibevConnection
from cassandra.policies import (
    ConstantReconnectionPolicy,
    ConstantSpeculativeExecutionPolicy,
    DCAwareRoundRobinPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.query import tuple_factory

from identity.errors import ConfigError
from identity.stores.cassandra.settings import Settings, Tls
from identity.types import SECOND

ASK_ANOTHER_S: Final = 0.4
"""What may be sent twice and has no answer by then is also sent to another node: one that hangs costs no more."""
RECONNECT_S: Final = 1.0
"""Between tries of the driver to reach a node that is down."""
HEARTBEAT_S: Final = 3.0
"""A connection that was unused for so long is asked whether it lives; firewalls on the way remember it by that."""
HEARTBEAT_TIMEOUT_S: Final = 2.0
QUICK: Final = "quick"
"""Profile of reads and of plain writes, which a second node may be sent too: the same write, with its timestamp."""
SURE: Final = "sure"
"""Profile of the others."""


def new_cluster(settings: Settings, *, points: Sequence[tuple[str, int]] = ()) -> Cluster:
    """Return a driver cluster that has not connected yet; its `connect` works once, or never.

    Args:
        settings: where the cluster is.
        points: addresses of contact points whose names were looked up already; else the driver does that here.

    Raises:
        ConfigError: a certificate cannot be read.
        UnresolvableContactPoints: no contact point has an address.
    """
    timeout_s = settings.timeout_ms / SECOND
    connect_timeout_s = settings.connect_timeout_ms / SECOND
    return Cluster(
        contact_points=[*(points or settings.contact_points)],
        port=settings.contact_points[0][1],
        protocol_version=ProtocolVersion.V5,  # Cassandra 4.0 or later; guessing it costs connections and warnings
        connection_class=LibevConnection,
        execution_profiles=_profiles(settings, timeout_s),
        auth_provider=_auth(settings),
        ssl_context=tls_context(settings.tls) if settings.tls else None,
        connect_timeout=connect_timeout_s,
        control_connection_timeout=connect_timeout_s,
        # The driver's own default grows to ten minutes, in which a node that is back is not used.
        reconnection_policy=ConstantReconnectionPolicy(RECONNECT_S, max_attempts=None),
        idle_heartbeat_interval=HEARTBEAT_S,
        idle_heartbeat_timeout=HEARTBEAT_TIMEOUT_S,
        # On the others each is prepared at its first use there; asking all would wait for one that hangs.
        prepare_on_all_hosts=False,
        compression=False,
        monitor_reporting_enabled=False,
    )


def _profiles(settings: Settings, timeout_s: float) -> dict[str, ExecutionProfile]:
    def profile(speculative: Any) -> ExecutionProfile:  # noqa: ANN401 - a policy of the driver, or none
        return ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(settings.local_data_centre)),
            # Whether to try again is decided here, where it is known what a statement means.
            retry_policy=FallthroughRetryPolicy(),
            request_timeout=timeout_s,
            row_factory=tuple_factory,
            speculative_execution_policy=speculative,
        )

    quick, sure = profile(ConstantSpeculativeExecutionPolicy(ASK_ANOTHER_S, 1)), profile(None)
    return {EXEC_PROFILE_DEFAULT: sure, SURE: sure, QUICK: quick}


def _auth(settings: Settings) -> PlainTextAuthProvider | None:
    if not settings.username:
        return None
    return PlainTextAuthProvider(settings.username, settings.password.text() if settings.password else "")


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return what verifies the cluster's certificates, and shows ours. Raises ConfigError if a file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=str(tls.ca))
    except (ssl.SSLError, OSError) as error:
        raise ConfigError((f"[cassandra] tls_ca: {tls.ca} cannot be used: {_reason(error)}",)) from None
    if tls.certificate and tls.key:
        try:
            context.load_cert_chain(tls.certificate, tls.key, password="")  # else OpenSSL asks at the terminal
        except (ssl.SSLError, OSError) as error:
            pair = f"{tls.certificate} and {tls.key}"
            raise ConfigError((f"[cassandra] tls_certificate: {pair} do not go together: {_reason(error)}",)) from None
    return context


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", "") or error.strerror or type(error).__name__).replace("_", " ").lower()
