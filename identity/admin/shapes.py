"""What the operator's service answers, as JSON objects.

Owns the field names (docs/operations.md lists them); they stay, new ones may come. The command
line prints these objects and an API answers with them. Nothing secret is in them: a session's id
tells which one is meant and opens nothing; of an application's secrets only how many there are.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from identity.accounts.approval import MOST_WAITING
from identity.accounts.store import REGROUPED, AccountRow, ProfileRow, Revocation
from identity.accounts.tables import PROFILES
from identity.admin.finding import FoundAccount, Inspected, InspectedLink
from identity.admin.invitations import InvitationList, InvitationShown
from identity.admin.naming import ByAccount, ByIdentity, ByUsername
from identity.admin.problem import Problem
from identity.admin.results import ApplicationList, Changed, GroupMembers, SessionList, SessionShown, WaitingAccounts
from identity.applications.application import Application
from identity.applications.disclosure import Attribute
from identity.audit import Event
from identity.clock import moment
from identity.sessions.record import Ended, Session

Result: TypeAlias = (
    FoundAccount
    | Inspected
    | Changed
    | ApplicationList
    | GroupMembers
    | InvitationList
    | InvitationShown
    | SessionList
    | SessionShown
    | WaitingAccounts
    | Problem
)


def as_json(result: Result) -> dict[str, Any]:
    """Return the JSON object of any answer; a problem's has its code as `error`."""
    return {"error": result.code} if isinstance(result, Problem) else _SHAPES[type(result)](result)


def listed(account: AccountRow) -> dict[str, Any]:
    """Return one line of a list of accounts."""
    return {
        **_whose(account.key, account.username),
        "status": account.status.value,
        "identities": sorted(account.identities),
        "groups": list(account.groups),
    }


def _whose(account_id: object, username: str) -> dict[str, Any]:
    return {"account_id": str(account_id), "username": username}


def _found(found: FoundAccount) -> dict[str, Any]:
    account = found.account
    return {
        **_whose(account.key, account.username),
        "status": account.status.value,
        "found_by": _found_by(found),
        "identities": sorted(account.identities),
        "groups": list(account.groups),
    }


def _found_by(found: FoundAccount) -> str:
    match found.reading:
        case ByAccount():
            return "account"
        case ByIdentity():
            return "identity"
        case ByUsername():
            return "former-username" if found.former else "username"


def _inspected(seen: Inspected) -> dict[str, Any]:
    account, profile = seen.account, seen.profile
    return {
        **_found(seen.found),
        "epoch": account.epoch,
        "created_at": moment(account.created_at),
        "merged_into": str(account.merged_into) if account.merged_into else None,
        "whole": seen.whole,
        "username_index": seen.name.value,
        "ways": [_link(link) for link in seen.links],
        "profile": profile and _profile(profile),
        "revocations": [_revocation(each) for each in seen.revocations],
        "events": [_event(each) for each in seen.events],
    }


def _profile(profile: ProfileRow) -> dict[str, Any]:
    _, *told = zip(PROFILES.names, PROFILES.fields, strict=True)
    return {**{name: getattr(profile, field) for name, field in told}, "seen_at": moment(profile.seen_at)}


def _link(link: InspectedLink) -> dict[str, Any]:
    return {
        "identity": link.key,
        "label": link.label,
        "linked_at": moment(link.linked_at),
        "index": link.index.value,
        "suspended": link.suspended,
    }


def _revocation(revocation: Revocation) -> dict[str, Any]:
    return {
        "created_at": moment(revocation.created_at),
        "reason": reason_of(revocation),
        "identity": revocation.identity,
        "one_session": revocation.session is not None,
    }


def reason_of(revocation: Revocation) -> str:
    """Return why there is a revocation, as operators and programs see it."""
    return "groups" if revocation.reason == REGROUPED else Ended(revocation.reason).code


def _event(event: Event) -> dict[str, Any]:
    return {
        "at": moment(event.at),
        "action": event.action,
        "actor": event.actor,
        "address": event.address,
        "request_id": event.request_id,
        "facts": dict(event.facts),
    }


def _changed(changed: Changed) -> dict[str, Any]:
    effect = changed.effect
    return {
        **_whose(effect.account.key, effect.account.username),
        "action": effect.action.value,
        "identity": effect.identity,
        "session": effect.session.hex() if effect.session else None,
        "groups": list(effect.groups),
        "reach": changed.reach.value,
    }


def _application(app: Application) -> dict[str, Any]:
    return {
        "id": app.id,
        "hosts": list(app.hosts),
        "secrets": len(app.secrets),
        "return_to": list(app.return_to),
        "mint": app.mint,
        "static_paths": list(app.static_paths),
        "background_paths": list(app.background_paths),
        "allow": list(map(str, app.allow)),
        "tokens_of": list(app.tokens_of),
        "tell": [each.value for each in Attribute if each in app.tell],
        "headers": app.headers.value,
    }


def _members(found: GroupMembers) -> dict[str, Any]:
    members = [{**_whose(each.key, each.username), "status": each.status.value} for each in found.accounts]
    return {"group": found.group, "members": members}


def _invitation(shown: InvitationShown) -> dict[str, Any]:
    row = shown.row
    return {
        "invitation": row.id,
        "standing": shown.standing.value,
        "for": row.guest,
        "groups": list(row.groups),
        "created_at": moment(row.created_at),
        "ends_at": moment(row.ends_at),
        "made_by": row.actor,
        "reason": row.reason,
        "account_id": str(row.account_id) if row.account_id else None,
        "identity": row.identity,
    }


def _waiting(found: WaitingAccounts) -> dict[str, Any]:
    rows = [{**listed(each.account), "since": moment(each.since)} for each in found.waiters]
    return {"waiting": rows, "most": MOST_WAITING}


def _session(session: Session) -> dict[str, Any]:
    return {
        "session": session.id.hex(),
        "login": session.login.hex() if session.login else None,
        "host": session.host,
        "opened_at": moment(session.created_at),
        "active_at": moment(session.active_at),
        "authenticated_at": moment(session.auth_at),
        "ends_at": moment(session.ends_at),
        "identity": session.identity,
        "browser": session.agent,
        "from": session.address,
        "persistent": session.persistent,
        "doubtful": session.doubtful,
    }


def _sessions(listed: SessionList) -> dict[str, Any]:
    account = listed.account
    return {**_whose(account.key, account.username), "sessions": [_session(each) for each in listed.sessions]}


_SHAPES: Final[Mapping[type, Callable[[Any], dict[str, Any]]]] = {
    FoundAccount: _found,
    Inspected: _inspected,
    Changed: _changed,
    ApplicationList: lambda listed: {"applications": [_application(each) for each in listed.applications]},
    GroupMembers: _members,
    InvitationList: lambda listed: {"invitations": [_invitation(each) for each in listed.invitations]},
    InvitationShown: _invitation,
    WaitingAccounts: _waiting,
    SessionList: _sessions,
    SessionShown: lambda shown: _session(shown.session),
}
