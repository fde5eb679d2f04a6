"""The tables in Cassandra that are written without a condition.

Owns profiles, revocations and the audit. Every write is idempotent and is sent again after a
time-out. Nothing here is raced for: the last write wins, and events never change.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, Final
from uuid import UUID

from cassandra.cluster import Session

from identity.accounts.store import UNFINISHED_COPY, ProfileRow, Revocation
from identity.audit import Event
from identity.errors import ConfigError
from identity.stores.cassandra import columns, statements
from identity.stores.cassandra.connection import LEVELS, CassandraConnection
from identity.stores.cassandra.settings import Settings
from identity.types import DAY, SECOND, AccountId, Millis

OPEN_REVOCATIONS: Final = 1_000
COPY: Final = "copy"
"""Name of the note about an unfinished copy."""
BUCKETS: Final = 8
"""Partitions among which open revocations, and the events of one day, are spread."""


class CassandraRevocations:
    """Sessions still to be ended: few rows, in a handful of partitions that can be read by key."""

    def __init__(self, connection: CassandraConnection) -> None:
        self._connection = connection

    def add(self, revocation: Revocation) -> None:
        """Keep it; adding one again replaces it."""
        values = (_bucket(revocation.id), *columns.REVOCATIONS.pack(revocation))
        self._connection.all(statements.ADD_REVOCATION, values)

    def done(self, revocation: Revocation) -> None:
        """Forget it; forgetting twice is harmless."""
        self._connection.all(statements.DELETE_REVOCATION, (_bucket(revocation.id), revocation.id))

    def open(self) -> tuple[Revocation, ...]:
        """Return those not done, oldest first, at most 1,000: one round trip for each of the partitions."""
        found = [columns.REVOCATIONS.unpack(row) for bucket in range(BUCKETS) for row in self._of(bucket)]
        return tuple(sorted(found, key=lambda each: each.created_at)[:OPEN_REVOCATIONS])

    def _of(self, bucket: int) -> list[Any]:
        return list(self._connection.pages(statements.READ_REVOCATIONS, (bucket,)))


def _bucket(id_: UUID) -> int:
    return id_.int % BUCKETS


class CassandraProfiles:
    """What providers said."""

    def __init__(self, connection: CassandraConnection) -> None:
        self._connection = connection

    def read(self, account_id: AccountId) -> ProfileRow | None:
        """Return the profile, if one was ever written."""
        found = self._connection.one(statements.READ_PROFILE, (account_id,))
        return None if found is None else columns.PROFILES.unpack(found)

    def write(self, profile: ProfileRow) -> None:
        """Replace the profile."""
        self._connection.all(statements.WRITE_PROFILE, columns.PROFILES.pack(profile))

    def scan(self, *, after: AccountId | None = None) -> Iterator[ProfileRow]:
        """Yield every profile once, in the order of the accounts' tokens, a page at a time."""
        found = (
            self._connection.pages(statements.SCAN_PROFILES, ())
            if after is None
            else self._connection.pages(statements.SCAN_PROFILES_AFTER, (after,))
        )
        return map(columns.PROFILES.unpack, found)


def refuse_unfinished(session: Session, settings: Settings) -> None:
    """Raise ConfigError if a copy into the keyspace is unfinished; driver errors as they come.

    Notes are written to a majority in every data centre, so asking our own is enough, and a daemon
    can start while another one is away.
    """
    question = session.prepare(statements.READ_NOTE.text(settings.keyspace))
    question.consistency_level = LEVELS[settings.consistency]
    if session.execute(question, (COPY,)).one():
        raise ConfigError((UNFINISHED_COPY,))


class CassandraCopyNote:
    """Whether a copy into this store is unfinished."""

    def __init__(self, connection: CassandraConnection) -> None:
        self._connection = connection

    def read(self) -> str | None:
        """Return the note; None if no copy into this store is unfinished."""
        found = self._connection.one(statements.READ_NOTE, (COPY,))
        return None if found is None else str(found[0])

    def write(self, note: str) -> None:
        """Leave the note, instead of one that is there."""
        self._connection.all(statements.WRITE_NOTE, (COPY, note))

    def clear(self) -> None:
        """Take the note away; twice is harmless."""
        self._connection.all(statements.DELETE_NOTE, (COPY,))


class CassandraAudit:
    """Events by account and month, by day, and for each account the months in which it has any.

    Args:
        connection: sends the writes, all of an event at once.
        days: how long events are kept; 0 is for good.
    """

    def __init__(self, connection: CassandraConnection, *, days: int) -> None:
        self._connection = connection
        self._life_s = days * DAY // SECOND

    def append(self, event: Event) -> None:
        """Keep the event; appending one twice is harmless."""
        values = (*columns.AUDIT.pack(event), self._life_s)
        month, day = _month(event.at), _day(event.at)
        writes: list[tuple[statements.Statement, tuple[Any, ...]]] = [
            (statements.ADD_EVENT_OF_DAY, (day, _bucket(event.id), *values))
        ]
        if event.account_id is not None:
            writes += [
                (statements.ADD_EVENT_OF_ACCOUNT, (month, *values)),
                (statements.ADD_MONTH, (event.account_id, month, self._life_s)),
            ]
        self._connection.write_all(writes)

    def of_account(self, account_id: AccountId, *, limit: int = 100) -> tuple[Event, ...]:
        """Return the newest events of an account, newest first: a round trip, and one for each month read."""
        return tuple(islice(self._newest(account_id, limit), limit))

    def _newest(self, account_id: AccountId, limit: int) -> Iterator[Event]:
        for (month,) in self._connection.all(statements.READ_MONTHS, (account_id,)):
            for row in self._connection.all(statements.READ_EVENTS, (account_id, month, limit)):
                yield columns.AUDIT.unpack(row)

    def scan(self, *, after: Event | None = None) -> Iterator[Event]:
        """Yield every event once, in the order of the days' tokens, newest first within one, a page at a time."""
        pages = self._connection.pages
        if after is None:
            found = pages(statements.SCAN_EVENTS, ())
        else:
            place = _day(after.at), _bucket(after.id)
            found = chain(
                pages(statements.SCAN_EVENTS_OF_DAY_AFTER, (*place, after.at, after.id)),
                pages(statements.SCAN_DAYS_AFTER, place),
            )
        return map(columns.AUDIT.unpack, found)


def _month(at: Millis) -> int:
    """Return the month as a number people read, such as 202611."""
    moment = datetime.fromtimestamp(at / SECOND, UTC)
    return moment.year * 100 + moment.month


def _day(at: Millis) -> int:
    """Return the day as a number people read, such as 20261125."""
    return _month(at) * 100 + datetime.fromtimestamp(at / SECOND, UTC).day
