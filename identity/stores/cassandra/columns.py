"""How rows are spelt in Cassandra's columns.

Pure. Owns the packing of each table, in the order `statements.py` names its columns, and what a
conditional row without an op is: a remnant, which is no row.
"""

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
from identity.stores.cassandra import statements
from identity.stores.cassandra.statements import ConditionalTable
from identity.stores.spelling import CASSANDRA, RowPacking

RowT = TypeVar("RowT", bound=ConditionalRow)


class ConditionalPacking(Generic[RowT]):
    """A table of conditional rows, its statements, and how its records are packed, key first."""

    def __init__(self, table: ConditionalTable, described: DurableTable[RowT]) -> None:
        self.table: Final = table
        self._op = table.columns.index("op")
        packing = RowPacking(described, CASSANDRA, store="cassandra")
        self.pack: Final = packing.pack
        self._unpack = packing.unpack

    def row(self, found: Sequence[Any] | None) -> RowT | None:
        """Return the record of what was selected; None also for a remnant without an op. Raises StoreCorrupt."""
        return None if found is None or found[self._op] is None else self._unpack(found)


IDENTITIES: Final = ConditionalPacking[IdentityRow](statements.IDENTITIES, tables.IDENTITIES)
USERNAMES: Final = ConditionalPacking[UsernameRow](statements.USERNAMES, tables.USERNAMES)
ACCOUNTS: Final = ConditionalPacking[AccountRow](statements.ACCOUNTS, tables.ACCOUNTS)
PROVIDERS: Final = ConditionalPacking[ProviderPin](statements.PROVIDERS, tables.PROVIDERS)
UPSTREAM_TOKENS: Final = ConditionalPacking[KeptTokens](statements.UPSTREAM_TOKENS, tables.UPSTREAM_TOKENS)
INVITATIONS: Final = ConditionalPacking[InvitationRow](statements.INVITATIONS, tables.INVITATIONS)
WAITING: Final = ConditionalPacking[WaitingList](statements.WAITING, tables.WAITING)
PROFILES: Final = RowPacking(tables.PROFILES, CASSANDRA, store="cassandra")
REVOCATIONS: Final = RowPacking(tables.REVOCATIONS, CASSANDRA, store="cassandra")
AUDIT: Final = RowPacking(tables.AUDIT, CASSANDRA, store="cassandra")
