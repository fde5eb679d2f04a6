"""The account service: what the rest of identityd can do with accounts.

Owns the composition of the parts and the audit around changes; the steps are in `signup.py`,
`links.py`, `status.py`, `grouping.py` and `completing.py`, the rules in the pure files (`linking.py` first).
Plain functions, thread-safe, no HTTP. Every method raises StoreUnavailable when the account
store is away; repeating the request then converges.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Final
from uuid import UUID

from identity.accounts.approval import Approval, Approved, Rejected, Waiter, WaitingRoom
from identity.accounts.audited import Attempt, AuditedChanges
from identity.accounts.claiming import Claiming
from identity.accounts.completing import Completing
from identity.accounts.grouping import Grouping
from identity.accounts.invitation import InvitationRow, InvitationState, Worth
from identity.accounts.invited import GroupGrants, InvitationUse
from identity.accounts.inviting import InvitationMade, InvitationOver, InvitationRevoked, Invite, Inviting
from identity.accounts.linking import Refusal, Refuse, SignIn, decide
from identity.accounts.links import Links
from identity.accounts.results import (
    BeingFinished,
    By,
    Change,
    EnableOutcome,
    EndingOutcome,
    GroupsChange,
    LinkOutcome,
    LinkRequest,
    ProviderEvent,
    ProviderLogout,
    SessionEndRequest,
    SignUp,
    SignUpOutcome,
    Unlink,
)
from identity.accounts.revoking import Revoking
from identity.accounts.signup import SigningUp
from identity.accounts.status import StatusChanges
from identity.accounts.store import AccountRow, AccountStore, IdentityRow, IdentityState, ProfileRow, Revocation
from identity.accounts.usernames import NamePolicy
from identity.accounts.writing import AccountParts
from identity.audit import AuditLog, Event
from identity.errors import StoreError
from identity.sessions.record import Ended
from identity.types import AccountId, Checkpoint, Clock, IdentityKey, Millis, SessionId, Username
from providers.base import Profile, fit

CHECKPOINTS: Final = (
    "sign-up.identity-claimed",
    "sign-up.name-claimed",
    "sign-up.invitation-claimed",
    "sign-up.waiting-listed",
    "sign-up.committed",
    "complete.account-written",
    "complete.name-owned",
    "complete.invitation-used",
    "complete.finished",
    "link.identity-claimed",
    "link.committed",
    "ending.revocation-kept",
    "ending.account-changed",
    "ending.sessions-ended",
    "ending.revocation-done",
    "unlink.identity-deleted",
    "invitation.claimant-stopped",
    "invitation.granting",
    "invitation.granted",
    "approval.decided",
    "trail.begun",
    "trail.ended",
)
"""Every place at which a multi-step change may be interrupted; the kill tests visit each."""

_ROLLED_FORWARD: Final = By("system")

log = logging.getLogger("identity.accounts")


class AccountService:
    """Accounts, the identities that lead to them, and their names.

    Args:
        store: the rows.
        audit: where changes are audited, at once.
        note: where a sign-up is audited; must not block.
        clock: the time.
        new_uuid: random uuids.
        end_sessions: ends the sessions a revocation names; raises StoreUnavailable when it cannot reach them.
        policy: which names may be chosen.
        checkpoint: told each name of `CHECKPOINTS` as it is reached.
    """

    def __init__(
        self,
        store: AccountStore,
        *,
        audit: AuditLog,
        note: Callable[[Event], None],
        clock: Clock,
        new_uuid: Callable[[], UUID],
        end_sessions: Callable[[Revocation], None],
        policy: NamePolicy,
        checkpoint: Checkpoint,
    ) -> None:
        self._store = store
        self._clock = clock
        parts = AccountParts(store, clock, new_uuid, checkpoint)
        self._audit = audit
        self._audited = AuditedChanges(parts, audit)
        self._invitations = InvitationUse(parts, note=note)
        self._completing = Completing(parts, note=note, invitations=self._invitations)
        claiming = Claiming(parts, completing=self._completing)
        self._revoking = Revoking(parts, end_sessions=end_sessions)
        self._room = WaitingRoom(parts)
        self._approval = Approval(parts, room=self._room)
        self._signing_up = SigningUp(
            parts,
            claiming=claiming,
            completing=self._completing,
            invitations=self._invitations,
            room=self._room,
            policy=policy,
        )
        self._links = Links(parts, claiming=claiming, completing=self._completing, revoking=self._revoking)
        self._status = StatusChanges(parts, revoking=self._revoking)
        self._grouping = Grouping(self._revoking)
        self._accepting = GroupGrants(parts, invitations=self._invitations, change_groups=self.change_groups)
        self._inviting = Inviting(
            parts, audited=self._audited, invitations=self._invitations, accepting=self._accepting
        )

    def find(self, key: IdentityKey) -> IdentityRow | None:
        """Return the index row of an identity: one read, unless an interrupted sign-up or link is finished by it.

        An absent row is not proof that there is none; only the claim of `sign_up` or `link` is.
        """
        row = self._store.identities.read(key)
        if row is not None and row.state is IdentityState.COMPLETING:
            return self._completing.finish(row, by=_ROLLED_FORWARD)
        return row

    def account(self, account_id: AccountId) -> AccountRow | None:
        """Return an account: one read."""
        return self._store.accounts.read(account_id)

    def profile(self, account_id: AccountId) -> ProfileRow | None:
        """Return what a provider said about an account's owner last: one read."""
        return self._store.profiles.read(account_id)

    def last_logins(self, account_id: AccountId) -> Mapping[IdentityKey, Millis]:
        """Return when each of an account's identities was logged in with last, as far as the newest events say it."""
        logins = [each for each in self._audit.of_account(account_id) if each.action == "login"]
        return {IdentityKey(each.facts["identity"]): each.at for each in reversed(logins) if "identity" in each.facts}

    def sign_up(self, request: SignUp) -> SignUpOutcome:
        """Make an account for a proven identity; see `SigningUp.sign_up`."""
        return self._signing_up.sign_up(request)

    def suggest(self, handle: str, name: str) -> Username | None:
        """Return a username to offer, free a moment ago; see `SigningUp.suggest`."""
        return self._signing_up.suggest(handle, name)

    def invite(self, request: Invite) -> InvitationMade:
        """Make an invitation; see `Inviting.make`."""
        return self._inviting.make(request)

    def revoke_invitation(self, request: UUID, row: InvitationRow, *, by: By) -> InvitationRevoked | InvitationOver:
        """Take an invitation back; see `Inviting.revoke`."""
        return self._inviting.revoke(request, row, by=by)

    def invitations(self) -> Iterator[tuple[InvitationRow, Worth]]:
        """Yield every invitation that is kept, and what it is worth. Reads them all: for an operator."""
        return self._inviting.all()

    def invitation(self, key: str) -> InvitationRow | Refuse:
        """Return an invitation that may be followed, or why not: one read, and it is not used up by it.

        One that was given to an account by a request which was cut off is finished first.
        """
        found = self._invitations.look(key)
        if isinstance(found, InvitationRow) and found.state is InvitationState.GRANTING:
            self._accepting.settle(found)
            found = self._invitations.look(key)
        return found

    def accept_invitation(self, invitation: str, key: IdentityKey, *, by: By) -> Refuse | BeingFinished | None:
        """Give the groups of an invitation to the account that an identity leads to; see `GroupGrants.accept`.

        None also for an identity that leads to no account which may log in: nothing is used.
        """
        row = self.find(key)
        match decide(row, self.account(row.account_id) if row else None):
            case SignIn(account=account):
                return self._accepting.accept(invitation, account, key, by=by)
            case _:
                return None

    def link(self, request: LinkRequest) -> LinkOutcome:
        """Add an identity, proven by its owner or an operator, to an account; see `Links.link`."""
        attempt = Attempt("link", request.claim, request.account_id, request.by, request.key)
        return self._audited.around(attempt, lambda: self._links.link(request))

    def unlink(self, request: Unlink) -> EndingOutcome:
        """Take an identity from an account, unless it is the last way to log in; see `Links.unlink`."""
        attempt = Attempt("unlink", request.id, request.account_id, request.by, request.key)
        return self._audited.around(attempt, lambda: self._links.unlink(request))

    def disable(self, request: Change) -> EndingOutcome:
        """Refuse every later login of an account and end its sessions; see `StatusChanges.disable`."""
        return self._audited.around(_attempt("disable", request), lambda: self._status.disable(request))

    def enable(self, request: Change) -> EnableOutcome:
        """Let an account log in again; see `StatusChanges.enable`."""
        return self._audited.around(_attempt("enable", request), lambda: self._status.enable(request))

    def approve(self, request: Change) -> Approved | Refuse:
        """Let an account that waits log in; see `Approval.approve`."""
        return self._audited.around(_attempt("approve", request), lambda: self._approval.approve(request))

    def reject(self, request: Change) -> Rejected | Refuse:
        """Refuse an account that waits; see `Approval.reject`."""
        return self._audited.around(_attempt("reject", request), lambda: self._approval.reject(request))

    def waiting(self) -> tuple[Waiter, ...]:
        """Return who waits for an operator; see `WaitingRoom.all`."""
        return self._room.all()

    def end_everywhere(self, request: Change) -> EndingOutcome:
        """End every session of an account; see `StatusChanges.end_everywhere`."""
        return self._audited.around(_attempt("end-everywhere", request), lambda: self._status.end_everywhere(request))

    def change_groups(self, request: GroupsChange) -> EndingOutcome:
        """Put an account into groups or take it out, for every check from now on; see `Grouping.change`."""
        attempt = Attempt("groups", request.id, request.account_id, request.by, groups=request.words)
        return self._audited.around(attempt, lambda: self._grouping.change(request))

    def end_session(self, request: SessionEndRequest) -> EndingOutcome:
        """End one session, and what is below it, for an operator; ending one that is over is harmless."""
        attempt = Attempt("session-end", request.id, request.account_id, request.by, session=request.session)
        end = partial(self._revoking.one, request.account_id, request.session, request=request.id, reason=Ended.REVOKED)
        return self._audited.around(attempt, end)

    def end_for_provider(self, request: ProviderLogout) -> EndingOutcome:
        """End what a provider says is over; new logins through it are welcome."""
        attempt = Attempt(
            "provider-logout", request.id, request.account_id, request.by, request.key, session=request.session
        )
        return self._audited.around(attempt, partial(self._end_for_provider, request))

    def _end_for_provider(self, request: ProviderLogout) -> EndingOutcome:
        if request.session is not None:
            session, reason = request.session, Ended.PROVIDER_LOGOUT
            return self._revoking.one(request.account_id, session, request=request.id, reason=reason)
        if request.key is None:
            return Refuse(Refusal.NOT_LINKED)
        return self._status.end_through(Change(request.id, request.account_id, request.by), request.key)

    def heed_provider(self, request: ProviderEvent) -> EndingOutcome:
        """Do what a provider's word about an account there means here; see `StatusChanges.heed`."""
        attempt = Attempt("security-event", request.id, request.account_id, request.by, request.key)
        return self._audited.around(attempt, lambda: self._status.heed(request))

    def end_later(self, account_id: AccountId, session: SessionId, *, reason: Ended) -> None:
        """Keep one session, which could not be reached just now, to be ended by `retry_revocations`."""
        self._revoking.later(account_id, session, reason=reason)

    def retry_revocations(self) -> int:
        """End what could not be reached before; return how many are still open. For a periodic task."""
        return self._revoking.retry()

    def record_profile(self, account_id: AccountId, said: Profile) -> bool:
        """Store what a provider said at a login. Never fails a login: trouble is logged and answered with False.

        A name that is left out stays as it was, for one read more: Apple says it with the first login only.
        """
        profiles, said = self._store.profiles, fit(said)
        try:
            if not said.name and (known := profiles.read(account_id)):
                said = replace(said, name=known.name)
            profiles.write(ProfileRow(account_id, self._clock(), **asdict(said)))
        except StoreError as error:
            log.warning("profile-lost: account %s: %s", account_id, error.detail)
            return False
        return True


def _attempt(action: str, request: Change) -> Attempt:
    return Attempt(action, request.id, request.account_id, request.by)
