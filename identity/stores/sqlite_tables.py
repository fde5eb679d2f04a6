"""The statements on each table of the account file, derived from its columns.

Owns their text. All columns are named; names are those of `identity.accounts.tables`, and values
are always parameters.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

from identity.accounts import tables
from identity.accounts.invitation import InvitationRow
from identity.accounts.store import (
    AccountRow,
    ConditionalRow,
    IdentityRow,
    KeptTokens,
    ProviderPin,
    UsernameRow,
    WaitingList,
)
from identity.accounts.tables import DurableTable
from identity.stores.spelling import SQLITE, RowPacking

RowT = TypeVar("RowT")
ConditionalT = TypeVar("ConditionalT", bound=ConditionalRow)


class SqlitePlainTable(Generic[RowT]):
    """A table that is written without a condition."""

    def __init__(self, table: DurableTable[RowT]) -> None:
        packing = RowPacking(table, SQLITE, store="sqlite")
        self.pack: Final = packing.pack
        self.unpack: Final = packing.unpack
        names, marks = ", ".join(table.names), ", ".join("?" * len(table.names))
        self.all: Final = f"SELECT {names} FROM {table.name}"  # noqa: S608
        self._into = f"INTO {table.name} ({names}) VALUES ({marks})"
        self.put: Final = f"INSERT OR REPLACE {self._into}"
        self.add: Final = f"INSERT {self._into} ON CONFLICT DO NOTHING"


class SqliteTable(Generic[ConditionalT]):
    """A table of conditional rows, which has `expires_at` behind the record's columns."""

    def __init__(self, table: DurableTable[ConditionalT]) -> None:
        packing = RowPacking(table, SQLITE, store="sqlite")
        self.pack: Final = packing.pack
        self._unpack = packing.unpack
        name, key, names = table.name, table.names[0], ", ".join(table.names)
        marks = ", ".join("?" * (len(table.names) + 1))
        assigned = ", ".join(f"{column} = ?" for column in (*table.names, "expires_at"))
        mine = f"{key} = ? AND op = ?"
        live = "(expires_at IS NULL OR expires_at > ?)"
        self.purge: Final = f"DELETE FROM {name} WHERE expires_at <= ?"  # noqa: S608
        self.select: Final = f"SELECT {names} FROM {name} WHERE {key} = ? AND {live}"  # noqa: S608
        self.insert: Final = f"INSERT INTO {name} ({names}, expires_at) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
        self.update: Final = f"UPDATE {name} SET {assigned} WHERE {mine} AND {live}"  # noqa: S608
        self.delete: Final = f"DELETE FROM {name} WHERE {mine} AND {live}"  # noqa: S608
        self.page: Final = f"SELECT {names} FROM {name} WHERE {key} > ? AND {live} ORDER BY {key} LIMIT ?"  # noqa: S608

    def row(self, found: Sequence[Any] | None) -> ConditionalT | None:
        """Return the record of what was selected. Raises StoreCorrupt."""
        return None if found is None else self._unpack(found)

    def key(self, row: ConditionalT) -> str:
        """Return the row's key as it is stored."""
        return str(self.pack(row)[0])

    def fetch(self, connection: sqlite3.Connection, key: str, now: int) -> ConditionalT | None:
        """Read one row that has not expired."""
        return self.row(connection.execute(self.select, (key, now)).fetchone())


IDENTITIES: Final = SqliteTable[IdentityRow](tables.IDENTITIES)
USERNAMES: Final = SqliteTable[UsernameRow](tables.USERNAMES)
ACCOUNTS: Final = SqliteTable[AccountRow](tables.ACCOUNTS)
PROVIDERS: Final = SqliteTable[ProviderPin](tables.PROVIDERS)
UPSTREAM_TOKENS: Final = SqliteTable[KeptTokens](tables.UPSTREAM_TOKENS)
INVITATIONS: Final = SqliteTable[InvitationRow](tables.INVITATIONS)
WAITING: Final = SqliteTable[WaitingList](tables.WAITING)
PROFILES: Final = SqlitePlainTable(tables.PROFILES)
REVOCATIONS: Final = SqlitePlainTable(tables.REVOCATIONS)
AUDIT: Final = SqlitePlainTable(tables.AUDIT)
