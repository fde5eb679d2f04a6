"""What is wrong between the rows of the identity map, and its remedy.

Pure. Owns seven tables, one for each thing that is looked at, and the codes of `identityd.py fsck`
(docs/operations.md explains each). Invariant: a remedy is named only where the rules of creation,
link and unlink leave one reading of the rows; whatever else is found is for an operator to see.

Rows younger than two claims' lives are never judged: their makers may still be at work.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from identity.accounts.invitation import InvitationRow, InvitationState
from identity.accounts.linking import CLAIM_TTL_MS, in_merge
from identity.accounts.store import (
    AccountRow,
    AccountStatus,
    IdentityRow,
    IdentityState,
    KeptTokens,
    Revocation,
    UsernameRow,
    UsernameState,
)
from identity.accounts.usernames import fold
from identity.types import IdentityKey, Millis

REST_MS: Final[Millis] = 2 * CLAIM_TTL_MS
"""How long a row is left alone (rule D12 of docs/architecture.md)."""


class Fault(Enum):
    """What is wrong; the value is stable and documented."""

    UNFINISHED = "unfinished"
    CLAIM_OUTLIVED = "claim-outlived"
    LEFTOVER_IDENTITY = "leftover-identity"
    ACCOUNT_LOST = "account-lost"
    NEEDS_NAME = "needs-name"
    IN_MERGE = "in-merge"
    NAME_CLAIM_OUTLIVED = "name-claim-outlived"
    NAME_UNUSED = "name-unused"
    NAME_WITHOUT_OWNER = "name-without-owner"
    WAY_LOST = "way-lost"
    WAY_ELSEWHERE = "way-elsewhere"
    UNREACHABLE = "unreachable"
    NAME_LOST = "name-lost"
    NAME_UNCONFIRMED = "name-unconfirmed"
    NAME_TAKEN = "name-taken"
    INVITATION_UNFINISHED = "invitation-unfinished"
    TOKENS_LEFT = "tokens-left"
    TOKENS_UNWANTED = "tokens-unwanted"
    REVOCATION_ABANDONED = "revocation-abandoned"
    REVOCATION_WAITING = "revocation-waiting"


class Remedy(Enum):
    """What is done about it."""

    FINISH = "finish"
    """Roll forward, as the next login would."""
    REMOVE = "remove"
    """Delete the row if it is still the one that was judged."""
    RESTORE = "restore"
    """Write the index row again, if there is none."""
    UNLIST = "unlist"
    """Take the identity from the account that it does not lead to."""
    OWN = "own"
    """Make the name the account's again, if no other account has it."""
    WAIT = "wait"
    """Nothing: it is in order and waits for a person or the daemon."""
    ASK = "ask"
    """Nothing: the rows alone do not tell what is right; an operator has to look."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A fault and its remedy."""

    fault: Fault
    remedy: Remedy


def young(since: Millis, *, now: Millis) -> bool:
    """Tell whether the process that wrote this may still be at work; a time ahead of this clock counts as young."""
    return now - since <= REST_MS


def of_identity(row: IdentityRow, account: AccountRow | None, *, now: Millis) -> Diagnosis | None:
    """Judge an index row by the account it names. The first match wins.

    | claimed | index row  | account                        | diagnosis                 |
    |---------|------------|--------------------------------|---------------------------|
    | lately  | any        | any                            | none                      |
    |         | pending    | any                            | claim-outlived: remove    |
    |         | completing | any                            | unfinished: finish        |
    |         | others     | none                           | account-lost: ask         |
    |         | others     | merging                        | none: the account says so |
    |         | others     | merged                         | in-merge: wait            |
    |         | others     | lists nothing                  | none: it is unreachable   |
    |         | others     | lists others, not this one     | leftover-identity: remove |
    |         | needs-name | lists it                       | needs-name: wait          |
    |         | active     | lists it                       | none                      |

    An account is written before its index row is active, so no kill loses it. It is not made
    again from the row: it may have been disabled, and its epoch is what ended stolen sessions.
    The row of an account that lists nothing is the only trace of its owner, and stays.
    """
    if young(row.claimed_at, now=now):
        return None
    if row.state is IdentityState.PENDING:
        return Diagnosis(Fault.CLAIM_OUTLIVED, Remedy.REMOVE)
    if row.state is IdentityState.COMPLETING:
        return Diagnosis(Fault.UNFINISHED, Remedy.FINISH)
    if account is None:
        return Diagnosis(Fault.ACCOUNT_LOST, Remedy.ASK)
    if in_merge(account):
        return Diagnosis(Fault.IN_MERGE, Remedy.WAIT) if account.status is AccountStatus.MERGED else None
    return _of_settled(row, account)


def _of_settled(row: IdentityRow, account: AccountRow) -> Diagnosis | None:
    if not account.identities:
        return None
    if row.key not in account.identities:
        return Diagnosis(Fault.LEFTOVER_IDENTITY, Remedy.REMOVE)
    return Diagnosis(Fault.NEEDS_NAME, Remedy.WAIT) if row.state is IdentityState.NEEDS_NAME else None


def of_name(name: UsernameRow, owner: AccountRow | None, *, now: Millis) -> Diagnosis | None:
    """Judge a username row by the account it names. The first match wins.

    | claimed | username row | owner             | diagnosis                      |
    |---------|--------------|-------------------|--------------------------------|
    | lately  | any          | any               | none                           |
    |         | retired      | any               | none                           |
    |         | any          | in a merge        | none: left to the merge        |
    |         | any          | uses it           | none: `of_own_name` judges     |
    |         | pending      | none, or another  | name-claim-outlived: remove    |
    |         | active       | none              | name-without-owner: ask        |
    |         | active       | uses another name | name-unused: remove            |

    A name that no account uses was written by a helper that came too late and died before it gave it
    back. A name whose owner is lost is kept: another person under it would be its owner in every
    application that knows people by name.
    """
    if young(name.claimed_at, now=now) or name.state is UsernameState.RETIRED:
        return None
    if owner is not None and (in_merge(owner) or fold(owner.username) == name.key):
        return None
    if name.state is UsernameState.PENDING:
        return Diagnosis(Fault.NAME_CLAIM_OUTLIVED, Remedy.REMOVE)
    if owner is None:
        return Diagnosis(Fault.NAME_WITHOUT_OWNER, Remedy.ASK)
    return Diagnosis(Fault.NAME_UNUSED, Remedy.REMOVE)


def of_way(
    account: AccountRow, key: IdentityKey, row: IdentityRow | None, *, other: AccountRow | None, now: Millis
) -> Diagnosis | None:
    """Judge one identity that an account lists. The first match wins.

    `other` is the account that the index row names, where that is another one.

    | linked | index row               | other account               | diagnosis                |
    |--------|-------------------------|-----------------------------|--------------------------|
    | lately | any                     |                             | none                     |
    |        | none                    |                             | way-lost: restore        |
    |        | pending, completing     |                             | none: judged by itself   |
    |        | of this account         |                             | none                     |
    |        | of another account      | in a merge                  | none                     |
    |        | of another account      | lists it; not the only way  | way-elsewhere: unlist    |
    |        | of another account      | else                        | way-elsewhere: ask       |

    An unlink writes the account first, so a listed identity without a row lost it.
    """
    if young(account.identities[key].linked_at, now=now):
        return None
    if row is None:
        return Diagnosis(Fault.WAY_LOST, Remedy.RESTORE)
    settled = row.state in {IdentityState.ACTIVE, IdentityState.NEEDS_NAME}
    if not settled or row.account_id == account.key or (other and in_merge(other)):
        return None
    theirs = other is not None and key in other.identities and len(account.identities) > 1
    return Diagnosis(Fault.WAY_ELSEWHERE, Remedy.UNLIST if theirs else Remedy.ASK)


def of_own_name(
    account: AccountRow, rows: Mapping[IdentityKey, IdentityRow | None], name: UsernameRow | None, *, now: Millis
) -> Diagnosis | None:
    """Judge the name an account uses by the row of that name. The first match wins.

    | account                              | username row               | diagnosis             |
    |--------------------------------------|----------------------------|-----------------------|
    | made lately                          | any                        | none                  |
    | has a way completing or needing name | any                        | none: is being asked  |
    |                                      | none                       | name-lost: own        |
    |                                      | active, its own            | none                  |
    |                                      | pending, lately            | none                  |
    |                                      | pending, its own           | name-unconfirmed: own |
    |                                      | pending, another's         | none: judged by itself|
    |                                      | active, another's; retired | name-taken: ask       |
    """
    asked = {IdentityState.COMPLETING, IdentityState.NEEDS_NAME}
    if young(account.created_at, now=now) or any(row.state in asked for row in _leading(account, rows)):
        return None
    if name is None:
        return Diagnosis(Fault.NAME_LOST, Remedy.OWN)
    own = name.account_id == account.key
    if name.state is UsernameState.PENDING:
        old = own and not young(name.claimed_at, now=now)
        return Diagnosis(Fault.NAME_UNCONFIRMED, Remedy.OWN) if old else None
    if name.state is UsernameState.ACTIVE and own:
        return None
    return Diagnosis(Fault.NAME_TAKEN, Remedy.ASK)


def of_account(account: AccountRow, rows: Mapping[IdentityKey, IdentityRow | None], *, now: Millis) -> Diagnosis | None:
    """Judge an account as a whole. The first match wins.

    | account                                                | diagnosis        |
    |--------------------------------------------------------|------------------|
    | merging                                                | in-merge: wait   |
    | merged, and lists an identity                          | in-merge: wait   |
    | merged                                                 | none             |
    | made lately, or lists something linked lately          | none             |
    | lists something that leads to it, or is to be restored | none             |
    | else                                                   | unreachable: ask |
    """
    if account.status is AccountStatus.MERGED and not account.identities:
        return None
    if in_merge(account):
        return Diagnosis(Fault.IN_MERGE, Remedy.WAIT)
    times = (account.created_at, *(listed.linked_at for listed in account.identities.values()))
    restored = any(rows[key] is None for key in account.identities)
    if restored or any(young(at, now=now) for at in times) or any(_leading(account, rows)):
        return None
    return Diagnosis(Fault.UNREACHABLE, Remedy.ASK)


def of_invitation(row: InvitationRow, *, now: Millis) -> Diagnosis | None:
    """Judge an invitation. The first match wins.

    | claimed | invitation        | diagnosis                     |
    |---------|-------------------|-------------------------------|
    | lately  | any               | none                          |
    |         | claimed, granting | invitation-unfinished: finish |
    |         | others            | none                          |

    The next person who follows its link finds out what became of it, as fsck does.
    """
    using = row.state in {InvitationState.CLAIMED, InvitationState.GRANTING}
    if not using or young(row.claimed_at, now=now):
        return None
    return Diagnosis(Fault.INVITATION_UNFINISHED, Remedy.FINISH)


def of_tokens(
    tokens: KeptTokens, account: AccountRow | None, *, keeping: Collection[str], now: Millis
) -> Diagnosis | None:
    """Judge a provider's tokens by the account they are kept for. The first match wins.

    | kept   | the account                | tokens of the provider | diagnosis               |
    |--------|----------------------------|------------------------|-------------------------|
    | lately | any                        | any                    | none                    |
    |        | none, or does not list it  | any                    | tokens-left: remove     |
    |        | is disabled, or was merged | any                    | tokens-left: remove     |
    |        | lists it                   | are not kept any more  | tokens-unwanted: remove |
    |        | lists it                   | are kept               | none                    |

    Tokens count only while the account lists their identity, so none that is removed here could be fetched.
    """
    if young(tokens.kept_at, now=now):
        return None
    closed = {AccountStatus.DISABLED, AccountStatus.REJECTED, AccountStatus.MERGED}
    if account is None or tokens.key not in account.identities or account.status in closed:
        return Diagnosis(Fault.TOKENS_LEFT, Remedy.REMOVE)
    unwanted = tokens.key.partition(":")[0] not in keeping
    return Diagnosis(Fault.TOKENS_UNWANTED, Remedy.REMOVE) if unwanted else None


def of_revocation(revocation: Revocation, account: AccountRow | None, *, now: Millis) -> Diagnosis | None:
    """Judge a revocation that is still open.

    | kept   | of a session | account               | diagnosis                  |
    |--------|--------------|-----------------------|----------------------------|
    | lately | any          | any                   | none                       |
    |        | yes          | any                   | revocation-waiting: wait   |
    |        | no           | none, or below epoch  | revocation-abandoned: wait |
    |        | no           | at the epoch or above | revocation-waiting: wait   |

    The daemon settles both; here long after, they tell that it does not run, or reaches no session store.
    """
    if young(revocation.created_at, now=now):
        return None
    happened = account is not None and account.epoch >= revocation.epoch
    waits = revocation.session is not None or happened
    return Diagnosis(Fault.REVOCATION_WAITING if waits else Fault.REVOCATION_ABANDONED, Remedy.WAIT)


def _leading(account: AccountRow, rows: Mapping[IdentityKey, IdentityRow | None]) -> Iterator[IdentityRow]:
    """Yield the committed index rows among those listed that name the account."""
    for row in rows.values():
        if row is not None and row.account_id == account.key and row.state is not IdentityState.PENDING:
            yield row
