"""Ending sessions from the account's side: the epoch, and what must still be reached.

Owns rule D10 (docs/architecture.md): the revocation is kept before the attempt, the account's epoch
is raised, the sessions are ended, the revocation is forgotten. Invariant: from the first write
on, either the account is unchanged or a revocation stands until the sessions are over.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from identity.accounts.linking import Refusal, Refuse
from identity.accounts.results import NotReachedYet, Reached
from identity.accounts.store import AccountRow, AccountStore, Applied, Revocation
from identity.accounts.writing import ROUNDS, put
from identity.errors import StoreError, StoreUnavailable
from identity.types import MINUTE, AccountId, Checkpoint, Clock, IdentityKey, Millis, SessionId

ABANDONED_MS: Final[Millis] = 15 * MINUTE
"""From when on a revocation whose account never changed is taken for that of an attempt that died."""


@dataclass(frozen=True, slots=True)
class Raised:
    """The account was changed and its epoch raised; the sessions are still to be ended."""

    revocation: Revocation


class Ending:
    """Raises epochs and ends the sessions below them.

    Args:
        store: the rows.
        clock: the time.
        new_uuid: makes a fresh op for every write.
        checkpoint: told the name of each place that is reached.
        end_sessions: ends what a revocation names; raises StoreUnavailable when it cannot reach it.
    """

    def __init__(
        self,
        store: AccountStore,
        *,
        clock: Clock,
        new_uuid: Callable[[], UUID],
        checkpoint: Checkpoint,
        end_sessions: Callable[[Revocation], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_uuid = new_uuid
        self._checkpoint = checkpoint
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
            kept = Revocation(request, account_id, None, epoch, int(reason), self._clock(), identity)
            self._store.revocations.add(kept)
            self._checkpoint("ending.revocation-kept")
            after = replace(after, epoch=epoch, version=account.version + 1, op=self._new_uuid())
            if put(self._store.accounts, after, expected=account) is Applied.APPLIED:
                self._checkpoint("ending.account-changed")
                return Raised(kept)
        raise StoreUnavailable(detail="the account row changed in every round")

    def reach(self, revocation: Revocation) -> Reached | NotReachedYet:
        """End the sessions, or leave it to the next `retry`."""
        try:
            self._end_sessions(revocation)
            self._checkpoint("ending.sessions-ended")
            self._store.revocations.done(revocation)
        except StoreError as error:
            return NotReachedYet(revocation.account_id, error.detail)
        self._checkpoint("ending.revocation-done")
        return Reached(revocation.account_id)

    def later(self, account_id: AccountId, session: SessionId, *, reason: int) -> None:
        """Keep one session, which could not be reached just now, to be ended. Raises StoreUnavailable."""
        self._store.revocations.add(Revocation(self._new_uuid(), account_id, session, 0, int(reason), self._clock()))

    def retry(self) -> int:
        """Try again to end what could not be reached; return how many are still open.

        Raises:
            StoreUnavailable: the account store is away.
        """
        return sum(not self._settled(revocation) for revocation in self._store.revocations.open())

    def _settled(self, revocation: Revocation) -> bool:
        if revocation.session is None and not self._happened(revocation):
            abandoned = self._clock() - revocation.created_at > ABANDONED_MS
            if abandoned:
                self._store.revocations.done(revocation)
            return abandoned
        return isinstance(self.reach(revocation), Reached)

    def _happened(self, revocation: Revocation) -> bool:
        """Tell whether the account was changed; ending sessions below a later epoch would lock it out."""
        account = self._store.accounts.read_settled(revocation.account_id)
        return account is not None and account.epoch >= revocation.epoch

    def _given_up(self, revocation: Revocation | None, refused: Refuse) -> Refuse:
        if revocation is not None:
            self._store.revocations.done(revocation)
        return refused
