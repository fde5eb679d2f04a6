"""Whether an account may log in, and logging it out everywhere.

Owns the status changes an operator makes. Invariant: an account that is being merged, or was,
is left to the merge.
"""

from collections.abc import Callable
from dataclasses import replace

from identity.accounts.linking import Refusal, Refuse, in_merge
from identity.accounts.results import Change, Enabled, EnableOutcome, EndingOutcome
from identity.accounts.revoking import Revoking
from identity.accounts.store import AccountRow, AccountStatus, Applied
from identity.accounts.writing import ROUNDS, AccountParts, put
from identity.errors import StoreUnavailable
from identity.sessions.record import Ended
from identity.types import IdentityKey


class StatusChanges:
    """Disables, enables, ends everywhere.

    Args:
        parts: what every change stands on.
        revoking: ends sessions.
    """

    def __init__(self, parts: AccountParts, *, revoking: Revoking) -> None:
        self._parts = parts
        self._store = parts.store
        self._revoking = revoking

    def disable(self, request: Change) -> EndingOutcome:
        """Refuse every later login and end every session; doing it again ends them again."""

        def disabled(account: AccountRow) -> AccountRow | Refuse:
            return in_merge(account) or replace(account, status=AccountStatus.DISABLED)

        return self._end(request, disabled, reason=Ended.DISABLED)

    def end_everywhere(self, request: Change) -> EndingOutcome:
        """End every session; the next login is welcome."""

        def unchanged(account: AccountRow) -> AccountRow | Refuse:
            return in_merge(account) or account

        return self._end(request, unchanged, reason=Ended.REVOKED)

    def end_through(self, request: Change, key: IdentityKey) -> EndingOutcome:
        """End the sessions opened through one identity, which stays a way to log in."""

        def unchanged(account: AccountRow) -> AccountRow | Refuse:
            return account if key in account.identities else Refuse(Refusal.NOT_LINKED)

        return self._end(request, unchanged, reason=Ended.PROVIDER_LOGOUT, identity=key)

    def enable(self, request: Change) -> EnableOutcome:
        """Let the account log in again; sessions that were ended stay so."""
        for _ in range(ROUNDS):
            account = self._store.accounts.read_settled(request.account_id)
            if account is None:
                return Refuse(Refusal.NO_ACCOUNT)
            if refused := in_merge(account):
                return refused
            if account.status is AccountStatus.ACTIVE:
                return Enabled(account.key)
            after = replace(
                account, status=AccountStatus.ACTIVE, version=account.version + 1, op=self._parts.new_uuid()
            )
            if put(self._store.accounts, after, expected=account) is Applied.APPLIED:
                return Enabled(account.key)
        raise StoreUnavailable(detail="the account row changed in every round")

    def _end(
        self,
        request: Change,
        change: Callable[[AccountRow], AccountRow | Refuse],
        *,
        reason: Ended,
        identity: IdentityKey | None = None,
    ) -> EndingOutcome:
        raised = self._revoking.change(request.account_id, change, request=request.id, reason=reason, identity=identity)
        return raised if isinstance(raised, Refuse) else self._revoking.reach(raised.revocation)
