"""How a cluster is, for an operator: who answers, as whom we are known, where the copies are.

Owns the questions; the words are the command line's. Connects for itself, to any data centre, so
that a wrong `local_data_centre` is a finding and not "no host available". Invariant: sends nothing
but reads, and every driver error becomes a value.
"""

import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cassandra
from cassandra import AuthenticationFailed, ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.io.libevreactor import LibevConnection
from cassandra.metadata import Metadata
from cassandra.policies import FallthroughRetryPolicy, WhiteListRoundRobinPolicy
from cassandra.query import SimpleStatement, tuple_factory

from identity.errors import ConfigError
from identity.stores.cassandra.driver import tls_context
from identity.stores.cassandra.faults import DRIVER_ERRORS, causes, describe
from identity.stores.cassandra.greeting import HandshakeRefusal, Unreachable, addresses, greet
from identity.stores.cassandra.settings import SerialConsistency, Settings
from identity.types import SECOND

BY_DATA_CENTRE: Final = "NetworkTopologyStrategy"
_NEEDED: Final = ("SELECT", "MODIFY")
_CLAIM: Final = "SELECT op FROM usernames WHERE username_key = %s"
_NO_USERNAME: Final = "check-config asks for no user"
"""No username: it contains spaces."""

_SERIAL: Final = {
    SerialConsistency.SERIAL: ConsistencyLevel.SERIAL,
    SerialConsistency.LOCAL_SERIAL: ConsistencyLevel.LOCAL_SERIAL,
}


@dataclass(frozen=True, slots=True)
class Point:
    """A configured contact point, or one of the addresses its name has."""

    address: str
    port: int
    refusal: HandshakeRefusal | None


@dataclass(frozen=True, slots=True)
class Unreached:
    """No contact point can be talked to; none of this has to do with the role."""


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """The nodes answer and do not let us in."""

    reason: str


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A node the cluster knows of; `refusal` is why it cannot be talked to from here."""

    address: str
    data_centre: str
    version: str
    refusal: HandshakeRefusal | None


@dataclass(frozen=True, slots=True)
class Keyspace:
    """Where the copies are, and what the tables and our rights lack.

    Attributes:
        strategy: `BY_DATA_CENTRE`, or one that looks at no data centre.
        copies: by data centre; by "" for a strategy that looks at none.
        lacking: permissions the role does not have.
        tables: what is wrong with the tables, completely worded; empty if nothing is.
        silent: why the copies cannot be read as the daemon would; empty if they can, or were not asked.
    """

    strategy: str
    copies: Mapping[str, int]
    lacking: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    silent: str = ""


@dataclass(frozen=True, slots=True)
class ClusterReached:
    """The cluster as the role sees it. `commitlog_sync` is empty if the role may not know."""

    nodes: tuple[ClusterNode, ...]
    commitlog_sync: str
    keyspace: Keyspace | None

    @property
    def data_centres(self) -> Mapping[str, int]:
        """Nodes in each data centre, by name."""
        names = [node.data_centre for node in self.nodes]
        return {name: names.count(name) for name in sorted(set(names))}


Check: TypeAlias = Callable[[Session, str], None]
Outcome: TypeAlias = Unreached | LoginRefused | ClusterReached


@dataclass(frozen=True, slots=True)
class Inspection:
    """What each contact point said, and what the cluster behind them said."""

    points: tuple[Point, ...]
    outcome: Outcome


def inspect(settings: Settings, check: Check) -> Inspection:
    """Look at a cluster as the daemon with these settings would.

    Args:
        settings: where it is.
        check: given the session and the keyspace, raises ConfigError if the tables do not fit this release.

    Raises:
        ConfigError: our own certificate files cannot be used.
    """
    context = tls_context(settings.tls) if settings.tls else None
    points = tuple(point for host, port in settings.contact_points for point in _greeted(host, port, settings, context))
    answering = [(point.address, point.port) for point in points if point.refusal is None]
    if not answering:
        return Inspection(points, Unreached())
    with _quiet_driver():
        return Inspection(points, _asked(settings, answering, context, check))


def _greeted(host: str, port: int, settings: Settings, context: ssl.SSLContext | None) -> Iterator[Point]:
    try:
        found = addresses(host, port)
    except OSError as error:
        yield Point(host, port, HandshakeRefusal(Unreachable.NO_ADDRESS, (error.strerror or str(error)).lower()))
        return
    for address in found:
        yield Point(address, port, greet(address, port, context=context, timeout_ms=settings.connect_timeout_ms))


def _asked(settings: Settings, points: list[tuple[str, int]], context: ssl.SSLContext | None, check: Check) -> Outcome:
    cluster = _cluster(settings, points, context)
    try:
        session = cluster.connect()
        keyspace = _keyspace(session, settings, check)
        return ClusterReached(_nodes(cluster.metadata, settings, context), _commitlog_sync(session), keyspace)
    except DRIVER_ERRORS as error:
        refused = any(isinstance(cause, AuthenticationFailed) for _, cause in causes(error))
        return LoginRefused("" if refused else describe(error))
    finally:
        cluster.shutdown()


def _cluster(settings: Settings, points: list[tuple[str, int]], context: ssl.SSLContext | None) -> Cluster:
    connect_timeout_s = settings.connect_timeout_ms / SECOND
    login = settings.username, settings.password.text() if settings.password else ""
    profile = ExecutionProfile(
        load_balancing_policy=WhiteListRoundRobinPolicy([address for address, _ in points]),
        retry_policy=FallthroughRetryPolicy(),
        request_timeout=settings.timeout_ms / SECOND,
        row_factory=tuple_factory,
    )
    return Cluster(
        contact_points=points,
        port=points[0][1],
        connection_class=LibevConnection,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        auth_provider=PlainTextAuthProvider(*login) if settings.username else None,
        ssl_context=context,
        connect_timeout=connect_timeout_s,
        control_connection_timeout=connect_timeout_s,
        compression=False,
        monitor_reporting_enabled=False,
    )


def _nodes(metadata: Metadata, settings: Settings, context: ssl.SSLContext | None) -> tuple[ClusterNode, ...]:
    """Greet every node the cluster knows: the driver's own view of who is up takes a while to form."""
    return tuple(
        ClusterNode(
            host.address,
            host.datacenter or "",
            host.release_version or "",
            greet(host.address, host.endpoint.port, context=context, timeout_ms=settings.connect_timeout_ms),
        )
        for host in sorted(metadata.all_hosts(), key=lambda host: (host.datacenter or "", host.address))
    )


def _keyspace(session: Session, settings: Settings, check: Check) -> Keyspace | None:
    if settings.keyspace not in session.cluster.metadata.keyspaces:
        return None
    options = dict(
        _row(session, "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s", settings.keyspace)
    )
    strategy = options.pop("class").rpartition(".")[2]
    by_centre = strategy == BY_DATA_CENTRE
    # "3/1" are three copies of which one is transient.
    copies = {name if by_centre else "": int(number.partition("/")[0]) for name, number in options.items()}
    lacking = _lacking(session, settings)
    if lacking:
        return Keyspace(strategy, copies, lacking)
    try:
        session.set_keyspace(settings.keyspace)
        check(session, settings.keyspace)
        _claim(session, settings)
    except ConfigError as error:
        return Keyspace(strategy, copies, tables=error.problems)
    except DRIVER_ERRORS as error:
        return Keyspace(strategy, copies, silent=describe(error))
    return Keyspace(strategy, copies)


def _row(session: Session, cql: str, *values: str) -> Any:  # noqa: ANN401 - the driver is untyped
    """Return the first column of the first row."""
    return session.execute(cql, values or None).one()[0]


def _lacking(session: Session, settings: Settings) -> tuple[str, ...]:
    """Return which permissions the role lacks; none where the cluster keeps no permissions."""
    role = '"' + settings.username.replace('"', '""') + '"'
    try:
        if not settings.username or _is_superuser(session, settings.username, role):
            return ()
        granted = {(row[2], row[3]) for row in session.execute(f"LIST ALL PERMISSIONS OF {role}")}
    except DRIVER_ERRORS:
        return ()  # The cluster has no permissions, or others keep them; reading the tables shows.
    places = ("<all keyspaces>", f"<keyspace {settings.keyspace}>", f"<table {settings.keyspace}.")
    here = {permission for resource, permission in granted if resource.startswith(places)}
    return tuple(permission for permission in _NEEDED if permission not in here)


def _is_superuser(session: Session, username: str, role: str) -> bool:
    return any(row[0] == username and row[1] for row in session.execute(f"LIST ROLES OF {role}"))


def _claim(session: Session, settings: Settings) -> None:
    """Read as a sign-up begins, for which a majority of all copies has to answer. Raises driver errors."""
    level = _SERIAL[settings.serial_consistency]
    session.execute(SimpleStatement(_CLAIM, consistency_level=level), (_NO_USERNAME,))


def _commitlog_sync(session: Session) -> str:
    """Return how the node that is asked syncs its commit log; empty if the role may not read settings."""
    try:
        return str(_row(session, "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'"))
    except (*DRIVER_ERRORS, TypeError):
        return ""


@contextmanager
def _quiet_driver() -> Iterator[None]:
    """Keep the driver from saying in its own words what the findings say."""
    logger = logging.getLogger(cassandra.__name__)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
