"""What the account commands say of an account and of a change to one.

Owns these sentences; those about what is in the way are in `problem_sentences.py`. Text that came
from strangers is made printable. Nothing secret is here to be shown: no token.
"""

from typing import Final

from identity.accounts.store import AccountRow, Revocation
from identity.admin.finding import Agreement, FoundAccount, Inspected, InspectedLink
from identity.admin.results import Action, Changed, Effect, Reach
from identity.admin.shapes import reason_of
from identity.audit import Event
from identity.clock import moment
from identity.types import SessionId

_INDEX: Final = {
    Agreement.AGREES: "",
    Agreement.MISSING: "no index row: a login with it is taken for a newcomer's",
    Agreement.ELSEWHERE: "its index row leads to another account",
    Agreement.UNFINISHED: "not finished; the next login with it does that",
}
_NAME: Final = {
    Agreement.AGREES: "",
    Agreement.MISSING: "no username row: another person could choose the name",
    Agreement.ELSEWHERE: "its username row belongs to another account",
    Agreement.UNFINISHED: "not finished",
}


def plain(text: str) -> str:
    """Return text a terminal may be shown: what cannot be printed is spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def named(account: AccountRow) -> str:
    """Return how sentences speak of an account."""
    return f"{account.username} ({account.key})"


def line_of(account: AccountRow) -> str:
    """Return an account as `list` shows it."""
    ways = " ".join(plain(key) for key in sorted(account.identities))
    return f"{account.username}  {account.key}  {account.status.value}  {ways}"


def one_line(found: FoundAccount) -> str:
    """Return an account as `find` shows it."""
    former = " (found by a name it gave up)" if found.former else ""
    return f"{line_of(found.account)}{former}"


def page(seen: Inspected) -> list[str]:
    """Return the lines of `show`."""
    account = seen.account
    lines = [
        f"account      {account.key}",
        f"username     {account.username}{_remark(_NAME[seen.name])}{_former(seen.found)}",
        f"status       {account.status.value}{_into(account)}",
        f"epoch        {account.epoch}",
        f"made         {moment(account.created_at)}",
        f"groups       {' '.join(account.groups) or 'none'}",
        *_column("ways", [_link(link) for link in seen.links]),
        f"profile      {_profile(seen)}",
        *_column("ending", [_revocation(each) for each in seen.revocations]),
        *_column("events", [_event(each) for each in seen.events]),
    ]
    if not seen.whole:
        lines.append("The rows do not agree; `identityd.py fsck` says more, and mends it.")
    return lines


def _column(name: str, values: list[str]) -> list[str]:
    return [f"{name if not i else '':<13}{value}" for i, value in enumerate(values or ["none"])]


def _remark(text: str) -> str:
    return f"  - {text}" if text else ""


def _former(found: FoundAccount) -> str:
    return f"  - found by {plain(str(found.reading.key))}, a name it gave up" if found.former else ""


def _into(account: AccountRow) -> str:
    return f" into {account.merged_into}" if account.merged_into else ""


def _link(link: InspectedLink) -> str:
    label = f"  {plain(link.label)}" if link.label else ""
    said = f"suspended, because its provider said {plain(link.suspended)}" if link.suspended else ""
    return f"{plain(link.key)}{label}  since {moment(link.linked_at)}{_remark(_INDEX[link.index])}{_remark(said)}"


def _profile(seen: Inspected) -> str:
    if seen.profile is None:
        return "none"
    told = seen.profile
    verified = "verified by the provider" if told.email_verified else "not verified"
    email = f"{plain(told.email)} ({verified})" if told.email else ""
    parts = ", ".join(part for part in (plain(told.name), email) if part)
    return f"{parts or 'empty'}, as a provider said at {moment(told.seen_at)}; information only"


def _revocation(revocation: Revocation) -> str:
    which = "one session" if revocation.session else "every session"
    if revocation.identity:
        which = f"sessions opened through {plain(revocation.identity)}"
    return f"{which}, since {moment(revocation.created_at)}: {reason_of(revocation)}; tried until it is done"


def _event(event: Event) -> str:
    facts = " ".join(f"{name}={plain(value)}" for name, value in sorted(event.facts.items()))
    parts = (moment(event.at), event.action, plain(event.actor), plain(event.address), facts)
    return "  ".join(part for part in parts if part)


_EFFECTS: Final = {
    Action.LINK: "{identity} will log in to {account}.",
    Action.UNLINK: "{identity} will not log in to {account} any more, and the sessions opened through it end.",
    Action.DISABLE: "Every login of {account} will be refused, and every open session ends.",
    Action.ENABLE: "{account} may log in again, in every way it has.",
    Action.APPROVE: "{account} may log in.",
    Action.REJECT: "Every login of {account} will be refused; the username stays taken.",
    Action.END_SESSIONS: "Every open session of {account} ends; they may log in again.",
    Action.END_SESSION: "The session {session} of {account} ends, with those of applications below it.",
    Action.GROUPS: "{account}: {groups}.",
}
_DONE: Final = {
    Action.LINK: "{identity} is a way to log in to {account}.",
    Action.UNLINK: "{identity} is no way to log in to {account} any more",
    Action.DISABLE: "{account} is disabled: every login is refused",
    Action.ENABLE: "{account} may log in.",
    Action.APPROVE: "{account} may log in; no message is sent, so tell them.",
    Action.REJECT: "{account} is rejected: every login is refused.",
    Action.END_SESSIONS: "{account} is logged out everywhere",
    Action.END_SESSION: "session {session} of {account}",
    Action.GROUPS: "{account} is {groups}",
}
_TRYING: Final = "The daemon goes on trying, and uses a node that comes back only when"
_NOT_EVERYWHERE: Final = (
    "not every data centre of the account store knows it yet ({}). The daemon goes on telling them; a data centre "
    "that returns may let a login in until it has heard."
)


def short(session: SessionId) -> str:
    """Return how sentences speak of a session: enough of its id to tell a few dozen apart."""
    return session.hex()[:8]


def effect_of(effect: Effect) -> str:
    """Return what a change will do."""
    return _filled(_EFFECTS[effect.action], effect)


def _filled(text: str, effect: Effect) -> str:
    return text.format(
        account=named(effect.account),
        identity=plain(effect.identity or ""),
        session=short(effect.session) if effect.session else "",
        groups=" and ".join(map(_membership, effect.groups)),
    )


def _membership(change: str) -> str:
    return f"in group {change[1:]}" if change.startswith("+") else f"out of group {change[1:]}"


def outcome(changed: Changed) -> tuple[str, str]:
    """Return what was done, and the warning if it did not get everywhere yet; each may be empty."""
    what = _filled(_DONE[changed.effect.action], changed.effect)
    match changed.effect.action:
        case Action.LINK | Action.ENABLE | Action.APPROVE | Action.REJECT:
            return what, ""
        case Action.GROUPS:
            return _regrouped(what, changed)
        case Action.END_SESSION:
            return _one_ended(what, changed)
        case Action.UNLINK:
            return _ended(what, "the sessions opened through it", changed)
        case _:
            return _ended(what, "its open sessions", changed)


def _ended(what: str, which: str, changed: Changed) -> tuple[str, str]:
    match changed.reach:
        case Reach.DONE:
            return f"{what}, and {which} have ended.", ""
        case Reach.DAEMON_ENDS:
            return f"{what}; the running daemon ends {which} within about 5 seconds.", ""
        case Reach.SESSIONS_NOT_REACHED:
            return f"{what}.", f"{which} could not be reached yet ({changed.detail}). {_TRYING} they have ended."
        case Reach.NOT_EVERYWHERE:
            return (
                f"{what}, and {which} have ended.",
                _NOT_EVERYWHERE.format(changed.detail),
            )


def _regrouped(what: str, changed: Changed) -> tuple[str, str]:
    match changed.reach:
        case Reach.DONE:
            return f"{what}; its open sessions know it.", ""
        case Reach.DAEMON_ENDS:
            return f"{what}; the running daemon tells its open sessions within about 5 seconds.", ""
        case Reach.SESSIONS_NOT_REACHED:
            return f"{what}.", f"its open sessions could not be told yet ({changed.detail}). {_TRYING} they know."
        case Reach.NOT_EVERYWHERE:
            return f"{what}; its open sessions know it.", _NOT_EVERYWHERE.format(changed.detail)


def _one_ended(what: str, changed: Changed) -> tuple[str, str]:
    match changed.reach:
        case Reach.DAEMON_ENDS:
            return f"The running daemon ends {what} within about 5 seconds.", ""
        case Reach.SESSIONS_NOT_REACHED:
            return "", f"{what} could not be reached yet ({changed.detail}). {_TRYING} it has ended."
        case _:
            return f"{what[0].upper()}{what[1:]} has ended.", ""
