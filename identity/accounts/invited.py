"""Using an invitation: each makes one account, or gives its groups to one that is there.

Owns the claim around it. Invariant: of any number of people with one link exactly one uses it. A sign-up claims the
invitation after its identity row and before its commit, which is conditional on that row. So a request that takes
over a claim which was left first makes sure that its commit cannot happen any more: the identity row is committed,
and the invitation is used; or it is pending, and is deleted; or it is another attempt's; or nothing stands there,
and for a moment our own claim does.

    open ──claim──▶ claimed ──commit of the sign-up──▶ used        revoked: by an operator, from open
      ▲                │ left for 30 s, not committed
      └────────────────┘
    open ──an account accepts──▶ granting ──its groups are changed──▶ used
      ▲                             │ they cannot be
      └─────────────────────────────┘
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from uuid import UUID, uuid5

from identity.accounts.invitation import InvitationRow, InvitationState, Worth, standing
from identity.accounts.linking import CLAIM_TTL_MS, Refusal, Refuse
from identity.accounts.results import BeingFinished, By, EndingOutcome, GroupsChange
from identity.accounts.store import AccountRow, Applied, IdentityRow, IdentityState
from identity.accounts.writing import ROUNDS, AccountParts, put
from identity.audit import Event
from identity.errors import StoreUnavailable
from identity.types import IdentityKey, Username

_REFUSALS: Final = {
    Worth.UNKNOWN: Refuse(Refusal.INVITATION_UNKNOWN),
    Worth.EXPIRED: Refuse(Refusal.INVITATION_EXPIRED),
    Worth.USED: Refuse(Refusal.INVITATION_USED),
    Worth.REVOKED: Refuse(Refusal.INVITATION_REVOKED),
}
_CHANGES: Final = "the invitation changed in every round"


class InvitationUse:
    """Hands invitations to those who follow them.

    Args:
        parts: what every change stands on.
        note: hears of each invitation that was used, exactly once.
    """

    def __init__(self, parts: AccountParts, *, note: Callable[[Event], None]) -> None:
        self._parts = parts
        self._rows = parts.store.invitations
        self._identities = parts.store.identities
        self._note = note

    def look(self, key: str) -> InvitationRow | Refuse:
        """Return an invitation that may be followed, or why it may not: one read, which uses nothing up.

        One that is being used counts as good until that is settled.
        """
        row = self._rows.read(key)
        refused = _REFUSALS.get(standing(row, now=self._parts.clock()))
        return refused or row or _REFUSALS[Worth.UNKNOWN]

    def claim(self, key: str, row: IdentityRow) -> InvitationRow | Refuse | BeingFinished:
        """Claim an invitation for a sign-up whose identity row was claimed before; it keeps it for 30 seconds.

        Raises:
            StoreUnavailable: the store is away, or the row changed in every round.
        """
        for _ in range(ROUNDS):
            found = self._rows.read_settled(key)
            now = self._parts.clock()
            worth = standing(found, now=now, claim=row.claim)
            if worth in _REFUSALS or found is None:
                return _REFUSALS.get(worth, _REFUSALS[Worth.UNKNOWN])
            if worth is Worth.BUSY or found.state is InvitationState.GRANTING:
                return BeingFinished()
            if worth is Worth.UNSETTLED:
                self.settle(found)
                continue
            mine = replace(
                found,
                state=InvitationState.CLAIMED,
                claim=row.claim,
                claimed_at=now,
                identity=row.key,
                account_id=row.account_id,
                op=self._parts.new_uuid(),
            )
            if self.write(mine, found):
                return mine
        raise StoreUnavailable(detail=_CHANGES)

    def settle(self, found: InvitationRow) -> None:
        """Find out what became of a sign-up that claimed an invitation: used, or open again."""
        claimant = self._claimant(found)
        if claimant is not None and claimant.claim == found.claim:
            if claimant.state is not IdentityState.PENDING and claimant.invitation == found.key:
                self.used(claimant, by=By("system"))
                return
            pending = claimant.state is IdentityState.PENDING
            if pending and self._identities.delete(claimant) is not Applied.APPLIED:
                return  # it moved meanwhile: look again
        self._parts.checkpoint("invitation.claimant-stopped")
        self.write(found.opened(self._parts.new_uuid()), found)

    def _claimant(self, found: InvitationRow) -> IdentityRow | None:
        """Return the row of the identity through which an invitation was claimed.

        An absent row is not believed (D9): the sign-up may be committing in the moment in which its claim expires.
        A claim of our own, which every other may take over at once, goes where it was: the commit then finds that.
        """
        if found.identity is None or found.account_id is None:
            return None
        stop = IdentityRow(
            key=found.identity,
            username=Username(""),
            account_id=found.account_id,
            state=IdentityState.PENDING,
            claim=self._parts.new_uuid(),
            claimed_at=0,
            op=self._parts.new_uuid(),
        )
        stands = put(self._identities, stop, expected=None, expires_at=self._parts.clock() + CLAIM_TTL_MS)
        if stands is Applied.APPLIED:
            self._identities.delete(stop)
            return None
        return stands

    def used(self, row: IdentityRow, *, by: By) -> None:
        """Mark the invitation of a committed sign-up as used; by whichever request comes first."""
        for _ in range(ROUNDS):
            found = self._rows.read_settled(row.invitation)
            if found is None or found.state is not InvitationState.CLAIMED or found.claim != row.claim:
                return
            if self.finish(found, by=by):
                return
        raise StoreUnavailable(detail=_CHANGES)

    def finish(self, found: InvitationRow, *, by: By) -> bool:
        """Write that it was used, and note it; False if another did, or it moved."""
        after = replace(found, state=InvitationState.USED, op=self._parts.new_uuid())
        if not self.write(after, found):
            return False
        facts = {"invitation": found.id, "identity": found.identity or "", "groups": " ".join(found.groups)}
        self._note(
            Event(
                id=uuid5(found.claim or after.op, "invitation-used"),
                at=self._parts.clock(),
                action="invitation-used",
                account_id=found.account_id,
                actor=by.actor,
                address=by.address,
                request_id=by.request_id,
                facts={name: value for name, value in facts.items() if value},
            )
        )
        return True

    def write(self, after: InvitationRow, before: InvitationRow) -> bool:
        """Replace the row if it is still `before`; it keeps its end."""
        return put(self._rows, after, expected=before, expires_at=after.expires_at) is Applied.APPLIED


class GroupGrants:
    """Gives the groups of an invitation to an account that is there.

    Args:
        parts: what every change stands on.
        invitations: hands each to one.
        change_groups: changes an account's groups, audited.
    """

    def __init__(
        self,
        parts: AccountParts,
        *,
        invitations: InvitationUse,
        change_groups: Callable[[GroupsChange], EndingOutcome],
    ) -> None:
        self._parts = parts
        self._rows = parts.store.invitations
        self._invitations = invitations
        self._change_groups = change_groups

    def accept(self, key: str, account: AccountRow, identity: IdentityKey, *, by: By) -> Refuse | BeingFinished | None:
        """Put the account into the invitation's groups and use it up; one that would change nothing stays unused.

        None: the account is in the groups. What was begun and killed is finished when the link is followed again,
        and by fsck.

        Raises:
            StoreUnavailable: the store is away, or the row changed in every round.
        """
        for _ in range(ROUNDS):
            found = self._rows.read_settled(key)
            worth = standing(found, now=self._parts.clock())
            if found is not None and found.state is InvitationState.USED and found.account_id == account.key:
                return None
            if found is None or worth in _REFUSALS:
                return _REFUSALS.get(worth, _REFUSALS[Worth.UNKNOWN])
            if worth is Worth.BUSY:
                return BeingFinished()
            if worth is Worth.UNSETTLED:
                self.settle(found)
                continue
            if set(found.groups) <= set(account.groups):
                return None
            claim = self._parts.new_uuid()
            granting = replace(
                found,
                state=InvitationState.GRANTING,
                claim=claim,
                claimed_at=self._parts.clock(),
                identity=identity,
                account_id=account.key,
                op=self._parts.new_uuid(),
            )
            if self._invitations.write(granting, found):
                self._parts.checkpoint("invitation.granting")
                return self._grant(granting, claim, by=by)
        raise StoreUnavailable(detail=_CHANGES)

    def settle(self, found: InvitationRow) -> None:
        """Find out what became of one that was being used: used, or open again."""
        if found.state is InvitationState.GRANTING and found.claim:
            self._grant(found, found.claim, by=By("system"))
        elif found.state is InvitationState.CLAIMED:
            self._invitations.settle(found)

    def _grant(self, granting: InvitationRow, claim: UUID, *, by: By) -> Refuse | None:
        if granting.account_id is None:
            raise StoreUnavailable(detail="an invitation that is granted to no account")
        why = f"invitation {granting.id}"
        change = GroupsChange(claim, granting.account_id, replace(by, why=why), add=frozenset(granting.groups))
        outcome = self._change_groups(change)
        if isinstance(outcome, Refuse):
            self._invitations.write(granting.opened(self._parts.new_uuid()), granting)
            return outcome
        self._parts.checkpoint("invitation.granted")
        self._invitations.finish(granting, by=by)
        return None
