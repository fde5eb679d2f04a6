"""The tables that a copy carries over, in their order, and how each is scanned, written and compared.

Owns the list: a new durable table must be named here, and a test compares it with the store's.
Identities come first: whoever met a copy that stopped there would be refused, not asked to sign up.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID

from identity.accounts.store import (
    AccountStore,
    Applied,
    IdentityState,
    Profile,
    Revocation,
    Rows,
    UsernameState,
)
from identity.audit import AuditLog, Event
from identity.types import AccountId, IdentityKey, UsernameKey

KeyT = TypeVar("KeyT")
KeyT_co = TypeVar("KeyT_co", covariant=True)


class _Keyed(Protocol[KeyT_co]):
    @property
    def key(self) -> KeyT_co: ...


RowT = TypeVar("RowT")
KeyedT = TypeVar("KeyedT", bound=_Keyed[Any])


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


def _rows(
    name: str,
    of: Callable[[AccountStore], Rows[KeyT, KeyedT]],
    key: Callable[[str], KeyT],
    kept: Callable[[KeyedT], bool],
) -> CopiedTable[KeyedT]:
    def scan(side: CopySide, after: str | None) -> Iterator[KeyedT]:
        return of(side.store).scan(after=None if after is None else key(after))

    return CopiedTable(
        name,
        scan=scan,
        place=lambda row: str(row.key),
        put=lambda side, row: of(side.store).insert(row) is Applied.APPLIED,
        label=lambda row: str(row.key),
        read=lambda side, row: of(side.store).read(row.key),
        kept=kept,
    )


def _account_id(text: str) -> AccountId:
    return AccountId(UUID(text))


def _put_profile(side: CopySide, profile: Profile) -> bool:
    if side.store.profiles.read(profile.account_id) is not None:
        return False
    side.store.profiles.write(profile)
    return True


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
    return Event(UUID(id_), at, "", _account_id(account_id) if account_id else None, "")


_PROFILES: Final[CopiedTable[Profile]] = CopiedTable(
    "profiles",
    scan=lambda side, after: side.store.profiles.scan(after=None if after is None else _account_id(after)),
    place=lambda profile: str(profile.account_id),
    put=_put_profile,
    label=lambda profile: str(profile.account_id),
    read=lambda side, profile: side.store.profiles.read(profile.account_id),
)

_REVOCATIONS: Final[CopiedTable[Revocation]] = CopiedTable(
    "revocations",
    scan=lambda side, _: iter(side.store.revocations.open()),
    place=lambda _: None,
    put=_put_revocation,
    label=lambda revocation: str(revocation.id),
)

_AUDIT: Final[CopiedTable[Event]] = CopiedTable(
    "audit",
    scan=lambda side, after: side.audit.scan(after=None if after is None else _event_at(after)),
    place=_event_place,
    put=_put_event,
    label=lambda event: str(event.id),
)

KEYED: Final[tuple[CopiedTable[Any], ...]] = (
    _rows(
        "identities",
        lambda store: store.identities,
        IdentityKey,
        lambda row: row.state is not IdentityState.PENDING,
    ),
    _rows(
        "usernames",
        lambda store: store.usernames,
        UsernameKey,
        lambda row: row.state is not UsernameState.PENDING,
    ),
    _rows("accounts", lambda store: store.accounts, _account_id, lambda _: True),
    _PROFILES,
)
"""Tables whose rows are read back one by one, as a login will read them."""

UNKEYED: Final[tuple[CopiedTable[Any], ...]] = (_REVOCATIONS, _AUDIT)
"""Tables that are compared as a whole."""

TABLES: Final = (*KEYED, *UNKEYED)
