"""Sign-ups that wait for an operator: who may wait, and what becomes of them.

Owns the list of those who wait, one row that is read by key, and the two decisions. Whether an account waits is its
status, which the sign-up writes and one conditional write changes; the list only leads to it. Invariants: at most
`MOST_WAITING` are on the list; a sign-up is on it before it is committed; of an approval and a rejection one wins.

    entered in the list → committed → account made: waiting ──approve──▶ active, taken off the list
    │ full: refused                                        └──reject───▶ rejected, taken off the list

An entry whose sign-up was not committed, or whose decision was cut off before the list was written, leads to no
account that waits; looking at the list takes it off.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from identity.accounts.linking import CLAIM_TTL_MS, Refusal, Refuse, in_merge
from identity.accounts.results import Change
from identity.accounts.store import AccountRow, AccountStatus, Applied, IdentityRow, WaitingList
from identity.accounts.writing import ROUNDS, AccountParts, put
from identity.errors import StoreUnavailable
from identity.types import AccountId, IdentityKey, Millis

MOST_WAITING: Final = 500
"""Sign-ups that may wait at once: strangers can cause each of them."""
SIGN_UPS: Final = "sign-ups"
"""Key of the list."""


@dataclass(frozen=True, slots=True)
class Approved:
    """The account may log in."""

    account_id: AccountId
    word: str = "approved"


@dataclass(frozen=True, slots=True)
class Rejected:
    """No login passes; the name stays taken."""

    account_id: AccountId
    word: str = "rejected"


@dataclass(frozen=True, slots=True)
class Waiter:
    """An account that waits, and since when."""

    account: AccountRow
    since: Millis


class WaitingRoom:
    """The list of those who wait.

    Args:
        parts: what every change stands on.
    """

    def __init__(self, parts: AccountParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._rows = parts.store.waiting

    def enter(self, row: IdentityRow) -> Refuse | None:
        """Put a sign-up on the list before it is committed; refused where the list is full.

        Raises:
            StoreUnavailable: the store is away, or the list changed in every round.
        """

        def entered(entries: Mapping[str, str]) -> Mapping[str, str] | None:
            me = str(row.account_id)
            if me in entries:
                return entries
            return None if len(entries) >= MOST_WAITING else {**entries, me: f"{row.claimed_at} {row.key}"}

        return None if self._write(entered) else Refuse(Refusal.TOO_MANY_WAITING)

    def leave(self, *gone: AccountId) -> None:
        """Take accounts off the list; those that are not on it too."""
        names = set(map(str, gone))
        self._write(lambda entries: {name: said for name, said in entries.items() if name not in names})

    def all(self) -> tuple[Waiter, ...]:
        """Return those who wait, the oldest first, and take off the list what leads to none: a read for each."""
        found = self._rows.read_settled(SIGN_UPS)
        waiters, left = [], []
        for name, said in (found.entries if found else {}).items():
            account_id, (since, _, key) = AccountId(UUID(name)), said.partition(" ")
            account = self._store.accounts.read_settled(account_id)
            if account is not None and account.status is AccountStatus.WAITING:
                waiters.append(Waiter(account, int(since)))
            elif account is not None or not self._under_way(account_id, IdentityKey(key), int(since)):
                left.append(account_id)
        if left:
            self.leave(*left)
        return tuple(sorted(waiters, key=lambda each: each.since))

    def _under_way(self, account_id: AccountId, key: IdentityKey, since: Millis) -> bool:
        """Tell whether a sign-up may still make the account: it is committed, or its claim may be alive."""
        if self._parts.clock() - since <= 2 * CLAIM_TTL_MS:
            return True
        row = self._store.identities.read_settled(key)
        return row is not None and row.account_id == account_id

    def _write(self, change: Callable[[Mapping[str, str]], Mapping[str, str] | None]) -> bool:
        for _ in range(ROUNDS):
            found = self._rows.read_settled(SIGN_UPS)
            before = found.entries if found else {}
            after = change(before)
            if after is None or after == before:
                return after is not None
            if put(self._rows, WaitingList(SIGN_UPS, after, self._parts.new_uuid()), expected=found) is Applied.APPLIED:
                return True
        raise StoreUnavailable(detail="the list of those who wait changed in every round")


class Approval:
    """Decides of those who wait.

    Args:
        parts: what every change stands on.
        room: those who wait.
    """

    def __init__(self, parts: AccountParts, *, room: WaitingRoom) -> None:
        self._parts = parts
        self._accounts = parts.store.accounts
        self._room = room

    def approve(self, request: Change) -> Approved | Refuse:
        """Let an account that waits log in; the next login enters."""
        return self._decide(request.account_id, AccountStatus.ACTIVE) or Approved(request.account_id)

    def reject(self, request: Change) -> Rejected | Refuse:
        """Refuse every login of an account that waits; `enable` opens it all the same."""
        return self._decide(request.account_id, AccountStatus.REJECTED) or Rejected(request.account_id)

    def _decide(self, account_id: AccountId, status: AccountStatus) -> Refuse | None:
        for _ in range(ROUNDS):
            account = self._accounts.read_settled(account_id)
            if account is None:
                return Refuse(Refusal.NO_ACCOUNT)
            if account.status is not AccountStatus.WAITING:
                return in_merge(account) or Refuse(Refusal.NOT_WAITING)
            after = replace(account, status=status, version=account.version + 1, op=self._parts.new_uuid())
            if put(self._accounts, after, expected=account) is Applied.APPLIED:
                self._parts.checkpoint("approval.decided")
                self._room.leave(account_id)
                return None
        raise StoreUnavailable(detail="the account row changed in every round")
