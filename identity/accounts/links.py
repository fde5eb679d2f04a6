"""The ways to log in to an account: adding one, taking one away.

Owns rule D6 (docs/architecture.md): a login counts only if the index row and the account agree, so
whichever of the two is written last decides. Invariant: the last way is never taken away, and
an identity leads to one account at most.
"""

from dataclasses import replace

from identity.accounts.claiming import Claiming, pending
from identity.accounts.completing import Completing
from identity.accounts.linking import Refusal, Refuse, may_link, may_unlink
from identity.accounts.results import (
    BeingFinished,
    EndingOutcome,
    Linked,
    LinkOutcome,
    LinkRequest,
    Unlink,
)
from identity.accounts.revoking import Revoking
from identity.accounts.store import AccountRow, Applied, IdentityRow, IdentityState
from identity.accounts.writing import ROUNDS, AccountParts, put
from identity.errors import StoreUnavailable
from identity.sessions.record import Ended


class Links:
    """Links and unlinks.

    Args:
        parts: what every change stands on.
        claiming: claims identities.
        completing: finishes committed ones.
        revoking: ends the sessions of what was unlinked.
    """

    def __init__(self, parts: AccountParts, *, claiming: Claiming, completing: Completing, revoking: Revoking) -> None:
        self._parts = parts
        self._store = parts.store
        self._claiming = claiming
        self._completing = completing
        self._revoking = revoking

    def link(self, request: LinkRequest) -> LinkOutcome:
        """Claim the identity, commit, add it to the account, confirm."""
        for _ in range(ROUNDS):
            account = self._store.accounts.read_settled(request.account_id)
            if account is None:
                return Refuse(Refusal.NO_ACCOUNT)
            # Before the claim, so that a refused link does not keep the identity for 15 minutes.
            if refused := may_link(account, request.key):
                return refused
            row = self._claiming.identity(pending(request, account.username, account.key), by=request.by)
            if isinstance(row, BeingFinished):
                return row
            if row.state is not IdentityState.PENDING:
                # What stands leads to an account that agrees, as read a moment ago.
                mine = row.account_id == account.key
                return Linked(account.key) if mine else Refuse(Refusal.BELONGS_TO_OTHER)
            self._parts.checkpoint("link.identity-claimed")
            committed = replace(row, state=IdentityState.COMPLETING, op=self._parts.new_uuid())
            if put(self._store.identities, committed, expected=row) is Applied.APPLIED:
                self._parts.checkpoint("link.committed")
                match self._completing.finish(committed, by=request.by):
                    case IdentityRow(state=IdentityState.ACTIVE, account_id=account.key):
                        return Linked(account.key)
            # Lost to another attempt, or the account moved: the next round reads both and says what stands.
        raise StoreUnavailable(detail="the identity row changed in every round")

    def unlink(self, request: Unlink) -> EndingOutcome:
        """Take the identity from the account, which decides; then its index row; then its sessions."""
        row: IdentityRow | None = None

        def without(account: AccountRow) -> AccountRow | Refuse:
            nonlocal row
            # Judged on the row that is then replaced, under its op: of two unlinks at once the second is judged
            # again, so they cannot take the last two ways.
            if refused := may_unlink(account, request.key):
                return refused
            # After the account, and finished if need be: a helper that meets a completing row
            # would add the identity again.
            row = self._finished(request)
            return replace(
                account,
                identities={k: v for k, v in account.identities.items() if k != request.key},
                suspensions={k: v for k, v in account.suspensions.items() if k != request.key},
            )

        raised = self._revoking.change(
            request.account_id, without, request=request.id, reason=Ended.UNLINKED, identity=request.key
        )
        if isinstance(raised, Refuse):
            return raised
        # A crash before this leaves a row that leads nowhere, since the account does not list it (D6).
        if row is not None and row.account_id == request.account_id:
            self._store.identities.delete(row)
        self._parts.checkpoint("unlink.identity-deleted")
        return self._revoking.reach(raised.revocation)

    def _finished(self, request: Unlink) -> IdentityRow | None:
        row = self._store.identities.read_settled(request.key)
        if row is not None and row.state is IdentityState.COMPLETING:
            return self._completing.finish(row, by=request.by)
        return row
