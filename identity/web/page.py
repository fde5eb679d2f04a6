"""Pages: who is visiting, forms, and what a verdict does to a browser.

Owns the translation of a browser's request into a `Check` and of a `Verdict` into cookies and
redirects. A handler asks one of three questions:

    `signed_in()`   this page needs a session: otherwise the browser goes to log in
    `visitor()`     this page works either way, and rotates the session if there is one
    `glance()`      look only: nothing is rotated, bounced or refused (login pages, callbacks)

Every POST must prove that its form came from our page: `signed_in()` does it by itself, pages
without a session call `check_form`. A POST handler that answers without either fails.
"""

from asyncio import Future
from collections.abc import Awaitable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Final, NoReturn
from urllib.parse import quote, urlencode

from tornado.web import Finish

from identity.errors import IdentityError, StoreUnavailable
from identity.sessions.check import Check, Mode, Outcome, Verdict
from identity.sessions.record import Session
from identity.types import AccountId, Username
from identity.web import csrf, parameters, verdicts
from identity.web.base import Handler, host_of, is_local, require_host
from identity.web.context import Context
from identity.web.places import summarise_address, summarise_agent
from identity.web.refusals import NotSameSite, WrongMediaType

PRELOAD: Final = f"<{verdicts.ACK}>; rel=preload; as=image"
"""Makes the browser come back at once with the token it was just given, without any script."""
CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "form-action {forms}; frame-ancestors 'none'; base-uri 'none'"
)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose page it is."""

    session: Session
    account_id: AccountId
    username: Username


class PageHandler(Handler):
    """Answers people's browsers with HTML."""

    cross_site_post: ClassVar[bool] = False
    """True only for a provider's callback by cross-site POST, which is proven by its flow record."""
    _harmless: bool = False
    """The form was proven to be ours, or nothing was done with it."""

    # --- answering -----------------------------------------------------------------------

    def show(self, page: str, /, *, status: HTTPStatus = HTTPStatus.OK, **values: object) -> None:
        """Render and send a page. A page that sets cookies asks the browser to come back with them."""
        body = self.context.pages.render(page, **values)
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        if status == HTTPStatus.OK:
            # A page may enter the back/forward cache, but not be shown again unasked (RFC 9111).
            self.set_header("Cache-Control", "no-cache, private")
        self.finish(body)

    def csrf_token(self, binding: bytes) -> str:
        """Return the token for the forms of a page bound to this session id or binding cookie."""
        return csrf.token(self.context.keys(), binding, now=self.context.clock())

    # --- reading -------------------------------------------------------------------------

    def field(self, name: str, *, limit: int = parameters.LIMIT) -> str | None:
        """Return a form field, or None. Raises BadInput, WrongMediaType."""
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise WrongMediaType(public="Send the form as application/x-www-form-urlencoded.")
        return parameters.one(self.request.body_arguments, name, limit=limit)

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
            self.send_to_login(verdict, back=verdicts.ascii_uri(here))
        if self.request.method == "POST":
            self.check_form(verdict.session.id)
        return SignedIn(verdict.session, verdict.account_id, verdict.username)

    async def visitor(self) -> Verdict:
        """Return the verdict, OK or LOGIN, its cookies set; bounces and 503 are answered here."""
        verdict = await self.context.asker.ask(self.session_check())
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
        return Check(
            cookies=self.cookie_lines(),
            host=host_of(self.request.host, secure=self.context.secure),
            mode=mode,
            navigation=headers.get("Sec-Fetch-Mode", "navigate") == "navigate",
            may_mint="prefetch" not in headers.get("Sec-Purpose", ""),
            bounced=verdicts.is_flagged(self.request.uri or ""),
            address=summarise_address(self.address),
            agent=summarise_agent(self.agent),
        )

    def _take_cookies(self, verdict: Verdict) -> None:
        self.reason = verdict.reason
        for cookie in verdict.set_cookies:
            self.put_cookie(cookie)
        if verdict.minted:
            self.put_header("Link", PRELOAD)

    def _bounce(self, verdict: Verdict) -> NoReturn:
        self._harmless = True
        here = verdicts.ascii_uri(self.request.uri or "/")
        location = verdicts.with_flag(here) if verdict.flag_bounce else here
        self.go(location, status=HTTPStatus.TEMPORARY_REDIRECT)
        raise Finish

    def send_to_login(self, verdict: Verdict, *, back: str) -> NoReturn:
        """Redirect to the login page, which leads back to a path of this site, and stop."""
        self._harmless = True
        asked = {"return_to": verdicts.without_flag(back)}  # after a login nothing is bounced any more
        if verdict.reason != "anonymous":
            asked["reason"] = verdict.reason
        self.go(f"/login?{urlencode(asked, quote_via=quote)}")
        raise Finish

    # --- what tornado calls --------------------------------------------------------------

    def prepare(self) -> None:
        """Refuse foreign hosts and forms of other sites."""
        super().prepare()
        require_host(host_of(self.request.host, secure=self.context.secure), self.context.hosts)
        if self.request.method == "POST":
            self._harmless = self.cross_site_post
            self._require_same_site()

    def set_default_headers(self) -> None:
        """Add what keeps a page from being framed, scripted or sent elsewhere."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", CSP.format(forms=self._form_targets))
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        # Not `no-referrer`: with it browsers send `Origin: null` with our own forms.
        self.set_header("Referrer-Policy", "same-origin")
        if self.context.secure:
            self.set_header("Strict-Transport-Security", "max-age=31536000")

    def head(self, *args: str, **named: str) -> Awaitable[None] | None:
        """Answer like GET, without the body."""
        return self.get(*args, **named)

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> "Future[None]":
        """Send the answer; a POST that nothing proved to be ours must not have done anything."""
        if self.request.method == "POST" and not self._harmless and self.get_status() < HTTPStatus.BAD_REQUEST:
            raise IdentityError(detail=f"{type(self).__name__} answered a POST without checking its form")
        return super().finish(chunk)

    def answer_error(self, error: IdentityError) -> None:
        """Show the error as a page."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(error_page(self.context, error, request_id=self.request_id, again=self._worth_another_try(error)))

    def _worth_another_try(self, error: IdentityError) -> str:
        """Return this page's address if loading it again may work, which for a form would send it again."""
        here = verdicts.without_flag(self.request.uri or "/")
        reading = self.request.method in ("GET", "HEAD")
        return here if reading and error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and is_local(here) else ""

    @property
    def _form_targets(self) -> str:
        # Chromium holds the redirect after a form to this as well, and a login may end elsewhere.
        return " ".join(("'self'", *sorted(self.context.form_origins)))

    def _require_same_site(self) -> None:
        if self.cross_site_post:
            return
        origins = frozenset({self.context.public_url}) | {
            f"{'https' if self.context.secure else 'http'}://{host}" for host in self.context.hosts
        }
        if not csrf.from_own_site(self.request.headers, origins=origins):
            raise NotSameSite(detail="Origin or Sec-Fetch-Site of another site")


def error_page(
    context: Context, error: IdentityError, *, request_id: str, again: str = "", provider: str = ""
) -> bytes:
    """Render the page that says what happened, what is safe and what to do.

    `again` is an address worth another try, `provider` the label of the one that failed.
    """
    return context.pages.render(
        "error",
        status=error.status,
        code=error.code,
        public=error.public,
        request_id=request_id,
        again=again,
        provider=provider,
    )
