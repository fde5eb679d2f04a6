"""One session with the cluster for the whole process: made in the background, and made anew when it must be.

Owns reaching the cluster. A driver cluster whose first connection failed is dead for good, so
connecting is repeated with a new one until it succeeds. Later outages the driver heals itself, as
long as nodes come back where they were: it knows them by the addresses it found when it was made.
So a session that is doubted, because a statement failed or a node was lost, is asked whether any
node answers. If none does, the contact points are looked up anew and greeted, and where one that
the driver does not know greets back, a new cluster is made beside it; the first of the two that
works is used. No caller waits for a connection that is not there, or for a name to be looked up.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final

from cassandra import ConsistencyLevel, UnresolvableContactPoints
from cassandra.cluster import Cluster, Session
from cassandra.protocol import ErrorMessage
from cassandra.query import SimpleStatement

from identity.errors import ConfigError, StoreUnavailable
from identity.stores.cassandra.driver import QUICK, new_cluster, tls_context
from identity.stores.cassandra.faults import DRIVER_ERRORS, causes, describe
from identity.stores.cassandra.greeting import greet
from identity.stores.cassandra.nodes import NodeLog, quiet_driver
from identity.stores.cassandra.settings import Settings
from identity.stores.cassandra.statements import Statement
from identity.stores.whereabouts import Name, NoAddress
from identity.types import SECOND

log = logging.getLogger("identity.stores.cassandra")

CONNECT_EVERY_S: Final = 2.0
"""Between tries to connect, and between questions whether any node answers."""
STUCK: Final = 5
"""Questions in a row without an answer, though a node the driver knows is there: it had its own tries meanwhile."""
CLOSE_WITHIN_S: Final = 1.0
"""A stop waits no longer for an attempt to connect, which takes `connect_timeout` for each node that hangs."""

_CLOSED: Final = "the store is closed"
# Every node answers it from its own memory, whichever other nodes are up.
_ANY_NODE: Final = SimpleStatement(
    "SELECT key FROM system.local", consistency_level=ConsistencyLevel.LOCAL_ONE, is_idempotent=True
)


@dataclass(frozen=True, slots=True)
class PreparedSession:
    """A session, and the statements that were prepared on it: all, while the cluster is known to answer."""

    cluster: Cluster
    session: Session
    prepared: dict[Statement, Any] = field(default_factory=dict)


class Keeping:
    """Keeps the cluster reached.

    Args:
        settings: where it is.
        settle: gets a session that was just opened ready; raises ConfigError if the tables do not fit.

    Raises:
        ConfigError: the cluster answers and its tables do not fit. A cluster that does not answer
            is no error here: it is tried until `close`.
    """

    def __init__(self, settings: Settings, *, settle: Callable[[PreparedSession], None]) -> None:
        self._settings = settings
        self._settle = settle
        self._names = [Name(host, port) for host, port in settings.contact_points]
        self._live: PreparedSession | None = None
        self._problem = "not connected yet"
        self.closing: Final = Event()
        self._doubted = Event()
        self._changing = Lock()
        quiet_driver()
        if not self._connect():
            log.warning("cassandra-not-reached: tried again every %g s: %s", CONNECT_EVERY_S, self._problem)
        self._thread = Thread(target=self._run, name="idd-cassandra", daemon=True)
        self._thread.start()

    def there(self) -> PreparedSession:
        """Return what statements are sent on. Raises StoreUnavailable at once if there is nothing."""
        live = self._live
        if live is None:
            raise StoreUnavailable(detail=f"cassandra: {self._problem}")
        return live

    def doubt(self) -> None:
        """Have it found out whether the cluster is still where it was. Returns at once."""
        self._doubted.set()

    def close(self) -> None:
        """Let go of the cluster; `there` raises StoreUnavailable from now on."""
        self.closing.set()
        self._doubted.set()
        self._thread.join(CLOSE_WITHIN_S)
        with self._changing:
            live, self._live, self._problem = self._live, None, _CLOSED
        if live:
            live.cluster.shutdown()

    def closed(self) -> StoreUnavailable:
        """Return what a caller is told once it is closed."""
        return StoreUnavailable(detail=f"cassandra: {_CLOSED}")

    def _run(self) -> None:
        while not self.closing.is_set():
            try:
                self._keep()
            except Exception:  # without this thread the cluster would never be reached again
                log.exception("cassandra-connecting-failed: tried again in a moment")
                self.closing.wait(CONNECT_EVERY_S)

    def _keep(self) -> None:
        """Connect, or wait until the connection is doubted and look what is the matter."""
        live = self._live
        if live is None:
            if not self.closing.wait(CONNECT_EVERY_S):
                self._try()
            return
        self._doubted.wait()
        in_vain = 0
        while not (self.closing.wait(CONNECT_EVERY_S) or self._answers(live)):
            greeted = self._greeted()
            in_vain = in_vain + 1 if greeted else 0
            moved = greeted - _known(live)
            if (moved or in_vain >= STUCK) and self._try():
                break
        self._doubted.clear()

    def _try(self) -> bool:
        """Connect, and say so; say why not whenever the reason is another one."""
        before = self._problem
        try:
            connected = self._connect()
        except ConfigError as error:
            connected, self._problem = False, error.detail
        if connected:
            log.info("cassandra is reached")
        elif self._problem != before:
            log.warning("cassandra-not-reached: %s", self._problem)
        return connected

    def _answers(self, live: PreparedSession) -> bool:
        """Tell whether any node answers, be it with a refusal."""
        try:
            live.session.execute(_ANY_NODE, execution_profile=QUICK)
        except DRIVER_ERRORS as error:
            return any(isinstance(cause, ErrorMessage) for _, cause in causes(error))
        return True

    def _greeted(self) -> frozenset[tuple[str, int]]:
        """Return the contact points that are there, without bothering the driver, which would tell the log."""
        try:
            context = tls_context(self._settings.tls) if self._settings.tls else None
            points = self._points()
        except (ConfigError, *DRIVER_ERRORS):
            return frozenset()
        patience = self._settings.connect_timeout_ms
        return frozenset(
            (host, port) for host, port in points if greet(host, port, context=context, timeout_ms=patience) is None
        )

    def _connect(self) -> bool:
        """Try once, with a cluster object of its own. Raises ConfigError if the tables do not fit."""
        try:
            cluster = new_cluster(self._settings, points=self._points())
        except DRIVER_ERRORS as error:
            self._problem = describe(error)
            return False
        try:
            live = PreparedSession(cluster, cluster.connect())
            self._settle(live)
        except BaseException as error:
            cluster.shutdown()
            if not isinstance(error, DRIVER_ERRORS):
                raise
            self._problem = describe(error)
            return False
        return self._use(live)

    def _use(self, live: PreparedSession) -> bool:
        before = self._live
        # Two that answer are one too many, and the one in use has statements under way.
        unneeded = before is not None and self._answers(before)
        with self._changing:
            if self.closing.is_set():
                unneeded, before = True, None
            elif not unneeded:
                self._live = live
                live.cluster.register_listener(NodeLog(self.doubt))
        superfluous = live if unneeded else before
        if superfluous:
            superfluous.cluster.shutdown()
        return not self.closing.is_set()

    def _points(self) -> Sequence[tuple[str, int]]:
        """Look the contact points up, all at once. Raises one of DRIVER_ERRORS if none has an address."""
        return list(dict.fromkeys(self._looked_up()))

    def _looked_up(self) -> Iterator[tuple[str, int]]:
        until = monotonic() + self._settings.connect_timeout_ms / SECOND
        asked = [(name, name.begin()) for name in self._names]
        problem: OSError | None = None
        found = False
        for name, asking in asked:
            try:
                entries = name.addresses(until - monotonic(), asking)
            except OSError as error:
                problem = error
                continue
            found = True
            yield from ((str(entry[4][0]), int(entry[4][1])) for entry in entries)
        if isinstance(problem, NoAddress) and not found:
            raise problem
        if problem and not found:
            raise UnresolvableContactPoints from problem


def _known(live: PreparedSession) -> frozenset[tuple[str, int]]:
    """Return where the driver looks for nodes."""
    return frozenset((host.endpoint.address, host.endpoint.port) for host in live.cluster.metadata.all_hosts())
