"""Who hears what happened to sessions.

Owns one Protocol. Audit, metrics and follow-up work hang on it, so that the session service knows
none of them. The implementation is wired in `identity/app.py`.
"""

from typing import Protocol

from identity.sessions.check import Check
from identity.sessions.record import Copied, Session
from identity.types import AccountId


class Watcher(Protocol):
    """Hears what happened to sessions; audit, metrics and follow-up work hang on it. Must not block."""

    def ended(self, account_id: AccountId, session: Session, kind: Copied, check: Check) -> None:
        """A session was ended by what was shown (`reuse` on the wire)."""
        ...

    def foreign(self, account_id: AccountId, session: Session, check: Check) -> None:
        """A token of another host was shown."""
        ...

    def corrupt(self) -> None:
        """A record failed its authentication."""
        ...

    def compare_due(self, account_id: AccountId) -> None:
        """The record was not compared with the account's epoch for five minutes."""
        ...
