"""The tables the account contract is tried on, and how to make rows for them.

Every row is new: its key was never used, so that a store may be shared by many tests.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from identity.accounts.invitation import InvitationRow, InvitationState
from identity.accounts.store import (
    AccountRow,
    AccountStatus,
    AccountStore,
    IdentityRow,
    IdentityState,
    KeptTokens,
    LinkedIdentity,
    ProviderPin,
    Rows,
    Suspension,
    UsernameRow,
    UsernameState,
    WaitingList,
)
from identity.audit import AuditLog
from identity.types import SECOND, AccountId, Clock, IdentityKey, Millis, Username, UsernameKey
from tests.support.clock import NOON

TTL: Final = 2 * SECOND
"""Whole seconds: some stores count in nothing finer."""


@dataclass(frozen=True)
class Subject:
    """A store, its audit, its clock, and a way to let time pass."""

    store: AccountStore
    audit: AuditLog
    clock: Clock
    advance: Callable[[Millis], None]
    """Return only when this much time has passed for the store too."""

    def soon(self) -> Millis:
        """Return when a row that expires in these tests does so."""
        return self.clock() + TTL


@dataclass(frozen=True)
class Kind:
    """One table: its rows, how to make one under a new key, and how to change all else in it."""

    name: str
    rows: Callable[[AccountStore], Rows[Any, Any]]
    new: Callable[[], Any]
    changed: Callable[[Any], Any]


def new_identity() -> IdentityRow:
    """Make an index row under a key nobody used yet; no field has the value it would have if lost."""
    return IdentityRow(
        key=IdentityKey(f"twitter:{uuid4()}"),
        username=Username("Alice"),
        account_id=AccountId(uuid4()),
        state=IdentityState.PENDING,
        claim=uuid4(),
        claimed_at=NOON,
        op=uuid4(),
        label="@alice",
        invitation="a" * 64,
        groups=("ops", "staff"),
        waits=True,
    )


def changed_identity(row: IdentityRow) -> IdentityRow:
    """Return the row with everything but its key changed."""
    return replace(
        row,
        username=Username("Bob"),
        account_id=AccountId(uuid4()),
        state=IdentityState.ACTIVE,
        claim=uuid4(),
        claimed_at=NOON + 1,
        op=uuid4(),
        label="@bob “the builder” 🛠",
        invitation="",
        groups=(),
        waits=False,
    )


def new_username() -> UsernameRow:
    """Make a username row under a key nobody used yet."""
    name = f"alice-{uuid4().hex[:16]}"
    return UsernameRow(
        key=UsernameKey(name),
        username=Username(name.title()),
        account_id=AccountId(uuid4()),
        state=UsernameState.PENDING,
        claim=uuid4(),
        claimed_at=NOON,
        op=uuid4(),
    )


def changed_username(row: UsernameRow) -> UsernameRow:
    """Return the row with everything but its key changed."""
    return replace(
        row,
        username=Username(row.username.upper()),
        account_id=AccountId(uuid4()),
        state=UsernameState.RETIRED,
        claim=uuid4(),
        claimed_at=NOON + 1,
        op=uuid4(),
    )


def new_account() -> AccountRow:
    """Make an account nobody has seen yet."""
    return AccountRow(
        key=AccountId(uuid4()),
        username=Username("Alice"),
        status=AccountStatus.ACTIVE,
        epoch=1,
        version=1,
        op=uuid4(),
        created_at=NOON,
        identities={IdentityKey("twitter:1"): LinkedIdentity(NOON, "@alice")},
    )


def changed_account(row: AccountRow) -> AccountRow:
    """Return the account with everything but its key changed."""
    return replace(
        row,
        username=Username("Bob"),
        status=AccountStatus.MERGED,
        epoch=row.epoch + 7,
        version=row.version + 1,
        op=uuid4(),
        created_at=NOON + 1,
        identities={
            IdentityKey("twitter:1"): LinkedIdentity(NOON, "O'Hara “the first”"),
            IdentityKey("google:ä%3A\N{GRINNING FACE}"): LinkedIdentity(NOON + 2, ""),
        },
        merged_into=AccountId(uuid4()),
        suspensions={
            IdentityKey("google:ä%3A\N{GRINNING FACE}"): Suspension(NOON, "account-disabled (hijacking)"),
            IdentityKey("twitter:1"): Suspension(NOON + 3, ""),
        },
    )


def new_pin() -> ProviderPin:
    """Pin a name no test used yet."""
    return ProviderPin(f"gitlab-{uuid4().hex[:16]}", "https://gitlab.example", "sub", pinned_at=NOON, op=uuid4())


def changed_pin(row: ProviderPin) -> ProviderPin:
    """Return the pin with everything but its name changed."""
    return replace(row, issuer="https://id.example/ä", subject="oid", pinned_at=NOON + 1, op=uuid4())


IDENTITIES: Final = Kind("identities", lambda store: store.identities, new_identity, changed_identity)
USERNAMES: Final = Kind("usernames", lambda store: store.usernames, new_username, changed_username)
ACCOUNTS: Final = Kind("accounts", lambda store: store.accounts, new_account, changed_account)
PROVIDERS: Final = Kind("providers", lambda store: store.providers, new_pin, changed_pin)


def new_tokens() -> KeptTokens:
    """Make a row of tokens under a key nobody used yet."""
    return KeptTokens(
        IdentityKey(f"google:{uuid4()}"),
        AccountId(uuid4()),
        b"\x00sealed\xff",
        kept_at=NOON,
        claim=uuid4(),
        rests_until=NOON + 1,
        op=uuid4(),
    )


def changed_tokens(row: KeptTokens) -> KeptTokens:
    """Return the row with everything but its key changed, and nothing where nothing may be."""
    return replace(row, account_id=None, sealed=b"other", kept_at=NOON + 5, claim=None, rests_until=0, op=uuid4())


UPSTREAM_TOKENS: Final = Kind("upstream_tokens", lambda store: store.upstream_tokens, new_tokens, changed_tokens)


def new_invitation() -> InvitationRow:
    """Make an invitation under a key no test used yet."""
    return InvitationRow(
        key=uuid4().hex * 2,
        state=InvitationState.OPEN,
        created_at=NOON,
        ends_at=NOON + 1,
        actor="operator:ann",
        reason="ticket “4711”",
        guest="Bob, who starts on Monday",
        groups=("ops", "staff"),
        claim=uuid4(),
        claimed_at=NOON + 2,
        identity=IdentityKey("twitter:1"),
        account_id=AccountId(uuid4()),
        op=uuid4(),
    )


def changed_invitation(row: InvitationRow) -> InvitationRow:
    """Return the invitation with everything but its key changed, and nothing where nothing may be."""
    return replace(
        row,
        state=InvitationState.USED,
        created_at=NOON + 3,
        ends_at=NOON + 4,
        actor="operator:bob",
        reason="another",
        guest="",
        groups=(),
        claim=None,
        claimed_at=0,
        identity=None,
        account_id=None,
        op=uuid4(),
    )


INVITATIONS: Final = Kind("invitations", lambda store: store.invitations, new_invitation, changed_invitation)


def new_waiting() -> WaitingList:
    """Make a list under a key no test used yet."""
    return WaitingList(uuid4().hex, {str(uuid4()): f"{NOON} twitter:ä"}, uuid4())


def changed_waiting(row: WaitingList) -> WaitingList:
    """Return the list with everything but its key changed."""
    return replace(row, entries={str(uuid4()): "1 p:1", str(uuid4()): "2 p:2"}, op=uuid4())


WAITING: Final = Kind("waiting", lambda store: store.waiting, new_waiting, changed_waiting)

every_table = pytest.mark.parametrize(
    "kind",
    [IDENTITIES, USERNAMES, ACCOUNTS, PROVIDERS, UPSTREAM_TOKENS, INVITATIONS, WAITING],
    ids=lambda kind: kind.name,
)
tables_that_expire = pytest.mark.parametrize(
    "kind", [IDENTITIES, USERNAMES, UPSTREAM_TOKENS, INVITATIONS], ids=lambda kind: kind.name
)


def with_op(row: Any, op: UUID | None = None) -> Any:  # noqa: ANN401 - a row of any table
    """Return the row under another op."""
    return replace(row, op=op or uuid4())
