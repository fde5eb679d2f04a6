"""The end of a login: what a provider answered, and what became of it.

Owns the order from a provider's answer to a session, a username form, a confirmation or an error; what all steps
of a login share is `login.py`.
"""

import contextlib
import logging
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Final

from identity.accounts.cases import AlreadyLinked, LoginPurpose
from identity.accounts.linking import Refusal
from identity.errors import BadInput, FlowInvalid, StoreUnavailable
from identity.login.flow import SIGN_UP_MS, Flow
from identity.login.link_record import Holder
from identity.login.pacing import Counted
from identity.login.results import ConfirmLink, Finished, LoggedIn, LoginBusy, LoginDenied, NeedsUsername, OtherAccount
from identity.login.returning import FALLBACK
from identity.sessions.check import Outcome, SetCookie
from identity.types import DAY, SECOND
from identity.web.http import parameters
from identity.web.people import logout_hint, way_pages
from identity.web.people.login import ANSWER_CHARS, DENIED, INVITATION, STALE, LoginHandler, chooser_path, welcome_path
from providers.base import Callback, Provider, ProviderBroken, ProviderDenied, ProviderProfile
from providers.refusals import says_no, word_of

log = logging.getLogger("identity.web.people.login")

_PROOFS: Final = ("code", "oauth_token", "oauth_verifier")
"""What is exchanged for a token, in OAuth 2 and in OAuth 1.0a (RFC 5849 §2.2)."""
_LAST_MS: Final = 180 * DAY


class ProviderAnswer(LoginHandler):
    """The way back from a provider."""

    async def get(self, name: str) -> None:
        """Finish the login this answer belongs to."""
        provider = self.provider(name)
        if self.answer_prefetch():
            return
        self.offer(provider, FALLBACK)
        params = parameters.Sent(self.request.query_arguments, limit=ANSWER_CHARS)
        state = self.state(name, params)
        if state is None:
            self.go(chooser_path(DENIED, FALLBACK))
            return
        await self.conclude(provider, state, params)

    async def conclude(self, provider: Provider, state: str, params: Mapping[str, str] | None = None) -> None:
        """End the login; without `params` its answer is in its cookie, brought by a POST before."""
        context, cookie, name = self.context, self.context.names.flow(state), provider.name
        take = partial(context.login.take, carried=params is None)
        try:
            flow = await context.durable.run(take, state, name, self.binding(cookie))
        except FlowInvalid:
            await self._recognise()
            raise
        await self.keep_pace(Counted.ANSWER, name)
        holder = await self._holder(flow)
        self.invited = bool(flow.invitation)
        self.spend(cookie)
        max_age = 0 if flow.force_login and not way_pages.asks_by_itself(flow) else None
        purpose = flow.purpose if way_pages.asks_by_itself(flow) else LoginPurpose.SIGN_IN
        self.offer(provider, flow.return_to, stay=self.said(flow), max_age=max_age, purpose=purpose)
        if params is None:
            told = context.login.told(name, self.binding(context.names.told_once))
            params = {**told, **(flow.answer or {}), "state": state}
        profile = await self._ask(provider, flow, params)
        if profile is None:
            self._lead_on_denied(flow, max_age)
            return
        try:
            finish = partial(context.login.finish, holder=holder)
            outcome = await context.durable.run(finish, flow, profile, self.visit())
        except FlowInvalid:
            await self._recognise()
            raise
        self._tell(outcome, flow, profile.id_token, max_age=max_age)

    def _lead_on_denied(self, flow: Flow, max_age: int | None) -> None:
        self.put_spent()
        denied = chooser_path(DENIED, flow.return_to, stay=self.said(flow), max_age=max_age)
        self.go(INVITATION if self.invited else way_pages.denied_path(flow) or denied)

    def _tell(self, outcome: Finished, flow: Flow, id_token: str, *, max_age: int | None) -> None:
        """Answer with what became of a proven login."""
        match outcome:
            case OtherAccount():
                self.again = way_pages.again_path(flow) or chooser_path("", flow.return_to, max_age=max_age)
                raise way_pages.not_theirs(flow)
            case ConfirmLink() | AlreadyLinked():
                self._confirm(outcome)
            case LoginDenied(reason=Refusal.BELONGS_TO_OTHER):
                self.put_spent()
                self.show(way_pages.TAKEN, status=HTTPStatus.CONFLICT, provider=self.at)
            case _:
                self._end(outcome, flow, id_token)

    def _confirm(self, outcome: ConfirmLink | AlreadyLinked) -> None:
        """Lead on a person whose proven identity is, or may become, a way to log in to their account."""
        self.put_spent()
        self.ask_to_confirm(outcome)

    async def _holder(self, flow: Flow) -> Holder | None:
        """Return who is logged in, where a link ends; before the login is used up. Raises FlowInvalid.

        Raises StoreUnavailable while it cannot be found out: the same answer may be brought again.
        """
        if flow.purpose is not LoginPurpose.LINK:
            return None
        verdict = await self.look()
        if verdict.outcome is Outcome.RETRY or verdict.reason == STALE:
            raise StoreUnavailable(detail=f"whose account is linked: {verdict.reason}")
        holder = self.holder_of(verdict)
        self.context.login.require_holder(flow, holder)
        return holder

    async def _recognise(self) -> None:
        """Find out who is logged in although this answer is worth nothing, for the error page."""
        with contextlib.suppress(StoreUnavailable):
            self.who = (await self.glance()).username or ""

    def state(self, name: str, params: Mapping[str, str]) -> str | None:
        """Return which login an answer belongs to; None if it names none and is a denial, which uses none up.

        Raises BadInput, before any login is used up, if what every answer is read by cannot be read.
        """
        # Read here as well, so that one which is repeated uses no login up.
        state, said = params.get("state"), word_of(params)
        for proof in _PROOFS:
            params.get(proof)
        if state:
            return state
        # Some providers forget the state on a refusal, and the person wants a way on all the same.
        if says_no(params):
            log.info("%s denied a login that its answer does not name", name)
            return None
        detail = f"an answer of {name} without a state" + (f", which says {said}" if said else "")
        raise BadInput("parameter-missing", detail=detail, public="The parameter “state” is missing.")

    async def _ask(self, provider: Provider, flow: Flow, params: Mapping[str, str]) -> ProviderProfile | None:
        """Return who the provider says it is; None if it, or the person, said no."""
        login, now_s = self.context.login, self.context.clock() // SECOND
        answer = Callback(params, login.start_of(flow), flow.kept, now_s)
        try:
            return await provider.finish(answer, self.context.http(provider.name))
        except ProviderDenied as denial:
            log.info("%s denied a login: %s", provider.name, denial)
            login.denied(flow, self.visit())
            return None
        except ProviderBroken as error:
            raise self.broken(provider, error) from error

    def _end(self, outcome: LoggedIn | NeedsUsername | LoginDenied | LoginBusy, flow: Flow, id_token: str) -> None:
        names, provider = self.context.names, flow.provider
        if isinstance(outcome, LoginDenied | LoginBusy):
            self.refuse(outcome)
        self.put_cookie(SetCookie(names.last_provider, provider, _LAST_MS // SECOND, names.secure))
        if id_token:
            hint = self.context.logouts.carried_hint(provider, id_token, room=logout_hint.room_beside(outcome))
            self.put_cookie(logout_hint.made(provider, hint, persistent=flow.persistent, names=names))
        if isinstance(outcome, LoggedIn):
            self.enter(outcome)
            return
        self.put_spent()
        self.bind(names.sign_up(outcome.reference), outcome.binding, lasts_ms=SIGN_UP_MS)
        self.go(welcome_path(outcome.reference))
