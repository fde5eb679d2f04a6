"""How rows are spelt in the account file, and the statements on each table.

Owns the mapping between records and columns. All columns are named; a value that this daemon
cannot have written is StoreCorrupt. Uuids are text, so that an operator can read the file.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeAlias, TypeVar
from uuid import UUID

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
from identity.types import AccountId, IdentityKey, Username, UsernameKey

Columns: TypeAlias = tuple[Any, ...]


RowT = TypeVar("RowT", bound=ConditionalRow)


class Table(Generic[RowT]):
    """A table of conditional rows and its statements, which name all columns.

    Args:
        name: of the table.
        columns: without `expires_at`, which every such table has behind them; the key is the first.
        pack: gives the columns of a record.
        unpack: gives the record of columns.
    """

    def __init__(
        self,
        name: str,
        columns: tuple[str, ...],
        pack: Callable[[RowT], Columns],
        unpack: Callable[[Columns], RowT],
    ) -> None:
        self._name = name
        self._unpack = unpack
        self.pack: Final = pack
        key, names = columns[0], ", ".join(columns)
        marks = ", ".join("?" * (len(columns) + 1))
        assigned = ", ".join(f"{column} = ?" for column in (*columns, "expires_at"))
        mine = f"{key} = ? AND op = ?"
        live = "(expires_at IS NULL OR expires_at > ?)"
        # Names are constants of this file; values are always parameters.
        self.purge: Final = f"DELETE FROM {name} WHERE expires_at <= ?"  # noqa: S608
        self.select: Final = f"SELECT {names} FROM {name} WHERE {key} = ? AND {live}"  # noqa: S608
        self.insert: Final = f"INSERT INTO {name} ({names}, expires_at) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
        self.update: Final = f"UPDATE {name} SET {assigned} WHERE {mine} AND {live}"  # noqa: S608
        self.delete: Final = f"DELETE FROM {name} WHERE {mine} AND {live}"  # noqa: S608
        self.page: Final = f"SELECT {names} FROM {name} WHERE {key} > ? AND {live} ORDER BY {key} LIMIT ?"  # noqa: S608

    def row(self, found: Columns | None) -> RowT | None:
        """Return the record of what was selected. Raises StoreCorrupt."""
        if found is None:
            return None
        try:
            return self._unpack(found)
        except (ValueError, TypeError, KeyError) as error:
            raise StoreCorrupt(detail=f"sqlite: {self._name}, key {found[0]!r}: {error}") from error

    def key(self, row: RowT) -> str:
        """Return the row's key as it is stored."""
        return str(self.pack(row)[0])

    def fetch(self, connection: sqlite3.Connection, key: str, now: int) -> RowT | None:
        """Read one row that has not expired."""
        return self.row(connection.execute(self.select, (key, now)).fetchone())


def _pack_identity(row: IdentityRow) -> Columns:
    return (
        row.key,
        row.username,
        str(row.account_id),
        row.state.value,
        str(row.claim),
        row.claimed_at,
        str(row.op),
        row.label,
    )


def _unpack_identity(found: Columns) -> IdentityRow:
    key, username, account_id, state, claim, claimed_at, op, label = found
    return IdentityRow(
        key=IdentityKey(key),
        username=Username(username),
        account_id=AccountId(UUID(account_id)),
        state=IdentityState(state),
        claim=UUID(claim),
        claimed_at=claimed_at,
        op=UUID(op),
        label=label,
    )


IDENTITIES: Final = Table[IdentityRow](
    "identities",
    ("identity_key", "username", "account_id", "state", "claim", "claimed_at", "op", "label"),
    _pack_identity,
    _unpack_identity,
)


def _pack_username(row: UsernameRow) -> Columns:
    return (
        row.key,
        row.username,
        str(row.account_id),
        row.state.value,
        str(row.claim),
        row.claimed_at,
        str(row.op),
    )


def _unpack_username(found: Columns) -> UsernameRow:
    key, username, account_id, state, claim, claimed_at, op = found
    return UsernameRow(
        key=UsernameKey(key),
        username=Username(username),
        account_id=AccountId(UUID(account_id)),
        state=UsernameState(state),
        claim=UUID(claim),
        claimed_at=claimed_at,
        op=UUID(op),
    )


USERNAMES: Final = Table[UsernameRow](
    "usernames",
    ("username_key", "username", "account_id", "state", "claim", "claimed_at", "op"),
    _pack_username,
    _unpack_username,
)


def _pack_account(row: AccountRow) -> Columns:
    return (
        str(row.key),
        row.username,
        row.status.value,
        row.epoch,
        row.version,
        str(row.op),
        row.created_at,
        json.dumps({key: [way.linked_at, way.label] for key, way in row.identities.items()}),
        str(row.merged_into) if row.merged_into else None,
    )


def _unpack_account(found: Columns) -> AccountRow:
    key, username, status, epoch, version, op, created_at, identities, merged_into = found
    return AccountRow(
        key=AccountId(UUID(key)),
        username=Username(username),
        status=AccountStatus(status),
        epoch=epoch,
        version=version,
        op=UUID(op),
        created_at=created_at,
        identities=_ways(identities),
        merged_into=AccountId(UUID(merged_into)) if merged_into else None,
    )


def _ways(text: str) -> Mapping[IdentityKey, LinkedIdentity]:
    return {IdentityKey(key): LinkedIdentity(linked_at, label) for key, (linked_at, label) in json.loads(text).items()}


ACCOUNTS: Final = Table[AccountRow](
    "accounts",
    ("account_id", "username", "status", "epoch", "version", "op", "created_at", "identities", "merged_into"),
    _pack_account,
    _unpack_account,
)
