"""One conditional write, with the row that stands in its way as its answer.

Owns what every multi-step change shares: how a write is addressed, and how often a lost race is
looked at again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar, cast
from uuid import UUID

from identity.accounts.store import AccountStore, Applied, Rows
from identity.types import Checkpoint, Clock, Millis

ROUNDS: Final = 32
"""How often a step that lost a race looks again before it gives up with StoreUnavailable."""

KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class AccountParts:
    """What every change to accounts stands on."""

    store: AccountStore
    clock: Clock
    new_uuid: Callable[[], UUID]
    """Makes a fresh op for every write."""
    checkpoint: Checkpoint
    """Told the name of each place that is reached."""


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
