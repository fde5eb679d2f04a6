"""Beginning a login: the page with the ways to log in, and the way to a provider.

Owns both, and when the page is passed by. With `max_age` it is the door to what demands a fresh login:

    who looks at it                                  | what follows
    -------------------------------------------------+----------------------------------------------------
    no session counts                                | the ways to log in; with `max_age` those that can
                                                     | prove a fresh login
    a session counts, and no `max_age` is demanded   | straight on
    it is fresh enough (`login.freshness`)           | straight on
    it is not                                        | who that is, and the ways that lead to the same
                                                     | account and can prove a fresh login
    the session is doubtful, and the way leads on to | the ways to log in, whatever its age
    an application; or `another=yes`, for a person   |
    who may not enter one                            |

What is offered is a help only: whether a login is fresh, and whose, is decided when it ends.
"""

import contextlib
from typing import Final
from urllib.parse import urlsplit

from identity.accounts.cases import Aim, LoginPurpose
from identity.errors import BadInput, StoreUnavailable
from identity.login import handover
from identity.login.flow import FLOW_MS
from identity.login.freshness import OwnerProof, fresh_enough
from identity.login.link_record import Holder
from identity.login.pacing import Counted
from identity.login.staying import Stay
from identity.sessions.check import Outcome, Verdict
from identity.sessions.record import Ended
from identity.types import SECOND, Host
from identity.web.http import csrf, entry_refused
from identity.web.http.base import Listener, Route
from identity.web.http.parameters import ADDRESS_CHARS
from identity.web.pages import Way
from identity.web.people import way_pages
from identity.web.people.login import (
    INVITATION,
    PROVIDER,
    PURPOSE,
    REASONS,
    STALE,
    UNPROVEN,
    LoginHandler,
    chooser_path,
    proves_logins,
)
from identity.web.people.logout import provider_of
from providers.base import ProviderBroken


class Chooser(LoginHandler):
    """The ways to log in."""

    async def get(self) -> None:
        """Show them; a browser with a session that is fresh enough is led where the login would lead."""
        return_to, max_age = (
            self.context.login.safe_return(self.query("return_to", limit=ADDRESS_CHARS)),
            self.max_age(),
        )
        verdict, host = await self.look(), handover.led_to(return_to)
        reason = self.query("reason") or (verdict.reason if verdict.reason == Ended.REUSE.code else "")
        doubtful = host is not None and verdict.session is not None and verdict.session.doubtful
        another = self.query(entry_refused.ANOTHER) == "yes"
        if verdict.outcome is Outcome.OK and not (doubtful or another) and self._is_fresh(verdict, max_age):
            self.onward(return_to)
            return
        known = await self._leading_to(verdict) if max_age is not None else None
        ways = self._known_ways(known, return_to, max_age=max_age)
        asks = self.context.login.rules.stay is Stay.ASK
        staying = self._known_ways(known, return_to, stay="yes", max_age=max_age) if asks else []
        destination, back = self._destination(return_to)
        self.show(
            "login",
            ways=ways,
            staying=staying,
            ticked=self.query("stay") == "yes" or (max_age is not None and _stays(verdict)),
            last=self.own_cookie(self.context.names.last_provider) or "",
            reason=reason if reason in REASONS else "",
            destination=destination,
            back=back,
            fresh=max_age is not None,
            who=(verdict.username or "") if max_age is not None else "",
            unable=self._unable(known) if max_age is not None else (),
        )

    def _destination(self, return_to: str) -> tuple[str, str]:
        """Return what people call the application a login leads on to, and where its front page is; else nothing."""
        parts, host = urlsplit(return_to), handover.led_to(return_to)
        led = Host(parts.netloc) if parts.netloc else host if host in self.context.hosts else None
        if led is None:
            return "", ""
        origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else self.context.origin_of(led)
        return self.context.applications.called(led), f"{origin}/" if origin else ""

    def _is_fresh(self, verdict: Verdict, max_age: int | None) -> bool:
        if max_age is None or verdict.session is None:
            return max_age is None
        return fresh_enough(verdict.session.proven_at, max_age * SECOND, self.context.clock())

    async def _leading_to(self, verdict: Verdict) -> frozenset[str] | None:
        """Return the providers that lead to the account of who is logged in; None if that is not known."""
        if verdict.account_id is None:
            return None
        with contextlib.suppress(StoreUnavailable):
            account = await self.context.durable.run(self.context.accounts.account, verdict.account_id)
            return frozenset(map(provider_of, account.identities)) if account else None
        return None

    def _known_ways(
        self, known: frozenset[str] | None, return_to: str, *, stay: str = "", max_age: int | None
    ) -> list[Way]:
        ways = self.ways(return_to, stay=stay, max_age=max_age)
        return [way for way in ways if known is None or way.name in known]

    def _unable(self, known: frozenset[str] | None) -> tuple[str, ...]:
        """Return the labels of the ways that cannot prove a fresh login."""
        named = self.context.providers.items()
        return tuple(each.label for name, each in named if not proves_logins(each) and (known is None or name in known))


def _stays(verdict: Verdict) -> bool:
    return verdict.session is not None and verdict.session.persistent


class Begin(LoginHandler):
    """The way to a provider."""

    async def get(self, name: str) -> None:
        """Send the browser there."""
        provider = self.provider(name)
        if self.answer_prefetch():
            return
        context, max_age, purpose = self.context, self.max_age(), self._purpose()
        await self.keep_pace(Counted.START, name)
        return_to, stay = context.login.safe_return(self.query("return_to", limit=ADDRESS_CHARS)), self.query("stay")
        if (invitation := self._followed()) is None:
            self.go(INVITATION)  # which says what is missing
            return
        able = proves_logins(provider)
        if purpose is LoginPurpose.SIGN_IN and max_age is not None and not able:
            self.go(chooser_path(UNPROVEN, return_to, max_age=max_age))
            return
        forced = able if purpose is not LoginPurpose.SIGN_IN else max_age is not None
        holder = await self._whose() if forced or purpose is not LoginPurpose.SIGN_IN else None
        if purpose is LoginPurpose.LINK and not self._may_link(holder):
            self.go(way_pages.ADD)
            return
        started = context.login.start(
            name,
            return_to=return_to,
            stay=stay,
            force_login=forced,
            aim=_aim(purpose, holder),
            session=holder.session.id if holder and purpose is LoginPurpose.LINK else None,
            invitation=invitation,
        )
        self.offer(provider, started.flow.return_to, stay=self.said(started.flow), max_age=max_age, purpose=purpose)
        try:
            begun = await provider.begin(started.start, context.http(name))
        except ProviderBroken as error:
            raise self.broken(provider, error) from error
        binding = context.login.keep(started, begun.kept, posted=begun.posted)
        cookie = context.names.flow(started.flow.state)
        self.bind(cookie, binding, lasts_ms=FLOW_MS, cross_site=begun.posted)
        self.go_out(begun.location)

    def _followed(self) -> str | None:
        """Return the key of the invitation that the person followed; empty if none, None if it is not here any more."""
        self.invited = self.query("invitation") == "yes"
        if not self.invited:
            return ""
        return self.context.login.invited.key(self.binding(self.context.names.invitation)) or None

    def _purpose(self) -> LoginPurpose:
        asked = self.query(PURPOSE)
        if asked is None:
            return LoginPurpose.SIGN_IN
        if asked not in _PURPOSES:
            raise BadInput("parameter-value", public="The parameter “for” is neither “prove” nor “link”.")
        return LoginPurpose(asked)

    def _may_link(self, holder: Holder | None) -> bool:
        """Tell whether a link may begin: of an owner who was there a moment ago, and from a page of ours.

        What another site begins could end at its own confirmation only; but a person must know why it is asked.
        """
        if holder is None or not csrf.from_own_site(self.request.headers, origins=frozenset()):
            return False
        return self.owner_proof(holder.session) is not OwnerProof.NONE

    async def _whose(self) -> Holder | None:
        """Return whose login must be fresh, or is linked to: of the person who is logged in, if one is.

        Raises StoreUnavailable while it cannot be found out: the login would take another person's place.
        """
        verdict = await self.look()
        if verdict.outcome is Outcome.RETRY or verdict.reason == STALE:
            raise StoreUnavailable(detail=f"who must log in again: {verdict.reason}")
        return self.holder_of(verdict)


def _aim(purpose: LoginPurpose, holder: Holder | None) -> Aim:
    """Return what a login is for; who must log in afresh, and is logged in, proves to be the one who is."""
    if holder is None:
        return Aim(purpose)
    return Aim(LoginPurpose.PROVE if purpose is LoginPurpose.SIGN_IN else purpose, holder.account_id)


_PURPOSES: Final = frozenset({LoginPurpose.PROVE.value, LoginPurpose.LINK.value})
ROUTES: Final = (
    Route("/login", Chooser, Listener.PUBLIC),
    Route(PROVIDER, Begin, Listener.PUBLIC),
)
