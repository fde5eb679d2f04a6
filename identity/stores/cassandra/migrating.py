"""Bringing a keyspace to the tables of this release, once, also when several commands try at the same time.

Owns the lock and the order: tables for migrating, lock, each migration that is due, a row for it.
Each statement can be repeated, so a run that was cut off is simply run again; its lock goes by
itself, and no sooner: its last statement may still be at work on the cluster. Invariants: a version
is recorded only after all of its statements are done; no statement is begun beside another run's.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from cassandra import ConsistencyLevel, RequestValidationException
from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from identity.errors import ConfigError, StoreUnavailable
from identity.stores.cassandra.driver import new_cluster
from identity.stores.cassandra.faults import DRIVER_ERRORS, unavailable
from identity.stores.cassandra.migrations import Migration, Migrations, applied, refuse_missing
from identity.stores.cassandra.settings import Settings
from identity.types import Clock

STATEMENT_S: Final = 30.0
"""For the answer to a statement, and once more for all nodes to agree on a change of tables."""
LOCK_S: Final = 120
"""Life of the lock; renewed before each statement. A slow renewal, answer and agreement in a row take less."""
LOOK_EVERY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """What is being done, for the operator who watches the command."""

    text: str
    done: int
    of: int


Progress = Callable[[MigrationStep], None]


class Migrator:
    """Applies migrations.

    Args:
        settings: where the cluster is.
        migrations: what the keyspace shall have.
        clock: the time, for the records.
        owner: a fresh uuid of this run.
        who: host and process, said to the operator whose command waits for the lock.
        lock_s: life of the lock, in seconds.
        checkpoint: told the name of each place that is reached; kill tests end the process there.
    """

    def __init__(
        self,
        settings: Settings,
        migrations: Migrations,
        *,
        clock: Clock,
        owner: UUID,
        who: str,
        lock_s: int = LOCK_S,
        checkpoint: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._migrations = migrations
        self._clock = clock
        self._owner = owner
        self._who = who
        self._lock_s = lock_s
        self._checkpoint = checkpoint

    def create_keyspace(self, replicas: dict[str, int]) -> None:
        """Make the keyspace, if there is none, with so many replicas in each data centre.

        Raises:
            ConfigError: a data centre is not one of the cluster's.
            StoreUnavailable: the cluster does not answer.
        """
        with _session(self._settings) as session:
            there = {host.datacenter for host in session.cluster.metadata.all_hosts()}
            if unknown := sorted(set(replicas) - there):
                known = ", ".join(sorted(there))
                problem = f"there is no data centre {', '.join(unknown)}; the cluster has {known} (capitals count)"
                raise ConfigError((f"--create-keyspace: {problem}. Nothing was made",))
            _run(session, keyspace_statement(self._settings.keyspace, replicas))

    def migrate(self, progress: Progress) -> int:
        """Apply what is due and return how many migrations that were.

        Raises:
            ConfigError: there is no keyspace, or a file is not what was applied under its number.
            StoreUnavailable: the cluster does not answer; run it again.
        """
        with _session(self._settings) as session:
            refuse_missing(session, self._settings.keyspace)
            session.set_keyspace(self._settings.keyspace)
            for statement in self._migrations.ground.statements:
                _run(session, statement.replace("$id", self._id_of(statement)))
            self._checkpoint("migrate.ground-laid")
            self._refuse_changed(session)
            if not self._migrations.due(applied(session, self._settings.keyspace)):
                return 0
            with self._lock(session, progress):
                due = self._migrations.due(applied(session, self._settings.keyspace))
                self._apply(session, due, progress)
            return len(due)

    def _id_of(self, statement: str) -> str:
        return str(uuid5(NAMESPACE_OID, f"identityd {self._settings.keyspace} {_title(statement)}"))

    def _refuse_changed(self, session: Session) -> None:
        problems = tuple(
            f"schema/{each.version:04d}_{each.name}.cql: is not the file that was applied to this keyspace; put back "
            "the release's own file"
            for each in self._migrations.changed(applied(session, self._settings.keyspace))
        )
        if problems:
            raise ConfigError(problems)

    def _apply(self, session: Session, due: tuple[Migration, ...], progress: Progress) -> None:
        steps = [(migration, statement) for migration in due for statement in migration.statements]
        for done, (migration, statement) in enumerate(steps):
            progress(MigrationStep(f"{migration.version:04d} {migration.name}: {_title(statement)}", done, len(steps)))
            self._renew(session)
            _run(session, statement)
            self._checkpoint("migrate.statement-done")
            if statement is migration.statements[-1]:
                self._record(session, migration)
                self._checkpoint("migrate.recorded")
        progress(MigrationStep("done", len(steps), len(steps)))

    def _record(self, session: Session, migration: Migration) -> None:
        values = (
            migration.version,
            migration.name,
            migration.serves_from,
            migration.checksum,
            self._clock(),
            self._who,
        )
        _run(
            session,
            "INSERT INTO schema_migrations (part, version, name, serves_from, checksum, applied_at, applied_by) "
            "VALUES ('identityd', %s, %s, %s, %s, %s, %s) IF NOT EXISTS",
            values,
        )

    @contextmanager
    def _lock(self, session: Session, progress: Progress) -> Iterator[None]:
        said = ""
        while (holder := self._take(session)) is not None:
            if holder != said:
                patience = f"if it died, its lock goes within {self._lock_s} s"
                progress(MigrationStep(f"waiting for {holder}, which is migrating this keyspace; {patience}", 0, 0))
            said = holder
            time.sleep(LOOK_EVERY_S)
        self._checkpoint("migrate.locked")
        try:
            yield
        except RequestValidationException:  # the statement was refused; any other error may leave it under way
            self._let_go(session)
            raise
        self._let_go(session)

    def _let_go(self, session: Session) -> None:
        _run(session, "DELETE FROM schema_locks WHERE name = 'migrate' IF owner = %s", (self._owner,))

    def _take(self, session: Session) -> str | None:
        """Take the lock, or say who has it."""
        row = _run(
            session,
            "INSERT INTO schema_locks (name, owner, held_by, since) VALUES ('migrate', %s, %s, %s) "
            "IF NOT EXISTS USING TTL %s",
            (self._owner, self._who, self._clock(), self._lock_s),
        )
        applied_, *there = row
        if applied_ or self._owner in there:
            return None
        return next((each for each in there if isinstance(each, str) and each != "migrate"), "another run")

    def _renew(self, session: Session) -> None:
        mine, *_ = _run(
            session,
            "UPDATE schema_locks USING TTL %s SET owner = %s, held_by = %s, since = %s "
            "WHERE name = 'migrate' IF owner = %s",
            (self._lock_s, self._owner, self._who, self._clock(), self._owner),
        )
        if not mine:
            raise StoreUnavailable(
                detail="cassandra: another migrate took over while this one stood still; run it again"
            )


def keyspace_statement(keyspace: str, replicas: dict[str, int]) -> str:
    """Return the CQL that makes a keyspace with so many replicas in each data centre."""
    each = ", ".join(f"'{name}': {number}" for name, number in replicas.items())
    return f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {{'class': 'NetworkTopologyStrategy', {each}}}"


@contextmanager
def _session(settings: Settings) -> Iterator[Session]:
    """Lend a session of its own cluster; driver errors in the block become StoreUnavailable."""
    cluster = new_cluster(settings)
    cluster.max_schema_agreement_wait = STATEMENT_S
    try:
        yield cluster.connect()
    except DRIVER_ERRORS as error:
        raise unavailable(error) from error
    finally:
        cluster.shutdown()


def _run(session: Session, statement: str, values: tuple[Any, ...] = ()) -> Any:  # noqa: ANN401 - the driver is untyped
    """Run one statement and return its first row, if it has any."""
    asked = SimpleStatement(
        statement,
        consistency_level=ConsistencyLevel.QUORUM,
        serial_consistency_level=ConsistencyLevel.SERIAL,
    )
    answer = session.execute(asked, values or None, timeout=STATEMENT_S)
    if not answer.response_future.is_schema_agreed:  # the next statement might meet a node without the table
        raise StoreUnavailable(
            detail=f"cassandra: the nodes did not agree on {_title(statement)} within {STATEMENT_S:g} s; run it again"
        )
    return answer.one()


def _title(statement: str) -> str:
    """Return what a statement is about: "table identities"."""
    words = statement.split("(", maxsplit=1)[0].replace("IF NOT EXISTS", "").split()
    return " ".join(words[1:3]).lower()
