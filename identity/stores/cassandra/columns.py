"""How rows are spelt in Cassandra's columns.

Pure. Owns the mapping between records and columns, in the order `statements.py` names them. A
value that this daemon cannot have written is StoreCorrupt. Ways to log in are one frozen map, so
that rewriting an account leaves no tombstone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from identity.accounts.store import (
    AccountRow,
    AccountStatus,
    ConditionalRow,
    IdentityRow,
    IdentityState,
    LinkedIdentity,
    UsernameRow,
    UsernameState,
)
from identity.errors import StoreCorrupt
from identity.stores.cassandra import statements
from identity.stores.cassandra.statements import ConditionalTable
from identity.types import AccountId, IdentityKey, Username, UsernameKey

Columns: TypeAlias = tuple[Any, ...]


RowT = TypeVar("RowT", bound=ConditionalRow)


@dataclass(frozen=True, slots=True)
class Spelling(Generic[RowT]):
    """A table of conditional rows and how its records are spelt, key first."""

    table: ConditionalTable
    pack: Callable[[RowT], Columns]
    unpack: Callable[[Columns], RowT]

    def row(self, found: Columns | None) -> RowT | None:
        """Return the record of what was selected; None also for a remnant without an op. Raises StoreCorrupt."""
        if found is None or found[self.table.columns.index("op")] is None:
            return None
        try:
            return self.unpack(found)
        except (ValueError, TypeError) as error:
            raise StoreCorrupt(detail=f"cassandra: {self.table.name}, key {found[0]!r}: {error}") from error


def _pack_identity(row: IdentityRow) -> Columns:
    return row.key, row.username, row.account_id, row.state.value, row.claim, row.claimed_at, row.op, row.label


def _unpack_identity(found: Columns) -> IdentityRow:
    key, username, account_id, state, claim, claimed_at, op, label = found
    return IdentityRow(
        key=IdentityKey(key),
        username=Username(username),
        account_id=AccountId(account_id),
        state=IdentityState(state),
        claim=claim,
        claimed_at=claimed_at,
        op=op,
        label=label,
    )


def _pack_username(row: UsernameRow) -> Columns:
    return row.key, row.username, row.account_id, row.state.value, row.claim, row.claimed_at, row.op


def _unpack_username(found: Columns) -> UsernameRow:
    key, username, account_id, state, claim, claimed_at, op = found
    return UsernameRow(
        key=UsernameKey(key),
        username=Username(username),
        account_id=AccountId(account_id),
        state=UsernameState(state),
        claim=claim,
        claimed_at=claimed_at,
        op=op,
    )


def _pack_account(row: AccountRow) -> Columns:
    return (
        row.key,
        row.username,
        row.status.value,
        row.epoch,
        row.version,
        row.op,
        row.created_at,
        {key: (way.linked_at, way.label) for key, way in row.identities.items()},
        row.merged_into,
    )


def _unpack_account(found: Columns) -> AccountRow:
    key, username, status, epoch, version, op, created_at, identities, merged_into = found
    return AccountRow(
        key=AccountId(key),
        username=Username(username),
        status=AccountStatus(status),
        epoch=epoch,
        version=version,
        op=op,
        created_at=created_at,
        identities={IdentityKey(each): LinkedIdentity(*way) for each, way in (identities or {}).items()},
        merged_into=AccountId(merged_into) if merged_into else None,
    )


IDENTITIES: Final[Spelling[IdentityRow]] = Spelling(statements.IDENTITIES, _pack_identity, _unpack_identity)
USERNAMES: Final[Spelling[UsernameRow]] = Spelling(statements.USERNAMES, _pack_username, _unpack_username)
ACCOUNTS: Final[Spelling[AccountRow]] = Spelling(statements.ACCOUNTS, _pack_account, _unpack_account)
