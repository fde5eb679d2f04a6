"""Logging out there and here: what providers tell of logouts, and the way to a provider's own logout.

Owns the translation between these requests and the service that ends sessions. No cookie ends anything here;
one, which comes from our own pages only, is shown to the provider as an ID token (`logout_hint.py`).

    POST /login/<provider>/backchannel   its server brings a token, which is all that proves the request
    GET  /login/<provider>/frontchannel  its logout page loads this in a frame; only who was told the
                                         name of a session in an ID token can name it
    GET  /login/<provider>/logout        after logging out here, the browser goes on to log out there
    GET  /logged-out                     where it comes back to
"""

import logging
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from tornado.web import RequestHandler

from identity.accounts.results import By
from identity.errors import BadInput, IdentityError, ProviderAway, ProviderTrouble
from identity.login.pacing import Counted
from identity.login.rules import provider_unknown
from identity.sessions.check import Outcome
from identity.web.http import parameters
from identity.web.http.base import Handler, Listener, Route
from identity.web.people import logout_hint
from identity.web.people.login import PROVIDER, LoginHandler
from providers.base import (
    EndsSessions,
    FramesLogouts,
    LogoutNotice,
    LogoutThere,
    NoticeRefused,
    ProviderBroken,
    ProviderSlow,
    TellsLogouts,
)

log = logging.getLogger("identity.web.people.provider_logout")

TOKEN_CHARS: Final = 16_384
LOGGED_OUT: Final = "/logged-out"


class BackChannelLogout(LoginHandler):
    """A provider's server brings a logout token. Answers in JSON, because no person asks."""

    documents_only = False
    cross_site_post = True
    max_body = 32_768
    head = RequestHandler.head

    async def post(self, name: str) -> None:
        """End what the token names."""
        provider: object = self.context.providers.get(name)
        if not isinstance(provider, TellsLogouts) or not provider.tells_logouts:
            raise provider_unknown()
        token = self.field("logout_token", limit=TOKEN_CHARS)
        if not token:
            raise BadInput("parameter-missing", public="The parameter “logout_token” is missing.")
        notice = await self._verified(provider, name, token)
        by = By("system", address=self.address, request_id=self.request_id, why="the provider's back-channel logout")
        outcome = await self.context.durable.run(partial(self.context.logouts.end, name, notice, by=by))
        log.info("%s told of a logout: %s", name, outcome)
        self.set_status(HTTPStatus.OK)
        await self.finish()

    async def _verified(self, provider: TellsLogouts, name: str, token: str) -> LogoutNotice:
        try:
            return await provider.read_logout(token, self.context.http(name))
        except NoticeRefused as fault:
            # Only what is refused is counted: a provider tells of all its people from one address.
            await self.keep_pace(Counted.NOTICE, name)
            raise self.context.logouts.refused(name, str(fault)) from fault
        except ProviderBroken as fault:
            trouble = ProviderAway if isinstance(fault, ProviderSlow) else ProviderTrouble
            raise trouble(detail=f"{name}: {fault}") from fault

    def answer_error(self, error: IdentityError) -> None:
        """Say it as to a program."""
        Handler.answer_error(self, error)


class FrontChannelLogout(LoginHandler):
    """A provider's logout page loads this in a frame (OpenID Connect Front-Channel Logout 1.0 §2)."""

    documents_only = False

    async def get(self, name: str) -> None:
        """End the session that the address names."""
        provider: object = self.context.providers.get(name)
        if not isinstance(provider, FramesLogouts) or not provider.logout_frame:
            raise provider_unknown()
        if self.answer_prefetch():
            return
        issuer = parameters.required(self.request.query_arguments, "iss")
        session = parameters.required(self.request.query_arguments, "sid")
        if issuer != provider.logout_frame:
            raise self.context.logouts.refused(name, "the frame names another issuer")
        by = By("system", address=self.address, request_id=self.request_id, why="the provider's front-channel logout")
        outcome = await self.context.durable.run(partial(self.context.logouts.end_session, name, session, by=by))
        if outcome == "nothing":
            await self.keep_pace(Counted.NOTICE, name)
        self._let_frame(provider.logout_frame)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        await self.finish()

    def _let_frame(self, issuer: str) -> None:
        parts = urlsplit(issuer)
        self.clear_header("X-Frame-Options")
        self.clear_header("Cross-Origin-Resource-Policy")
        origin = f"{parts.scheme}://{parts.netloc}"
        self.put_header("Content-Security-Policy", f"default-src 'none'; frame-ancestors {origin}; base-uri 'none'")


class EndThere(LoginHandler):
    """The way to a provider's own logout (OpenID Connect RP-Initiated Logout 1.0)."""

    async def get(self, name: str) -> None:
        """Send the browser there."""
        provider: object = self.context.providers.get(name)
        if not isinstance(provider, EndsSessions) or provider.logout_there is LogoutThere.NO:
            raise provider_unknown()
        if self.answer_prefetch():
            return
        names, back = self.context.names, f"{self.context.public_url}{LOGGED_OUT}"
        hint = self.context.logouts.hint(name, self.own_cookie(names.logout_hint))
        try:
            location = await provider.logout_location(back, self.context.http(name), hint=hint)
        except ProviderBroken as fault:
            raise ProviderTrouble(detail=f"{name}: {fault}") from fault
        if not location:
            raise ProviderTrouble(detail=f"{name}: its discovery document has no end_session_endpoint")
        if hint:
            self.put_cookie(logout_hint.removed(name, names=names))
        self.go_out(location)


class LoggedOutThere(LoginHandler):
    """Where a browser comes back to from a provider's logout."""

    async def get(self) -> None:
        """Say so; a browser that is logged in here sees its account."""
        verdict = await self.glance()
        if verdict.outcome is Outcome.OK:
            self.go("/account")
            return
        found = self.context.providers.get(self.query("state") or "")
        self.show("signed-out", scope="there", provider=found.label if found else "")


ROUTES: Final = (
    Route(f"{PROVIDER}/backchannel", BackChannelLogout, Listener.PUBLIC),
    Route(f"{PROVIDER}/frontchannel", FrontChannelLogout, Listener.PUBLIC),
    Route(f"{PROVIDER}/logout", EndThere, Listener.PUBLIC),
    Route(LOGGED_OUT, LoggedOutThere, Listener.PUBLIC),
)
