"""Pages: who is visiting, forms, and what a verdict does to a browser.

Owns the translation of a browser's request into a `Check` and of a `Verdict` into cookies and
redirects. A handler asks one of three questions:

    `signed_in()`   this page needs a session: otherwise the browser goes to log in
    `visitor()`     this page works either way, and rotates the session if there is one
    `glance()`      look only: nothing is rotated, bounced or refused (callbacks; login pages, at first)

Whatever a handler does here, it does only for a page load: our pages share their origin with any
application on the same host, and its scripts and frames get none of them and send none of their forms.

Every POST must prove that its form came from our page: `signed_in()` does it by itself, pages
without a session call `check_form`. A POST handler that answers without either fails.
"""

from asyncio import Future
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar, Final, NoReturn
from urllib.parse import quote, urlencode

from tornado.httputil import HTTPInputError, parse_body_arguments
from tornado.web import Finish

from identity.errors import BadInput, IdentityError, NotFound, StoreUnavailable
from identity.forward_auth import requests, targets
from identity.login import handover
from identity.sessions.check import DELETIONS, Check, Mode, Outcome, Verdict
from identity.sessions.client_summary import summarise_address, summarise_agent
from identity.sessions.record import Session
from identity.types import AccountId, Host, Username
from identity.web.http import csrf, fetch_metadata, parameters
from identity.web.http.base import Handler, host_of, is_local, require_host
from identity.web.http.refusals import NotAPage, NotSameSite, WrongMediaType
from identity.web.pages.script import SOURCE
from identity.web.state.context import Context

PRELOAD: Final = f"<{targets.ACK}>; rel=preload; as=image"
"""Makes the browser come back at once with the token it was just given, without any script."""
LONG_JAR: Final = 6_000
"""Characters of cookies, 48 names of ours; servers that take 8 KB of header refuse soon after."""
LONG_JAR_DELETIONS: Final = 30
"""Lines that fit, beside the rest, into the 4 KB that proxies keep for an answer's headers."""
CSP: Final = (
    f"default-src 'none'; script-src {SOURCE}; style-src 'self'; img-src 'self' data:; "
    "form-action {forms}; frame-ancestors 'none'; base-uri 'none'"
)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose page it is."""

    session: Session
    account_id: AccountId
    username: Username


class Side(Enum):
    """Whose host a page is on. A sub-session must not reach the login host's pages, nor the reverse."""

    LOGIN = "login"
    APPLICATION = "application"
    ANY = "any"


class PageHandler(Handler):
    """Answers people's browsers with HTML."""

    side: ClassVar[Side] = Side.LOGIN
    documents_only: ClassVar[bool] = True
    """False only for what shows nothing of a session and takes no form; a test lists them."""
    cross_site_post: ClassVar[bool] = False
    """True only for a provider's callback by cross-site POST, which is proven by its flow record."""
    _harmless: bool = False
    """The form was proven to be ours, or nothing was done with it."""
    _personal: bool = False
    """A session was found, and the page may show whose it is."""

    # --- answering -----------------------------------------------------------------------

    def show(self, page: str, /, *, status: HTTPStatus = HTTPStatus.OK, **values: object) -> None:
        """Render and send a page. A page that sets cookies asks the browser to come back with them."""
        body = self.context.pages.render(page, **self._home_link(), **values)
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        if status == HTTPStatus.OK:
            # A page may enter the back/forward cache, but not be shown again unasked (RFC 9111). One that says
            # who the person is may not: after the logout, going back would show it to the next person there.
            self.set_header("Cache-Control", "no-store" if self._personal else "no-cache, private")
        self.finish(body)

    def csrf_token(self, binding: bytes) -> str:
        """Return the token for the forms of a page bound to this session id or binding cookie."""
        return csrf.token(self.context.keys(), binding, now=self.context.clock())

    # --- reading -------------------------------------------------------------------------

    def field(self, name: str, *, limit: int = parameters.LIMIT) -> str | None:
        """Return a form field, or None. Raises BadInput, WrongMediaType."""
        fields = self.form
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise WrongMediaType(public="Send the form as application/x-www-form-urlencoded.")
        return parameters.one(fields, name, limit=limit)

    @cached_property
    def form(self) -> Mapping[str, Sequence[bytes]]:
        """The fields of the form that was sent, read once. Raises BadInput."""
        fields: dict[str, list[bytes]] = {}
        headers = self.request.headers
        try:
            parse_body_arguments(headers.get("Content-Type", ""), self.body, fields, {}, headers)
        except HTTPInputError as error:
            raise BadInput(detail=str(error)) from None
        return fields

    def check_form(self, binding: bytes) -> None:
        """Raise NotSameSite unless the form was made for this session id or binding cookie."""
        shown = self.field(csrf.FIELD, limit=64) or ""
        if not csrf.proves(self.context.keys(), binding, shown):
            raise NotSameSite("csrf", detail="form token missing or made for another session")
        self._harmless = True

    # --- sessions ------------------------------------------------------------------------

    async def signed_in(self) -> SignedIn:
        """Return whose session this is; otherwise answer with a bounce or the login page, and stop."""
        verdict = await self.visitor()
        if verdict.session is None or verdict.account_id is None or verdict.username is None:
            reading = self.request.method in ("GET", "HEAD")
            here = (self.request.uri if reading else self.request.path) or "/"
            self.send_to_login(verdict, back=targets.ascii_uri(here))
        if self.request.method == "POST":
            self.check_form(verdict.session.id)
        return SignedIn(verdict.session, verdict.account_id, verdict.username)

    async def visitor(self, *, entering: str = "", for_page: bool = False) -> Verdict:
        """Return the verdict, OK or LOGIN, its cookies set; bounces and 503 are answered here.

        FORBIDDEN too, if the person wants to enter an application that they may not. `for_page` is of the `Check`.
        """
        check = replace(self.session_check(), entering=entering, for_page=for_page)
        verdict = await self.context.asker.ask(check)
        match verdict.outcome:
            case Outcome.BOUNCE:
                self._take_cookies(verdict)
                self._bounce(verdict)
            case Outcome.RETRY:
                raise StoreUnavailable(verdict.reason)
            case _:
                self._take_cookies(verdict)
        return verdict

    async def glance(self) -> Verdict:
        """Return what the cookies say without changing anything: OK, LOGIN, or RETRY."""
        return await self.context.asker.ask(self.session_check(mode=Mode.READ_ONLY))

    def session_check(self, *, mode: Mode = Mode.BROWSER) -> Check:
        """Translate the request."""
        headers = self.request.headers
        cookies = self.cookie_lines()
        return Check(
            cookies=cookies,
            host=self.host,
            mode=mode,
            navigation=requests.is_navigation(self.request.method or "", headers),
            reading=self.request.method in ("GET", "HEAD"),
            may_mint="prefetch" not in headers.get("Sec-Purpose", ""),
            flag=targets.flag_of(self.request.uri or ""),
            # A script may come to `/.identityd/ack` by itself.
            user_activity=requests.said_activity(headers) is not False,
            deletions=LONG_JAR_DELETIONS if sum(map(len, cookies)) > LONG_JAR else DELETIONS,
            address=summarise_address(self.address),
            agent=summarise_agent(self.agent),
        )

    def _take_cookies(self, verdict: Verdict) -> None:
        self.reason = verdict.reason
        self._personal = verdict.session is not None
        for cookie in verdict.set_cookies:
            self.put_cookie(cookie)
        if verdict.minted:
            self.put_header("Link", PRELOAD)

    def _bounce(self, verdict: Verdict) -> NoReturn:
        self._harmless = True
        here = targets.ascii_uri(self.request.uri or "/")
        location = targets.with_flag(here, verdict.flag) if verdict.flag else here
        self.go(location, status=HTTPStatus.TEMPORARY_REDIRECT)
        raise Finish

    def send_to_login(self, verdict: Verdict, *, back: str) -> NoReturn:
        """Redirect to the login page, which leads back to a path of this site, and stop."""
        self._harmless = True
        back = targets.without_flag(back)  # after a login nothing is bounced any more
        reason = "" if verdict.reason == "anonymous" else verdict.reason
        if self.is_application:
            self.go(handover.login_path(back, reason=reason))
        else:
            asked = {"return_to": back, **({"reason": reason} if reason else {})}
            self.go(f"/login?{urlencode(asked, quote_via=quote)}")
        raise Finish

    @property
    def host(self) -> Host:
        """The host this request is for, as hosts are configured."""
        return host_of(self.request.host, secure=self.context.secure)

    @property
    def is_application(self) -> bool:
        """Tell whether the page is on an application's host."""
        return self.host != self.context.public_host

    # --- what tornado calls --------------------------------------------------------------

    def prepare(self) -> None:
        """Refuse foreign hosts, scripts and frames of an application on this host, and forms of other sites."""
        super().prepare()
        require_host(self.host, self.context.hosts)
        if self.side is not Side.ANY and self.is_application != (self.side is Side.APPLICATION):
            raise NotFound
        if self.documents_only and not fetch_metadata.is_page_load(self.request.headers):
            raise NotAPage
        if self.request.method == "POST":
            self._harmless = self.cross_site_post
            self._require_same_site()

    def set_default_headers(self) -> None:
        """Add what keeps a page from being framed, scripted or sent elsewhere."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", CSP.format(forms=self._form_targets))
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Cross-Origin-Opener-Policy", fetch_metadata.opener_policy(self.request.headers))
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Vary", fetch_metadata.VARY)
        # Not `no-referrer`: with it browsers send `Origin: null` with our own forms.
        self.set_header("Referrer-Policy", "same-origin")
        if self.context.secure:
            # What holds for the hosts below an application's own is for the application to say.
            wider = "" if self.is_application else self.context.hsts
            self.set_header("Strict-Transport-Security", f"max-age=31536000{wider}")

    def head(self, *args: str, **named: str) -> Awaitable[None] | None:
        """Answer like GET, without the body."""
        return self.get(*args, **named)

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> "Future[None]":
        """Send the answer; a POST that nothing proved to be ours must not have done anything."""
        if self.request.method == "POST" and not self._harmless and self.get_status() < HTTPStatus.BAD_REQUEST:
            raise IdentityError(detail=f"{type(self).__name__} answered a POST without checking its form")
        return super().finish(chunk)

    def answer_error(self, error: IdentityError) -> None:
        """Show the error as a page; to what cannot show one, say it as to a program."""
        if isinstance(error, NotAPage):
            super().answer_error(error)
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(self.worded(error))

    def worded(self, error: IdentityError) -> bytes:
        """Return the page of an error."""
        return self.error_page(error, again=self._worth_another_try(error))

    def error_page(self, error: IdentityError, *, again: str = "", **more: object) -> bytes:
        """Render the page of an error, with ways on that exist on this host; `more` is the page's."""
        told: dict[str, object] = {"again": again, **more, **self._home_link()}
        if self.is_application:
            told["login"] = handover.LOGIN
            # A host that is not ours is never repeated on a page of ours.
            if self.context.applications.of_host(self.host):
                told |= {"back": "/", "back_to": self.context.applications.called(self.host)}
        return error_page(self.context, error, request_id=self.request_id, **told)

    def _home_link(self) -> dict[str, str]:
        """Return where the login service's own pages are, for a page on another host."""
        return {"home": f"{self.context.public_url}/"} if self.is_application else {}

    def _worth_another_try(self, error: IdentityError) -> str:
        """Return this page's address if loading it again may work, which for a form would send it again."""
        here = targets.without_flag(self.request.uri or "/")
        reading = self.request.method in ("GET", "HEAD")
        return here if reading and error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and is_local(here) else ""

    @property
    def _form_targets(self) -> str:
        # Chromium holds the redirect after a form to this as well, and a login may end elsewhere.
        return " ".join(("'self'", *sorted(self.context.form_origins)))

    def _require_same_site(self) -> None:
        if self.cross_site_post:
            return
        # This host alone: an application's page must not send our forms on another one.
        origins = frozenset({f"{'https' if self.context.secure else 'http'}://{self.host}"})
        if not csrf.from_own_site(self.request.headers, origins=origins):
            raise NotSameSite(detail="Origin or Sec-Fetch-Site of another site")


def error_page(context: Context, error: IdentityError, *, request_id: str, **ways: object) -> bytes:
    """Render the page that says what happened, what is safe and what to do.

    `ways` may hold `again`, an address worth another try; `provider`, the label of the one that
    failed; `others`, the ways to log in without it; `username`, who is logged in all the same; `login`
    and `home`, where these are on another host; `back` and `back_to`, the application that led here.
    """
    return context.pages.render(
        "error",
        status=error.status,
        code=error.code,
        public=error.public,
        request_id=request_id,
        **ways,
    )
