"""Who did what to whom, from where: one row per login, sign-up, logout, reuse, link.

Owns the event and the Protocol that stores it. Events hold no token, code, secret or upstream
text; addresses are full here (an operator needs them) and summaries elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from identity.types import AccountId, Millis


@dataclass(frozen=True, slots=True)
class Event:
    """One audited fact. `action` is from the list in docs/operations.md, for example `login`."""

    id: UUID
    at: Millis
    action: str
    account_id: AccountId | None
    actor: str
    """`self`, `system`, or `operator:<name>`."""
    address: str = ""
    request_id: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


class AuditLog(Protocol):
    """Appended rows; nothing is ever changed. Implemented by the account stores."""

    def append(self, event: Event) -> None:
        """Store the event durably; raises StoreUnavailable. Appending one twice is harmless."""
        ...

    def of_account(self, account_id: AccountId, *, limit: int = 100) -> tuple[Event, ...]:
        """Return the newest events of an account, newest first."""
        ...
