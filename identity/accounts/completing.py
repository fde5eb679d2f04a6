"""Finishing what was committed: from the index row alone, by whichever request meets it.

Owns the steps after the commit of a sign-up or link (rule D5 of docs/architecture.md): account,
name, index row. All values come from the row, every write is conditional, so helpers converge.
Invariant: an account changes only while the row that asks for it is still the one that was read.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from uuid import uuid5

from identity.accounts.invitation import id_of
from identity.accounts.invited import InvitationUse
from identity.accounts.linking import is_sign_up
from identity.accounts.results import By
from identity.accounts.store import (
    AccountRow,
    AccountStatus,
    Applied,
    IdentityRow,
    IdentityState,
    LinkedIdentity,
    UsernameRow,
    UsernameState,
)
from identity.accounts.usernames import fold
from identity.accounts.writing import ROUNDS, AccountParts, put
from identity.audit import Event
from identity.errors import StoreUnavailable
from identity.types import Millis


class _Step(Enum):
    """What became of the account step."""

    WRITTEN = "written"
    ROW_MOVED = "row-moved"
    NO_ACCOUNT = "no-account"
    WAIT = "wait"


class Completing:
    """Finishes committed index rows.

    Args:
        parts: what every change stands on.
        note: hears of each account made, exactly once.
        invitations: told of those that were used.
    """

    def __init__(self, parts: AccountParts, *, note: Callable[[Event], None], invitations: InvitationUse) -> None:
        self._parts = parts
        self._store = parts.store
        self._note = note
        self._invitations = invitations

    def finish(self, row: IdentityRow, *, by: By, name: UsernameRow | None = None) -> IdentityRow | None:
        """Carry a completing row to its end; idempotent, and safe beside others who do the same.

        Args:
            row: the row as it was read or written.
            by: who is named as the maker of an account.
            name: the pending name row, if known; saves a round trip.

        Returns:
            The row as it stands then: active; needs-name if the name was lost; still completing
            while the account is being merged; None if there is no account to link to.

        Raises:
            StoreUnavailable: the store is away, or the row changed in every round.
        """
        current: IdentityRow | None = row
        for _ in range(ROUNDS):
            if current is None or current.state is not IdentityState.COMPLETING:
                return current
            step = self._write_account(current)
            if step is _Step.WAIT:
                return current
            if step is _Step.WRITTEN:
                self._parts.checkpoint("complete.account-written")
                current = self._settle(current, name, by=by)
                continue
            if step is _Step.NO_ACCOUNT:
                # A link to an account that is gone: the row would answer every login with "being finished".
                self._store.identities.delete(current)
            current = self._store.identities.read_settled(row.key)
        raise StoreUnavailable(detail="the identity row changed in every round")

    def _write_account(self, row: IdentityRow) -> _Step:
        """Make the account exist and list the identity."""
        for _ in range(ROUNDS):
            # A sign-up inserts without reading first: mostly it is the first to come, and a row that stands
            # in its way comes back as the answer.
            account = self._store.accounts.read_settled(row.account_id) if not is_sign_up(row) else self._insert(row)
            if account is Applied.APPLIED:
                return _Step.WRITTEN
            if account is None or account.status is AccountStatus.MERGED:
                return _Step.WAIT if is_sign_up(row) else _Step.NO_ACCOUNT
            if account.status is AccountStatus.MERGING:
                return _Step.WAIT  # left as it is until the merge, which moves the identities one by one (D8), is over
            wanted = _listing(account, row)
            if wanted == account:
                return _Step.WRITTEN  # another helper was here before
            # The account was read before this: had the row been finished and the identity been
            # unlinked since then, the account would have another op and the write below would lose.
            if self._store.identities.read_settled(row.key) != row:
                return _Step.ROW_MOVED
            wanted = replace(wanted, version=account.version + 1, op=self._parts.new_uuid())
            if put(self._store.accounts, wanted, expected=account) is Applied.APPLIED:
                return _Step.WRITTEN
        raise StoreUnavailable(detail="the account row changed in every round")

    def _insert(self, row: IdentityRow) -> Applied | AccountRow | None:
        account = AccountRow(
            key=row.account_id,
            username=row.username,
            status=AccountStatus.WAITING if row.waits else AccountStatus.ACTIVE,
            epoch=1,
            version=1,
            op=self._parts.new_uuid(),
            created_at=row.claimed_at,
            identities={row.key: LinkedIdentity(row.claimed_at, row.label)},
            groups=row.groups,
        )
        return put(self._store.accounts, account, expected=None)

    def _settle(self, row: IdentityRow, name: UsernameRow | None, *, by: By) -> IdentityRow | None:
        """Own the name and confirm the index row; return how that row stands then."""
        new = is_sign_up(row)
        # The name before the index row: were the row active first, a crash would leave an account whose name
        # expires, and nothing would finish it.
        owned = self._own_name(row, name) if new else None
        self._parts.checkpoint("complete.name-owned")
        if new and row.invitation:
            # Before the row is confirmed: a confirmed sign-up then never leaves an invitation that looks unused.
            self._invitations.used(row, by=by)
            self._parts.checkpoint("complete.invitation-used")
        state = IdentityState.NEEDS_NAME if new and owned is None else IdentityState.ACTIVE
        after = replace(row, state=state, op=self._parts.new_uuid())
        stands = put(self._store.identities, after, expected=row)
        if stands is not Applied.APPLIED:
            self._release(owned, row, stands)
            return stands
        self._parts.checkpoint("complete.finished")
        if new and state is IdentityState.ACTIVE:
            # Of all helpers only the one whose write confirmed the row comes here: one audit row for each account.
            self._note(_signed_up(after, by=by, now=self._parts.clock()))
        return after

    def _own_name(self, row: IdentityRow, known: UsernameRow | None) -> UsernameRow | None:
        """Make the name the account's for good; None if another account or sign-up has it.

        A name that is the account's already is written again: a helper that came too late may be
        about to give back what it wrote, and must find that it is another's now.
        """
        key = fold(row.username)
        expected = known if known and known.key == key else None
        for _ in range(ROUNDS):
            wanted = UsernameRow(
                key=key,
                username=row.username,
                account_id=row.account_id,
                state=UsernameState.ACTIVE,
                claim=row.claim,
                claimed_at=row.claimed_at,
                op=self._parts.new_uuid(),
            )
            found = put(self._store.usernames, wanted, expected=expected)
            if found is Applied.APPLIED:
                return wanted
            if found is not None and found.claim != row.claim:
                return None  # the claim expired after 15 minutes, and another attempt took the name
            if found is not None and found.state is UsernameState.RETIRED:
                return found  # the account was renamed since (D7), so it has a name
            expected = found
        raise StoreUnavailable(detail="the username row changed in every round")

    def _release(self, name: UsernameRow | None, row: IdentityRow, stands: IdentityRow | None) -> None:
        """Give back a name that was owned for a row which went on under another name meanwhile."""
        if name is None or name.state is not UsernameState.ACTIVE:
            return
        if stands is not None and stands.claim == row.claim:
            used = stands.state is not IdentityState.NEEDS_NAME and fold(stands.username) == name.key
        else:
            # The row is gone or another attempt's: only the account can tell which name it uses.
            account = self._store.accounts.read_settled(name.account_id)
            used = account is not None and fold(account.username) == name.key
        if not used:
            self._store.usernames.delete(name)


def _listing(account: AccountRow, row: IdentityRow) -> AccountRow:
    """Return the account as the row wants it: with the identity, and for a sign-up under its name."""
    listed = {**account.identities, row.key: LinkedIdentity(row.claimed_at, row.label)}
    return replace(account, identities=listed, username=row.username if is_sign_up(row) else account.username)


def _signed_up(row: IdentityRow, *, by: By, now: Millis) -> Event:
    invitation = {"invitation": id_of(row.invitation)} if row.invitation else {}
    return Event(
        id=uuid5(row.claim, "sign-up"),
        at=now,
        action="sign-up",
        account_id=row.account_id,
        actor=by.actor,
        address=by.address,
        request_id=by.request_id,
        facts={"identity": row.key, "username": row.username, **invitation},
    )
