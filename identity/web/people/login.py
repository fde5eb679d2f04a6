"""Logging in: what all steps of a login share.

Owns the translation between a browser and the login service: addresses, cookies, pages. Every
rule is the service's. What a provider sends is logged as its code and never shown. Cookies of a
login are set and deleted here and nowhere else:

    cookie                 set                       deleted
    ---------------------  ------------------------  -------------------------------------------
    flow binding           a login begins, or its    its answer came, whatever it was
                           answer is posted
    sign-up binding        a username is needed      the account is made, or the login is refused
    link binding           a way was proven (also    it is linked, or refused (`ways.py`)
                           `ways.py`)
    last provider          a provider proved who     never; it lasts half a year
                           the person is
    told once              a posted answer has it    a login ends well
    invitation             an invitation's link is   a login ends well
                           opened
    logout hint            a provider with a logout  the browser logs out there
                           proved who the person is
    session token          a login ends well         (the session service says)
"""

import contextlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final, NoReturn
from urllib.parse import quote, urlencode, urlsplit

from identity.accounts.cases import AlreadyLinked, LoginPurpose
from identity.accounts.invitation import PATH
from identity.accounts.linking import Refusal
from identity.errors import (
    Forbidden,
    IdentityError,
    LoginNotFresh,
    ProviderAway,
    ProviderTrouble,
    StoreUnavailable,
    TooOften,
)
from identity.login.flow import Flow
from identity.login.freshness import OwnerProof, owner_proof
from identity.login.link_record import LINK_MS, Holder
from identity.login.pacing import Counted
from identity.login.results import ConfirmLink, LoggedIn, LoginBusy, LoginDenied, Visit
from identity.login.returning import FALLBACK
from identity.login.rules import provider_unknown
from identity.login.staying import Stay
from identity.sessions.check import SetCookie, Verdict
from identity.sessions.record import Ended, Session
from identity.web.http import parameters
from identity.web.http.page import PageHandler
from identity.web.http.refusals import SignUpBeingFinished
from identity.web.pages import Way
from identity.web.people import binding_cookies, way_pages
from identity.web.people.logout import provider_of
from identity.web.people.refusal_words import REFUSALS
from providers.base import (
    LoginStale,
    ProvesLogins,
    Provider,
    ProviderBroken,
    ProviderSlow,
)

log = logging.getLogger("identity.web.people.login")

DENIED: Final = "provider-denied"
DOUBTFUL: Final = "doubtful"
"""A session that leads to no application until the next login, because below it a copy was used."""
STALE: Final = "stale"
UNPROVEN: Final = "no-fresh-login"
"""A provider that cannot prove a fresh login was to prove one."""
REASONS: Final = frozenset(
    {*(ended.code for ended in Ended), "anonymous", STALE, "foreign", "newer-key", DENIED, DOUBTFUL, UNPROVEN}
)
"""Why a browser was sent to the login page, as far as the page has words for it."""
INVITATION: Final = PATH
"""The page of an invitation whose link this browser opened."""
NOTICES: Final = "/account/notice"
ANSWER_CHARS: Final = 8_192
"""Characters of one parameter of a provider's answer; codes of some are kilobytes long."""
PURPOSE: Final = "for"
"""Parameter that says what a login is for, if it is not to log in."""
PROVIDER: Final = "/login/([a-z0-9-]{1,32})"


class LoginHandler(PageHandler):
    """What the steps of a login share."""

    _spent: SetCookie | None = None
    """Deletes the binding of a record that was used up, on whatever is answered."""
    at: str = ""
    """Label of the provider, for the error page."""
    again: str = ""
    """What is worth trying again, for the error page."""
    others: Callable[[], Sequence[Way]] = tuple
    """Gives the ways to log in without this provider, for the error page."""
    who: str = ""
    """Who is logged in although this login came to nothing, for the error page."""
    invited: bool = False
    """Whether the person follows an invitation, and goes on doing so in whatever is offered."""

    def provider(self, name: str) -> Provider:
        """Return a provider that is configured and switched on. Raises NotFound."""
        provider = self.context.providers.get(name)
        if provider is None:
            raise provider_unknown()
        return provider

    def visit(self) -> Visit:
        """Return what the service is told about this request."""
        return Visit(self.session_check(), self.address, self.request_id)

    def binding(self, name: str) -> str | None:
        """Return what this browser holds for a step of a login, if it does."""
        return binding_cookies.secret_of(self.own_cookie(name))

    def bind(self, name: str, secret: str, *, lasts_ms: int, cross_site: bool = False) -> None:
        """Tie a record to this browser, and make room for its cookie."""
        names, now = self.context.names, self.context.clock()
        cookie = binding_cookies.made(name, secret, now=now, lasts_ms=lasts_ms, names=names, cross_site=cross_site)
        for old in binding_cookies.surplus(self.cookie_lines(), cookie, names=names):
            self.put_cookie(old)
        self.put_cookie(cookie)

    def spend(self, name: str) -> None:
        """Delete a binding cookie, also if the answer is an error."""
        self._spent = binding_cookies.removed(name, names=self.context.names)

    def offer(
        self,
        provider: Provider,
        return_to: str,
        *,
        stay: str = "",
        max_age: int | None = None,
        purpose: LoginPurpose = LoginPurpose.SIGN_IN,
    ) -> None:
        """Remember what an error page offers: to begin again, here or at another provider."""
        self.at = provider.label
        self.again = begin_path(
            provider.name, return_to, stay=stay, max_age=max_age, invited=self.invited, purpose=purpose
        )
        every = partial(self.ways, return_to, stay=stay, max_age=max_age, purpose=purpose)
        self.others = lambda: [way for way in every() if way.name != provider.name]

    def ways(
        self,
        return_to: str,
        *,
        stay: str = "",
        max_age: int | None = None,
        purpose: LoginPurpose = LoginPurpose.SIGN_IN,
    ) -> list[Way]:
        """Return every way to log in that leads there; with `max_age` those that can prove a fresh login."""
        able = (each for each in self.context.providers.values() if max_age is None or proves_logins(each))
        path = partial(
            begin_path, return_to=return_to, stay=stay, max_age=max_age, invited=self.invited, purpose=purpose
        )
        return [Way(each.name, each.label, path(each.name)) for each in able]

    def max_age(self) -> int | None:
        """Return how old a login may be, in seconds (OpenID Connect Core §3.1.2.1); None: any. Raises BadInput."""
        return parameters.seconds(self.request.query_arguments, "max_age")

    def owner_proof(self, session: Session) -> OwnerProof:
        """Return what a session proves to a step that changes the ways to log in."""
        provider, now = self.context.providers.get(provider_of(session.identity)), self.context.clock()
        proves = provider is not None and proves_logins(provider)
        return owner_proof(session.proven_at, session.created_at, now, proves=proves, doubtful=session.doubtful)

    def holder_of(self, verdict: Verdict) -> Holder | None:
        """Return who is logged in by this verdict."""
        if verdict.session is None or verdict.account_id is None:
            return None
        return Holder(verdict.account_id, verdict.session)

    async def look(self) -> Verdict:
        """Return what the cookies say; what is stale is decided as on any page.

        Otherwise the login would take the place of a session that a thief moved on, and the person
        would not be told. What cannot be decided keeps no person from logging in.
        """
        verdict = await self.glance()
        if verdict.reason == STALE:
            with contextlib.suppress(StoreUnavailable):
                verdict = await self.visitor()
        return verdict

    def onward(self, return_to: str) -> None:
        """Go where a login leads: `safe_return` has vouched for it."""
        if return_to.startswith("/"):
            self.go(return_to)
        else:
            self.go_out(return_to)

    def ask_to_confirm(self, outcome: ConfirmLink | AlreadyLinked) -> None:
        """Lead to where a link is confirmed, or to the account that has it already."""
        if isinstance(outcome, AlreadyLinked):
            self.go(way_pages.ALREADY)
            return
        self.bind(self.context.names.link(outcome.reference), outcome.binding, lasts_ms=LINK_MS)
        self.go(f"{way_pages.CONFIRM}?l={outcome.reference}")

    def said(self, flow: Flow) -> str:
        """Return what the person said about staying logged in, for beginning again."""
        return "yes" if flow.persistent and self.context.login.rules.stay is Stay.ASK else ""

    def answer_prefetch(self) -> bool:
        """Answer HEAD and prefetch with 204 and change nothing; True if this request was one."""
        headers = self.request.headers
        purposes = f"{headers.get('Sec-Purpose', '')} {headers.get('Purpose', '')} {headers.get('X-Moz', '')}"
        if self.request.method != "HEAD" and "prefetch" not in purposes.lower():
            return False
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()
        return True

    def enter(self, signed: LoggedIn) -> None:
        """Give the browser its session; what the person must know first stands between it and where it goes."""
        names = self.context.names
        self.put_spent()
        for once in (names.told_once, names.invitation):
            if self.own_cookie(once):
                self.put_cookie(binding_cookies.removed(once, names=names))
        for cookie in signed.opened.set_cookies:
            self.put_cookie(cookie)
        self.onward(notice_path(signed.return_to) if signed.opened.notices else signed.return_to)

    def refuse(self, outcome: LoginDenied | LoginBusy) -> NoReturn:
        """Say why a proven person is not logged in."""
        if isinstance(outcome, LoginBusy):
            raise SignUpBeingFinished
        refusal = SignUpBeingFinished if outcome.reason is Refusal.MERGING else Forbidden
        self.again = self.again if refusal is SignUpBeingFinished else ""
        raise refusal(outcome.reason.value, public=REFUSALS.get(outcome.reason))

    def answer_error(self, error: IdentityError) -> None:
        """Show the error, and delete the binding of what was used up."""
        self.put_spent()
        super().answer_error(error)

    def worded(self, error: IdentityError) -> bytes:
        """Return a page that knows the provider, the others, and what to try again."""
        others = self.others() if isinstance(error, ProviderTrouble) else ()
        return self.error_page(error, again=self.again, provider=self.at, username=self.who, others=others)

    def put_spent(self) -> None:
        """Delete the binding of what was used up, if anything was."""
        if self._spent:
            self.put_cookie(self._spent)

    def broken(self, provider: Provider, error: ProviderBroken) -> ProviderTrouble:
        """Return the error that says a provider failed; what it said goes to the log."""
        self.context.login.failed(provider.name)
        trouble = ProviderTrouble
        if isinstance(error, ProviderSlow):
            trouble = ProviderAway
        elif isinstance(error, LoginStale):
            trouble = LoginNotFresh
        return trouble(detail=f"{provider.name}: {error}")

    async def keep_pace(self, what: Counted, provider: str) -> None:
        """Raise TooOften if too many logins came from this address lately.

        Where the address seen is a proxy's no login is slowed: one count would slow all people behind it.
        """
        context = self.context
        if self.has_unknown_address:
            return
        wait = 0
        with contextlib.suppress(StoreUnavailable):  # no thread is free: no reason to refuse a login
            wait = await context.checks.run(context.login.wait_s, what, provider, self.address)
        if wait:
            raise TooOften("too-many-logins", retry_after_s=wait, detail=f"from {self.address}")


def proves_logins(provider: Provider) -> bool:
    """Tell whether a login there proves that the person was there; a way there and back alone does not."""
    return isinstance(provider, ProvesLogins) and provider.proves_fresh_login


def begin_path(
    provider: str,
    return_to: str,
    *,
    stay: str = "",
    max_age: int | None = None,
    invited: bool = False,
    purpose: LoginPurpose = LoginPurpose.SIGN_IN,
) -> str:
    """Return the address that begins a login; a fresh one with `max_age`, in seconds."""
    asked = {"invitation": "yes"} if invited else {}
    asked |= {} if purpose is LoginPurpose.SIGN_IN else {PURPOSE: purpose.value}
    return _with(f"/login/{provider}", return_to=return_to, stay=stay, max_age=_spelt(max_age), **asked)


def chooser_path(reason: str, return_to: str, *, stay: str = "", max_age: int | None = None) -> str:
    """Return the chooser's address, with a word on what happened; `max_age` is how old a login may be, in seconds."""
    return _with("/login", reason=reason, return_to=return_to, stay=stay, max_age=_spelt(max_age))


def welcome_path(reference: str) -> str:
    """Return the address of the username form."""
    return f"/welcome?s={reference}"


def notice_path(return_to: str) -> str:
    """Return where a login goes first if the person must know something; once, however often it is asked."""
    return return_to if urlsplit(return_to)[:3] == ("", "", NOTICES) else _with(NOTICES, return_to=return_to)


def _spelt(max_age: int | None) -> str:
    return "" if max_age is None else str(max_age)


def _with(path: str, **values: str) -> str:
    told = {name: value for name, value in values.items() if value not in ("", FALLBACK)}
    return f"{path}?{urlencode(told, quote_via=quote, safe='')}" if told else path
