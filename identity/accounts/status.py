"""Whether an account may log in, and logging it out everywhere.

Owns the status changes an operator makes, and the suspension of one way to log in, which its provider
makes. Invariants: an account that is being merged, or was, is left to the merge; what a provider says
of an earlier moment than the last one it spoke of suspends and resumes nothing, in whatever order it came.
"""

from collections.abc import Callable
from dataclasses import replace

from identity.accounts.event_effects import EndedByEvent, LoginsAfter
from identity.accounts.linking import Refusal, Refuse, in_merge
from identity.accounts.results import Change, Enabled, EnableOutcome, EndingOutcome, ProviderEvent, Reached
from identity.accounts.revoking import Revoking
from identity.accounts.store import AccountRow, AccountStatus, Applied, Suspension
from identity.accounts.writing import ROUNDS, AccountParts, put
from identity.errors import StoreUnavailable
from identity.sessions.record import Ended
from identity.types import AccountId, IdentityKey


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

    def heed(self, request: ProviderEvent) -> EndingOutcome:
        """End sessions, and suspend or resume logins through an identity, as its provider's word has it.

        One conditional write, as every change of an account; then its sessions are ended.
        """
        effect, key = request.effect, request.key

        def told(account: AccountRow) -> AccountRow | Refuse:
            if refused := in_merge(account):
                return refused
            return _told(account, request) if key in account.identities else Refuse(Refusal.NOT_LINKED)

        if effect.sessions is EndedByEvent.NONE:
            refused = self._write(request.account_id, told)
            return refused or Reached(request.account_id)
        limited = key if effect.sessions is EndedByEvent.THROUGH_IDENTITY else None
        change = Change(request.id, request.account_id, request.by)
        return self._end(change, told, reason=Ended.PROVIDER_EVENT, identity=limited)

    def enable(self, request: Change) -> EnableOutcome:
        """Let the account log in again in all its ways; sessions that were ended stay so."""
        now = self._parts.clock()

        def enabled(account: AccountRow) -> AccountRow | Refuse:
            resumed = {
                key: Suspension(max(now, each.at), "") if each.reason else each
                for key, each in account.suspensions.items()
            }
            if account.status is AccountStatus.WAITING:
                return Refuse(Refusal.AWAITS_APPROVAL)
            return in_merge(account) or replace(account, status=AccountStatus.ACTIVE, suspensions=resumed)

        refused = self._write(request.account_id, enabled)
        return refused or Enabled(request.account_id)

    def _write(self, account_id: AccountId, change: Callable[[AccountRow], AccountRow | Refuse]) -> Refuse | None:
        """Change an account without ending sessions; one that is as wanted is not written."""
        for _ in range(ROUNDS):
            account = self._store.accounts.read_settled(account_id)
            if account is None:
                return Refuse(Refusal.NO_ACCOUNT)
            after = change(account)
            if isinstance(after, Refuse):
                return after
            if after == account:
                return None
            after = replace(after, version=account.version + 1, op=self._parts.new_uuid())
            if put(self._store.accounts, after, expected=account) is Applied.APPLIED:
                return None
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


def _told(account: AccountRow, request: ProviderEvent) -> AccountRow:
    """Return the account as the provider's word leaves it."""
    known = account.suspensions.get(request.key)
    if request.effect.logins is LoginsAfter.UNCHANGED or (known and known.at > request.at):
        return account
    suspended = request.effect.logins is LoginsAfter.SUSPENDED
    told = Suspension(request.at, request.by.why if suspended else "")
    return replace(account, suspensions={**account.suspensions, request.key: told})
