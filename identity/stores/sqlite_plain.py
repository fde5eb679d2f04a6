"""The tables of the account file that are written without a condition.

Owns revocations, profiles, the audit and the note of a copy. The last write wins, or the first,
for events, which never change; nothing here is raced for.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

from identity.accounts.store import ProfileRow, Revocation
from identity.audit import Event
from identity.stores.sqlite_connections import Readers
from identity.stores.sqlite_tables import AUDIT, PROFILES, REVOCATIONS, SqlitePlainTable
from identity.stores.sqlite_writer import Writer
from identity.types import AccountId

OPEN_REVOCATIONS: Final = 1_000
PAGE: Final = 500
"""Rows of a scan read at once."""

RowT = TypeVar("RowT")


class SqliteRevocations:
    """Sessions still to be ended."""

    def __init__(self, *, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def add(self, revocation: Revocation) -> None:
        """Keep it; adding one again replaces it."""
        _write(self._writer, REVOCATIONS.put, REVOCATIONS.pack(revocation))

    def done(self, revocation: Revocation) -> None:
        """Forget it; forgetting twice is harmless."""
        _write(self._writer, "DELETE FROM revocations WHERE id = ?", (str(revocation.id),))

    def open(self) -> tuple[Revocation, ...]:
        """Return those not done, oldest first, at most 1,000."""
        return tuple(_read(self._readers, REVOCATIONS, "ORDER BY created_at LIMIT ?", (OPEN_REVOCATIONS,)))


class SqliteProfiles:
    """What providers said."""

    def __init__(self, *, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def read(self, account_id: AccountId) -> ProfileRow | None:
        """Return the profile, if one was ever written."""
        return next(iter(_read(self._readers, PROFILES, "WHERE account_id = ?", (str(account_id),))), None)

    def write(self, profile: ProfileRow) -> None:
        """Replace the profile."""
        _write(self._writer, PROFILES.put, PROFILES.pack(profile))

    def scan(self, *, after: AccountId | None = None) -> Iterator[ProfileRow]:
        """Yield every profile once, in the order of the accounts, a page at a time."""
        behind = "WHERE account_id > ? ORDER BY account_id LIMIT ?"
        last = "" if after is None else str(after)
        while page := _read(self._readers, PROFILES, behind, (last, PAGE)):
            yield from page
            last = str(page[-1].account_id)


class SqliteAudit:
    """Events, by account and by time."""

    def __init__(self, *, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def append(self, event: Event) -> None:
        """Keep the event; appending one twice is harmless."""
        _write(self._writer, AUDIT.add, AUDIT.pack(event))

    def of_account(self, account_id: AccountId, *, limit: int = 100) -> tuple[Event, ...]:
        """Return the newest events of an account, newest first."""
        newest = "WHERE account_id = ? ORDER BY at DESC, rowid DESC LIMIT ?"
        return tuple(_read(self._readers, AUDIT, newest, (str(account_id), limit)))

    def scan(self, *, after: Event | None = None) -> Iterator[Event]:
        """Yield every event once, oldest first and by id within a moment, a page at a time."""
        behind = "WHERE (at, id) > (?, ?) ORDER BY at, id LIMIT ?"
        place = (-1, "") if after is None else (after.at, str(after.id))
        while page := _read(self._readers, AUDIT, behind, (*place, PAGE)):
            yield from page
            place = (page[-1].at, str(page[-1].id))


class SqliteCopyNote:
    """Whether a copy into this file is unfinished."""

    def __init__(self, *, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def read(self) -> str | None:
        """Return the note; None if no copy into this file is unfinished."""
        with self._readers.reading() as connection:
            found = connection.execute("SELECT note FROM copy_note").fetchone()
        return None if found is None else str(found[0])

    def write(self, note: str) -> None:
        """Leave the note, instead of one that is there."""
        _write(self._writer, "INSERT OR REPLACE INTO copy_note (id, note) VALUES (1, ?)", (note,))

    def clear(self) -> None:
        """Take the note away; twice is harmless."""
        _write(self._writer, "DELETE FROM copy_note", ())


def _write(writer: Writer, statement: str, values: Iterable[Any]) -> None:
    """Run one statement; return when it is on disk."""
    writer.run(lambda connection: connection.execute(statement, tuple(values)).close())


def _read(readers: Readers, table: SqlitePlainTable[RowT], which: str, values: tuple[Any, ...]) -> list[RowT]:
    with readers.reading() as connection:
        found = connection.execute(f"{table.all} {which}", values).fetchall()
    return [table.unpack(columns) for columns in found]
