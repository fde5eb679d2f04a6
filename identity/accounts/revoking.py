"""Ending sessions from the account's side: the epoch, and what must still be reached.

Owns rule D10 (docs/architecture.md): the revocation is kept before the attempt, the account's epoch
is raised, the sessions are ended, every data centre is brought to know it, the revocation is
forgotten. Invariant: from the first write on, either the account is unchanged or a revocation
stands until the sessions are over and no data centre would let a login pass by the old account.

The sessions come before the other data centres, which may take long to say no: a login that still
reads the old account there has an older epoch than the session record, and does not open.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from identity.accounts.linking import Refusal, Refuse
from identity.accounts.results import NotEverywhereYet, NotReachedYet, Reached
from identity.accounts.store import AccountRow, Applied, Revocation
from identity.accounts.writing import ROUNDS, AccountParts, put
from identity.errors import StoreError, StoreUnavailable
from identity.types import MINUTE, AccountId, IdentityKey, Millis, SessionId

ABANDONED_MS: Final[Millis] = 15 * MINUTE
"""From when on a revocation whose account never changed is taken for that of an attempt that died."""


@dataclass(frozen=True, slots=True)
class Raised:
    """The account was changed and its epoch raised; the sessions are still to be ended."""

    revocation: Revocation


class Revoking:
    """Raises epochs and ends the sessions below them.

    Args:
        parts: what every change stands on.
        end_sessions: ends what a revocation names; raises StoreUnavailable when it cannot reach it.
    """

    def __init__(self, parts: AccountParts, *, end_sessions: Callable[[Revocation], None]) -> None:
        self._parts = parts
        self._store = parts.store
        self._end_sessions = end_sessions

    def change(
        self,
        account_id: AccountId,
        change: Callable[[AccountRow], AccountRow | Refuse],
        *,
        request: UUID,
        reason: int,
        identity: IdentityKey | None = None,
    ) -> Raised | Refuse:
        """Apply a change to the account and raise its epoch, in one conditional write.

        Args:
            account_id: whose account.
            change: pure but for reads; called again with the row as it is after a lost race.
            request: id of the request, and of its revocation.
            reason: why the sessions end.
            identity: limits the revocation to sessions opened through it.

        Raises:
            StoreUnavailable: the store is away, or the row changed in every round.
        """
        kept: Revocation | None = None
        for _ in range(ROUNDS):
            account = self._store.accounts.read_settled(account_id)
            if account is None:
                return self._given_up(kept, Refuse(Refusal.NO_ACCOUNT))
            after = change(account)
            if isinstance(after, Refuse):
                return self._given_up(kept, after)
            epoch = account.epoch + 1
            kept = Revocation(request, account_id, None, epoch, int(reason), self._parts.clock(), identity)
            self._store.revocations.add(kept)
            self._parts.checkpoint("ending.revocation-kept")
            after = replace(after, epoch=epoch, version=account.version + 1, op=self._parts.new_uuid())
            if put(self._store.accounts, after, expected=account) is Applied.APPLIED:
                self._parts.checkpoint("ending.account-changed")
                return Raised(kept)
        raise StoreUnavailable(detail="the account row changed in every round")

    def reach(self, revocation: Revocation) -> Reached | NotReachedYet | NotEverywhereYet:
        """End the sessions and let every data centre know, or leave to the next `retry` what did not answer."""
        account_id = revocation.account_id
        try:
            self._end_sessions(revocation)
            self._parts.checkpoint("ending.sessions-ended")
            if away := self._unaware(revocation):
                return NotEverywhereYet(account_id, away)
            self._store.revocations.done(revocation)
        except StoreError as error:
            return NotReachedYet(account_id, error.detail)
        self._parts.checkpoint("ending.revocation-done")
        return Reached(account_id)

    def _unaware(self, revocation: Revocation) -> str:
        """Bring the account as it is now to every data centre; return what did not answer, "" if all did."""
        if revocation.session is not None:
            return ""  # it was in the record alone
        try:
            self._store.accounts.read_everywhere(revocation.account_id)
        except StoreError as error:
            return error.detail or error.code
        return ""

    def one(
        self, account_id: AccountId, session: SessionId, *, request: UUID, reason: int
    ) -> Reached | NotReachedYet | NotEverywhereYet:
        """End one session, or keep it to be ended. Raises StoreUnavailable: nothing was changed."""
        kept = Revocation(request, account_id, session, 0, int(reason), self._parts.clock())
        self._store.revocations.add(kept)
        self._parts.checkpoint("ending.revocation-kept")
        return self.reach(kept)

    def later(self, account_id: AccountId, session: SessionId, *, reason: int) -> None:
        """Keep one session, which could not be reached just now, to be ended. Raises StoreUnavailable."""
        self._store.revocations.add(
            Revocation(self._parts.new_uuid(), account_id, session, 0, int(reason), self._parts.clock())
        )

    def retry(self) -> int:
        """Try again what was not reached; return of how many the sessions may still be open.

        Not counted are those whose sessions are over and that only a data centre does not know of
        yet. They stay, and are tried again too.

        Raises:
            StoreUnavailable: the account store is away.
        """
        return sum(not self._are_over(revocation) for revocation in self._store.revocations.open())

    def _are_over(self, revocation: Revocation) -> bool:
        try:
            happened = revocation.session is not None or self._happened(revocation)
        except StoreError:  # of one account only, or while a data centre is away; the others are tried all the same
            return False
        if happened:
            return not isinstance(self.reach(revocation), NotReachedYet)
        abandoned = self._parts.clock() - revocation.created_at > ABANDONED_MS
        if abandoned:
            self._store.revocations.done(revocation)
        return abandoned

    def _happened(self, revocation: Revocation) -> bool:
        """Tell whether the account was changed; ending sessions below a later epoch would lock it out.

        What this data centre knows is enough for a yes, and to be had while another one is away.
        """
        accounts, account_id = self._store.accounts, revocation.account_id
        for read in (accounts.read, accounts.read_settled):
            account = read(account_id)
            if account is not None and account.epoch >= revocation.epoch:
                return True
        return False

    def _given_up(self, revocation: Revocation | None, refused: Refuse) -> Refuse:
        # An identity gone after a lost race may have gone by our own write, whose answer was lost and over
        # which another process wrote. Then the sessions must end: `retry` sees by the epoch whether it happened.
        if revocation is not None and refused.reason is not Refusal.NOT_LINKED:
            self._store.revocations.done(revocation)
        return refused
