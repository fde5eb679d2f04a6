"""Finding an account for an operator, and looking at it whole.

Owns what is read, and when an index row is believed: only if the account agrees (rule D6,
docs/architecture.md). Writes nothing. An absent index row is read a second time after every
write that came before (D9), so "not found" is the truth.
"""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from identity.accounts.store import (
    AccountRow,
    AccountStore,
    IdentityState,
    ProfileRow,
    Revocation,
    UsernameState,
)
from identity.accounts.usernames import fold
from identity.admin.naming import ByAccount, ByIdentity, ByUsername, How, Reading, readings
from identity.admin.problem import Problem
from identity.audit import AuditLog, Event
from identity.types import AccountId, IdentityKey, Millis


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """The account, and what it was found by."""

    account: AccountRow
    reading: Reading
    former: bool = False
    """Found by a username it gave up."""


class Why(Enum):
    """Why a reading leads to no account."""

    ABSENT = "absent"
    CLAIMED = "claimed"
    """A sign-up or link that is under way, or was given up, holds the identity or name for a while."""
    UNFINISHED = "unfinished"
    """A sign-up or link was cut short; the next login with the identity finishes it."""
    UNLINKED = "unlinked"
    """The index row is left over: the account it names does not list the identity."""
    NO_ACCOUNT = "no-account"
    """The row names an account that is not stored."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A reading that leads nowhere."""

    reading: Reading
    why: Why
    account_id: AccountId | None = None
    """The account that the row names."""


@dataclass(frozen=True, slots=True)
class AccountNotFound(Problem):
    """No reading leads to an account; none at all if the text can mean nothing."""

    misses: tuple[Miss, ...]
    code: ClassVar = "not-found"


@dataclass(frozen=True, slots=True)
class AccountAmbiguous(Problem):
    """The text means several accounts."""

    found: tuple[FoundAccount, ...]
    code: ClassVar = "ambiguous"


class Agreement(Enum):
    """What the index says of something an account says of itself."""

    AGREES = "agrees"
    MISSING = "missing"
    ELSEWHERE = "elsewhere"
    """The index row leads to another account, or was given up."""
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class InspectedLink:
    """One way to log in."""

    key: IdentityKey
    label: str
    linked_at: Millis
    index: Agreement
    suspended: str
    """What its provider said, for which no login goes through it; empty if logins do."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """An account with everything an operator wants to see beside it."""

    found: FoundAccount
    links: tuple[InspectedLink, ...]
    name: Agreement
    profile: ProfileRow | None
    events: tuple[Event, ...]
    revocations: tuple[Revocation, ...]

    @property
    def account(self) -> AccountRow:
        """The account."""
        return self.found.account

    @property
    def whole(self) -> bool:
        """Tell whether every row agrees with the account."""
        return all(each is Agreement.AGREES for each in (self.name, *(link.index for link in self.links)))


def find(
    store: AccountStore, text: str, *, how: How | None = None
) -> FoundAccount | AccountNotFound | AccountAmbiguous:
    """Return the account that a text names.

    | readings (`naming.readings`) that lead to an account | answer             |
    |------------------------------------------------------|--------------------|
    | none                                                 | AccountNotFound, each why |
    | one account                                          | FoundAccount              |
    | several accounts                                     | AccountAmbiguous          |

    Raises:
        StoreUnavailable: the store is away.
    """
    looked = [_look(store, reading) for reading in readings(text, how)]
    found = {each.account.key: each for each in reversed(looked) if isinstance(each, FoundAccount)}
    match tuple(reversed(found.values())):
        case ():
            return AccountNotFound(tuple(each for each in looked if isinstance(each, Miss)))
        case (one,):
            return one
        case several:
            return AccountAmbiguous(several)


def inspect(store: AccountStore, audit: AuditLog, found: FoundAccount, *, events: int) -> Inspected:
    """Read what is beside an account, and so many of its latest audit rows. Raises StoreUnavailable."""
    account = found.account
    links = tuple(
        InspectedLink(key, linked.label, linked.linked_at, _index(store, key, account), account.suspended(key))
        for key, linked in sorted(account.identities.items())
    )
    return Inspected(
        found,
        links,
        name=_name_index(store, account),
        profile=store.profiles.read(account.key),
        events=audit.of_account(account.key, limit=events) if events else (),
        revocations=tuple(each for each in store.revocations.open() if each.account_id == account.key),
    )


def _look(store: AccountStore, reading: Reading) -> FoundAccount | Miss:
    match reading:
        case ByAccount(key):
            account = store.accounts.read(key) or store.accounts.read_settled(key)
            return FoundAccount(account, reading) if account else Miss(reading, Why.ABSENT)
        case ByIdentity():
            return _look_up_identity(store, reading)
        case ByUsername():
            return _look_up_name(store, reading)


def _look_up_identity(store: AccountStore, reading: ByIdentity) -> FoundAccount | Miss:
    """Follow an index row, and believe it only if the account lists the identity."""
    row = store.identities.read(reading.key) or store.identities.read_settled(reading.key)
    if row is None:
        return Miss(reading, Why.ABSENT)
    if row.state is IdentityState.PENDING:
        return Miss(reading, Why.CLAIMED)
    account = store.accounts.read(row.account_id)
    if account is not None and reading.key in account.identities:
        return FoundAccount(account, reading)
    if row.state is IdentityState.COMPLETING:
        return Miss(reading, Why.UNFINISHED, row.account_id)
    return Miss(reading, Why.UNLINKED if account else Why.NO_ACCOUNT, row.account_id)


def _look_up_name(store: AccountStore, reading: ByUsername) -> FoundAccount | Miss:
    row = store.usernames.read(reading.key) or store.usernames.read_settled(reading.key)
    if row is None:
        return Miss(reading, Why.ABSENT)
    if row.state is UsernameState.PENDING:
        return Miss(reading, Why.CLAIMED)
    account = store.accounts.read(row.account_id)
    if account is None:
        return Miss(reading, Why.NO_ACCOUNT, row.account_id)
    return FoundAccount(account, reading, former=row.state is UsernameState.RETIRED)


def _index(store: AccountStore, key: IdentityKey, account: AccountRow) -> Agreement:
    row = store.identities.read(key)
    if row is None or row.state is IdentityState.PENDING:
        return Agreement.MISSING
    if row.account_id != account.key:
        return Agreement.ELSEWHERE
    return Agreement.AGREES if row.state is IdentityState.ACTIVE else Agreement.UNFINISHED


def _name_index(store: AccountStore, account: AccountRow) -> Agreement:
    row = store.usernames.read(fold(account.username))
    if row is None:
        return Agreement.MISSING
    if row.account_id != account.key or row.state is UsernameState.RETIRED:
        return Agreement.ELSEWHERE
    return Agreement.AGREES if row.state is UsernameState.ACTIVE else Agreement.UNFINISHED
