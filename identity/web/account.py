"""The account's own pages: who am I, where am I logged in, log out.

Owns no rule: sessions are ended by the session service, everything at once by the account
service. Invariant: logging out always leaves this browser without our cookies, whatever the
stores say, because its owner may be leaving a computer that others use.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Final
from uuid import UUID

from identity.accounts.linking import Refuse
from identity.accounts.results import By, Change, NotReachedYet, Reached
from identity.accounts.service import AccountService
from identity.accounts.store import AccountRow, Profile
from identity.errors import BadInput, Forbidden, StoreError, StoreUnavailable
from identity.sessions.check import Check, Mode
from identity.sessions.record import Ended, Session
from identity.types import AccountId, IdentityKey, Locator, SessionId
from identity.web import csrf
from identity.web.base import RETRY_AFTER_S, Listener, Route
from identity.web.page import PageHandler, SignedIn, error_page
from identity.web.pages import Device, Identity
from identity.web.refusals import NotSameSite

_SESSION_HEX: Final = 32
_DONE: Final = frozenset({"here", "everywhere"})


class Start(PageHandler):
    """The bare address of the service."""

    async def get(self) -> None:
        """Lead to the account page, which leads to the login page where nobody is logged in."""
        self.go("/account")


class AccountPage(PageHandler):
    """What the other handlers here share."""

    async def end(self, account_id: AccountId, session_id: SessionId, reason: Ended) -> None:
        """End one session. Raises StoreError when it could not be reached."""
        await self.context.checks.run(partial(self.context.sessions.end, account_id, session_id, reason=reason))
        self.context.metrics.count("identityd_sessions_ended_total", reason=reason.code)

    async def keep(self, account_id: AccountId, session_id: SessionId, reason: Ended) -> bool:
        """Write down that a session must end, for when its store is back; tell whether that worked."""
        call = partial(self.context.accounts.end_later, account_id, session_id, reason=reason)
        try:
            await self.context.durable.run(call)
        except StoreUnavailable:
            return False
        return True

    def forget(self) -> None:
        """Delete every cookie of a session that this browser showed, instead of anything else set so far."""
        self.clear_header("Set-Cookie")
        for cookie in self.context.sessions.forget(self.session_check()):
            self.put_cookie(cookie)

    def show_trouble(self, code: str) -> None:
        """Answer 503 with a page of its own; unlike a raised error this keeps the cookies that were deleted."""
        self.reason = code
        self.set_status(HTTPStatus.SERVICE_UNAVAILABLE)
        self.set_header("Retry-After", str(RETRY_AFTER_S))
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(error_page(self.context, StoreUnavailable(code), request_id=self.request_id))

    def provider_label(self, name: str) -> str:
        """Return what people call a provider; the name itself for one that is not configured any more."""
        provider = self.context.providers.get(name)
        return provider.label if provider else name


class Account(AccountPage):
    """Who am I, and where am I logged in?"""

    async def get(self) -> None:
        """Show the account. Without the account store, show what the sessions alone tell."""
        who = await self.signed_in()
        devices, known = await asyncio.gather(
            self.context.checks.run(self.context.sessions.devices, who.account_id),
            self.context.durable.run(_known, self.context.accounts, who.account_id),
        )
        profile = known.profile if known else None
        self.show(
            "account",
            csrf=self.csrf_token(who.session.id),
            account=str(who.account_id),
            username=who.username,
            devices=tuple(self._device(session, who) for session in devices),
            identities=self._identities(known.account) if known else None,
            name=profile.display_name if profile else "",
            email=profile.email if profile else "",
            done="ended" if self.query("done") == "ended" else "",
        )

    def _device(self, session: Session, who: SignedIn) -> Device:
        return Device(
            id=session.id.hex(),
            agent=session.agent,
            address=session.address,
            provider=self.provider_label(_provider_of(session.identity)),
            created_at=session.created_at,
            active_at=session.active_at,
            is_this=session.id == who.session.id,
        )

    def _identities(self, account: AccountRow | None) -> tuple[Identity, ...]:
        linked = sorted(account.identities.items(), key=lambda item: item[1].linked_at) if account else []
        return tuple(
            Identity(_provider_of(key), self.provider_label(_provider_of(key)), each.label, each.linked_at)
            for key, each in linked
        )


class EndSession(AccountPage):
    """Log out one of my other sessions."""

    async def get(self) -> None:
        """Lead back: the address is a form's, and a login that interrupted it ends here."""
        self.go("/account")

    async def post(self) -> None:
        """End the session. Only this account's record is touched, so nobody else's can be named."""
        who = await self.signed_in()
        session_id = _session_id(self.field("session") or "")
        try:
            await self.end(who.account_id, session_id, Ended.REVOKED)
        except StoreUnavailable:
            if not await self.keep(who.account_id, session_id, Ended.REVOKED):
                raise
            self.show_trouble("end-queued")
            return
        self.note("session-end", who.account_id, session=session_id.hex())
        self.go("/account?done=ended")


class EndAll(AccountPage):
    """Log out everywhere."""

    async def get(self) -> None:
        """Lead back, as above."""
        self.go("/account")

    async def post(self) -> None:
        """End every session, this one included. The account service audits it."""
        who = await self.signed_in()
        by = By("self", address=self.address, request_id=self.request_id)
        change = Change(UUID(bytes=self.context.random(16), version=4), who.account_id, by)
        match await self.context.durable.run(self.context.accounts.end_everywhere, change):
            case Reached():
                self.forget()
                self.go(f"/logout?done=everywhere&with={_provider_of(who.session.identity)}")
            case NotReachedYet():
                self.forget()
                self.show_trouble("everywhere-queued")
            case Refuse(reason=reason):
                raise Forbidden(reason.value)


class Logout(AccountPage):
    """Log out here. GET asks, because a link or an image on another site must not do it."""

    def session_check(self, *, mode: Mode = Mode.BROWSER) -> Check:
        """Ask for no new token where the answer is to delete them all."""
        check = super().session_check(mode=mode)
        return replace(check, may_mint=check.may_mint and self.request.method != "POST")

    async def get(self) -> None:
        """Ask; or say what was ended, where nobody is logged in."""
        try:
            verdict = await self.visitor()
        except StoreUnavailable as trouble:
            self._offer_anyway(trouble)
            return
        if verdict.session is None or verdict.account_id is None:
            done = self.query("done") or ""
            name = self.query("with") or ""
            label = self.provider_label(name) if name in self.context.providers else ""
            self.show("signed-out", scope=done if done in _DONE else "already", provider=label)
            return
        devices = await self.context.checks.run(self.context.sessions.devices, verdict.account_id)
        self.show(
            "logout",
            csrf=self.csrf_token(verdict.session.id),
            account=str(verdict.account_id),
            username=verdict.username,
            others=sum(session.id != verdict.session.id for session in devices),
        )

    async def post(self) -> None:
        """End this session and delete its cookies."""
        try:
            verdict = await self.visitor()
        except StoreUnavailable as trouble:
            await self._leave_anyway(trouble)
            return
        if verdict.session is None or verdict.account_id is None:
            self._harmless = True  # there is no session a foreign form could end
            self.forget()
            self.go("/logout")
            return
        self.check_form(verdict.session.id)
        try:
            await self.end(verdict.account_id, verdict.session.id, Ended.LOGOUT)
        except StoreError:
            await self._queue(verdict.account_id, verdict.session.id)
            return
        self.note("logout", verdict.account_id, session=verdict.session.id.hex())
        self.forget()
        self.go(f"/logout?done=here&with={_provider_of(verdict.session.identity)}")

    def _offer_anyway(self, trouble: StoreUnavailable) -> None:
        """Show the form although the store cannot say who is logged in; for a browser with tokens we can read."""
        named = self.context.sessions.named(self.session_check())
        if not named:
            raise trouble
        self.set_header("Retry-After", str(RETRY_AFTER_S))
        self.show("logout", status=HTTPStatus.SERVICE_UNAVAILABLE, csrf=self.csrf_token(named[0][1]))

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
            self.show_trouble("logout-not-kept")
            return
        await self._queue(account_id, session_id)

    async def _queue(self, account_id: AccountId, session_id: SessionId) -> None:
        kept = await self.keep(account_id, session_id, Ended.LOGOUT)
        self.note("logout", account_id, session=session_id.hex(), reached="later" if kept else "no")
        self.forget()
        self.show_trouble("logout-queued" if kept else "logout-not-kept")

    def _proven(self, named: Collection[tuple[Locator, SessionId]]) -> tuple[Locator, SessionId] | None:
        shown = self.field(csrf.FIELD, limit=64) or ""
        return next((each for each in named if csrf.proves(self.context.keys(), each[1], shown)), None)


@dataclass(frozen=True, slots=True)
class Known:
    """What the account store says about an account."""

    account: AccountRow | None
    profile: Profile | None


def _known(accounts: AccountService, account_id: AccountId) -> Known | None:
    """Read both in one hop; None while the store is away, which is no reason to hide the sessions."""
    try:
        return Known(accounts.account(account_id), accounts.profile(account_id))
    except StoreUnavailable:
        return None


def _provider_of(identity: IdentityKey) -> str:
    return identity.partition(":")[0]


def _session_id(text: str) -> SessionId:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(text) != _SESSION_HEX or len(raw) * 2 != _SESSION_HEX:
        raise BadInput("session-id", public="The form does not say which session to end.")
    return SessionId(raw)


def _account_id(text: str) -> AccountId | None:
    try:
        return AccountId(UUID(text))
    except ValueError:
        return None


ROUTES: Final = (
    Route(r"/", Start, Listener.PUBLIC),
    Route(r"/account", Account, Listener.PUBLIC),
    Route(r"/account/sessions/end", EndSession, Listener.PUBLIC),
    Route(r"/account/sessions/end-all", EndAll, Listener.PUBLIC),
    Route(r"/logout", Logout, Listener.PUBLIC),
)
