"""What the operator's service answers.

Owns the answers and the problems; every expected outcome is a value here, consumed with `match`.
A `Problem` says that nothing was changed, except `OutcomeUnknown`; its `code` is stable:

    not-found, ambiguous                       the text names no account, or several
    bad-identity, ambiguous-identity           the text names no identity, or can mean two
    unknown-provider                           no provider of that name is configured
    any refusal                                the change is refused, see `accounts.linking.Refusal`
    being-finished                             the identity is being signed up or linked just now
    bad-session, no-session, many-sessions     the text begins no session's id, or several
    sessions-inside, sessions-unreachable,     the sessions cannot be read
    sessions-corrupt
    outcome-unknown                            the store went away in the middle of a change; the
                                               same request again goes on from there
"""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from identity.accounts.approval import Waiter
from identity.accounts.linking import Refusal
from identity.accounts.store import AccountRow
from identity.admin.finding import FoundAccount
from identity.admin.problem import Problem
from identity.applications.application import Application
from identity.sessions.record import Session
from identity.types import IdentityKey, Millis, SessionId


class Action(Enum):
    """What is changed."""

    LINK = "link"
    UNLINK = "unlink"
    DISABLE = "disable"
    ENABLE = "enable"
    END_SESSIONS = "end-sessions"
    END_SESSION = "end-session"
    GROUPS = "groups"
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does, as it is known before: on which account, and on what of it."""

    action: Action
    found: FoundAccount
    identity: IdentityKey | None = None
    session: SessionId | None = None
    groups: tuple[str, ...] = ()
    """Each with a + before it if the account is put into it, a - if it is taken out."""

    @property
    def account(self) -> AccountRow:
        """The account as it was before."""
        return self.found.account


class Reach(Enum):
    """How far a change got; the value is stable."""

    DONE = "done"
    """The sessions concerned, if any, are over."""
    DAEMON_ENDS = "daemon-ends"
    """Done; sessions live inside the daemon, which ends them within about 5 seconds."""
    SESSIONS_NOT_REACHED = "sessions-not-reached"
    """Done, new logins are refused; the daemon goes on trying to end the open sessions."""
    NOT_EVERYWHERE = "not-everywhere-yet"
    """Done, and the sessions are over; a data centre that is away may not know it when it returns."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The change is made."""

    effect: Effect
    reach: Reach = Reach.DONE
    detail: str = ""
    """What did not answer."""


@dataclass(frozen=True, slots=True)
class WaitingAccounts:
    """The accounts that wait for an operator, the oldest first."""

    waiters: tuple[Waiter, ...]


@dataclass(frozen=True, slots=True)
class ApplicationList:
    """The registered applications, in the order of their registration."""

    applications: tuple[Application, ...]


@dataclass(frozen=True, slots=True)
class GroupMembers:
    """The accounts that operators have put into a group, in alphabetical order."""

    group: str
    accounts: tuple[AccountRow, ...]


@dataclass(frozen=True, slots=True)
class SessionList:
    """The open sessions of an account, each login with those below it behind it, the newest login first."""

    account: AccountRow
    sessions: tuple[Session, ...]


@dataclass(frozen=True, slots=True)
class SessionShown:
    """One open session."""

    session: Session
    below: tuple[Session, ...]
    ends_at: Millis
    """Unless it is used before."""


@dataclass(frozen=True, slots=True)
class IdentityUnclear(Problem):
    """A text names no identity, or can mean several."""

    text: str
    meant: tuple[IdentityKey, ...]

    @property
    def code(self) -> str:  # noqa: D102 - Problem
        return "ambiguous-identity" if self.meant else "bad-identity"


@dataclass(frozen=True, slots=True)
class ProviderUnknown(Problem):
    """No provider of that name is configured: probably a slip of the fingers."""

    provider: str
    configured: tuple[str, ...]
    code: ClassVar = "unknown-provider"


@dataclass(frozen=True, slots=True)
class ChangeRefused(Problem):
    """The account service refused."""

    effect: Effect
    reason: Refusal

    @property
    def code(self) -> str:  # noqa: D102 - Problem
        return self.reason.value


@dataclass(frozen=True, slots=True)
class IdentityBusy(Problem):
    """The identity is being signed up or linked just now; try again in half a minute."""

    effect: Effect
    code: ClassVar = "being-finished"


@dataclass(frozen=True, slots=True)
class OutcomeUnknown(Problem):
    """The store went away in the middle of a change; the same request again goes on from there."""

    detail: str
    code: ClassVar = "outcome-unknown"


@dataclass(frozen=True, slots=True)
class SessionUnclear(Problem):
    """A text begins the id of no open session, or of several; None if it cannot be an id's beginning."""

    account: AccountRow
    text: str
    matches: int | None

    @property
    def code(self) -> str:  # noqa: D102 - Problem
        if self.matches is None:
            return "bad-session"
        return "many-sessions" if self.matches else "no-session"


class SessionTrouble(Enum):
    """Why sessions cannot be read; the value is the problem's code."""

    INSIDE = "sessions-inside"
    """They live inside the daemon."""
    UNREACHABLE = "sessions-unreachable"
    """Their memcached node does not answer."""
    CORRUPT = "sessions-corrupt"
    """The record was not written by this installation; ending all sessions replaces it."""


@dataclass(frozen=True, slots=True)
class SessionsUnread(Problem):
    """The sessions cannot be read; to end one all the same takes its whole id."""

    why: SessionTrouble
    action: Action | None = None
    """What they were read for, if not to be shown."""

    @property
    def code(self) -> str:  # noqa: D102 - Problem
        return self.why.value
