"""The audit of changes to accounts: an entry before the attempt, one with its outcome.

Owns what such an entry says. Both are written at once and durably: a change that cannot be
audited does not happen. Ids derive from the request's id, so a retry repeats entries instead of
adding to them; an entry "begun" without an outcome tells of an attempt that was cut short.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID, uuid5

from identity.accounts.results import By
from identity.accounts.store import AccountStore
from identity.accounts.writing import AccountParts
from identity.audit import AuditLog, Event
from identity.types import AccountId, IdentityKey, SessionId, UsernameKey


class AuditedOutcome(Protocol):
    """What became of an attempt."""

    @property
    def word(self) -> str:
        """As the audit spells it."""
        ...


class AuditedStore(AccountStore, Protocol):
    """The account store with its audit."""

    @property
    def audit(self) -> AuditLog:
        """Audit rows."""
        ...


OutcomeT = TypeVar("OutcomeT", bound=AuditedOutcome)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A change that is asked for."""

    action: str
    id: UUID
    account_id: AccountId | None
    by: By
    key: IdentityKey | None = None
    name: UsernameKey | None = None
    session: SessionId | None = None
    groups: tuple[str, ...] = ()
    """Each with a + or - before it."""
    invitation: str = ""
    """Its id."""


class AuditedChanges:
    """Writes the two entries around a change.

    Args:
        parts: what every change stands on.
        audit: where entries go.
    """

    def __init__(self, parts: AccountParts, audit: AuditLog) -> None:
        self._parts = parts
        self._audit = audit

    def around(self, attempt: Attempt, change: Callable[[], OutcomeT]) -> OutcomeT:
        """Audit the attempt, make the change, audit its outcome.

        Raises:
            StoreUnavailable: nothing was changed, or it is not known to be; a retry converges
                and completes the entries.
        """
        self._write(attempt, outcome="")
        self._parts.checkpoint("trail.begun")
        outcome = change()
        self._write(attempt, outcome=outcome.word)
        self._parts.checkpoint("trail.ended")
        return outcome

    def _write(self, attempt: Attempt, *, outcome: str) -> None:
        facts = {
            "identity": attempt.key,
            "username": attempt.name,
            "session": attempt.session.hex() if attempt.session else None,
            "groups": " ".join(attempt.groups),
            "invitation": attempt.invitation,
            "reason": attempt.by.why,
            "outcome": outcome,
        }
        self._audit.append(
            Event(
                id=uuid5(attempt.id, f"{attempt.action}:{outcome}"),
                at=self._parts.clock(),
                action=attempt.action if outcome else f"{attempt.action}-begun",
                account_id=attempt.account_id,
                actor=attempt.by.actor,
                address=attempt.by.address,
                request_id=attempt.by.request_id,
                facts={name: value for name, value in facts.items() if value},
            )
        )
