"""One connection to the cluster for the whole process, made in the background and kept.

Owns the driver: how it is set up, how a statement's kind becomes consistency levels, when one is
sent again. A driver cluster whose first connection failed is dead for good, so connecting is
repeated with a new one until it succeeds; later outages the driver heals itself. Invariant:
callers see rows, or StoreUnavailable with the cause in its detail; nobody waits for a
connection that is not there.
"""

import logging
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any, Final, TypeAlias

from cassandra import ConsistencyLevel, ProtocolVersion
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, ResultSet, Session
from cassandra.io.libevreactor import LibevConnection
from cassandra.policies import (
    ConstantReconnectionPolicy,
    ConstantSpeculativeExecutionPolicy,
    DCAwareRoundRobinPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.query import tuple_factory

from identity.errors import ConfigError, StoreUnavailable
from identity.stores.cassandra import statements
from identity.stores.cassandra.faults import DRIVER_ERRORS, describe, is_timeout, unavailable
from identity.stores.cassandra.nodes import NodeLog, quiet_driver
from identity.stores.cassandra.settings import Consistency, SerialConsistency, Settings, Tls
from identity.stores.cassandra.statements import Kind, Statement
from identity.types import SECOND, Chance

log = logging.getLogger("identity.stores.cassandra")

PAUSES_S: Final = (0.0, 1.0, 2.0)
"""Before each try of an idempotent statement (the waits of 2009's ROTModel), each made up to a quarter longer."""
ASK_ANOTHER_S: Final = 0.4
"""What may be sent twice and has no answer by then is also sent to another node: one that hangs costs no more."""
RECONNECT_S: Final = 1.0
"""Between tries of the driver to reach a node that is down."""
CONNECT_EVERY_S: Final = 2.0
"""Between tries to connect for the first time."""
HEARTBEAT_S: Final = 3.0
HEARTBEAT_TIMEOUT_S: Final = 2.0
PAGE: Final = 500
CLOSE_WITHIN_S: Final = 1.0
"""A stop waits no longer for an attempt to connect, which takes `connect_timeout` for each node that hangs."""

_CLOSED: Final = "the store is closed"

_QUICK: Final = "quick"
"""Profile of reads and of plain writes, which a second node may be sent too: the same write, with its timestamp."""
_SURE: Final = "sure"
"""Profile of the others."""
_SPECULATED: Final = frozenset({Kind.READ, Kind.SETTLED, Kind.PLAIN})
LEVELS: Final = {Consistency.LOCAL_QUORUM: ConsistencyLevel.LOCAL_QUORUM, Consistency.QUORUM: ConsistencyLevel.QUORUM}
_SERIAL_LEVELS: Final = {
    SerialConsistency.SERIAL: ConsistencyLevel.SERIAL,
    SerialConsistency.LOCAL_SERIAL: ConsistencyLevel.LOCAL_SERIAL,
}

Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Live:
    """A session, and the statements that were prepared on it: all, while the cluster is known to answer."""

    cluster: Cluster
    session: Session
    prepared: dict[Statement, Any] = field(default_factory=dict)


class Connection:
    """Sends statements.

    Args:
        settings: where the cluster is.
        check: looks at the tables of a session that was just opened; raises ConfigError if they do
            not fit this release.
        chance: lengthens pauses, so that daemons do not try again in step.
        count: told the kind of each statement sent; for metrics and for counting round trips.

    Raises:
        ConfigError: the cluster answers and its tables do not fit. A cluster that does not answer
            is no error here: it is tried until `close`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        check: Callable[[Session], None],
        chance: Chance,
        count: Callable[[Kind], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._check = check
        self._chance = chance
        self._count = count
        self._live: _Live | None = None
        self._problem = "not connected yet"
        self._closing = Flag()
        self._changing = Lock()
        quiet_driver()
        self._thread = Thread(target=self._keep_trying, name="idd-cassandra", daemon=True)
        if not self._connect():
            log.warning("cassandra-not-reached: tried again every %g s: %s", CONNECT_EVERY_S, self._problem)
            self._thread.start()

    def one(self, statement: Statement, values: Sequence[Any]) -> Row | None:
        """Return the first row of a read. Raises StoreUnavailable."""
        rows = self.all(statement, values)
        return rows[0] if rows else None

    def all(self, statement: Statement, values: Sequence[Any]) -> list[Row]:
        """Return all rows of a read, or nothing of an idempotent write. Raises StoreUnavailable."""
        # Somebody waits for it, and it is asked again with its revocation.
        tries = 1 if statement.kind is Kind.EVERYWHERE else len(PAUSES_S)
        return list(self._repeatedly(lambda: self._send(statement, values), tries))

    def pages(self, statement: Statement, values: Sequence[Any]) -> Iterator[Row]:
        """Yield the rows of a scan, a page at a time; each page is asked for again as reads are."""
        state: bytes | None = None
        while True:
            page = self._repeatedly(lambda state=state: self._send(statement, values, page=state))  # type: ignore[misc]
            yield from page.current_rows
            state = page.paging_state
            if state is None:
                return

    def conditional(self, statement: Statement, values: Sequence[Any]) -> Row | None:
        """Send a conditional write once.

        Returns:
            None if it happened; else what stood there instead, as the condition's columns.

        Raises:
            StoreUnavailable: whether it happened is unknown, unless a SETTLED read shows it.
        """
        live = self._there()
        try:
            applied, *stood = self._send(statement, values, live=live).one()
        except DRIVER_ERRORS as error:
            raise unavailable(error) from error
        return None if applied else tuple(stood)

    def together(self, writes: Sequence[tuple[Statement, Sequence[Any]]]) -> None:
        """Send idempotent writes at the same time; return when all are acknowledged. Raises StoreUnavailable."""

        def send() -> None:
            live = self._there()
            for each, _ in writes:
                self._count(each.kind)
            waiting = [live.session.execute_async(self._bound(live, each, values)) for each, values in writes]
            for answer in waiting:
                answer.result()

        self._repeatedly(send)

    def probe(self) -> None:
        """Ask the cluster for the version of its tables. Raises StoreUnavailable with the cause."""
        self.one(statements.READ_VERSIONS, ())

    def close(self) -> None:
        """Let go of the cluster; later calls raise StoreUnavailable."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WITHIN_S)
        with self._changing:
            live, self._live, self._problem = self._live, None, _CLOSED
        if live:
            live.cluster.shutdown()

    def pause(self, tries: int) -> None:
        """Wait before try number `tries`, counted from 0. Raises StoreUnavailable once the store is closed."""
        base = PAUSES_S[min(tries, len(PAUSES_S) - 1)]
        if base and self._closing.wait(base * (1 + self._chance() / 4)):
            raise StoreUnavailable(detail=f"cassandra: {_CLOSED}")

    def _repeatedly(self, send: Callable[[], Any], most: int = len(PAUSES_S)) -> Any:  # noqa: ANN401 - the driver is untyped
        """Send an idempotent statement, and again after time-outs. Raises StoreUnavailable."""
        for tries in range(most):
            self.pause(tries)
            try:
                return send()
            except DRIVER_ERRORS as error:
                last = error
                if not is_timeout(error):
                    break
        raise unavailable(last) from last

    def _send(
        self, statement: Statement, values: Sequence[Any], *, page: bytes | None = None, live: _Live | None = None
    ) -> ResultSet:
        live = live or self._there()
        self._count(statement.kind)
        profile = _QUICK if statement.kind in _SPECULATED else _SURE
        bound = self._bound(live, statement, values)
        return live.session.execute(bound, execution_profile=profile, paging_state=page)

    def _bound(self, live: _Live, statement: Statement, values: Sequence[Any]) -> Any:  # noqa: ANN401
        return self._prepared(live, statement).bind(values)

    def _prepared(self, live: _Live, statement: Statement) -> Any:  # noqa: ANN401
        prepared = live.prepared.get(statement)
        if prepared is None:  # two threads may prepare the same at once, which is harmless
            prepared = live.prepared[statement] = self._prepare(live.session, statement)
        return prepared

    def _there(self) -> _Live:
        live = self._live
        if live is None:
            raise StoreUnavailable(detail=f"cassandra: {self._problem}")
        return live

    def _keep_trying(self) -> None:
        while not self._closing.wait(CONNECT_EVERY_S):
            before = self._problem
            try:
                connected = self._connect()
            except ConfigError as error:
                connected, self._problem = False, error.detail
            except Exception:  # without this thread the cluster would never be reached again
                log.exception("cassandra-connecting-failed: tried again in a moment")
                connected, self._problem = False, "connecting failed; see the log"
            if connected:
                log.info("cassandra is reached")
                return
            if self._problem != before:
                log.warning("cassandra-not-reached: %s", self._problem)

    def _connect(self) -> bool:
        """Try once, with a cluster object of its own. Raises ConfigError if the tables do not fit."""
        cluster = new_cluster(self._settings)
        try:
            session = cluster.connect()
            self._check(session)
            live = _Live(cluster, session)
            for statement in statements.ALL:
                self._prepared(live, statement)
        except BaseException as error:
            cluster.shutdown()
            if not isinstance(error, DRIVER_ERRORS):
                raise
            self._problem = describe(error)
            return False
        with self._changing:
            if not self._closing.is_set():
                self._live = live
                cluster.register_listener(NodeLog())
                return True
        cluster.shutdown()
        return False

    def _prepare(self, session: Session, statement: Statement) -> Any:  # noqa: ANN401 - the driver is untyped
        prepared = session.prepare(statement.text(self._settings.keyspace))
        serial = _SERIAL_LEVELS[self._settings.serial_consistency]
        levels = {
            Kind.SETTLED: serial,
            Kind.EVERYWHERE: ConsistencyLevel.EACH_QUORUM,
        }
        prepared.consistency_level = levels.get(statement.kind, LEVELS[self._settings.consistency])
        prepared.serial_consistency_level = serial
        prepared.is_idempotent = statement.kind is not Kind.CONDITIONAL
        prepared.fetch_size = PAGE
        return prepared


def new_cluster(settings: Settings) -> Cluster:
    """Return a driver cluster that has not connected yet; its `connect` works once, or never.

    Raises:
        ConfigError: a certificate cannot be read.
    """
    timeout_s = settings.timeout_ms / SECOND
    connect_timeout_s = settings.connect_timeout_ms / SECOND
    return Cluster(
        contact_points=[*settings.contact_points],
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
    return {EXEC_PROFILE_DEFAULT: sure, _SURE: sure, _QUICK: quick}


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
