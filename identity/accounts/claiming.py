"""Claiming identities and names: where two who want the same thing are told apart.

Owns the loop around a claim (rules D3 and D9 of docs/architecture.md). A claim is the truth about a
key: an absent row is never believed, it is claimed. Invariant: of any number of claims at once,
exactly one wins, and a committed row is never taken over.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from identity.accounts.completing import Completing
from identity.accounts.linking import CLAIM_TTL_MS, Meeting, Unknown, decide, meet
from identity.accounts.results import BeingFinished, By, LinkRequest, SignUp
from identity.accounts.store import (
    LABEL,
    Applied,
    IdentityRow,
    IdentityState,
    UsernameRow,
    UsernameState,
)
from identity.accounts.writing import ROUNDS, AccountParts, put
from identity.errors import StoreUnavailable
from identity.types import AccountId, Username
from providers.base import plain


@dataclass(frozen=True, slots=True)
class _Yields:
    """The key may be claimed by replacing this row, or by inserting if it is None."""

    row: IdentityRow | None


def pending(request: SignUp | LinkRequest, username: Username, account_id: AccountId) -> IdentityRow:
    """Return the row that claims the identity of a request; op and time are set with each attempt."""
    return IdentityRow(
        key=request.key,
        username=username,
        account_id=account_id,
        state=IdentityState.PENDING,
        claim=request.claim,
        claimed_at=0,
        op=request.claim,
        label=plain(request.label, LABEL),
    )


class Claiming:
    """Claims rows for 15 minutes.

    Args:
        parts: what every change stands on.
        completing: finishes committed rows that are met.
    """

    def __init__(self, parts: AccountParts, *, completing: Completing) -> None:
        self._parts = parts
        self._store = parts.store
        self._completing = completing

    def identity(self, wanted: IdentityRow, *, by: By) -> IdentityRow | BeingFinished:
        """Claim an identity, or find the row that counts there.

        Returns:
            `wanted`, pending, with its op and `claimed_at` set; or a row that stands: an active
            one, which is the account's, or one that needs a name.

        Raises:
            StoreUnavailable: the store is away, or the row changed in every round.
        """
        # The first try inserts: an absent row could not be believed (D9), so a read before it would tell nothing.
        expected: IdentityRow | None = None
        for _ in range(ROUNDS):
            now = self._parts.clock()
            mine = replace(wanted, claimed_at=now, op=self._parts.new_uuid())
            found = put(self._store.identities, mine, expected=expected, expires_at=now + CLAIM_TTL_MS)
            if found is Applied.APPLIED:
                return mine
            met = self._met(found, claim=wanted.claim, by=by)
            if not isinstance(met, _Yields):
                return met
            expected = met.row
        raise StoreUnavailable(detail="the identity row changed in every round")

    def _met(self, found: IdentityRow | None, *, claim: UUID, by: By) -> _Yields | IdentityRow | BeingFinished:
        if found is not None and found.state is IdentityState.COMPLETING:
            # Committed: its account will exist, so it is finished for its owner and never taken over.
            found = self._completing.finish(found, by=by)
        if found is None:
            return _Yields(None)  # it expired or was deleted since
        if found.state is IdentityState.COMPLETING:
            return BeingFinished()
        if found.state is IdentityState.PENDING:
            left_alone = meet(found, claim=claim, now=self._parts.clock()) is Meeting.BEING_FINISHED
            return BeingFinished() if left_alone else _Yields(found)
        return found if self._counts(found) else _Yields(found)

    def _counts(self, row: IdentityRow) -> bool:
        """Tell whether a committed row leads somewhere; an unlink that was killed leaves one that does not."""
        if row.state is IdentityState.NEEDS_NAME:
            return True
        return decide(row, self._store.accounts.read_settled(row.account_id)) != Unknown()

    def name(self, wanted: UsernameRow) -> UsernameRow | None:
        """Claim a name; None if another sign-up or account has it.

        Returns:
            The row that holds it for `wanted`'s claim: pending, or active already.

        Raises:
            StoreUnavailable: the store is away, or the row changed in every round.
        """
        expected: UsernameRow | None = None
        for _ in range(ROUNDS):
            now = self._parts.clock()
            mine = replace(wanted, claimed_at=now, op=self._parts.new_uuid())
            found = put(self._store.usernames, mine, expected=expected, expires_at=now + CLAIM_TTL_MS)
            if found is Applied.APPLIED:
                return mine
            if found is not None and found.state is not UsernameState.PENDING:
                # A helper has committed and finished this very sign-up meanwhile, or the name is another's.
                own = found.state is UsernameState.ACTIVE and found.claim == wanted.claim
                return found if own else None
            if found is not None and meet(found, claim=wanted.claim, now=now) is Meeting.BEING_FINISHED:
                return None
            expected = found
        raise StoreUnavailable(detail="the username row changed in every round")
