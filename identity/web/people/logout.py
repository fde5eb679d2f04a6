"""Logging out: of the login service, and of one application on its own host.

Owns the pages that ask and that say what was ended; ending is the session service's. Invariant:
logging out always leaves this browser, on this host, without our cookies, whatever the stores say,
because its owner may be leaving a computer that others use. What could not be reached is written
down, and the page says so.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from identity.errors import StoreError, StoreUnavailable
from identity.login import handover
from identity.sessions.check import Check, Mode, Verdict
from identity.sessions.record import Ended, Session
from identity.sessions.service import LOGOUT_DELETIONS
from identity.types import AccountId, Host, IdentityKey, Locator, SessionId
from identity.web.http import csrf
from identity.web.http.base import Listener, Route
from identity.web.http.page import PageHandler, Side
from identity.web.http.parameters import ADDRESS_CHARS
from identity.web.http.refusals import NotSameSite
from providers.base import EndsSessions, LogoutThere

LOGOUT: Final = "/logout"
HOSTS_CHARS: Final = 8_192
CLEARED: Final = '"cache"'
"""Not "cookies", which would take those of logins in progress and of other applications on this host and
beside it, nor "storage", which is the applications' own and may hold what a person has not sent yet."""
HOSTS: Final = 20
"""Applications that are named after they were ended; an account rarely has more in one browser."""
_DONE: Final = frozenset({"here", "everywhere"})
_DONE_THERE: Final = frozenset({"application", "login"})


class EndingPage(PageHandler):
    """What pages share that end sessions."""

    async def end(self, account_id: AccountId, session_id: SessionId, reason: Ended) -> tuple[str, ...]:
        """End one session; return the hosts of sub-sessions that ended with it. Raises StoreError."""
        ended = await self.context.checks.run(partial(self.context.sessions.end, account_id, session_id, reason=reason))
        self.context.metrics.count("identityd_sessions_ended_total", reason=reason.code)
        return ended

    async def keep(self, account_id: AccountId, session_id: SessionId, reason: Ended) -> bool:
        """Write down that a session must end, for when its store is back; tell whether that worked."""
        call = partial(self.context.accounts.end_later, account_id, session_id, reason=reason)
        try:
            await self.context.durable.run(call)
        except StoreUnavailable:
            return False
        return True

    def forget(self) -> None:
        """Delete every cookie of a session that this browser showed, instead of anything else set so far.

        With them goes what the browser keeps of this host's pages, which going back would show to the next
        person at this computer.
        """
        self.clear_header("Set-Cookie")
        self.set_header("Clear-Site-Data", CLEARED)
        for cookie in self.context.sessions.forget(self.session_check()):
            self.put_cookie(cookie)

    def show_trouble(self, code: str) -> None:
        """Answer 503 with a page of its own; unlike a raised error this keeps the cookies that were deleted."""
        self.reason = code
        self.set_status(HTTPStatus.SERVICE_UNAVAILABLE)
        self.set_header("Retry-After", str(StoreError.retry_after_s))
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(self.error_page(StoreUnavailable(code)))

    def called(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """Return what people call the applications of these hosts, each once."""
        return tuple(sorted({self.context.applications.called(Host(host)) for host in hosts}))

    def way_back(self) -> tuple[str, str]:
        """Return the way back to the application that led here, and what people call it; empty where none did."""
        there = self.context.login.safe_return(self.query("return_to", limit=ADDRESS_CHARS))
        host = urlsplit(there).netloc
        return (there, self.context.applications.called(Host(host))) if host else ("", "")

    def provider_label(self, name: str) -> str:
        """Return what people call a provider; the name itself for one that is not configured any more."""
        provider = self.context.providers.get(name)
        return provider.label if provider else name


class Logout(EndingPage):
    """Log out here. GET asks, because a link or an image on another site must not do it."""

    def session_check(self, *, mode: Mode = Mode.BROWSER) -> Check:
        """Ask for no new token where the answer is to delete them all; a form is never sent elsewhere first."""
        check = super().session_check(mode=mode)
        may_mint = check.may_mint and self.request.method != "POST"
        # What did not fit of the session into the answer that logged out is deleted by the page that says so.
        return replace(check, may_mint=may_mint, reading=False, deletions=LOGOUT_DELETIONS)

    async def get(self) -> None:
        """Ask; or say what was ended, where the browser has no session."""
        try:
            verdict = await self.visitor()
        except StoreUnavailable as trouble:
            self._offer_anyway(trouble)
            return
        if verdict.session is None or verdict.account_id is None:
            self.say_ended()
            return
        alive = await self.context.checks.run(self.context.sessions.alive, verdict.account_id)
        self.ask(verdict, verdict.session, alive)

    def ask(self, verdict: Verdict, session: Session, alive: Collection[Session]) -> None:
        """Show the form."""
        back, back_to = self.way_back()
        self.show(
            "logout",
            csrf=self.csrf_token(session.id),
            account=str(verdict.account_id),
            username=verdict.username,
            others=sum(each.login is None and each.id != session.id for each in alive),
            applications=self.called(hosts_below(session, alive)),
            back=back,
            back_to=back_to,
        )

    def ask_anyway(self, binding: SessionId) -> None:
        """Show the form although the store cannot say who is logged in."""
        self.show("logout", status=HTTPStatus.SERVICE_UNAVAILABLE, csrf=self.csrf_token(binding))

    def say_ended(self) -> None:
        """Say what was ended."""
        done = self.query("done") or ""
        there = self.way_there() if done in _DONE else ""
        leads = bool(there) and self.policy_there() is LogoutThere.YES
        if leads:
            # Not a redirect of the form's answer, which Chromium holds to `form-action`; and the person reads why.
            self.put_header("Refresh", f"0; url={there}")
        self.show(
            "signed-out",
            scope=done if done in _DONE else "already",
            there=there,
            leads=leads,
            provider=self.asked_provider(),
            applications=self.called(self.asked_hosts()),
        )

    async def post(self) -> None:
        """End this session and delete its cookies."""
        try:
            verdict = await self.visitor()
        except StoreUnavailable as trouble:
            await self._leave_anyway(trouble)
            return
        session, account_id = verdict.session, verdict.account_id
        if session is None or account_id is None:
            self._harmless = True  # there is no session a foreign form could end
            self.forget()
            self.go(self.request.path)
            return
        self.check_form(session.id)
        try:
            hosts = await self.end(account_id, self.meant(session), Ended.LOGOUT)
        except StoreError:
            await self._queue(account_id, self.meant(session))
            return
        self.note("logout", account_id, session=self.meant(session).hex())
        self.forget()
        self.go(self.after(session, hosts))

    def meant(self, session: Session) -> SessionId:
        """Return which session the form means to end."""
        return session.id

    def after(self, session: Session, hosts: Iterable[str]) -> str:
        """Return the address that says what was ended."""
        return ended_path(LOGOUT, done="here", session=session, hosts=hosts)

    def say_queued(self, *, kept: bool) -> None:
        """Say what happened while a store was away."""
        self.show_trouble("logout-queued" if kept else "logout-not-kept")

    def asked_provider(self) -> str:
        """Return the label of the provider the address names, if there is such a provider."""
        name = self.query("with") or ""
        return self.provider_label(name) if name in self.context.providers else ""

    def policy_there(self) -> LogoutThere:
        """Return whether the provider the address names shall log the person out too."""
        provider: object = self.context.providers.get(self.query("with") or "")
        return provider.logout_there if isinstance(provider, EndsSessions) else LogoutThere.NO

    def way_there(self) -> str:
        """Return where that provider's own logout begins; empty for none."""
        return "" if self.policy_there() is LogoutThere.NO else f"/login/{self.query('with')}/logout"

    def asked_hosts(self) -> tuple[str, ...]:
        """Return the applications' hosts the address names; others are not shown."""
        named = (self.query("ended", limit=HOSTS_CHARS) or "").split(",")
        return tuple(host for host in named[:HOSTS] if host in self.context.hosts)

    def _offer_anyway(self, trouble: StoreUnavailable) -> None:
        """Show the form to a browser with tokens we can read."""
        named = self.context.sessions.named(self.session_check())
        if not named:
            raise trouble
        self.set_header("Retry-After", str(StoreError.retry_after_s))
        self.ask_anyway(named[0][1])

    async def _leave_anyway(self, trouble: StoreUnavailable) -> None:
        """Delete the cookies while the store is away, and keep the logout if the form says whose it is.

        The tokens prove the session, the form token the form; the account's id, which only the
        record knows, comes with the form and counts only if it leads to the token's locator.
        """
        named = self.context.sessions.named(self.session_check())
        if not named:
            raise trouble
        found = self._proven(named)
        if found is None:
            raise NotSameSite("csrf", detail="form token made for no session shown") from trouble
        self._harmless = True
        locator, session_id = found
        account_id = _account_id(self.field("account") or "")
        if account_id is None or self.context.keys().locator(account_id) != locator:
            self.forget()
            self.say_queued(kept=False)
            return
        await self._queue(account_id, self.meant_unread(session_id))

    def meant_unread(self, shown: SessionId) -> SessionId:
        """Return which session the form means to end, while the record cannot be read."""
        return shown

    async def _queue(self, account_id: AccountId, session_id: SessionId) -> None:
        kept = await self.keep(account_id, session_id, Ended.LOGOUT)
        self.note("logout", account_id, session=session_id.hex(), reached="later" if kept else "no")
        self.forget()
        self.say_queued(kept=kept)

    def _proven(self, named: Collection[tuple[Locator, SessionId]]) -> tuple[Locator, SessionId] | None:
        shown = self.field(csrf.FIELD, limit=64) or ""
        return next((each for each in named if csrf.proves(self.context.keys(), each[1], shown)), None)


class ApplicationLogout(Logout):
    """Log out of one application on its host, or with it of the login it is below."""

    side = Side.APPLICATION

    def ask(self, verdict: Verdict, session: Session, alive: Collection[Session]) -> None:
        """Show both ways out: the next visit needs no click as long as the login lives."""
        login = next((each for each in alive if each.id == session.login), session)
        self.show(
            "logout-application",
            csrf=self.csrf_token(session.id),
            account=str(verdict.account_id),
            login=login.id.hex(),
            application=self.context.applications.called(self.host),
            username=verdict.username,
            others=self.called(host for host in hosts_below(login, alive) if host != self.host),
        )

    def ask_anyway(self, binding: SessionId) -> None:
        """Offer what can be done without the record."""
        status, here = HTTPStatus.SERVICE_UNAVAILABLE, self.context.applications.called(self.host)
        self.show("logout-application", status=status, csrf=self.csrf_token(binding), application=here)

    def say_ended(self) -> None:
        """Say whether only this application's session was ended, or the login with all of them."""
        done = self.query("done") or ""
        self.show(
            "signed-out",
            scope=done if done in _DONE_THERE else "already",
            there=self.context.public_url + way if done == "login" and (way := self.way_there()) else "",
            provider=self.asked_provider(),
            applications=self.called(self.asked_hosts()) if done == "login" else (),
            application=self.context.applications.called(self.host),
            again=handover.LOGIN,
        )

    def meant(self, session: Session) -> SessionId:
        """The login, if the form says so."""
        return session.login if self._whole and session.login else session.id

    def meant_unread(self, shown: SessionId) -> SessionId:
        """The same by the form alone: it can only name sessions of the account that the token belongs to."""
        login = self.field("login") or ""
        return SessionId(bytes.fromhex(login)) if self._whole and _SESSION.fullmatch(login) else shown

    def after(self, session: Session, hosts: Iterable[str]) -> str:
        """Name what was ended."""
        done = "login" if self._whole else "application"
        return ended_path(handover.LOGOUT, done=done, session=session, hosts=hosts)

    def say_queued(self, *, kept: bool) -> None:
        """Only this host's cookies are gone from the browser, and the page must not say more."""
        self.show_trouble("application-logout-queued" if kept else "application-logout-not-kept")

    @property
    def _whole(self) -> bool:
        return self.field("scope") == "login"


_SESSION: Final = re.compile(r"[0-9a-f]{32}")


def hosts_below(login: Session, alive: Iterable[Session]) -> tuple[str, ...]:
    """Return the hosts of a login's sub-sessions, each once."""
    return tuple(sorted({each.host for each in alive if each.login == login.id}))


def provider_of(identity: IdentityKey) -> str:
    """Return the name of the provider an identity is at."""
    return identity.partition(":")[0]


def ended_path(page: str, *, done: str, session: Session, hosts: Iterable[str]) -> str:
    """Return the address of the page that says what was ended."""
    said = {"done": done, "with": provider_of(session.identity)}
    named = ",".join(list(hosts)[:HOSTS])
    return f"{page}?{urlencode(said | ({'ended': named} if named else {}), safe=',:[]')}"


def _account_id(text: str) -> AccountId | None:
    try:
        return AccountId(UUID(text))
    except ValueError:
        return None


ROUTES: Final = (
    Route(LOGOUT, Logout, Listener.PUBLIC),
    Route(re.escape(handover.LOGOUT), ApplicationLogout, Listener.PUBLIC),
)
