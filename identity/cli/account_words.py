"""What the account commands say: lines for people, objects for programs.

Owns every sentence about an account and the field names of `--json` (docs/operations.md lists
them). Text that came from strangers is made printable. Nothing secret is here to be shown: no
session id, no token.
"""

from typing import Any, Final

from identity.accounts.finding import Agreement, Ambiguous, Found, Inspected, Miss, NotFound, Way, Why
from identity.accounts.linking import Refusal
from identity.accounts.naming import ByAccount, ByIdentity, ByUsername, Reading
from identity.accounts.store import AccountRow, Revocation
from identity.audit import Event
from identity.cli.files import moment
from identity.sessions.record import Ended

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
    Refusal.DISABLED: "{account} is disabled; enable it first, or leave its ways to log in as they are",
    Refusal.MERGING: "{account} is being merged with another one; try again in a moment",
    Refusal.MERGED: "{account} was merged into another one and changes no more",
    Refusal.BELONGS_TO_OTHER: "{identity} leads to another account; unlink it there first "
    "(`identityd.py accounts find {identity}`)",
    Refusal.TOO_MANY_WAYS: "{account} has as many ways to log in as an account may have; unlink one first",
    Refusal.NOT_LINKED: "{identity} is not a way to log in to {account}",
    Refusal.LAST_WAY: "{identity} is the last way to log in to {account}; link another one first, "
    "or disable the account if nobody may log in",
}

_INDEX: Final = {
    Agreement.AGREES: "",
    Agreement.MISSING: "no index row: a login with it is taken for a newcomer's",
    Agreement.ELSEWHERE: "its index row leads to another account",
    Agreement.UNFINISHED: "not finished; the next login with it does that",
}
_NAME: Final = {
    Agreement.AGREES: "",
    Agreement.MISSING: "no username row: somebody else could choose the name",
    Agreement.ELSEWHERE: "its username row belongs to another account",
    Agreement.UNFINISHED: "not finished",
}


def plain(text: str) -> str:
    """Return text a terminal may be shown: what cannot be printed is spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def named(account: AccountRow) -> str:
    """Return how sentences speak of an account."""
    return f"{account.username} ({account.key})"


def asked(reading: Reading) -> str:
    """Return how sentences speak of what was looked for."""
    match reading:
        case ByAccount(key):
            return f"account {key}"
        case ByIdentity(key):
            return f"identity {plain(key)}"
        case ByUsername(key):
            return f"username {plain(key)}"


def not_found(text: str, finding: NotFound | Ambiguous) -> str:
    """Say what was looked for, and why it led nowhere or to too much."""
    match finding:
        case Ambiguous(found):
            each = "; ".join(f"{asked(one.reading)} leads to {named(one.account)}" for one in found)
            return f"{plain(text)} means several accounts: {each}; add --username, --identity or --account"
        case NotFound(()):
            return (
                f"{plain(text)} is not a username, a provider:id as identityd shows it, or an account id; "
                "%, : and control characters of an id are percent-encoded"
            )
        case NotFound(misses):
            return "not found: " + "; ".join(map(_missed, misses))


def _missed(miss: Miss) -> str:
    return f"{asked(miss.reading)}: {_MISSES[miss.why].format(id=miss.account_id)}"


def refused(reason: Refusal, account: AccountRow, identity: str = "") -> str:
    """Say why a change is refused, and what to do instead."""
    text = _REFUSALS[reason].format(account=named(account), identity=plain(identity))
    return f"{text}. Nothing was changed."


def one_line(found: Found) -> str:
    """Return an account as `find` shows it."""
    account = found.account
    ways = " ".join(plain(key) for key in sorted(account.identities))
    former = " (found by a name it gave up)" if found.former else ""
    return f"{account.username}  {account.key}  {account.status.value}  {ways}{former}"


def page(found: Found, seen: Inspected) -> list[str]:
    """Return the lines of `show`."""
    account = seen.account
    lines = [
        f"account      {account.key}",
        f"username     {account.username}{_remark(_NAME[seen.name])}{_former(found)}",
        f"status       {account.status.value}{_into(account)}",
        f"epoch        {account.epoch}",
        f"made         {moment(account.created_at)}",
        *_column("ways", [_way(way) for way in seen.ways]),
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


def _former(found: Found) -> str:
    return f"  - found by {plain(str(found.reading.key))}, a name it gave up" if found.former else ""


def _into(account: AccountRow) -> str:
    return f" into {account.merged_into}" if account.merged_into else ""


def _way(way: Way) -> str:
    label = f"  {plain(way.label)}" if way.label else ""
    return f"{plain(way.key)}{label}  since {moment(way.linked_at)}{_remark(_INDEX[way.index])}"


def _profile(seen: Inspected) -> str:
    if seen.profile is None:
        return "none"
    told = seen.profile
    verified = "verified by the provider" if told.email_verified else "not verified"
    email = f"{plain(told.email)} ({verified})" if told.email else ""
    parts = ", ".join(part for part in (plain(told.display_name), email) if part)
    return f"{parts or 'empty'}, as a provider said at {moment(told.seen_at)}; information only"


def _revocation(revocation: Revocation) -> str:
    which = "one session" if revocation.session else "every session"
    if revocation.identity:
        which = f"sessions opened through {plain(revocation.identity)}"
    return f"{which}, since {moment(revocation.created_at)}: {Ended(revocation.reason).code}; tried until it is done"


def _event(event: Event) -> str:
    facts = " ".join(f"{name}={plain(value)}" for name, value in sorted(event.facts.items()))
    parts = (moment(event.at), event.action, plain(event.actor), plain(event.address), facts)
    return "  ".join(part for part in parts if part)


def found_object(found: Found) -> dict[str, Any]:
    """Return the object of `find --json`."""
    account = found.account
    return {
        "account_id": str(account.key),
        "username": account.username,
        "status": account.status.value,
        "found_by": _found_by(found),
        "identities": sorted(account.identities),
    }


def _found_by(found: Found) -> str:
    match found.reading:
        case ByAccount():
            return "account"
        case ByIdentity():
            return "identity"
        case ByUsername():
            return "former-username" if found.former else "username"


def shown_object(found: Found, seen: Inspected) -> dict[str, Any]:
    """Return the object of `show --json`: that of `find`, and more."""
    account, told = seen.account, seen.profile
    return {
        **found_object(found),
        "epoch": account.epoch,
        "created_at": moment(account.created_at),
        "merged_into": str(account.merged_into) if account.merged_into else None,
        "whole": seen.whole,
        "username_index": seen.name.value,
        "ways": [_way_object(way) for way in seen.ways],
        "profile": told
        and {
            "display_name": told.display_name,
            "email": told.email,
            "email_verified": told.email_verified,
            "picture": told.picture,
            "seen_at": moment(told.seen_at),
        },
        "revocations": [_revocation_object(each) for each in seen.revocations],
        "events": [_event_object(each) for each in seen.events],
    }


def _way_object(way: Way) -> dict[str, Any]:
    return {"identity": way.key, "label": way.label, "linked_at": moment(way.linked_at), "index": way.index.value}


def _revocation_object(revocation: Revocation) -> dict[str, Any]:
    return {
        "created_at": moment(revocation.created_at),
        "reason": Ended(revocation.reason).code,
        "identity": revocation.identity,
        "one_session": revocation.session is not None,
    }


def _event_object(event: Event) -> dict[str, Any]:
    return {
        "at": moment(event.at),
        "action": event.action,
        "actor": event.actor,
        "address": event.address,
        "request_id": event.request_id,
        "facts": dict(event.facts),
    }
