"""Sending statements to the cluster.

Owns how a statement's kind becomes consistency levels, and when one is sent again; the session
they are sent on is kept in `keeping.py`. Invariant: callers see rows, or StoreUnavailable with
the cause in its detail; no caller waits for a connection that is not there.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from cassandra import ConsistencyLevel
from cassandra.cluster import ResultSet, Session

from identity.errors import StoreUnavailable
from identity.stores.cassandra import statements
from identity.stores.cassandra.driver import QUICK, SURE
from identity.stores.cassandra.faults import DRIVER_ERRORS, is_timeout, unavailable
from identity.stores.cassandra.keeping import Keeping, PreparedSession
from identity.stores.cassandra.settings import Consistency, SerialConsistency, Settings
from identity.stores.cassandra.statements import Statement, StatementKind
from identity.types import Chance

PAUSES_S: Final = (0.0, 1.0, 2.0)
"""Before each try of an idempotent statement (the waits of 2009's ROTModel), each made up to a quarter longer."""
PAGE: Final = 500
_SPECULATED: Final = frozenset({StatementKind.READ, StatementKind.SETTLED, StatementKind.PLAIN})
LEVELS: Final = {Consistency.LOCAL_QUORUM: ConsistencyLevel.LOCAL_QUORUM, Consistency.QUORUM: ConsistencyLevel.QUORUM}
_SERIAL_LEVELS: Final = {
    SerialConsistency.SERIAL: ConsistencyLevel.SERIAL,
    SerialConsistency.LOCAL_SERIAL: ConsistencyLevel.LOCAL_SERIAL,
}

Row: TypeAlias = tuple[Any, ...]


class CassandraConnection:
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
        count: Callable[[StatementKind], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._check = check
        self._chance = chance
        self._count = count
        self._keeping = Keeping(settings, settle=self._settle)

    def one(self, statement: Statement, values: Sequence[Any]) -> Row | None:
        """Return the first row of a read. Raises StoreUnavailable."""
        rows = self.all(statement, values)
        return rows[0] if rows else None

    def all(self, statement: Statement, values: Sequence[Any]) -> list[Row]:
        """Return all rows of a read, or nothing of an idempotent write. Raises StoreUnavailable."""
        # The operator waits for the answer, and the open revocation repeats the read.
        tries = 1 if statement.kind is StatementKind.EVERYWHERE else len(PAUSES_S)
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
        live = self._keeping.there()
        try:
            applied, *stood = self._send(statement, values, live=live).one()
        except DRIVER_ERRORS as error:
            raise self._unavailable(error) from error
        return None if applied else tuple(stood)

    def write_all(self, writes: Sequence[tuple[Statement, Sequence[Any]]]) -> None:
        """Send idempotent writes at the same time; return when all are acknowledged. Raises StoreUnavailable."""

        def send() -> None:
            live = self._keeping.there()
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
        self._keeping.close()

    def pause(self, tries: int) -> None:
        """Wait before try number `tries`, counted from 0. Raises StoreUnavailable once the store is closed."""
        base = PAUSES_S[min(tries, len(PAUSES_S) - 1)]
        if base and self._keeping.closing.wait(base * (1 + self._chance() / 4)):
            raise self._keeping.closed()

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
        raise self._unavailable(last) from last

    def _send(
        self,
        statement: Statement,
        values: Sequence[Any],
        *,
        page: bytes | None = None,
        live: PreparedSession | None = None,
    ) -> ResultSet:
        live = live or self._keeping.there()
        self._count(statement.kind)
        profile = QUICK if statement.kind in _SPECULATED else SURE
        bound = self._bound(live, statement, values)
        return live.session.execute(bound, execution_profile=profile, paging_state=page)

    def _bound(self, live: PreparedSession, statement: Statement, values: Sequence[Any]) -> Any:  # noqa: ANN401
        return self._prepared(live, statement).bind(values)

    def _prepared(self, live: PreparedSession, statement: Statement) -> Any:  # noqa: ANN401
        prepared = live.prepared.get(statement)
        if prepared is None:  # two threads may prepare the same at once, which is harmless
            prepared = live.prepared[statement] = self._prepare(live.session, statement)
        return prepared

    def _settle(self, live: PreparedSession) -> None:
        """Check the tables, and prepare every statement."""
        self._check(live.session)
        for statement in statements.ALL:
            self._prepared(live, statement)

    def _unavailable(self, error: BaseException) -> StoreUnavailable:
        self._keeping.doubt()
        return unavailable(error)

    def _prepare(self, session: Session, statement: Statement) -> Any:  # noqa: ANN401 - the driver is untyped
        prepared = session.prepare(statement.text(self._settings.keyspace))
        serial = _SERIAL_LEVELS[self._settings.serial_consistency]
        levels = {
            StatementKind.SETTLED: serial,
            StatementKind.EVERYWHERE: ConsistencyLevel.EACH_QUORUM,
        }
        prepared.consistency_level = levels.get(statement.kind, LEVELS[self._settings.consistency])
        prepared.serial_consistency_level = serial
        prepared.is_idempotent = statement.kind is not StatementKind.CONDITIONAL
        prepared.fetch_size = PAGE
        return prepared
