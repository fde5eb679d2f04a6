"""The tables of the account file that are written without a condition.

Owns revocations, profiles, the audit and the note of a copy. The last write wins, or the first,
for events, which never change; nothing here is raced for.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final
from uuid import UUID

from identity.accounts.store import Profile, Revocation
from identity.audit import Event
from identity.stores.sqlite_connections import Readers
from identity.stores.sqlite_writer import Writer
from identity.types import AccountId

OPEN_REVOCATIONS: Final = 1_000
PAGE: Final = 500
"""Rows of a scan read at once."""


class SqliteRevocations:
    """Sessions still to be ended."""

    def __init__(self, *, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def add(self, revocation: Revocation) -> None:
        """Keep it; adding one again replaces it."""
        values = (
            str(revocation.id),
            str(revocation.account_id),
            revocation.session,
            revocation.epoch,
            revocation.reason,
            revocation.created_at,
            revocation.identity,
        )
        _write(
            self._writer,
            "INSERT OR REPLACE INTO revocations "
            "(id, account_id, session, epoch, reason, created_at, identity_key) VALUES (?, ?, ?, ?, ?, ?, ?)",
            values,
        )

    def done(self, revocation: Revocation) -> None:
        """Forget it; forgetting twice is harmless."""
        _write(self._writer, "DELETE FROM revocations WHERE id = ?", (str(revocation.id),))

    def open(self) -> tuple[Revocation, ...]:
        """Return those not done, oldest first, at most 1,000."""
        with self._readers.reading() as connection:
            found = connection.execute(
                "SELECT id, account_id, session, epoch, reason, created_at, identity_key "
                "FROM revocations ORDER BY created_at LIMIT ?",
                (OPEN_REVOCATIONS,),
            ).fetchall()
        return tuple(_revocation(*columns) for columns in found)


def _revocation(id_: str, account_id: str, *rest: Any) -> Revocation:  # noqa: ANN401 - columns
    session, epoch, reason, created_at, identity = rest
    return Revocation(UUID(id_), AccountId(UUID(account_id)), session, epoch, reason, created_at, identity)


class SqliteProfiles:
    """What providers said."""

    def __init__(self, *, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def read(self, account_id: AccountId) -> Profile | None:
        """Return the profile, if one was ever written."""
        with self._readers.reading() as connection:
            found = connection.execute(
                "SELECT display_name, email, email_verified, picture, seen_at FROM profiles WHERE account_id = ?",
                (str(account_id),),
            ).fetchone()
        return None if found is None else _profile(account_id, *found)

    def write(self, profile: Profile) -> None:
        """Replace the profile."""
        values = (
            str(profile.account_id),
            profile.display_name,
            profile.email,
            profile.email_verified,
            profile.picture,
            profile.seen_at,
        )
        _write(
            self._writer,
            "INSERT OR REPLACE INTO profiles "
            "(account_id, display_name, email, email_verified, picture, seen_at) VALUES (?, ?, ?, ?, ?, ?)",
            values,
        )

    def scan(self, *, after: AccountId | None = None) -> Iterator[Profile]:
        """Yield every profile once, in the order of the accounts, a page at a time."""
        last = "" if after is None else str(after)
        while page := self._page(last):
            yield from page
            last = str(page[-1].account_id)

    def _page(self, after: str) -> list[Profile]:
        with self._readers.reading() as connection:
            found = connection.execute(
                "SELECT account_id, display_name, email, email_verified, picture, seen_at FROM profiles "
                "WHERE account_id > ? ORDER BY account_id LIMIT ?",
                (after, PAGE),
            ).fetchall()
        return [_profile(AccountId(UUID(account_id)), *columns) for account_id, *columns in found]


def _profile(account_id: AccountId, *columns: Any) -> Profile:  # noqa: ANN401 - columns
    display_name, email, verified, picture, seen_at = columns
    return Profile(account_id, display_name, email, bool(verified), picture, seen_at)


class SqliteAudit:
    """Events, by account and by time."""

    def __init__(self, *, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def append(self, event: Event) -> None:
        """Keep the event; appending one twice is harmless."""
        values = (
            str(event.id),
            event.at,
            event.action,
            str(event.account_id) if event.account_id else None,
            event.actor,
            event.address,
            event.request_id,
            json.dumps(dict(event.facts)),
        )
        _write(
            self._writer,
            "INSERT INTO audit (id, at, action, account_id, actor, address, request_id, facts) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            values,
        )

    def of_account(self, account_id: AccountId, *, limit: int = 100) -> tuple[Event, ...]:
        """Return the newest events of an account, newest first."""
        with self._readers.reading() as connection:
            found = connection.execute(
                "SELECT id, at, action, account_id, actor, address, request_id, facts FROM audit "
                "WHERE account_id = ? ORDER BY at DESC, rowid DESC LIMIT ?",
                (str(account_id), limit),
            ).fetchall()
        return tuple(_event(*columns) for columns in found)

    def scan(self, *, after: Event | None = None) -> Iterator[Event]:
        """Yield every event once, oldest first and by id within a moment, a page at a time."""
        place = (-1, "") if after is None else (after.at, str(after.id))
        while page := self._page(*place):
            yield from page
            place = (page[-1].at, str(page[-1].id))

    def _page(self, at: int, id_: str) -> list[Event]:
        with self._readers.reading() as connection:
            found = connection.execute(
                "SELECT id, at, action, account_id, actor, address, request_id, facts FROM audit "
                "WHERE (at, id) > (?, ?) ORDER BY at, id LIMIT ?",
                (at, id_, PAGE),
            ).fetchall()
        return [_event(*columns) for columns in found]


def _event(id_: str, at: int, action: str, account_id: str | None, *rest: str) -> Event:
    actor, address, request_id, facts = rest
    owner = AccountId(UUID(account_id)) if account_id else None
    return Event(UUID(id_), at, action, owner, actor, address, request_id, json.loads(facts))


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
