"""The account's own pages: who am I, and where am I logged in.

Owns no rule: sessions are ended by the session service, everything at once by the account
service. Logging out of this browser is `logout.py`.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from identity.accounts.linking import Refuse, may_unlink
from identity.accounts.results import By, Change, NotEverywhereYet, NotReachedYet, Reached
from identity.accounts.service import AccountService
from identity.accounts.store import AccountRow, ProfileRow
from identity.errors import BadInput, Forbidden, StoreUnavailable
from identity.sessions.record import Ended, Session
from identity.types import AccountId, Host, IdentityKey, Millis, SessionId
from identity.web.http.base import Listener, Route
from identity.web.http.page import PageHandler, SignedIn
from identity.web.pages import Device, LinkedLogin, OpenedApplication
from identity.web.people import way_pages
from identity.web.people.logout import EndingPage, hosts_below, provider_of

_SESSION_HEX: Final = 32


class HomePage(PageHandler):
    """The bare address of the service."""

    async def get(self) -> None:
        """Lead to the account page, which leads a browser without a session to the login page."""
        self.go("/account")


class Account(EndingPage):
    """Who am I, and where am I logged in?"""

    async def get(self) -> None:
        """Show the account. Without the account store, show what the sessions alone tell."""
        who = await self.signed_in()
        alive, known = await asyncio.gather(
            self.context.checks.run(self.context.sessions.alive, who.account_id),
            self.context.durable.run(_known, self.context.accounts, who.account_id),
        )
        profile = known.profile if known else None
        back, back_to = self.way_back()
        self.show(
            "account",
            csrf=self.csrf_token(who.session.id),
            account=str(who.account_id),
            username=who.username,
            devices=tuple(self._device(session, alive, who) for session in alive if session.login is None),
            identities=self._identities(known) if known else None,
            name=profile.name if profile else "",
            email=profile.email if profile else "",
            done=self.query("done") or "",
            back=back,
            back_to=back_to,
        )

    def _device(self, session: Session, alive: Collection[Session], who: SignedIn) -> Device:
        return Device(
            id=session.id.hex(),
            agent=session.agent,
            address=session.address,
            provider=self.provider_label(provider_of(session.identity)),
            created_at=session.created_at,
            active_at=session.active_at,
            is_this=session.id == who.session.id,
            applications=tuple(self._opened(host) for host in hosts_below(session, alive)),
        )

    def _opened(self, host: str) -> OpenedApplication:
        origin = self.context.origin_of(Host(host))
        return OpenedApplication(self.context.applications.called(Host(host)), f"{origin}/" if origin else "")

    def _identities(self, known: "Known") -> tuple[LinkedLogin, ...]:
        account = known.account
        if account is None:
            return ()
        return tuple(
            LinkedLogin(
                provider_of(key),
                self.provider_label(provider_of(key)),
                each.label,
                each.linked_at,
                self._working_there(provider_of(key)),
                used_at=known.used.get(key),
                remove=f"{way_pages.REMOVE}?way={way_pages.way_id(key)}" if may_unlink(account, key) is None else "",
                suspended=bool(account.suspended(key)),
            )
            for key, each in sorted(account.identities.items(), key=lambda item: item[1].linked_at)
        )

    def _working_there(self, provider: str) -> tuple[str, ...]:
        """Return the applications that may fetch the provider's tokens, if they are kept."""
        context = self.context
        apps = context.applications.all() if context.tokens.keeps(provider) else ()
        return tuple(sorted(app.label or app.id for app in apps if provider in app.tokens_of))


class EndSession(EndingPage):
    """Log out one of my other sessions."""

    async def get(self) -> None:
        """Lead back: the address is a form's, and a login that interrupted it ends here."""
        self.go("/account")

    async def post(self) -> None:
        """End the session. Only this account's record is touched, so no other account's can be named."""
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


class EndAll(EndingPage):
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
            case Reached() | NotEverywhereYet():  # the sessions have ended, which is what was asked for
                self.forget()
                self.go(f"/logout?done=everywhere&with={provider_of(who.session.identity)}")
            case NotReachedYet():
                self.forget()
                self.show_trouble("everywhere-queued")
            case Refuse(reason=reason):
                raise Forbidden(reason.value)


@dataclass(frozen=True, slots=True)
class Known:
    """What the account store says about an account."""

    account: AccountRow | None
    profile: ProfileRow | None
    used: Mapping[IdentityKey, Millis]
    """When each way was logged in with last, as far as that is known."""


def _known(accounts: AccountService, account_id: AccountId) -> Known | None:
    """Read all of it in one hop; None while the store is away, which is no reason to hide the sessions."""
    try:
        return Known(accounts.account(account_id), accounts.profile(account_id), accounts.last_logins(account_id))
    except StoreUnavailable:
        return None


def _session_id(text: str) -> SessionId:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(text) != _SESSION_HEX or len(raw) * 2 != _SESSION_HEX:
        raise BadInput("session-id", public="The form does not say which session to end.")
    return SessionId(raw)


ROUTES: Final = (
    Route(r"/", HomePage, Listener.PUBLIC),
    Route(r"/account", Account, Listener.PUBLIC),
    Route(r"/account/sessions/end", EndSession, Listener.PUBLIC),
    Route(r"/account/sessions/end-all", EndAll, Listener.PUBLIC),
)
