"""Signing up: one identity, one name, one account, whatever happens in between.

Owns the protocol of rule D5 (docs/architecture.md) up to its commit; what follows is `completing.py`.
Invariant: nothing that does not expire by itself is written before the commit, and after it the
index row alone suffices to finish.
"""

from dataclasses import replace
from itertools import chain, islice
from typing import Final

from identity.accounts import usernames
from identity.accounts.approval import WaitingRoom
from identity.accounts.claiming import Claiming, pending
from identity.accounts.completing import Completing
from identity.accounts.invitation import InvitationRow
from identity.accounts.invited import InvitationUse
from identity.accounts.linking import Refuse, account_of
from identity.accounts.results import (
    AlreadyKnown,
    BeingFinished,
    NameTaken,
    SignedUp,
    SignUp,
    SignUpOutcome,
)
from identity.accounts.store import Applied, IdentityRow, IdentityState, UsernameRow, UsernameState
from identity.accounts.usernames import NamePolicy, NameRefused
from identity.accounts.writing import ROUNDS, AccountParts, put
from identity.errors import StoreUnavailable
from identity.types import Username

OFFERED: Final = 3
"""How many free names are offered when one is taken."""


class SigningUp:
    """Makes accounts.

    Args:
        parts: what every change stands on.
        claiming: claims rows.
        completing: finishes committed ones.
        invitations: hands each to one sign-up.
        room: where sign-ups wait that an operator has to approve.
        policy: which names may be chosen.
    """

    def __init__(
        self,
        parts: AccountParts,
        *,
        claiming: Claiming,
        completing: Completing,
        invitations: InvitationUse,
        room: WaitingRoom,
        policy: NamePolicy,
    ) -> None:
        self._parts = parts
        self._store = parts.store
        self._claiming = claiming
        self._completing = completing
        self._invitations = invitations
        self._room = room
        self._policy = policy

    def sign_up(self, request: SignUp) -> SignUpOutcome:
        """Make the account, or say what stands in the way; repeating a request converges.

        Raises:
            StoreUnavailable: the store is away. What was begun expires, or is finished by the next login.
        """
        name = usernames.check(request.username, self._policy)
        if isinstance(name, NameRefused):
            return name
        for _ in range(ROUNDS):
            row = self._claiming.identity(pending(request, name, account_of(request.claim)), by=request.by)
            if isinstance(row, BeingFinished):
                return row
            if row.state is IdentityState.ACTIVE:
                # The form was sent twice, or its answer was lost: the same claim made this account.
                made_here = row.claim == request.claim
                return SignedUp(row.account_id, row.username) if made_here else AlreadyKnown(row.account_id)
            self._parts.checkpoint("sign-up.identity-claimed")
            outcome = self._commit(row, name, request)
            if outcome is not None:
                return outcome
        raise StoreUnavailable(detail="the identity row changed in every round")

    def _commit(self, row: IdentityRow, name: Username, request: SignUp) -> SignUpOutcome | None:
        """Claim the name and commit; None if the identity row changed hands meanwhile."""
        claimed = self._claiming.name(_name_claim(row, name))
        if claimed is None:
            # The claim on the identity stays: the person chooses again under it for up to 15 minutes.
            return NameTaken(name, self._free(name))
        self._parts.checkpoint("sign-up.name-claimed")
        terms = self._terms(row, request)
        if not isinstance(terms, IdentityRow):
            return terms
        committed = replace(terms, username=name, state=IdentityState.COMPLETING, op=self._parts.new_uuid())
        # The commit point, without an expiry: a crash before it leaves nothing for good, and after it the next
        # login finishes the account from this row alone (D5).
        if put(self._store.identities, committed, expected=row) is not Applied.APPLIED:
            return None  # taken over by another attempt; the claim on the name expires by itself
        self._parts.checkpoint("sign-up.committed")
        match self._completing.finish(committed, by=request.by, name=claimed):
            case IdentityRow(state=IdentityState.ACTIVE, account_id=row.account_id, username=username):
                return SignedUp(row.account_id, username)
            case IdentityRow(state=IdentityState.NEEDS_NAME, account_id=row.account_id):
                return NameTaken(name, self._free(name))
            case _:
                return BeingFinished()

    def _terms(self, row: IdentityRow, request: SignUp) -> IdentityRow | Refuse | BeingFinished:
        """Return the row with the invitation that it uses, or as one that waits for an operator.

        A row that needs a name was committed with its own.
        """
        if row.state is IdentityState.NEEDS_NAME:
            return row
        if request.invitation:
            claimed = self._invitations.claim(request.invitation, row)
            if not isinstance(claimed, InvitationRow):
                return claimed
            self._parts.checkpoint("sign-up.invitation-claimed")
            return replace(row, invitation=claimed.key, groups=claimed.groups)
        if request.waits:
            if refused := self._room.enter(row):
                return refused
            self._parts.checkpoint("sign-up.waiting-listed")
            return replace(row, waits=True)
        return row

    def suggest(self, handle: str, name: str) -> Username | None:
        """Return a name to offer the person, free a moment ago; at most ten reads.

        None if nothing that the provider calls them can be a username.

        Raises:
            StoreUnavailable: the store is away.
        """
        offered = list(usernames.suggestions(handle, name, self._policy))
        if not offered:
            return None
        numbered = usernames.alternatives(offered[0], self._parts.new_uuid().int, self._policy)
        # Lazy: a first suggestion that is free costs one read.
        return next((each for each in chain(offered, numbered) if self._is_free(each)), offered[0])

    def _free(self, taken: Username) -> tuple[Username, ...]:
        numbered = usernames.alternatives(taken, self._parts.new_uuid().int, self._policy)
        return tuple(islice(filter(self._is_free, numbered), OFFERED))

    def _is_free(self, name: Username) -> bool:
        # A plain read, which may be behind: it spares the person a try, and the claim decides (D9).
        return self._store.usernames.read(usernames.fold(name)) is None


def _name_claim(row: IdentityRow, name: Username) -> UsernameRow:
    """Claim under the identity row's claim: a row that needs a name keeps the one it was committed with."""
    return UsernameRow(
        key=usernames.fold(name),
        username=name,
        account_id=row.account_id,
        state=UsernameState.PENDING,
        claim=row.claim,
        claimed_at=0,
        op=row.op,
    )
