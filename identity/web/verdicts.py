"""Verdicts as proxies, applications and browsers get them: words, JSON, addresses.

Owns everything `/auth`, `/session/check` and `/session/check-many` say about a session, so that
the three cannot differ. Pure. docs/http-api.md documents the words. An answer never holds
anything a login provider gave us.

    verdict    HTTP   location
    ---------  -----  ---------------------------------------------------------------
    ok         200    none
    bounce     307    the same address, so that the browser sends its current cookies
    login      302    the login page, or on an application's own host the way to it, if a page was
                      being loaded; otherwise 401 and none
    forbidden  403    none
    retry      503    none
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import quote, urlencode

from identity.errors import BadInput, Forbidden, IdentityError, StoreUnavailable
from identity.login import handover
from identity.sessions.check import Check, Mode, Outcome, Verdict
from identity.types import SECOND, Host, SessionId
from identity.web.context import RegisteredApp

BOUNCED: Final = "identityd-bounced"
"""Query parameter of the follower of a bounce."""
ACK: Final = "/.identityd/ack"
_DOCUMENTS: Final = frozenset({"document", "iframe", "frame", "embed", "object"})
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_NEVER: Final = re.compile(r"q=0(\.0*)?")
_AS_SENT: Final = "!$&'()*+,;=:@/?-._~%[]|^{}"
_NO_SEGMENTS: Final = ("//", "/.", "\\", "%2e", "%2f", "%5c")


class LoginNeeded(BadInput):
    """No session counts here, and a redirect would not help the one who asks."""

    status: ClassVar[int] = 401
    default_code = "login"
    default_public = "You are not logged in."


@dataclass(frozen=True, slots=True)
class Target:
    """What the browser asked for, at an application's host."""

    scheme: str
    host: Host
    uri: str
    """Path and query; begins with a slash."""

    @property
    def origin(self) -> str:
        """Scheme and host."""
        return f"{self.scheme}://{self.host}"

    @property
    def url(self) -> str:
        """The whole address, in ASCII and without a fragment, as a Location needs it."""
        return self.origin + ascii_uri(self.uri)


def ascii_uri(uri: str) -> str:
    """Percent-encode what may not stand in a header or would begin a fragment; leave the rest as sent.

    A header's bytes arrive as Latin-1 characters, whatever encoding they were in.
    """
    return quote(uri, safe=_AS_SENT, encoding="latin-1")


def with_flag(url: str, flag: str) -> str:
    """Return the address with the flag that says: this follows a bounce. One of an earlier bounce goes."""
    path, _, query = without_flag(url).partition("?")
    return f"{path}?{query}&{BOUNCED}={flag}" if query else f"{path}?{BOUNCED}={flag}"


def flag_of(uri: str) -> str:
    """Return what the address's flag says, if it has one; ours is the last."""
    pairs = (pair.partition("=") for pair in uri.partition("?")[2].split("&"))
    return next((value for name, _, value in reversed([*pairs]) if name == BOUNCED), "")


def without_flag(uri: str) -> str:
    """Return the address without the flag: for another try, which must be bounced anew."""
    if BOUNCED not in uri:
        return uri
    path, _, query = uri.partition("?")
    kept = "&".join(pair for pair in query.split("&") if pair.partition("=")[0] != BOUNCED)
    return f"{path}?{kept}" if kept else path


def is_navigation(method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a page is being loaded, so that its person can be led to a login; anything else gets 401.

    The first row that applies; browsers before 2023, browsers over plain http and programs send no
    `Sec-Fetch-Mode`.

        the request has                                               | a page
        --------------------------------------------------------------+-------
        `Sec-WebSocket-Version`: a handshake                          | no
        `Sec-Fetch-Mode`                                              | if it is `navigate`, a form too
        `Sec-Fetch-Dest` other than a document or a frame             | no
        a method other than GET and HEAD                              | no
        `X-Requested-With` that is no name of a package: what scripts | no
        send; Android's WebView sends its application's package name  |
        `Accept` with `text/event-stream`, or without `text/html` and | no
        `application/xhtml+xml`: calls, images, `*/*` of programs     |
        none of these, nor any `Accept`                               | yes
    """
    if "Sec-WebSocket-Version" in headers:
        return False
    mode = headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    if headers.get("Sec-Fetch-Dest", "document") not in _DOCUMENTS or method not in ("GET", "HEAD"):
        return False
    if "." not in headers.get("X-Requested-With", "."):
        return False
    return _takes_a_page(headers.get("Accept", ""))


def _takes_a_page(accept: str) -> bool:
    if not accept.strip():
        return True
    ranges = [part.lower().replace(" ", "").replace("\t", "").split(";") for part in accept.split(",")]
    kinds = {kind for kind, *parameters in ranges if not any(_NEVER.fullmatch(each) for each in parameters)}
    return not kinds.isdisjoint(_PAGES) and "text/event-stream" not in kinds


def is_static(app: RegisteredApp, uri: str) -> bool:
    """Tell whether the path (never the query, THREATS 38) is one of those that carry no tokens."""
    return _below(app.static, uri)


def is_activity(app: RegisteredApp, uri: str, *, said: bool | None) -> bool:
    """Tell whether a request counts as something the person did, which keeps the session from idling out.

        said by the page or application | path in `background_paths` | counts
        --------------------------------+----------------------------+-------
        yes                             | any                        | yes
        no                              | any                        | no
        nothing                         | yes                        | no
        nothing                         | no                         | yes

    A page that says yes falsely keeps its own person's session awake, as asking for any other path would.
    """
    return said if said is not None else not _below(app.background, uri)


def said_activity(header: str | None) -> bool | None:
    """Return what `X-User-Activity` says; None if it is not there or neither `yes` nor `no`."""
    return {"yes": True, "no": False}.get((header or "").strip().lower())


def _below(places: tuple[str, ...], uri: str) -> bool:
    path = uri.partition("?")[0]
    if any(odd in path.lower() for odd in _NO_SEGMENTS):
        return False
    return any(path.startswith(s) if s.endswith("/") else path == s for s in places)


def location(verdict: Verdict, check: Check, target: Target, *, public_url: str) -> str | None:
    """Return where the browser should go instead, if anywhere. Only configured hosts ever stand in it."""
    if check.mode in (Mode.WEBSOCKET, Mode.READ_ONLY):
        return None
    match verdict.outcome:
        case Outcome.BOUNCE:
            return with_flag(target.url, verdict.flag) if verdict.flag else target.url
        case Outcome.LOGIN if check.navigation:
            if check.mode is Mode.NO_MINT and verdict.reason == "stale":
                return f"{target.origin}{ACK}?{_query(then=without_flag(ascii_uri(target.uri)))}"
            return login_url(verdict, target, public_url=public_url)
        case _:
            return None


def login_url(verdict: Verdict, target: Target, *, public_url: str) -> str:
    """Return the address that leads to a login and back to the target, and may say why."""
    scheme, _, own = public_url.partition("://")
    if target.host != own:
        reason = "" if verdict.reason == "anonymous" else verdict.reason
        return f"{scheme}://{target.host}{handover.login_path(without_flag(ascii_uri(target.uri)), reason=reason)}"
    # `//host` alone would be another site's address.
    is_path = target.origin == public_url and not target.uri.startswith("//")
    back = ascii_uri(target.uri) if is_path else target.url
    said = {} if verdict.reason == "anonymous" else {"reason": verdict.reason}
    return f"{public_url}/login?{_query(return_to=without_flag(back), **said)}"


def refusal(verdict: Verdict) -> IdentityError:
    """Return the error that says the same to a person, for a verdict that is not OK."""
    match verdict.outcome:
        case Outcome.RETRY:
            return StoreUnavailable(verdict.reason)
        case Outcome.FORBIDDEN:
            return Forbidden(verdict.reason, public="This host is not registered with the login service.")
        case _:
            return LoginNeeded(verdict.reason)


def session_text(session_id: SessionId) -> str:
    """Return a session's id as programs see it: 22 characters, base64url."""
    return base64.urlsafe_b64encode(session_id).rstrip(b"=").decode()


def user(verdict: Verdict) -> Mapping[str, object] | None:
    """Return who it is, for JSON."""
    if verdict.session is None or verdict.account_id is None or verdict.username is None:
        return None
    return {
        "id": str(verdict.account_id),
        "name": verdict.username,
        "session": session_text(verdict.session.id),
        "auth_time": verdict.session.auth_at // SECOND,
        "idle_ends_at": verdict.idle_ends_at // SECOND,
        "absolute_ends_at": verdict.session.ends_at // SECOND,
    }


def checked(verdict: Verdict, place: str | None) -> dict[str, object]:
    """Return the answer of `/session/check`."""
    return {
        "verdict": verdict.outcome.value,
        "reason": verdict.reason,
        "user": user(verdict),
        "set_cookie": [str(cookie) for cookie in verdict.set_cookies],
        "location": place,
    }


def looked_at(verdict: Verdict) -> dict[str, object]:
    """Return one answer of `/session/check-many`: nothing in it needs to reach the browser."""
    match verdict.outcome:
        case Outcome.OK:
            return {"active": True, "reason": verdict.reason, "user": user(verdict)}
        case Outcome.RETRY:
            return {"active": None, "reason": "retry"}
        case _:
            return {"active": False, "reason": verdict.reason}


FORBIDDEN: Final = Verdict(Outcome.FORBIDDEN, "unknown-host")
"""The host is none of the caller's."""


def _query(**values: str) -> str:
    return urlencode(values, quote_via=quote, safe="")
