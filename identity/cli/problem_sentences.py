"""What the account and session commands say of a problem, and what to do instead.

Owns these sentences, one for each problem of `identity.admin`.
"""

from typing import Final

from identity.accounts.invitation import Worth
from identity.accounts.linking import Refusal
from identity.admin.finding import AccountAmbiguous, AccountNotFound, Miss, Why
from identity.admin.invitations import InvitationPast, InvitationUnclear
from identity.admin.naming import ByAccount, ByIdentity, ByUsername, Reading
from identity.admin.problem import Problem
from identity.admin.results import (
    Action,
    ChangeRefused,
    IdentityBusy,
    IdentityUnclear,
    OutcomeUnknown,
    ProviderUnknown,
    SessionsUnread,
    SessionTrouble,
    SessionUnclear,
)
from identity.cli.account_sentences import named, plain

_MISSES: Final = {
    Why.ABSENT: "there is none",
    Why.CLAIMED: "a sign-up or link under way, or one that was given up, holds it for 15 minutes at most; "
    "it leads to no account",
    Why.UNFINISHED: "a sign-up or link was cut short; the next login with it finishes that",
    Why.UNLINKED: "its row names account {id}, which does not list it (any more): a login with it does not get there",
    Why.NO_ACCOUNT: "it names account {id}, which is not stored; `identityd.py fsck` says more",
}

_REFUSALS: Final = {
    Refusal.NO_ACCOUNT: "the account is gone",
    Refusal.SIGN_UP_CLOSED: "no account may be made",
    Refusal.NOT_ADMITTED: "no rule about who may have an account holds",
    Refusal.NOT_INVITED: "an account is made with an invitation only",
    Refusal.INVITATION_UNKNOWN: "there is no such invitation",
    Refusal.INVITATION_EXPIRED: "the invitation is over",
    Refusal.INVITATION_USED: "the invitation was used",
    Refusal.INVITATION_REVOKED: "the invitation was taken back",
    Refusal.AWAITS_APPROVAL: "{account} waits for approval; `accounts approve` or `accounts reject` decides",
    Refusal.REJECTED: "{account} was rejected; `accounts enable` opens it",
    Refusal.TOO_MANY_WAITING: "too many sign-ups wait for approval",
    Refusal.NOT_WAITING: "{account} does not wait for approval, or not any more (`accounts show` says what it is)",
    Refusal.DISABLED: "{account} is disabled; enable it first, or leave its ways to log in as they are",
    Refusal.SUSPENDED: "{identity} is suspended; enable {account} first",
    Refusal.MERGING: "{account} is being merged with another one; try again in a moment",
    Refusal.MERGED: "{account} was merged into another one and changes no more",
    Refusal.BELONGS_TO_OTHER: "{identity} leads to another account; unlink it there first "
    "(`identityd.py accounts find {identity}`)",
    Refusal.TOO_MANY_WAYS: "{account} has as many ways to log in as an account may have; unlink one first",
    Refusal.TOO_MANY_GROUPS: "{account} is in as many groups as an account may be in; take it out of one first",
    Refusal.NOT_LINKED: "{identity} is not a way to log in to {account}",
    Refusal.LAST_WAY: "{identity} is the last way to log in to {account}; link another one first, "
    "or disable the account if nobody may log in",
}

_UNREAD: Final = {
    SessionTrouble.INSIDE: "the sessions are in the daemon's memory, where no command reaches them; their owner sees "
    "them on the account page, and with [sessions] store = memcached this command does.",
    SessionTrouble.CORRUPT: "the account's session record was not written by this installation and is not believed; "
    "`sessions end ACCOUNT --all` replaces it.",
    SessionTrouble.UNREACHABLE: "the memcached node that holds this account's sessions does not answer; "
    "`check-config` says more.",
}


def is_usage(problem: Problem) -> bool:
    """Tell whether the command line is at fault rather than what was found."""
    match problem:
        case IdentityUnclear() | SessionUnclear(matches=None) | InvitationUnclear(matches=None):
            return True
        case _:
            return False


def sentence(problem: Problem, text: str) -> str:
    """Return what is in the way; `text` is how the account was named."""
    match problem:
        case AccountNotFound() | AccountAmbiguous():
            return _not_found(text, problem)
        case SessionUnclear():
            return _no_session(problem)
        case SessionsUnread():
            return _unread(problem)
        case IdentityUnclear():
            return _unclear(problem)
        case InvitationUnclear() | InvitationPast():
            return _no_invitation(problem)
        case _:
            return _not_changed(problem)


def _not_changed(problem: Problem) -> str:
    match problem:
        case ProviderUnknown(provider, configured):
            known = ", ".join(configured) or "none"
            what = f"no provider is called {provider}; configured: {known}"
            return f"{what}. Nothing was changed; --force links it all the same."
        case ChangeRefused(effect, reason):
            words = _REFUSALS[reason].format(account=named(effect.account), identity=plain(effect.identity or ""))
            return f"{words}. Nothing was changed."
        case IdentityBusy(effect):
            return f"{plain(effect.identity or '')} is being signed up or linked right now; try again in half a minute."
        case OutcomeUnknown(detail):
            what = f"the account store went away: {detail}. How far the change got is not known"
            return f"{what}; give the same command again, it goes on from there."
        case _:
            return problem.code


def _asked(reading: Reading) -> str:
    """Return how sentences speak of what was looked for."""
    match reading:
        case ByAccount(key):
            return f"account {key}"
        case ByIdentity(key):
            return f"identity {plain(key)}"
        case ByUsername(key):
            return f"username {plain(key)}"


def _not_found(text: str, problem: AccountNotFound | AccountAmbiguous) -> str:
    match problem:
        case AccountAmbiguous(found):
            each = "; ".join(f"{_asked(one.reading)} leads to {named(one.account)}" for one in found)
            return f"{plain(text)} means several accounts: {each}; add --username, --identity or --account"
        case AccountNotFound(()):
            return (
                f"{plain(text)} is not a username, a provider:id as identityd shows it, or an account id; "
                "%, : and control characters of an id are percent-encoded"
            )
        case AccountNotFound(misses):
            return "not found: " + "; ".join(map(_missed, misses))


def _missed(miss: Miss) -> str:
    return f"{_asked(miss.reading)}: {_MISSES[miss.why].format(id=miss.account_id)}"


def _unclear(problem: IdentityUnclear) -> str:
    if not problem.meant:
        return (
            f"{plain(problem.text)} is no identity: write provider:id, with %, : and control characters "
            "of the id percent-encoded, as identityd shows it"
        )
    either = " or ".join(map(plain, problem.meant))
    return f"{plain(problem.text)} can mean {either}: write the second so, or add --exact for the first"


_PAST: Final = {
    Worth.USED: "was used; disable the account if its owner must not have it (`identityd.py invite list` names it)",
    Worth.EXPIRED: "is over already",
    Worth.REVOKED: "was taken back already",
    Worth.BUSY: "is being used at this moment; try again in half a minute",
    Worth.UNKNOWN: "is gone",
}


def _no_invitation(problem: InvitationUnclear | InvitationPast) -> str:
    match problem:
        case InvitationPast(shown):
            return f"invitation {shown.row.id} {_PAST[shown.standing]}. Nothing was changed."
        case InvitationUnclear(matches=None):
            return "INVITATION: at least 4 digits of what `invite list` shows, or the whole link"
        case InvitationUnclear(text, 0):
            return f"there is no invitation {plain(text)}. Nothing was changed."
        case InvitationUnclear(text, several):
            return f"{several} invitations begin with {plain(text)}; give more of it. Nothing was changed."


def _no_session(problem: SessionUnclear) -> str:
    match problem.matches:
        case None:
            return "SESSION: at least 4 digits of what `sessions list` shows"
        case 0:
            return f"{named(problem.account)} has no open session {plain(problem.text)}. Nothing was changed."
        case several:
            return f"{several} open sessions begin with {plain(problem.text)}; give more of it. Nothing was changed."


def _unread(problem: SessionsUnread) -> str:
    words = _UNREAD[problem.why]
    if problem.action is not Action.END_SESSION:
        return words
    if problem.why is SessionTrouble.INSIDE:
        return f"{words} To end one anyway give its whole id, as the audit has it, or --all."
    return f"{words} Nothing was changed; a whole id (32 digits) is kept to be ended."
