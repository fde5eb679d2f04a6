"""Accounts in this process's memory: for tests and for trying things out.

Owns the same tables as `sqlite.py` and passes the same contract; everything is gone with the
process. Invariant: each method is one step under one lock, and rows never leave it changeable.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from threading import Lock
from types import MappingProxyType
from typing import Final, Generic, TypeVar
from uuid import UUID

from identity.accounts.invitation import InvitationRow
from identity.accounts.store import (
    AccountRow,
    Applied,
    ConditionalRow,
    Held,
    IdentityRow,
    KeptTokens,
    Outcome,
    ProfileRow,
    ProviderPin,
    Revocation,
    UsernameRow,
    WaitingList,
)
from identity.audit import Event
from identity.types import AccountId, Clock, IdentityKey, Millis, UsernameKey

OPEN_REVOCATIONS: Final = 1_000


KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT", bound=ConditionalRow)


@dataclass(frozen=True, slots=True)
class _Kept(Generic[RowT]):
    row: RowT
    expires_at: Millis | None


class MemoryRows(Generic[KeyT, RowT]):
    """One table of conditional rows.

    Args:
        key: gives the key of a row.
        clock: decides what has expired.
        frozen: gives a copy of a row that shares nothing changeable with it.
    """

    def __init__(
        self, key: Callable[[RowT], KeyT], clock: Clock, *, frozen: Callable[[RowT], RowT] = lambda row: row
    ) -> None:
        self._key = key
        self._clock = clock
        self._frozen = frozen
        self._rows: dict[KeyT, _Kept[RowT]] = {}
        self._lock = Lock()

    def read(self, key: KeyT) -> RowT | None:
        """Return the row, if there is one that has not expired."""
        with self._lock:
            return self._live(key)

    def read_settled(self, key: KeyT) -> RowT | None:
        """Return the same as `read`: there is only one copy."""
        return self.read(key)

    def read_everywhere(self, key: KeyT) -> RowT | None:
        """Return the same as `read`: there is only one place."""
        return self.read(key)

    def insert(self, row: RowT, *, expires_at: Millis | None = None) -> Outcome:
        """Write the row if there is none at its key."""
        with self._lock:
            there = self._live(self._key(row))
            return Held(there) if there else self._write(row, expires_at)

    def replace(self, row: RowT, *, expected: RowT, expires_at: Millis | None = None) -> Outcome:
        """Rewrite the row if it still has `expected`'s op."""
        with self._lock:
            there = self._live(self._key(expected))
            if there is None or there.op != expected.op:
                return Held(there)
            return self._write(row, expires_at)

    def delete(self, expected: RowT) -> Outcome:
        """Delete the row if it still has `expected`'s op."""
        with self._lock:
            there = self._live(self._key(expected))
            if there is None or there.op != expected.op:
                return Held(there)
            del self._rows[self._key(expected)]
            return Applied.APPLIED

    def scan(self, *, after: KeyT | None = None) -> Iterator[RowT]:
        """Yield every row once, in the order of the keys as text, as they stood when the scan began."""
        with self._lock:
            keys = sorted(self._rows, key=str)
        for key in keys:
            if after is not None and str(key) <= str(after):
                continue
            row = self.read(key)
            if row is not None:
                yield row

    def _live(self, key: KeyT) -> RowT | None:
        kept = self._rows.get(key)
        if kept is not None and kept.expires_at is not None and kept.expires_at <= self._clock():
            del self._rows[key]
            return None
        return kept.row if kept else None

    def _write(self, row: RowT, expires_at: Millis | None) -> Outcome:
        self._rows[self._key(row)] = _Kept(self._frozen(row), expires_at)
        return Applied.APPLIED


class MemoryRevocations:
    """Sessions still to be ended."""

    def __init__(self) -> None:
        self._rows: dict[UUID, Revocation] = {}
        self._lock = Lock()

    def add(self, revocation: Revocation) -> None:
        """Keep it; adding one again replaces it."""
        with self._lock:
            self._rows[revocation.id] = revocation

    def done(self, revocation: Revocation) -> None:
        """Forget it; forgetting twice is harmless."""
        with self._lock:
            self._rows.pop(revocation.id, None)

    def open(self) -> tuple[Revocation, ...]:
        """Return those not done, oldest first, at most 1,000."""
        with self._lock:
            rows = sorted(self._rows.values(), key=lambda revocation: revocation.created_at)
        return tuple(rows[:OPEN_REVOCATIONS])


class MemoryProfiles:
    """What providers said."""

    def __init__(self) -> None:
        self._rows: dict[AccountId, ProfileRow] = {}

    def read(self, account_id: AccountId) -> ProfileRow | None:
        """Return the profile, if one was ever written."""
        return self._rows.get(account_id)

    def write(self, profile: ProfileRow) -> None:
        """Replace the profile."""
        self._rows[profile.account_id] = profile

    def scan(self, *, after: AccountId | None = None) -> Iterator[ProfileRow]:
        """Yield every profile once, in the order of the accounts, as they stood when the scan began."""
        found = sorted(self._rows.copy().values(), key=lambda profile: profile.account_id)
        return (profile for profile in found if after is None or profile.account_id > after)


class MemoryCopyNote:
    """Whether a copy into this store is unfinished."""

    def __init__(self) -> None:
        self._note: str | None = None

    def read(self) -> str | None:
        """Return the note; None if no copy into this store is unfinished."""
        return self._note

    def write(self, note: str) -> None:
        """Leave the note, instead of one that is there."""
        self._note = note

    def clear(self) -> None:
        """Take the note away; twice is harmless."""
        self._note = None


class MemoryAudit:
    """Events in the order of their times."""

    def __init__(self) -> None:
        self._events: dict[UUID, Event] = {}
        self._lock = Lock()

    def append(self, event: Event) -> None:
        """Keep the event; appending one twice is harmless."""
        with self._lock:
            self._events.setdefault(event.id, replace(event, facts=MappingProxyType(dict(event.facts))))

    def of_account(self, account_id: AccountId, *, limit: int = 100) -> tuple[Event, ...]:
        """Return the newest events of an account, newest first."""
        with self._lock:
            events = [event for event in self._events.values() if event.account_id == account_id]
        # Of two at the same moment the one appended later is the newer.
        newest = sorted(enumerate(events), key=lambda each: (each[1].at, each[0]), reverse=True)
        return tuple(event for _, event in newest[:limit])

    def scan(self, *, after: Event | None = None) -> Iterator[Event]:
        """Yield every event once, oldest first and by id within a moment, as they stood when the scan began."""
        with self._lock:
            found = sorted(self._events.values(), key=_place)
        return (event for event in found if after is None or _place(event) > _place(after))


def _place(event: Event) -> tuple[Millis, UUID]:
    return event.at, event.id


class MemoryAccounts:
    """The tables together, and the audit beside them.

    Args:
        clock: decides what has expired.
    """

    def __init__(self, *, clock: Clock) -> None:
        self.identities: Final = MemoryRows[IdentityKey, IdentityRow](lambda row: row.key, clock)
        self.usernames: Final = MemoryRows[UsernameKey, UsernameRow](lambda row: row.key, clock)
        self.accounts: Final = MemoryRows[AccountId, AccountRow](lambda row: row.key, clock, frozen=_frozen)
        self.providers: Final = MemoryRows[str, ProviderPin](lambda row: row.key, clock)
        self.upstream_tokens: Final = MemoryRows[IdentityKey, KeptTokens](lambda row: row.key, clock)
        self.invitations: Final = MemoryRows[str, InvitationRow](lambda row: row.key, clock)
        self.waiting: Final = MemoryRows[str, WaitingList](lambda row: row.key, clock)
        self.profiles: Final = MemoryProfiles()
        self.revocations: Final = MemoryRevocations()
        self.copy_note: Final = MemoryCopyNote()
        self.audit: Final = MemoryAudit()

    def probe(self) -> None:
        """Do nothing: memory is always there."""

    def close(self) -> None:
        """Do nothing: the process's end is the end of the rows."""


def _frozen(account: AccountRow) -> AccountRow:
    return replace(account, identities=MappingProxyType(dict(account.identities)))
