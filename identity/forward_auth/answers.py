"""Verdicts as proxies, applications and browsers get them: statuses, header lines, JSON.

Owns everything `/auth`, `/session/check` and `/session/check-many` say about a session, so that the
three cannot differ. Pure. docs/http-api.md documents the words. Who it is, is `telling`'s; beside that an
answer never holds anything a login provider gave us, and one that goes to the browser as it is (`redirect=1`)
holds nothing that a script on the page may not read. Whatever is not 200 or carries a cookie is never stored.

    verdict               | to the proxy                 | to the browser, `redirect=1`
    ----------------------+------------------------------+--------------------------------
    ok                    | 200 who it is; cookies;      | the same
                          | nothing in the body          |
    bounce                | 401 verdict; address;        | 307 address; cookies; nothing
                          | cookies; refusal             | in the body
    login, with an        | 401 verdict; address;        | 302 address; cookies; nothing
    address               | cookies; refusal             | in the body
    login                 | 401 verdict; cookies;        | 401 cookies; refusal
                          | refusal                      |
    forbidden             | 403 verdict; address;        | 403 address; cookies; refusal
                          | cookies; refusal             |
    retry                 | 503 verdict; when to try     | 503 when to try again; cookies;
                          | again; cookies; refusal      | refusal

*who it is* is what the application is told (`telling`), `X-Identity-User` for example; *verdict* is
`X-Identity-Verdict` and `-Reason`; *address* is `X-Identity-Location`, to the browser `Location` but with 403;
*cookies* are `Set-Cookie` lines, to the proxy also `X-Identity-Cookie-1` and so on, for those that
cannot copy a repeated header; *when to try again* is `Retry-After`. A refusal is JSON, or a page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from identity.applications.application import Application
from identity.errors import BadInput, Forbidden, IdentityError, NotAllowed, StoreError, StoreUnavailable
from identity.forward_auth.telling import header_lines, user
from identity.sessions.check import NOT_ALLOWED, Outcome, SetCookie, Verdict

Header: TypeAlias = tuple[str, str | SetCookie]
"""Name and value; only `Set-Cookie` has a cookie as its value, whose `str()` is the text."""


class LoginNeeded(BadInput):
    """No session counts here, and a redirect would not help the one who asks."""

    status: ClassVar[int] = 401
    default_code = "login"
    default_public = "You are not logged in."


UNKNOWN_HOST: Final = Verdict(Outcome.FORBIDDEN, "unknown-host")
"""The host is none of the caller's."""
_TO_PROXY: Final = {Outcome.FORBIDDEN: 403, Outcome.RETRY: 503}
_TO_BROWSER: Final = _TO_PROXY | {Outcome.BOUNCE: 307}


@dataclass(frozen=True, slots=True)
class Answer:
    """What `/auth` answers."""

    status: int
    headers: tuple[Header, ...]
    """In the order in which they are sent."""
    reason: str
    """Why, for the log."""
    refusal: IdentityError | None = None
    """What the body says, as JSON or on a page; without one there is no body."""
    username: str = ""
    """Who is logged in and may not enter, for the page."""

    @property
    def may_be_stored(self) -> bool:
        """Whether `Cache-Control` is left away: proxies copy it beside the application's own."""
        return self.status == 200 and not any(name == "Set-Cookie" for name, _ in self.headers)  # noqa: PLR2004, HTTP


def answer(verdict: Verdict, location: str | None = None, *, app: Application | None, to_browser: bool) -> Answer:
    """Apply the table above, for the application that has the host, if one has.

    `location` is where the verdict leads, as of `targets.location`.
    """
    if verdict.outcome is Outcome.OK and app is not None:
        return Answer(200, (*_cookies(verdict), *_numbered(verdict), *header_lines(verdict, app)), verdict.reason)
    leads = to_browser and verdict.outcome is not Outcome.FORBIDDEN
    place = ((("Location" if leads else "X-Identity-Location"), location),) if location else ()
    if to_browser:
        status = _TO_BROWSER.get(verdict.outcome, 302 if location else 401)
        lines = (*_cookies(verdict), *place)
    else:
        status = _TO_PROXY.get(verdict.outcome, 401)
        said = (("X-Identity-Verdict", verdict.outcome.value), ("X-Identity-Reason", verdict.reason))
        lines = (*said, *place, *_cookies(verdict), *_numbered(verdict))
    again = (("Retry-After", str(StoreError.retry_after_s)),) if verdict.outcome is Outcome.RETRY else ()
    refused = None if leads and location else refusal(verdict)
    return Answer(status, (*lines, *again), verdict.reason, refused, verdict.username or "")


def _cookies(verdict: Verdict) -> Iterator[Header]:
    return (("Set-Cookie", cookie) for cookie in verdict.set_cookies)


def _numbered(verdict: Verdict) -> Iterator[Header]:
    return ((f"X-Identity-Cookie-{at}", str(cookie)) for at, cookie in enumerate(verdict.set_cookies, start=1))


def refusal(verdict: Verdict) -> IdentityError:
    """Return the error that says the same to a person, for a verdict that is not OK."""
    match verdict.outcome:
        case Outcome.RETRY:
            return StoreUnavailable(verdict.reason)
        case Outcome.FORBIDDEN if verdict.reason == NOT_ALLOWED:
            return NotAllowed()
        case Outcome.FORBIDDEN:
            return Forbidden(verdict.reason, public="This host is not registered with the login service.")
        case _:
            return LoginNeeded(verdict.reason)


def checked(verdict: Verdict, app: Application, place: str | None) -> dict[str, object]:
    """Return the answer of `/session/check`."""
    return {
        "verdict": verdict.outcome.value,
        "reason": verdict.reason,
        "user": user(verdict, app),
        "set_cookie": [str(cookie) for cookie in verdict.set_cookies],
        "location": place,
    }


def looked_at(verdict: Verdict, app: Application) -> dict[str, object]:
    """Return one answer of `/session/check-many`: nothing in it needs to reach the browser."""
    match verdict.outcome:
        case Outcome.OK:
            return {"active": True, "reason": verdict.reason, "user": user(verdict, app)}
        case Outcome.RETRY:
            return {"active": None, "reason": "retry"}
        case _:
            return {"active": False, "reason": verdict.reason}
