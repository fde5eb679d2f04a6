"""The tables that a copy carries over, in their order, and how each is scanned, written and compared.

Owns the list: a test compares it with `identity.accounts.tables`, from which names and keys derive.
Identities come first: a person who met a copy that stopped there would be refused, not asked to sign up.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from identity.accounts import tables
from identity.accounts.invitation import InvitationRow
from identity.accounts.store import (
    AccountStore,
    Applied,
    ConditionalRow,
    IdentityState,
    ProfileRow,
    Revocation,
    Rows,
    UsernameState,
)
from identity.accounts.tables import ColumnKind, DurableTable
from identity.audit import AuditLog, Event
from identity.types import AccountId

RowT = TypeVar("RowT")
ConditionalT = TypeVar("ConditionalT", bound=ConditionalRow)


@dataclass(frozen=True, slots=True)
class CopySide:
    """One of the two stores, and what its kind is called."""

    name: str
    store: AccountStore
    audit: AuditLog


@dataclass(frozen=True, slots=True)
class CopiedTable(Generic[RowT]):
    """A table of any store."""

    name: str
    scan: Callable[[CopySide, str | None], Iterator[RowT]]
    """All rows in the store's order, or those behind a place."""
    place: Callable[[RowT], str | None]
    """Where a row is in that order; None if a scan always begins at the beginning."""
    put: Callable[[CopySide, RowT], bool]
    """Write a row unless there is one; tell whether there was none. May be repeated."""
    label: Callable[[RowT], str]
    """What a row is called when it is in trouble."""
    read: Callable[[CopySide, RowT], RowT | None] = lambda _side, _row: None
    """The row at the same key, if the table is read by key."""
    kept: Callable[[RowT], bool] = lambda _: True
    """Whether a row is for good."""


def fingerprint(row: Event | Revocation) -> int:
    """Return a number that two rows share only if they are equal, however their facts are kept."""
    match row:
        case Event():
            values: tuple[Any, ...] = (*_columns(row, "facts"), sorted(row.facts.items()))
        case Revocation():
            values = _columns(row)
    return int.from_bytes(blake2b(repr(values).encode(), digest_size=16).digest(), "big")


def _columns(row: Event | Revocation, *but: str) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in row.__dataclass_fields__ if name not in but)


def _keyed(
    table: DurableTable[RowT],
    of: Callable[[AccountStore], Any],
    put: Callable[[CopySide, RowT], bool],
    *,
    kept: Callable[[RowT], bool] = lambda _: True,
) -> CopiedTable[RowT]:
    key = attrgetter(table.fields[0])
    parse: Callable[[str], UUID | str] = UUID if table.columns[0].kind is ColumnKind.UUID else str

    def scan(side: CopySide, after: str | None) -> Iterator[RowT]:
        found: Iterator[RowT] = of(side.store).scan(after=None if after is None else parse(after))
        return found

    def read(side: CopySide, row: RowT) -> RowT | None:
        found: RowT | None = of(side.store).read(key(row))
        return found

    def place(row: RowT) -> str:
        return str(key(row))

    return CopiedTable(table.name, scan=scan, place=place, put=put, label=place, read=read, kept=kept)


def _rows(
    table: DurableTable[ConditionalT],
    of: Callable[[AccountStore], Rows[Any, ConditionalT]],
    *,
    kept: Callable[[ConditionalT], bool] = lambda _: True,
) -> CopiedTable[ConditionalT]:
    return _keyed(table, of, lambda side, row: of(side.store).insert(row) is Applied.APPLIED, kept=kept)


def _put_profile(side: CopySide, profile: ProfileRow) -> bool:
    if side.store.profiles.read(profile.account_id) is not None:
        return False
    side.store.profiles.write(profile)
    return True


def _put_invitation(side: CopySide, row: InvitationRow) -> bool:
    return side.store.invitations.insert(row, expires_at=row.expires_at) is Applied.APPLIED


def _put_event(side: CopySide, event: Event) -> bool:
    side.audit.append(event)
    return True


def _put_revocation(side: CopySide, revocation: Revocation) -> bool:
    side.store.revocations.add(revocation)
    return True


def _event_place(event: Event) -> str:
    return json.dumps([str(event.id), event.at, str(event.account_id) if event.account_id else None])


def _event_at(place: str) -> Event:
    id_, at, account_id = json.loads(place)
    return Event(UUID(id_), at, "", AccountId(UUID(account_id)) if account_id else None, "")


_REVOCATIONS: Final[CopiedTable[Revocation]] = CopiedTable(
    tables.REVOCATIONS.name,
    scan=lambda side, _: iter(side.store.revocations.open()),
    place=lambda _: None,
    put=_put_revocation,
    label=lambda revocation: str(revocation.id),
)

_AUDIT: Final[CopiedTable[Event]] = CopiedTable(
    tables.AUDIT.name,
    scan=lambda side, after: side.audit.scan(after=None if after is None else _event_at(after)),
    place=_event_place,
    put=_put_event,
    label=lambda event: str(event.id),
)

KEYED: Final[tuple[CopiedTable[Any], ...]] = (
    _rows(tables.IDENTITIES, lambda store: store.identities, kept=lambda row: row.state is not IdentityState.PENDING),
    _rows(tables.USERNAMES, lambda store: store.usernames, kept=lambda row: row.state is not UsernameState.PENDING),
    _rows(tables.ACCOUNTS, lambda store: store.accounts),
    _rows(tables.PROVIDERS, lambda store: store.providers),
    _rows(tables.UPSTREAM_TOKENS, lambda store: store.upstream_tokens, kept=lambda row: row.account_id is not None),
    _keyed(tables.INVITATIONS, lambda store: store.invitations, _put_invitation),
    _rows(tables.WAITING, lambda store: store.waiting),
    _keyed(tables.PROFILES, lambda store: store.profiles, _put_profile),
)
"""Tables whose rows are read back one by one, as a login will read them."""

UNKEYED: Final[tuple[CopiedTable[Any], ...]] = (_REVOCATIONS, _AUDIT)
"""Tables that are compared as a whole."""

TABLES: Final = (*KEYED, *UNKEYED)
