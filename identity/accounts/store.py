"""The durable rows of the identity map, as the account service needs them.

Three tables of one shape: a row is read by its key, inserted if there is none, and replaced or
deleted only if it is still the row the caller read. "Still the row" is the row's `op`, a uuid
every write renews: it subsumes the conditions on claim, version and owner (docs/adr/0002), and
lets a write whose outcome is unknown find out whether it happened.

Rows written conditionally hold nothing that changes at a login (`profiles` does), but for the tokens of
providers, where an operator wants them kept: a lost race would lose a refresh token.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol, TypeAlias, TypeVar
from uuid import UUID

from identity.accounts.invitation import InvitationRow
from identity.types import AccountId, IdentityKey, Millis, Username, UsernameKey
from providers.base import Profile

LABEL: Final = 100
"""Characters of what a person recognises a way to log in by."""


class IdentityState(Enum):
    """How far the making of an account through this identity has come."""

    PENDING = "pending"
    """Claimed, with all that is needed to finish; expires by itself."""
    COMPLETING = "completing"
    """Committed: the account will exist, whichever request finishes it."""
    NEEDS_NAME = "needs-name"
    """Committed, but the name was lost meanwhile; the person is asked again."""
    ACTIVE = "active"


class UsernameState(Enum):
    """What a username row says."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRED = "retired"
    """Given up by its owner and never handed out again."""


class AccountStatus(Enum):
    """Whether an account may log in."""

    ACTIVE = "active"
    WAITING = "waiting"
    """Just made; an operator has to approve it first."""
    REJECTED = "rejected"
    DISABLED = "disabled"
    MERGING = "merging"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """The index row: `provider:subject` to account. The commit point of making an account."""

    key: IdentityKey
    username: Username
    account_id: AccountId
    state: IdentityState
    claim: UUID
    claimed_at: Millis
    op: UUID
    label: str = ""
    """What the account will list it under; here too, because the row alone must suffice to finish."""
    invitation: str = ""
    """Key of the one that the account was made with."""
    groups: tuple[str, ...] = ()
    """Those the account is to be in from the beginning, as the invitation has it."""
    waits: bool = False
    """Whether the account is made as one that waits for an operator."""


@dataclass(frozen=True, slots=True)
class UsernameRow:
    """Who owns a folded name."""

    key: UsernameKey
    username: Username
    account_id: AccountId
    state: UsernameState
    claim: UUID
    claimed_at: Millis
    op: UUID


@dataclass(frozen=True, slots=True)
class LinkedIdentity:
    """One way to log in, as the account lists it."""

    linked_at: Millis
    label: str
    """What the person recognises it by (a handle or an address); information only."""


@dataclass(frozen=True, slots=True)
class Suspension:
    """What a provider last said of whether a person's account there may be used."""

    at: Millis
    """When that happened; what happened before counts no more."""
    reason: str
    """Why logins through it are refused; empty if they are not."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account. A login counts only if the index row and `identities` agree."""

    key: AccountId
    username: Username
    status: AccountStatus
    epoch: int
    """Raised to end every session of the account."""
    version: int
    op: UUID
    created_at: Millis
    identities: Mapping[IdentityKey, LinkedIdentity] = field(default_factory=dict)
    merged_into: AccountId | None = None
    suspensions: Mapping[IdentityKey, Suspension] = field(default_factory=dict)
    """For those of `identities` of which a provider said something."""
    groups: tuple[str, ...] = ()
    """Those operators put it into, in alphabetical order."""

    def suspended(self, key: IdentityKey) -> str:
        """Return why logins through one of its identities are refused; empty if they are not."""
        told = self.suspensions.get(key)
        return told.reason if told else ""


@dataclass(frozen=True, slots=True)
class ProfileRow(Profile):
    """What a provider said at the last login. Last write wins."""

    account_id: AccountId
    seen_at: Millis


@dataclass(frozen=True, slots=True)
class ProviderPin:
    """What the subjects of a configured provider mean, as at the first login through it (rule D14)."""

    key: str
    """The provider's name in the configuration."""
    issuer: str
    subject: str
    """Which of the issuer's values identifies a person, for example `sub`."""
    pinned_at: Millis
    op: UUID


@dataclass(frozen=True, slots=True)
class WaitingList:
    """Accounts that wait for an operator: by account id, when the sign-up claimed its identity, and which."""

    key: str
    entries: Mapping[str, str]
    op: UUID


REGROUPED: Final = 100
"""Reason of a revocation that ends no session: they live on under the new epoch, and know the account's groups.

A release that does not know it ends them, which is right too.
"""


@dataclass(frozen=True, slots=True)
class KeptTokens:
    """Tokens of a provider, kept for the applications of one account (ADR 22).

    They count only while that account lists the identity, whatever else happened.
    """

    key: IdentityKey
    account_id: AccountId | None
    """None: of a person who chooses a username at this moment; such a row expires."""
    sealed: bytes = field(repr=False)
    """For this key and this account; what is inside is `identity.upstream_tokens`'s."""
    kept_at: Millis
    claim: UUID | None
    """Who is getting fresh ones from the provider at this moment."""
    rests_until: Millis
    """Until then no other daemon asks the provider: it is being asked, or failed a moment ago."""
    op: UUID


@dataclass(frozen=True, slots=True)
class Revocation:
    """Sessions that must end, or know new groups, and may not have been reached yet; kept until they were."""

    id: UUID
    account_id: AccountId
    session: bytes | None
    """One session's id, or None for all of the account below `epoch`."""
    epoch: int
    reason: int
    """Of `Ended`, or `REGROUPED`."""
    created_at: Millis
    identity: IdentityKey | None = None
    """With it, those opened through this identity are meant. The others may live on, under the new
    epoch, only if they were at the epoch just before it; ending all of them is always right too."""


class ConditionalRow(Protocol):
    """What conditional statements know of a row, whatever the table."""

    @property
    def op(self) -> UUID:
        """Renewed by every write."""
        ...


KeyT_contra = TypeVar("KeyT_contra", contravariant=True)
RowT = TypeVar("RowT")


class Applied(Enum):
    """A conditional write happened, exactly once."""

    APPLIED = "applied"


@dataclass(frozen=True, slots=True)
class Held:
    """A conditional write did not happen; `row` is what stands there instead (None: nothing)."""

    row: object | None


Outcome: TypeAlias = Applied | Held


class Rows(Protocol[KeyT_contra, RowT]):
    """One table. Methods raise StoreUnavailable when the outcome could not be found out. Thread-safe."""

    def read(self, key: KeyT_contra) -> RowT | None:
        """Return the row as this data centre knows it. Absence is not proof (D9)."""
        ...

    def read_settled(self, key: KeyT_contra) -> RowT | None:
        """Return the row after every conditional write that came before (SERIAL). Costs a Paxos round."""
        ...

    def read_everywhere(self, key: KeyT_contra) -> RowT | None:
        """Return the row after bringing it to a quorum of every data centre; StoreUnavailable if one is away.

        What was written before is seen everywhere afterwards: rule D10 asks it of a disable or unlink.
        """
        ...

    def insert(self, row: RowT, *, expires_at: Millis | None = None) -> Outcome:
        """Write the row if there is none at its key."""
        ...

    def replace(self, row: RowT, *, expected: RowT, expires_at: Millis | None = None) -> Outcome:
        """Rewrite every column if the row still has `expected`'s op. Without `expires_at` it stays for good."""
        ...

    def delete(self, expected: RowT) -> Outcome:
        """Delete the row if it still has `expected`'s op."""
        ...

    def scan(self, *, after: KeyT_contra | None = None) -> Iterator[RowT]:
        """Yield every row once, in the store's own order, without holding a lock. For fsck and copy only.

        With `after`, only those behind that key: so an interrupted scan goes on where it was.
        """
        ...


class Revocations(Protocol):
    """Sessions still to be ended."""

    def add(self, revocation: Revocation) -> None:
        """Keep it; adding one again replaces it."""
        ...

    def done(self, revocation: Revocation) -> None:
        """Forget it; forgetting twice is harmless."""
        ...

    def open(self) -> tuple[Revocation, ...]:
        """Return those not done, oldest first, at most 1,000."""
        ...


class Profiles(Protocol):
    """What providers said; plain writes, the last one wins."""

    def read(self, account_id: AccountId) -> ProfileRow | None:
        """Return the profile, if one was ever written."""
        ...

    def write(self, profile: ProfileRow) -> None:
        """Replace the profile."""
        ...

    def scan(self, *, after: AccountId | None = None) -> Iterator[ProfileRow]:
        """Yield every profile once, in the store's own order, without holding a lock. For fsck and copy only.

        With `after`, only those behind that account's, whether it has one or not.
        """
        ...


UNFINISHED_COPY: Final = (
    "[accounts] store: a copy into this store is not finished; run `identityd.py copy` again until it says done, "
    "or go back to the store that was in use before"
)
"""Why a store that carries a `CopyNote` is not opened."""


class CopyNote(Protocol):
    """That a copy into this store has begun and was not verified yet.

    A store that carries one refuses to be opened (ConfigError, `UNFINISHED_COPY`) but for copying:
    people whose identity is not copied yet would be asked to sign up. At most one note, outside
    all tables that are copied; what it says is for `identity.upkeep.copying` alone. A write is
    durable, and seen by every later opening in every data centre, when it returns.
    """

    def read(self) -> str | None:
        """Return the note; None if no copy into this store is unfinished."""
        ...

    def write(self, note: str) -> None:
        """Leave the note, instead of one that is there."""
        ...

    def clear(self) -> None:
        """Take the note away; twice is harmless."""
        ...


class AccountStore(Protocol):
    """The tables together."""

    @property
    def identities(self) -> Rows[IdentityKey, IdentityRow]:
        """Index rows."""
        ...

    @property
    def usernames(self) -> Rows[UsernameKey, UsernameRow]:
        """Names."""
        ...

    @property
    def accounts(self) -> Rows[AccountId, AccountRow]:
        """Accounts."""
        ...

    @property
    def providers(self) -> Rows[str, ProviderPin]:
        """What the subjects of each provider mean."""
        ...

    @property
    def upstream_tokens(self) -> Rows[IdentityKey, KeptTokens]:
        """Tokens of providers, kept for applications."""
        ...

    @property
    def invitations(self) -> Rows[str, InvitationRow]:
        """Who may sign up by a link."""
        ...

    @property
    def waiting(self) -> Rows[str, WaitingList]:
        """Who waits for an operator."""
        ...

    @property
    def profiles(self) -> Profiles:
        """What providers said."""
        ...

    @property
    def revocations(self) -> Revocations:
        """Sessions still to be ended."""
        ...

    @property
    def copy_note(self) -> CopyNote:
        """Whether a copy into this store is unfinished."""
        ...

    def probe(self) -> None:
        """Do one cheap read; raise StoreUnavailable with a detail that names the cause."""
        ...
