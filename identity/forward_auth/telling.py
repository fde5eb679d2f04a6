"""What an application is told of a person: header lines for its proxy, a JSON object for itself.

Owns the names of both. Pure. Only what `[app:…] tell` lists is said, and only of a person who may enter; what is
not known is left out of the headers and null in the JSON. Texts of providers are information: no key, no right.

    `headers`        | user                 | name            | e-mail                | groups
    -----------------+----------------------+-----------------+-----------------------+-----------------------
    identity         | X-Identity-User      | X-Identity-Name | X-Identity-Email      | X-Identity-Groups
    remote           | Remote-User          | Remote-Name     | Remote-Email          | Remote-Groups
    x-auth-request   | X-Auth-Request-User  | X-Identity-Name | X-Auth-Request-Email  | X-Auth-Request-Groups
    x-forwarded      | X-Forwarded-User     | X-Identity-Name | X-Forwarded-Email     | X-Forwarded-Groups

`X-Identity-Id`, `-Session`, `-Idle-Ends` and `-Absolute-Ends` are the same with all of them. Beside
`X-Identity-Email` stands `X-Identity-Email-Verified`. The other names have no place for that, and applications
that read them take the e-mail for a login name: one that was not verified is not sent under them.

Our own names carry ASCII, everything else and `%` percent-encoded as UTF-8; the others UTF-8 as it is, which is
what applications expect that read them. No value holds a control character, so none ends a line.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

from identity.applications.application import Application
from identity.applications.disclosure import Attribute, HeaderNames
from identity.forward_auth.targets import ascii_uri
from identity.sessions.check import Outcome, Verdict
from identity.sessions.record import Described
from identity.types import SECOND, SessionId

_OURS: Final = {
    Attribute.USER: "X-Identity-User",
    Attribute.ID: "X-Identity-Id",
    Attribute.NAME: "X-Identity-Name",
    Attribute.EMAIL: "X-Identity-Email",
    Attribute.GROUPS: "X-Identity-Groups",
}
_OTHERS: Final[Mapping[HeaderNames, Mapping[Attribute, str]]] = {
    HeaderNames.IDENTITY: {},
    HeaderNames.REMOTE: {
        Attribute.USER: "Remote-User",
        Attribute.NAME: "Remote-Name",
        Attribute.EMAIL: "Remote-Email",
        Attribute.GROUPS: "Remote-Groups",
    },
    HeaderNames.X_AUTH_REQUEST: {
        Attribute.USER: "X-Auth-Request-User",
        Attribute.EMAIL: "X-Auth-Request-Email",
        Attribute.GROUPS: "X-Auth-Request-Groups",
    },
    HeaderNames.X_FORWARDED: {
        Attribute.USER: "X-Forwarded-User",
        Attribute.EMAIL: "X-Forwarded-Email",
        Attribute.GROUPS: "X-Forwarded-Groups",
    },
}
_VERIFIED: Final = "X-Identity-Email-Verified"
_UNKNOWN: Final = Described()
_ASCII: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def header_lines(verdict: Verdict, app: Application) -> Iterator[tuple[str, str]]:
    """Yield names and values for the application behind a proxy, of a verdict that is OK; bytes as Latin-1."""
    for attribute in Attribute:
        if attribute in app.tell:
            yield from _line(attribute, verdict, app.headers)
    if verdict.session:
        yield "X-Identity-Session", session_text(verdict.session.id)
        yield "X-Identity-Idle-Ends", str(verdict.idle_ends_at // SECOND)
        yield "X-Identity-Absolute-Ends", str(verdict.session.ends_at // SECOND)


def user(verdict: Verdict, app: Application) -> Mapping[str, object] | None:
    """Return who it is, for JSON; None of a person who may not enter."""
    if verdict.outcome is not Outcome.OK:
        return None
    if verdict.session is None or verdict.account_id is None or verdict.username is None:
        return None
    session = {
        "session": session_text(verdict.session.id),
        "auth_time": verdict.session.auth_at // SECOND,
        "auth_proven": verdict.session.auth_proven,
        "idle_ends_at": verdict.idle_ends_at // SECOND,
        "absolute_ends_at": verdict.session.ends_at // SECOND,
    }
    return {**{name: said for name, (told, said) in _fields(verdict).items() if told in app.tell}, **session}


def every_name() -> tuple[str, ...]:
    """Return each header name that says something of a person: what a proxy hands on, and removes from a client."""
    others = (name for names in _OTHERS.values() for name in names.values())
    return (*_OURS.values(), _VERIFIED, "X-Identity-Session", *others)


def session_text(session_id: SessionId) -> str:
    """Return a session's id as programs see it: 22 characters, base64url."""
    return base64.urlsafe_b64encode(session_id).rstrip(b"=").decode()


def _fields(verdict: Verdict) -> Mapping[str, tuple[Attribute, object]]:
    said = verdict.described or _UNKNOWN
    return {
        "id": (Attribute.ID, str(verdict.account_id)),
        "name": (Attribute.USER, verdict.username),
        "display_name": (Attribute.NAME, said.name or None),
        "email": (Attribute.EMAIL, said.email or None),
        "email_verified": (Attribute.EMAIL, bool(said.email) and said.email_verified),
        "groups": (Attribute.GROUPS, list(verdict.groups)),
    }


def _line(attribute: Attribute, verdict: Verdict, names: HeaderNames) -> Iterator[tuple[str, str]]:
    value, said = _value(attribute, verdict), verdict.described or _UNKNOWN
    other = _OTHERS[names].get(attribute)
    if not value:
        return
    if other is None:
        yield _OURS[attribute], ascii_uri(value) if attribute is Attribute.USER else quote(value, safe=_ASCII)
    elif attribute is not Attribute.EMAIL or said.email_verified:
        yield other, value.encode().decode("latin-1")
    if attribute is Attribute.EMAIL and other is None:
        yield _VERIFIED, "yes" if said.email_verified else "no"


def _value(attribute: Attribute, verdict: Verdict) -> str:
    said = verdict.described or _UNKNOWN
    match attribute:
        case Attribute.USER:
            value = verdict.username or ""
        case Attribute.ID:
            value = str(verdict.account_id)
        case Attribute.NAME:
            value = said.name
        case Attribute.EMAIL:
            value = said.email
        case Attribute.GROUPS:
            value = ",".join(verdict.groups)
    return "".join(mark for mark in value if mark.isprintable()).strip()
