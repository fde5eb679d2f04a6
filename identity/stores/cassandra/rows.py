"""Conditional rows in Cassandra: rule D4, a write whose outcome is unknown is looked up.

Owns how a lightweight transaction becomes one of the outcomes of `identity.accounts.store`. A
transaction that was cut off may have happened, or happen a moment later; the row's `op` tells:
| op found by a SETTLED read         | it means                                  | answer            |
|------------------------------------|-------------------------------------------|-------------------|
| the one written                    | it happened                               | APPLIED           |
| the one expected (absent: no row)  | nothing happened; sending again is safe   | sent again        |
| another                            | another write came before ours, or after  | Held              |
Sending again is safe because the same op is written under the same condition: of the two, one
applies at most, and either is ours.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from identity.accounts.store import Applied, ConditionalRow, Held, Outcome
from identity.errors import StoreUnavailable
from identity.stores.cassandra.columns import ConditionalPacking
from identity.stores.cassandra.connection import CassandraConnection
from identity.stores.cassandra.statements import Statement
from identity.types import SECOND, Clock, Millis

TRIES: Final = 3
"""How often one conditional write is sent while its outcome stays unknown."""

KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT", bound=ConditionalRow)


class CassandraRows(Generic[KeyT, RowT]):
    """One table of conditional rows.

    Args:
        packing: its columns and statements.
        connection: sends them.
        clock: turns a moment of expiry into a time to live. Cassandra counts whole seconds, so a
            row may outlive its moment by a second; it never goes before it.
    """

    def __init__(self, packing: ConditionalPacking[RowT], connection: CassandraConnection, *, clock: Clock) -> None:
        self._packing = packing
        self._table = packing.table
        self._connection = connection
        self._clock = clock

    def read(self, key: KeyT) -> RowT | None:
        """Return the row as a quorum of this data centre knows it: one round trip."""
        return self._read(self._table.read, key)

    def read_settled(self, key: KeyT) -> RowT | None:
        """Return the row after every transaction that came before: one Paxos round."""
        return self._read(self._table.settled, key)

    def read_everywhere(self, key: KeyT) -> RowT | None:
        """Return the row once a quorum of every data centre has it: Cassandra repairs what it reads."""
        return self._read(self._table.everywhere, key)

    def insert(self, row: RowT, *, expires_at: Millis | None = None) -> Outcome:
        """Write the row if there is none at its key: one Paxos round, two if there is."""
        return self._write(row, expected=None, expires_at=expires_at)

    def replace(self, row: RowT, *, expected: RowT, expires_at: Millis | None = None) -> Outcome:
        """Rewrite every column if the row still has `expected`'s op: one Paxos round, two if not."""
        return self._write(row, expected=expected.op, expires_at=expires_at)

    def delete(self, expected: RowT) -> Outcome:
        """Delete the row if it still has `expected`'s op.

        One whose outcome was unknown and that is gone afterwards counts as deleted by us.
        """
        key = self._packing.pack(expected)[0]
        return self._settle(self._table.delete, (key, expected.op), key=key, expected=expected.op, written=None)

    def scan(self, *, after: KeyT | None = None) -> Iterator[RowT]:
        """Yield every row once, in the order of the keys' tokens, a page at a time."""
        found = (
            self._connection.pages(self._table.scan, ())
            if after is None
            else self._connection.pages(self._table.scan_after, (after,))
        )
        return (row for row in map(self._packing.row, found) if row is not None)

    def _read(self, statement: Statement, key: Any) -> RowT | None:  # noqa: ANN401 - text or a uuid
        return self._packing.row(self._connection.one(statement, (key,)))

    def _write(self, row: RowT, *, expected: UUID | None, expires_at: Millis | None) -> Outcome:
        key, *values = self._packing.pack(row)
        bound = (self._life_s(expires_at), *values, key, expected)
        return self._settle(self._table.write, bound, key=key, expected=expected, written=row.op)

    def _life_s(self, expires_at: Millis | None) -> int:
        """Return the time to live in seconds; 0 is for good. What has expired already lives a second."""
        if expires_at is None:
            return 0
        # Cassandra cuts the moment of writing down to a second, so one more is needed to reach the moment meant.
        return max(0, math.ceil((expires_at - self._clock()) / SECOND)) + 1

    def _settle(
        self,
        statement: Statement,
        bound: Sequence[Any],
        *,
        key: Any,  # noqa: ANN401 - text or a uuid
        expected: UUID | None,
        written: UUID | None,
    ) -> Outcome:
        """Send until the outcome is known. `written` is the op that shows that it happened; None: no row does."""
        unknown: StoreUnavailable | None = None
        for tries in range(TRIES):
            self._connection.pause(tries)
            try:
                stood = self._connection.conditional(statement, bound)
            except StoreUnavailable as error:
                unknown = error
            else:
                if stood is None or (unknown and _op(stood) == written):
                    return Applied.APPLIED
            there = self._read(self._table.settled, key)
            op = there.op if there else None
            if unknown and op == written:
                return Applied.APPLIED
            if not unknown or op != expected:
                return Held(there)
        why = f": {unknown.detail}" if unknown else ""
        raise StoreUnavailable(detail=f"cassandra: {self._table.name}: no outcome after {TRIES} tries{why}")


def _op(stood: Sequence[Any]) -> UUID | None:
    """Return the op that a refused transaction found; there is none where there was no row."""
    return stood[0] if stood else None
