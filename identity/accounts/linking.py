"""What an identity is, and whether one leads to an account.

Pure. Owns the spelling of identity keys, when an account may gain or lose a way to log in, and two tables:
`decide` (may this login pass) and `meet` (what to do about another attempt's claim). Invariant: only
`provider:subject` identifies a person, and it counts only if the index row and the account agree on it.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, TypeAlias
from urllib.parse import unquote_to_bytes
from uuid import UUID, uuid5

from identity.accounts.store import AccountRow, AccountStatus, IdentityRow, IdentityState
from identity.types import MINUTE, SECOND, AccountId, IdentityKey, Millis

CLAIM_TTL_MS: Final[Millis] = 15 * MINUTE
"""How long an unfinished claim keeps an identity or a name."""
CLAIM_REST_MS: Final[Millis] = 30 * SECOND
"""How long a claim is left to the attempt that made it; older ones are taken over."""
SUBJECT_BYTES: Final = 255
MOST_LINKS: Final = 20
"""Most ways to log in to one account; links at the same moment may overshoot by one each."""

_PROVIDER: Final = re.compile(r"[a-z0-9-]{1,32}")
_ESCAPED: Final = re.compile(r"[%:\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Identity:
    """The parts of an identity key."""

    provider: str
    subject: str
    tenant: str = ""


def identity_key(provider: str, subject: str, *, tenant: str = "") -> IdentityKey:
    """Spell `provider:subject`, or `provider:tenant:subject` where the provider serves several tenants.

    One identity has one spelling and two never share one: `%`, `:` and control characters are
    percent-encoded, nothing else is touched, and keys are compared as bytes.

    Raises:
        ValueError: the provider's name, or the subject or tenant, cannot be right.
    """
    if not _PROVIDER.fullmatch(provider):
        raise ValueError("a provider's name is 1 to 32 of a-z, 0-9 and -")
    if not subject:
        raise ValueError("an empty subject identifies nobody")
    parts = (provider, tenant, subject) if tenant else (provider, subject)
    return IdentityKey(":".join((provider, *map(_encoded, parts[1:]))))


def parse_key(key: str) -> Identity:
    """Take an identity key apart. Raises ValueError unless it is spelt as `identity_key` spells it."""
    provider, *rest = key.split(":")
    if len(rest) not in {1, 2}:
        raise ValueError("an identity key has two or three parts")
    parts = [unquote_to_bytes(part).decode() for part in rest]
    identity = Identity(provider, parts[-1], tenant=parts[0] if len(parts) > 1 else "")
    if identity_key(provider, identity.subject, tenant=identity.tenant) != key:
        raise ValueError("an identity key in another spelling than its own")
    return identity


def _encoded(text: str) -> str:
    # encode() refuses lone surrogates with a ValueError: they have no bytes to compare.
    if len(text.encode()) > SUBJECT_BYTES:
        raise ValueError(f"more than {SUBJECT_BYTES} bytes")
    return _ESCAPED.sub(lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode()), text)


def account_of(claim: UUID) -> AccountId:
    """Return the id of the account a sign-up's claim makes: the same for every request that helps to finish it."""
    return AccountId(uuid5(claim, "account"))


def is_sign_up(row: IdentityRow) -> bool:
    """Tell a row that makes an account from one that links an identity to an account there is."""
    return row.account_id == account_of(row.claim)


class Refusal(Enum):
    """Why a login or a change is refused; the value is stable and documented."""

    NO_ACCOUNT = "no-account"
    """The index row names an account that is not there: nothing to log in to, for an operator to see."""
    DISABLED = "account-disabled"
    SUSPENDED = "identity-suspended"
    """The provider says that the person's account there must not be used; other ways to log in work."""
    SIGN_UP_CLOSED = "sign-up-closed"
    """There is no account, and none may be made."""
    NOT_ADMITTED = "not-admitted"
    """None of the operator's rules about who may have an account holds."""
    NOT_INVITED = "not-invited"
    """There is no account, and one is made with an invitation only."""
    INVITATION_UNKNOWN = "invitation-unknown"
    INVITATION_EXPIRED = "invitation-expired"
    INVITATION_USED = "invitation-used"
    INVITATION_REVOKED = "invitation-revoked"
    AWAITS_APPROVAL = "awaiting-approval"
    """The account is made, and an operator has not approved it yet."""
    REJECTED = "sign-up-rejected"
    TOO_MANY_WAITING = "too-many-waiting"
    NOT_WAITING = "not-waiting"
    MERGING = "account-merging"
    """Two accounts are being made one; try again in a moment."""
    MERGED = "account-merged"
    BELONGS_TO_OTHER = "identity-belongs-to-other"
    """The identity leads to another account. Never says whose."""
    TOO_MANY_WAYS = "too-many-ways"
    TOO_MANY_GROUPS = "too-many-groups"
    NOT_LINKED = "not-linked"
    LAST_WAY = "last-way"
    """Without it no login would lead to the account any more."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """The login passes."""

    account: AccountRow


@dataclass(frozen=True, slots=True)
class Unknown:
    """The identity leads to no account: welcome, choose a username."""


@dataclass(frozen=True, slots=True)
class ChooseName:
    """The account is made but its username was lost meanwhile: ask for another one."""

    account_id: AccountId


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A committed sign-up or link is still being finished: find the row again."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """It does not pass, and why."""

    reason: Refusal

    @property
    def word(self) -> str:
        """As the audit spells it."""
        return self.reason.value


Decision: TypeAlias = SignIn | Unknown | ChooseName | Unfinished | Refuse


def decide(row: IdentityRow | None, account: AccountRow | None) -> Decision:
    """Decide a login from the index row and the account that row names. The first match wins.

    | index row  | account                        | decision                |
    |------------|--------------------------------|-------------------------|
    | none       | any                            | Unknown                 |
    | pending    | any                            | Unknown: only a claim   |
    | completing | any                            | Unfinished              |
    | needs-name | any                            | ChooseName              |
    | active     | none                           | Refuse NO_ACCOUNT       |
    | active     | merging                        | Refuse MERGING          |
    | active     | merged                         | Refuse MERGED           |
    | active     | another one, or lists no such  | Unknown: was unlinked   |
    | active     | lists it, waiting              | Refuse AWAITS_APPROVAL  |
    | active     | lists it, rejected             | Refuse REJECTED         |
    | active     | lists it, disabled             | Refuse DISABLED         |
    | active     | lists it, active, suspended    | Refuse SUSPENDED        |
    | active     | lists it, active               | SignIn                  |

    Merging stands before agreement: an identity on its way between two accounts is listed by
    neither, and must not be offered a new one.
    """
    if row is None or row.state is IdentityState.PENDING:
        return Unknown()
    if row.state is IdentityState.COMPLETING:
        return Unfinished()
    if row.state is IdentityState.NEEDS_NAME:
        return ChooseName(row.account_id)
    return _decide_active(row, account)


def in_merge(account: AccountRow) -> Refuse | None:
    """Refuse whatever concerns an account that is being merged, or was: it is left to the merge."""
    return _IN_MERGE.get(account.status)


_IN_MERGE: Final = {
    AccountStatus.MERGING: Refuse(Refusal.MERGING),
    AccountStatus.MERGED: Refuse(Refusal.MERGED),
}


_CLOSED: Final = {AccountStatus.WAITING: Refusal.AWAITS_APPROVAL, AccountStatus.REJECTED: Refusal.REJECTED}


def _decide_active(row: IdentityRow, account: AccountRow | None) -> Decision:
    if account is None:
        return Refuse(Refusal.NO_ACCOUNT)
    if refused := in_merge(account):
        return refused
    if account.key != row.account_id or row.key not in account.identities:
        return Unknown()
    if account.status is not AccountStatus.ACTIVE:
        return Refuse(_CLOSED.get(account.status, Refusal.DISABLED))
    return Refuse(Refusal.SUSPENDED) if account.suspended(row.key) else SignIn(account)


def may_link(account: AccountRow, key: IdentityKey | None) -> Refuse | None:
    """Tell why an account may not have one more way to log in; None if it may, or has this one already."""
    if refused := in_merge(account):
        return refused
    if account.status is AccountStatus.DISABLED:
        return Refuse(Refusal.DISABLED)
    full = len(account.identities) >= MOST_LINKS and key not in account.identities
    return Refuse(Refusal.TOO_MANY_WAYS) if full else None


def may_unlink(account: AccountRow, key: IdentityKey) -> Refuse | None:
    """Tell why a way to log in may not be taken from an account; None if it may.

    A disabled account may lose a way: that is how an operator takes one from a thief. One that is suspended is
    no way to log in at present, so it does not count as the one that is left.
    """
    if refused := in_merge(account):
        return refused
    if key not in account.identities:
        return Refuse(Refusal.NOT_LINKED)
    others = [each for each in account.identities if each != key]
    suspended = all(account.suspended(each) for each in others)
    last = not others or (suspended and not account.suspended(key))
    return Refuse(Refusal.LAST_WAY) if last else None


class Claimed(Protocol):
    """A row that may carry the claim of an unfinished attempt."""

    @property
    def claim(self) -> UUID:
        """Whose it is."""
        ...

    @property
    def claimed_at(self) -> Millis:
        """Since when."""
        ...


class Meeting(Enum):
    """What to do about a pending row that is met."""

    MINE = "mine"
    BEING_FINISHED = "being-finished"
    TAKE_OVER = "take-over"


def meet(row: Claimed, *, claim: UUID, now: Millis) -> Meeting:
    """Decide what a pending row means to the attempt that holds `claim`.

    | claim   | age          | answer          |
    |---------|--------------|-----------------|
    | mine    | any          | MINE            |
    | foreign | up to 30 s   | BEING_FINISHED  |
    | foreign | over 30 s    | TAKE_OVER       |

    A claim from the future (another server's clock is ahead) is left alone; its TTL ends it.
    """
    if row.claim == claim:
        return Meeting.MINE
    return Meeting.TAKE_OVER if now - row.claimed_at > CLAIM_REST_MS else Meeting.BEING_FINISHED
