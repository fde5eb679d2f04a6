"""One conditional write, with the row that stands in its way as its answer.

Owns what every multi-step change shares: how a write is addressed, and how often a lost race is
looked at again.
"""

from typing import Final, TypeVar, cast

from identity.accounts.store import Applied, Rows
from identity.types import Millis

ROUNDS: Final = 32
"""How often a step that lost a race looks again before it gives up with StoreUnavailable."""

KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT")


def put(
    rows: Rows[KeyT, RowT], row: RowT, *, expected: RowT | None, expires_at: Millis | None = None
) -> Applied | RowT | None:
    """Write the row over `expected`, or where there is nothing if that is None.

    Returns:
        APPLIED, or what stands there instead (None: nothing does).
    """
    outcome = (
        rows.insert(row, expires_at=expires_at)
        if expected is None
        else rows.replace(row, expected=expected, expires_at=expires_at)
    )
    return outcome if isinstance(outcome, Applied) else cast("RowT | None", outcome.row)
