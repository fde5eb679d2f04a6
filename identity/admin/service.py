"""The operator's service: everything an operator can do with accounts, their sessions and applications.

Owns how an operator's words become one account, one identity or one session, and how a change
ended. Must not say anything to people, nor change a row itself. Plain functions, thread-safe.

Each operation takes one request and returns its result or a `Problem`; `shapes.as_json` spells
either. One that changes something also takes `told`, which hears the effect after everything was
looked up and before anything is done, and may raise to stop it. Raises StoreError only while
nothing was changed; afterwards that is the value `OutcomeUnknown`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeAlias, TypeVar

from identity.accounts.approval import Approved, Rejected
from identity.accounts.audited import AuditedStore
from identity.accounts.invitation import Worth
from identity.accounts.inviting import Invite
from identity.accounts.linking import Refuse
from identity.accounts.results import (
    BeingFinished,
    Change,
    EnableOutcome,
    EndingOutcome,
    GroupsChange,
    LinkOutcome,
    LinkRequest,
    NotEverywhereYet,
    NotReachedYet,
    SessionEndRequest,
    Unlink,
)
from identity.accounts.service import AccountService
from identity.accounts.store import AccountRow
from identity.accounts.usernames import fold
from identity.admin import invitations, naming
from identity.admin.finding import AccountAmbiguous, AccountNotFound, FoundAccount, Inspected, find, inspect
from identity.admin.invitations import InvitationList, InvitationShown, RevokeInvitation
from identity.admin.listing import accounts_from
from identity.admin.members import members_of
from identity.admin.problem import Problem
from identity.admin.requests import (
    AccountName,
    AccountQuestion,
    ApplicationsQuestion,
    ChangeAccount,
    ChangeAccountGroups,
    EndOneSession,
    GroupQuestion,
    IdentityName,
    InspectAccount,
    LinkIdentity,
    ListAccounts,
    SessionQuestion,
    Told,
    UnlinkIdentity,
)
from identity.admin.results import (
    Action,
    ApplicationList,
    Changed,
    ChangeRefused,
    Effect,
    GroupMembers,
    IdentityBusy,
    IdentityUnclear,
    OutcomeUnknown,
    ProviderUnknown,
    Reach,
    SessionList,
    SessionShown,
    SessionsUnread,
    SessionTrouble,
    SessionUnclear,
    WaitingAccounts,
)
from identity.applications.service import ApplicationService
from identity.errors import StoreCorrupt, StoreError
from identity.sessions.record import Session
from identity.types import AccountId, IdentityKey, Millis, SessionId

_ID_DIGITS: Final = 32
_FEWEST_DIGITS: Final = 4

T = TypeVar("T")
AnyOutcome: TypeAlias = EnableOutcome | EndingOutcome | LinkOutcome | Approved | Rejected


class OpenSessions(Protocol):
    """Reads an account's sessions."""

    def alive(self, account_id: AccountId) -> tuple[Session, ...]:
        """Return the logins and sub-sessions that count, the newest first. Raises StoreError."""
        ...


class OperatorService:
    """What an operator can do.

    Args:
        accounts: makes the changes.
        store: where accounts are looked up.
        applications: which programs are registered.
        providers: the names of those that are configured, switched off or not.
        sessions: None where they live inside the daemon, which ends them through the revocation that is kept.
        idle_ms: after how long without use a session ends.
        in_order: whether the store scans usernames in their order.
    """

    def __init__(
        self,
        accounts: AccountService,
        store: AuditedStore,
        *,
        applications: ApplicationService,
        providers: frozenset[str],
        sessions: OpenSessions | None,
        idle_ms: Millis,
        in_order: bool,
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._applications = applications
        self._providers = providers
        self._sessions = sessions
        self._idle_ms = idle_ms
        self._in_order = in_order

    def find(self, request: AccountQuestion) -> FoundAccount | AccountNotFound | AccountAmbiguous:
        """Return the account that a text names."""
        return self._found(request.account)

    def list(self, request: ListAccounts) -> Iterator[AccountRow]:
        """Yield a page of accounts by username, as they are found; `listing.py` says what it costs."""
        after = None if request.after is None else fold(request.after)
        return accounts_from(
            self._store, fold(request.prefix), after=after, limit=request.limit, in_order=self._in_order
        )

    def inspect(self, request: InspectAccount) -> Inspected | Problem:
        """Return an account with everything beside it."""
        return self._of(
            request.account, lambda found: inspect(self._store, self._store.audit, found, events=request.events)
        )

    def applications(self, request: ApplicationsQuestion) -> ApplicationList:  # noqa: ARG002 - as every operation
        """Return the registered applications. No I/O."""
        return ApplicationList(tuple(self._applications.all()))

    def link(self, request: LinkIdentity, told: Told) -> Changed | Problem:
        """Let an identity log in to an account. No proof is asked for: the operator has to be sure whose it is."""

        def link(found: FoundAccount) -> Changed | Problem:
            key = self._identity(request.identity, None)
            if isinstance(key, Problem):
                return key
            provider = key.partition(":")[0]
            if provider not in self._providers and not request.any_provider:
                return ProviderUnknown(provider, tuple(sorted(self._providers)))
            change = LinkRequest(request.id, found.account.key, key, request.label, request.by)
            return self._made(Effect(Action.LINK, found, identity=key), told, lambda: self._accounts.link(change))

        return self._of(request.account, link)

    def unlink(self, request: UnlinkIdentity, told: Told) -> Changed | Problem:
        """Take an identity from an account, unless it is the last one, and end the sessions opened through it."""

        def unlink(found: FoundAccount) -> Changed | Problem:
            key = self._identity(request.identity, found.account)
            if isinstance(key, Problem):
                return key
            change = Unlink(request.id, found.account.key, key, request.by)
            return self._made(Effect(Action.UNLINK, found, identity=key), told, lambda: self._accounts.unlink(change))

        return self._of(request.account, unlink)

    def disable(self, request: ChangeAccount, told: Told) -> Changed | Problem:
        """Refuse every login of an account from now on, and end its sessions."""
        return self._changed(Action.DISABLE, request, told, change=self._accounts.disable)

    def enable(self, request: ChangeAccount, told: Told) -> Changed | Problem:
        """Let an account log in again; sessions that were ended stay so."""
        return self._changed(Action.ENABLE, request, told, change=self._accounts.enable)

    def approve(self, request: ChangeAccount, told: Told) -> Changed | Problem:
        """Let an account that waits log in."""
        return self._changed(Action.APPROVE, request, told, change=self._accounts.approve)

    def reject(self, request: ChangeAccount, told: Told) -> Changed | Problem:
        """Refuse an account that waits."""
        return self._changed(Action.REJECT, request, told, change=self._accounts.reject)

    def waiting(self) -> WaitingAccounts:
        """Return who waits for an operator."""
        return WaitingAccounts(self._accounts.waiting())

    def end_sessions(self, request: ChangeAccount, told: Told) -> Changed | Problem:
        """End every session of an account; it may log in again."""
        return self._changed(Action.END_SESSIONS, request, told, change=self._accounts.end_everywhere)

    def change_groups(self, request: ChangeAccountGroups, told: Told) -> Changed | Problem:
        """Put an account into groups or take it out; open sessions know it at their next check."""

        def changed(found: FoundAccount) -> Changed | Problem:
            change = GroupsChange(request.id, found.account.key, request.by, request.add, request.remove)
            effect = Effect(Action.GROUPS, found, groups=change.words)
            return self._made(effect, told, lambda: self._accounts.change_groups(change))

        return self._of(request.account, changed)

    def invite(self, request: Invite) -> InvitationShown:
        """Make an invitation; its link is made of the request's secret, which is kept nowhere."""
        return InvitationShown(self._accounts.invite(request).row, Worth.GOOD)

    def invitations(self) -> InvitationList:
        """Return every invitation that is kept."""
        return invitations.listed(self._accounts)

    def revoke_invitation(
        self, request: RevokeInvitation, told: Callable[[InvitationShown], None]
    ) -> InvitationShown | Problem:
        """Take an invitation back."""
        return invitations.revoke(self._accounts, request, told)

    def members(self, request: GroupQuestion) -> GroupMembers:
        """Return who was put into a group. Reads every account once."""
        return members_of(self._store, request.group)

    def sessions(self, request: AccountQuestion) -> SessionList | Problem:
        """Return the open sessions of an account."""

        def listed(found: FoundAccount) -> SessionList | Problem:
            alive = self._alive(found.account)
            return alive if isinstance(alive, Problem) else SessionList(found.account, tuple(_ordered(alive)))

        return self._of(request.account, listed)

    def session(self, request: SessionQuestion) -> SessionShown | Problem:
        """Return one open session, and those below it."""

        def shown(found: FoundAccount) -> SessionShown | Problem:
            alive = self._alive(found.account)
            if isinstance(alive, Problem):
                return alive
            session = _named(request.session, found.account, alive)
            if isinstance(session, Problem):
                return session
            below = tuple(each for each in alive if each.login == session.id)
            return SessionShown(session, below, min(session.ends_at, session.active_at + self._idle_ms))

        return self._of(request.account, shown)

    def end_session(self, request: EndOneSession, told: Told) -> Changed | Problem:
        """End one session, and those below it. A whole id is believed where the sessions cannot be read."""

        def end(found: FoundAccount) -> Changed | Problem:
            session = self._session_meant(request.session, found.account)
            if isinstance(session, Problem):
                return session
            change = SessionEndRequest(request.id, found.account.key, session, request.by)
            effect = Effect(Action.END_SESSION, found, session=session)
            return self._made(effect, told, lambda: self._accounts.end_session(change))

        return self._of(request.account, end)

    def _of(self, account: AccountName, answer: Callable[[FoundAccount], T | Problem]) -> T | Problem:
        found = self._found(account)
        return found if isinstance(found, Problem) else answer(found)

    def _found(self, account: AccountName) -> FoundAccount | AccountNotFound | AccountAmbiguous:
        return find(self._store, account.text, how=account.how)

    def _identity(self, name: IdentityName, account: AccountRow | None) -> IdentityKey | IdentityUnclear:
        """Return the one identity a text means: where it can mean two, the one that is listed or known."""
        meant = naming.identities(name.text, exact=name.exact)
        if len(meant) > 1:
            known: Iterable[IdentityKey] = (
                account.identities if account else [key for key in meant if self._store.identities.read_settled(key)]
            )
            meant = tuple(key for key in meant if key in known) or meant
        return meant[0] if len(meant) == 1 else IdentityUnclear(name.text, meant)

    def _changed(
        self, action: Action, request: ChangeAccount, told: Told, *, change: Callable[[Change], AnyOutcome]
    ) -> Changed | Problem:
        def changed(found: FoundAccount) -> Changed | Problem:
            asked = Change(request.id, found.account.key, request.by)
            return self._made(Effect(action, found), told, lambda: change(asked))

        return self._of(request.account, changed)

    def _made(self, effect: Effect, told: Told, change: Callable[[], AnyOutcome]) -> Changed | Problem:
        told(effect)
        try:
            done = change()
        except StoreError as error:
            return OutcomeUnknown(error.detail or error.code)
        match done:
            case Refuse(reason):
                return ChangeRefused(effect, reason)
            case BeingFinished():
                return IdentityBusy(effect)
            case NotReachedYet(detail=detail):
                reach = Reach.DAEMON_ENDS if self._sessions is None else Reach.SESSIONS_NOT_REACHED
                return Changed(effect, reach, detail)
            case NotEverywhereYet(detail=detail):
                return Changed(effect, Reach.NOT_EVERYWHERE, detail)
            case _:
                return Changed(effect)

    def _alive(self, account: AccountRow) -> tuple[Session, ...] | SessionsUnread:
        if self._sessions is None:
            return SessionsUnread(SessionTrouble.INSIDE)
        try:
            return self._sessions.alive(account.key)
        except StoreCorrupt:
            return SessionsUnread(SessionTrouble.CORRUPT)
        except StoreError:
            return SessionsUnread(SessionTrouble.UNREACHABLE)

    def _session_meant(self, text: str, account: AccountRow) -> SessionId | SessionsUnread | SessionUnclear:
        alive = self._alive(account)
        if isinstance(alive, Problem):
            whole = len(text) == _ID_DIGITS and _is_hex(text)
            return SessionId(bytes.fromhex(text)) if whole else replace(alive, action=Action.END_SESSION)
        session = _named(text, account, alive)
        return session if isinstance(session, Problem) else session.id


def _named(text: str, account: AccountRow, alive: Sequence[Session]) -> Session | SessionUnclear:
    if len(text) < _FEWEST_DIGITS or not _is_hex(text):
        return SessionUnclear(account, text, None)
    found = [each for each in alive if each.id.hex().startswith(text.lower())]
    return found[0] if len(found) == 1 else SessionUnclear(account, text, len(found))


def _is_hex(text: str) -> bool:
    return all(c in "0123456789abcdefABCDEF" for c in text)


def _ordered(alive: Sequence[Session]) -> Iterator[Session]:
    for login in alive:
        if login.login is None:
            yield login
            yield from (each for each in alive if each.login == login.id)
