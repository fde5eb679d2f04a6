"""Mending what `fsck` found, by the same conditional steps as everything else.

Owns the steps that `diagnosis.py` names, and their entries in the audit: one before, one with the
outcome. Invariant: a row is changed only while it is the one that was judged, so whatever a
person does at the same moment wins; and a kill between two steps leaves what `fsck` finds again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from identity.accounts.audited import Attempt, AuditedChanges
from identity.accounts.completing import Completing
from identity.accounts.grouping import Grouping
from identity.accounts.invitation import InvitationRow
from identity.accounts.invited import GroupGrants, InvitationUse
from identity.accounts.linking import Refusal, Refuse, in_merge, is_sign_up
from identity.accounts.results import By
from identity.accounts.revoking import Raised, Revoking
from identity.accounts.store import (
    AccountRow,
    Applied,
    IdentityRow,
    IdentityState,
    KeptTokens,
    Revocation,
    UsernameRow,
    UsernameState,
)
from identity.accounts.usernames import fold
from identity.accounts.writing import AccountParts, put
from identity.audit import AuditLog
from identity.errors import StoreUnavailable
from identity.sessions.record import Ended
from identity.types import AccountId, IdentityKey, UsernameKey
from identity.upkeep.diagnosis import Diagnosis, Remedy

REPAIR_CHECKPOINTS: Final = ("repair.removed", "repair.restored", "repair.owned")
"""Every place at which mending may be interrupted beside those of the services; the kill tests visit each."""

_SETTLED: Final = frozenset({IdentityState.ACTIVE, IdentityState.NEEDS_NAME})


@dataclass(frozen=True, slots=True)
class Suspect:
    """A diagnosis, with the rows it was judged by."""

    diagnosis: Diagnosis
    account_id: AccountId
    key: IdentityKey | None = None
    identity: IdentityRow | None = None
    name: UsernameRow | None = None
    account: AccountRow | None = None
    rows: tuple[IdentityRow, ...] = ()
    """The index rows of what the account lists."""
    tokens: KeptTokens | None = None
    invitation: InvitationRow | None = None

    @property
    def username(self) -> UsernameKey | None:
        """The name it is about, if it is about one."""
        if self.key is not None:
            return None
        if self.name is not None:
            return self.name.key
        return fold(self.account.username) if self.account else None


class Mended(Enum):
    """What became of a step; the value is how the audit spells it."""

    DONE = "mended"
    MOVED = "changed-meanwhile"
    """Another process wrote first; nothing was done."""
    LEFT = "left"
    """It cannot be done now."""

    @property
    def word(self) -> str:
        """As the audit spells it."""
        return self.value


class Mending:
    """Takes the steps.

    Args:
        parts: what every change stands on.
        audit: where each step is audited, at once.
    """

    def __init__(self, parts: AccountParts, *, audit: AuditLog) -> None:
        self._parts = parts
        self._store = parts.store
        self._audited = AuditedChanges(parts, audit)
        invitations = InvitationUse(parts, note=audit.append)
        self._completing = Completing(parts, note=audit.append, invitations=invitations)
        self._revoking = Revoking(parts, end_sessions=_left_to_the_daemon)
        grouping = Grouping(self._revoking)
        self._accepting = GroupGrants(parts, invitations=invitations, change_groups=grouping.change)

    def mend(self, suspect: Suspect) -> Mended:
        """Take the step of the remedy. Raises StoreUnavailable; what was done until then is whole."""
        step = self._step(suspect)
        if step is None:
            return Mended.LEFT
        by = By("system", why=suspect.diagnosis.fault.value)
        attempt = Attempt("repair", self._parts.new_uuid(), suspect.account_id, by, suspect.key, suspect.username)
        return self._audited.around(attempt, lambda: step(by))

    def _step(self, suspect: Suspect) -> Callable[[By], Mended] | None:
        match suspect:
            case Suspect(diagnosis=Diagnosis(remedy=Remedy.FINISH)):
                return lambda by: self._finish(suspect, by=by)
            case Suspect(diagnosis=Diagnosis(remedy=Remedy.REMOVE)):
                return lambda _: self._remove(suspect)
            case Suspect(diagnosis=Diagnosis(remedy=Remedy.RESTORE), key=str() as key, account=AccountRow() as account):
                return lambda _: self._restore(account, key)
            case Suspect(diagnosis=Diagnosis(remedy=Remedy.UNLIST), key=str() as key):
                return lambda _: self._unlist(suspect.account_id, key)
            case Suspect(diagnosis=Diagnosis(remedy=Remedy.OWN), account=AccountRow() as account):
                return lambda _: self._own(account, suspect)
            case _:
                return None

    def _finish(self, suspect: Suspect, *, by: By) -> Mended:
        if suspect.invitation is not None:
            return self._settle(suspect.invitation)
        row = suspect.identity
        if row is None:
            return Mended.LEFT
        after = self._completing.finish(row, by=by)
        waits = after is not None and after.state is IdentityState.COMPLETING
        return Mended.LEFT if waits else Mended.DONE

    def _settle(self, invitation: InvitationRow) -> Mended:
        self._accepting.settle(invitation)
        after = self._store.invitations.read_settled(invitation.key)
        return Mended.MOVED if after == invitation else Mended.DONE

    def _remove(self, suspect: Suspect) -> Mended:
        gone = (suspect.identity is None or self._store.identities.delete(suspect.identity) is Applied.APPLIED) and (
            suspect.name is None or self._store.usernames.delete(suspect.name) is Applied.APPLIED
        )
        if suspect.tokens is not None:
            gone = self._store.upstream_tokens.delete(suspect.tokens) is Applied.APPLIED
        if not gone:
            return Mended.MOVED
        self._parts.checkpoint("repair.removed")
        return Mended.DONE

    def _restore(self, account: AccountRow, key: IdentityKey) -> Mended:
        """Write the index row, and take it back if the account stopped listing the identity meanwhile.

        Active at once: a completing row would list the identity again after such an unlink.
        """
        listed = account.identities[key]
        row = IdentityRow(
            key=key,
            username=account.username,
            account_id=account.key,
            state=IdentityState.ACTIVE,
            claim=self._parts.new_uuid(),
            claimed_at=listed.linked_at,
            op=self._parts.new_uuid(),
            label=listed.label,
        )
        if put(self._store.identities, row, expected=None) is not Applied.APPLIED:
            return Mended.MOVED
        self._parts.checkpoint("repair.restored")
        now = self._store.accounts.read_settled(account.key)
        if now is not None and key in now.identities:
            return Mended.DONE
        self._store.identities.delete(row)
        return Mended.MOVED

    def _own(self, account: AccountRow, suspect: Suspect) -> Mended:
        """Write the name row, and take it back if the account went on under another name meanwhile.

        Under the sign-up's claim where it is known: a late helper of the sign-up then finds its own.
        """
        claims = (row.claim for row in suspect.rows if row.account_id == account.key and is_sign_up(row))
        name = UsernameRow(
            key=fold(account.username),
            username=account.username,
            account_id=account.key,
            state=UsernameState.ACTIVE,
            claim=next(claims, None) or self._parts.new_uuid(),
            claimed_at=account.created_at,
            op=self._parts.new_uuid(),
        )
        if put(self._store.usernames, name, expected=suspect.name) is not Applied.APPLIED:
            return Mended.MOVED
        self._parts.checkpoint("repair.owned")
        now = self._store.accounts.read_settled(account.key)
        if now is not None and fold(now.username) == name.key:
            return Mended.DONE
        self._store.usernames.delete(name)
        return Mended.MOVED

    def _unlist(self, account_id: AccountId, key: IdentityKey) -> Mended:
        """Take the identity from the account as an unlink does; the daemon ends what was opened through it."""

        def without(account: AccountRow) -> AccountRow | Refuse:
            if refused := in_merge(account):
                return refused
            if len(account.identities) == 1 or key not in account.identities or not self._is_anothers(key, account):
                return Refuse(Refusal.NOT_LINKED)
            return replace(account, identities={k: v for k, v in account.identities.items() if k != key})

        raised = self._revoking.change(
            account_id, without, request=self._parts.new_uuid(), reason=Ended.UNLINKED, identity=key
        )
        return Mended.DONE if isinstance(raised, Raised) else Mended.MOVED

    def _is_anothers(self, key: IdentityKey, account: AccountRow) -> bool:
        row = self._store.identities.read_settled(key)
        if row is None or row.account_id == account.key or row.state not in _SETTLED:
            return False
        other = self._store.accounts.read_settled(row.account_id)
        return other is not None and key in other.identities


def _left_to_the_daemon(_: Revocation) -> None:
    raise StoreUnavailable(detail="sessions are ended by the daemon")
