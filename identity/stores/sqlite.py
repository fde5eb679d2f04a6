"""Accounts in one SQLite file: the embedded default.

Owns the tables of `identity.accounts.store` and the audit over one writer (`sqlite_writer.py`)
and any number of readers. Every conditional write is one transaction: look, decide, write. A row
whose time is past is absent for reading and writing alike, and removed by the next insert.
Several processes may use one file; SQLite keeps them apart.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final, Generic, TypeVar

from identity.accounts.invitation import InvitationRow
from identity.accounts.store import (
    UNFINISHED_COPY,
    AccountRow,
    Applied,
    ConditionalRow,
    Held,
    IdentityRow,
    KeptTokens,
    Outcome,
    ProviderPin,
    UsernameRow,
    WaitingList,
)
from identity.errors import ConfigError, StoreUnavailable
from identity.stores.sqlite_connections import Readers, connect, hold, require_restored, unavailable
from identity.stores.sqlite_plain import PAGE, SqliteAudit, SqliteCopyNote, SqliteProfiles, SqliteRevocations
from identity.stores.sqlite_schema import migrate
from identity.stores.sqlite_tables import (
    ACCOUNTS,
    IDENTITIES,
    INVITATIONS,
    PROVIDERS,
    UPSTREAM_TOKENS,
    USERNAMES,
    WAITING,
    SqliteTable,
)
from identity.stores.sqlite_writer import Writer
from identity.types import SECOND, AccountId, Clock, IdentityKey, Millis, UsernameKey

BUSY_MS: Final[Millis] = 5 * SECOND
"""How long to wait for another process that writes."""
PATIENCE_MS: Final[Millis] = 15 * SECOND
"""How long a caller waits for its write to be on disk."""

KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT", bound=ConditionalRow)


class SqliteRows(Generic[KeyT, RowT]):
    """One table of conditional rows.

    Args:
        table: its columns and statements.
        readers: connections to read with.
        writer: runs what writes.
        clock: decides what has expired.
    """

    def __init__(self, table: SqliteTable[RowT], *, readers: Readers, writer: Writer, clock: Clock) -> None:
        self._table = table
        self._readers = readers
        self._writer = writer
        self._clock = clock

    def read(self, key: KeyT) -> RowT | None:
        """Return the row as the last commit left it."""
        with self._readers.reading() as connection:
            return self._table.fetch(connection, str(key), self._clock())

    def read_settled(self, key: KeyT) -> RowT | None:
        """Return the same as `read`: what was committed is what there is."""
        return self.read(key)

    def read_everywhere(self, key: KeyT) -> RowT | None:
        """Return the same as `read`: there is only one file."""
        return self.read(key)

    def insert(self, row: RowT, *, expires_at: Millis | None = None) -> Outcome:
        """Write the row if there is none at its key."""
        table = self._table

        def insert(connection: sqlite3.Connection) -> Outcome:
            now = self._clock()
            connection.execute(table.purge, (now,))
            done = connection.execute(table.insert, (*table.pack(row), expires_at))
            return Applied.APPLIED if done.rowcount else Held(table.fetch(connection, table.key(row), now))

        return self._writer.run(insert)

    def replace(self, row: RowT, *, expected: RowT, expires_at: Millis | None = None) -> Outcome:
        """Rewrite every column if the row still has `expected`'s op."""
        return self._change(self._table.update, (*self._table.pack(row), expires_at), expected)

    def delete(self, expected: RowT) -> Outcome:
        """Delete the row if it still has `expected`'s op."""
        return self._change(self._table.delete, (), expected)

    def _change(self, statement: str, values: tuple[Any, ...], expected: RowT) -> Outcome:
        key = self._table.key(expected)

        def change(connection: sqlite3.Connection) -> Outcome:
            now = self._clock()
            done = connection.execute(statement, (*values, key, str(expected.op), now))
            return Applied.APPLIED if done.rowcount else Held(self._table.fetch(connection, key, now))

        return self._writer.run(change)

    def scan(self, *, after: KeyT | None = None) -> Iterator[RowT]:
        """Yield every row once, in the order of the keys, a page at a time."""
        last = "" if after is None else str(after)
        while page := self._page(last):
            yield from page
            last = self._table.key(page[-1])

    def _page(self, after: str) -> list[RowT]:
        with self._readers.reading() as connection:
            found = connection.execute(self._table.page, (after, self._clock(), PAGE)).fetchall()
        return [row for row in map(self._table.row, found) if row is not None]


class SqliteAccounts:
    """The tables together, and the audit beside them.

    Args:
        path: the file; made, for its owner's eyes only, if there is none.
        clock: decides what has expired.
        busy_ms: how long to wait for another process that writes.
        patience_ms: how long a caller waits for its write to be on disk.
        to_copy: open it also if a copy into it is unfinished, and keep every other process from it.

    Raises:
        StoreUnavailable: the file cannot be opened.
        ConfigError: it is another program's, a newer identityd wrote it, a copy into it is unfinished, or
            another process is in the way.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        busy_ms: Millis = BUSY_MS,
        patience_ms: Millis = PATIENCE_MS,
        to_copy: bool = False,
    ) -> None:
        self._held, connection = _opened(path, clock=clock, busy_ms=busy_ms, to_copy=to_copy)
        self._path = path
        self._file = path.stat().st_ino
        self._readers = readers = Readers(path, busy_ms=busy_ms)
        self._writer = writer = Writer(connection, patience_ms=patience_ms)
        self.identities: Final = SqliteRows[IdentityKey, IdentityRow](
            IDENTITIES, readers=readers, writer=writer, clock=clock
        )
        self.usernames: Final = SqliteRows[UsernameKey, UsernameRow](
            USERNAMES, readers=readers, writer=writer, clock=clock
        )
        self.accounts: Final = SqliteRows[AccountId, AccountRow](ACCOUNTS, readers=readers, writer=writer, clock=clock)
        self.providers: Final = SqliteRows[str, ProviderPin](PROVIDERS, readers=readers, writer=writer, clock=clock)
        self.upstream_tokens: Final = SqliteRows[IdentityKey, KeptTokens](
            UPSTREAM_TOKENS, readers=readers, writer=writer, clock=clock
        )
        self.invitations: Final = SqliteRows[str, InvitationRow](
            INVITATIONS, readers=readers, writer=writer, clock=clock
        )
        self.waiting: Final = SqliteRows[str, WaitingList](WAITING, readers=readers, writer=writer, clock=clock)
        self.profiles: Final = SqliteProfiles(readers=readers, writer=writer)
        self.revocations: Final = SqliteRevocations(readers=readers, writer=writer)
        self.copy_note: Final = SqliteCopyNote(readers=readers, writer=writer)
        self.audit: Final = SqliteAudit(readers=readers, writer=writer)

    def probe(self) -> None:
        """Read a row, and see that the file is still the one that was opened."""
        with self._readers.reading() as connection:
            connection.execute("SELECT max(version) FROM schema_migrations").fetchone()
        try:
            moved = self._path.stat().st_ino != self._file
        except OSError as error:
            raise unavailable(error) from error
        if moved:
            raise StoreUnavailable(detail=f"sqlite: {self._path} was replaced while in use; restart identityd")

    def close(self) -> None:
        """Finish what is being written and let go of the file; later calls raise StoreUnavailable."""
        self._writer.close()
        self._readers.close()
        self._held.close()


def _opened(path: Path, *, clock: Clock, busy_ms: Millis, to_copy: bool) -> tuple[IO[bytes], sqlite3.Connection]:
    """Open the file for writing, with this version's tables in it; return its lock too."""
    with ExitStack() as closing:
        require_restored(path)
        try:
            held = closing.enter_context(hold(path, alone=to_copy))
            connection = connect(path, busy_ms=busy_ms)
            closing.callback(connection.close)
            migrate(connection, path, clock=clock)
            if not to_copy and connection.execute("SELECT note FROM copy_note").fetchone():
                raise ConfigError((UNFINISHED_COPY,))
        except (sqlite3.Error, OSError) as error:
            raise unavailable(error) from error
        closing.pop_all()
    return held, connection
