"""The ways to log in, changed by their person: adding one, removing one, and "I already have an account".

Owns the pages and no rule: what an identity means is `accounts.cases`, who may confirm is `login.link_record`,
what proves that the owner is there is `login.freshness`. A person who changes the ways to log in logged
in a moment ago: a page that hears of an older login offers to log in again, to the same account, and is where that
leads.

    page                    shows
    ----------------------  ---------------------------------------------------------------------
    /account/ways/add       the providers; each leads there and back to the next page
    /account/ways/confirm   both sides of a link; its form links
    /account/ways/adopt     nothing: makes such a link of a sign-up, for who is logged in by then
    /account/ways/remove    what goes, and what ends with it; its form removes it
    /welcome/existing       the ways to log in, for a person at the username form who has an account
"""

from functools import partial
from http import HTTPStatus
from typing import Final, NoReturn
from uuid import UUID

from tornado.web import Finish

from identity.accounts.cases import LoginPurpose
from identity.accounts.linking import Refusal, Refuse, may_unlink
from identity.accounts.results import BeingFinished, By, Linked, NotEverywhereYet, NotReachedYet, Reached, Unlink
from identity.accounts.store import AccountRow
from identity.errors import BadInput, NotFound
from identity.login.freshness import OwnerProof
from identity.login.link_record import Holder
from identity.login.results import LoginBusy, LoginDenied
from identity.types import IdentityKey
from identity.web.http import parameters
from identity.web.http.base import Listener, Route
from identity.web.http.page import SignedIn
from identity.web.http.refusals import LastWay
from identity.web.people import way_pages
from identity.web.people.login import DENIED, LoginHandler
from identity.web.people.logout import EndingPage, provider_of

_REFERENCE: Final = 64


class WayPage(LoginHandler, EndingPage):
    """What the pages share."""

    async def owner(self, here: str) -> SignedIn:
        """Return who is logged in, and logged in a moment ago; otherwise offer to do so, and stop.

        Args:
            here: where the login leads: this page.
        """
        who = await self.signed_in()
        if self.owner_proof(who.session) is OwnerProof.NONE:
            await self._ask_for_owner(who, here)
        return who

    async def account_of(self, who: SignedIn) -> AccountRow:
        """Return the account of who is logged in. Raises StoreUnavailable, NotFound."""
        account = await self.context.durable.run(self.context.accounts.account, who.account_id)
        if account is None:
            raise NotFound(detail=f"account {who.account_id} of a live session is not there")
        return account

    def fields_are(self, *names: str) -> None:
        """Raise BadInput if the form holds another field."""
        if set(self.form) - set(names):
            raise BadInput("field-unknown", public="The form holds a field that this page does not have.")

    def show_taken(self, provider: str) -> None:
        """Say that an identity belongs to another account, and not to whose."""
        self.show(way_pages.TAKEN, status=HTTPStatus.CONFLICT, provider=self.provider_label(provider))

    async def _ask_for_owner(self, who: SignedIn, here: str) -> NoReturn:
        own = frozenset(map(provider_of, (await self.account_of(who)).identities))
        ways = self.ways(here, purpose=LoginPurpose.PROVE)
        self.show(
            "prove",
            username=who.username,
            ways=[way for way in ways if way.name in own],
            denied=self.query("reason") == DENIED,
        )
        raise Finish


class AddWay(WayPage):
    """The providers that an account may be linked to."""

    async def get(self) -> None:
        """Show them."""
        who = await self.owner(way_pages.ADD)
        self.show(
            "way-add",
            username=who.username,
            ways=self.ways("", purpose=LoginPurpose.LINK),
            denied=self.query("reason") == DENIED,
        )


class ConfirmWay(WayPage):
    """Both sides of a link."""

    async def get(self) -> None:
        """Show them."""
        reference = parameters.required(self.request.query_arguments, "l", limit=_REFERENCE)
        who = await self.signed_in()
        binding = self.binding(self.context.names.link(reference))
        waiting = self.context.login.links.waiting
        record = await self.context.durable.run(waiting, reference, binding, _holder(who))
        self.show(
            "way-confirm",
            csrf=self.csrf_token(who.session.id),
            reference=reference,
            username=who.username,
            provider=record.provider,
            label=self.provider(record.provider).label,
            known_as=record.label,
            proven=record.proven and self.owner_proof(who.session) is OwnerProof.PERSON,
        )

    async def post(self) -> None:
        """Link."""
        who = await self.signed_in()
        self.fields_are("csrf", "l")
        reference = self.field("l", limit=_REFERENCE) or ""
        cookie = self.context.names.link(reference)
        binding = self.binding(cookie)
        self.again = f"{way_pages.CONFIRM}?l={reference}" if binding else ""
        call = partial(self.context.login.links.confirm, reference, binding, _holder(who))
        outcome = await self.context.durable.run(call, self.visit())
        if isinstance(outcome, BeingFinished):
            self.refuse(LoginBusy())
        self.spend(cookie)
        match outcome:
            case Linked():
                self.put_spent()
                self.go("/account?done=linked")
            case Refuse(reason=Refusal.BELONGS_TO_OTHER):
                self.put_spent()
                self.show_taken("")
            case Refuse(reason=reason):
                self.refuse(LoginDenied(reason))


class AdoptSignUp(WayPage):
    """From a sign-up to a link, for the person who logged in beside it."""

    async def get(self) -> None:
        """Lead on to the confirmation; first to a login, while there is none of a moment ago."""
        if self.answer_prefetch():
            return
        reference = parameters.required(self.request.query_arguments, "s", limit=_REFERENCE)
        binding = self.binding(self.context.names.sign_up(reference))
        if (await self.visitor()).session is None:
            self.go(f"{way_pages.EXISTING}?s={reference}")
            return
        sign_up = await self.context.durable.run(self.context.login.unfinished_sign_up, reference, binding)
        who = await self.owner(f"{way_pages.ADOPT}?s={reference}")
        adopt = partial(self.context.login.links.adopt, sign_up, _holder(who))
        outcome = await self.context.durable.run(adopt, self.visit())
        match outcome:
            case LoginDenied(reason=Refusal.BELONGS_TO_OTHER):
                self.show_taken(sign_up.person.provider)
            case LoginDenied() | LoginBusy():
                self.refuse(outcome)
            case _:
                self.ask_to_confirm(outcome)


class ExistingAccount(WayPage):
    """The ways to log in, for a person at the username form who has an account already."""

    async def get(self) -> None:
        """Show them; what was proven waits."""
        reference = parameters.required(self.request.query_arguments, "s", limit=_REFERENCE)
        binding = self.binding(self.context.names.sign_up(reference))
        sign_up = await self.context.durable.run(self.context.login.unfinished_sign_up, reference, binding)
        person = sign_up.person
        self.show(
            "welcome-existing",
            provider=self.provider(person.provider).label,
            handle=person.handle,
            ways=self.ways(f"{way_pages.ADOPT}?s={reference}", purpose=LoginPurpose.PROVE),
            back=f"/welcome?s={reference}",
            denied=self.query("reason") == DENIED,
        )


class RemoveWay(WayPage):
    """One way to log in, before it goes."""

    async def get(self) -> None:
        """Show what goes and what ends with it."""
        way = parameters.required(self.request.query_arguments, "way", limit=_REFERENCE)
        who = await self.owner(f"{way_pages.REMOVE}?way={way}")
        account = await self.account_of(who)
        key = _named(account, way)
        if refused := may_unlink(account, key):
            self.refuse_removal(refused)
        self.show(
            "way-remove",
            csrf=self.csrf_token(who.session.id),
            way=way,
            username=who.username,
            provider=provider_of(key),
            label=self.provider_label(provider_of(key)),
            known_as=account.identities[key].label,
            ends_here=who.session.identity == key,
        )

    async def post(self) -> None:
        """Remove it. The account service audits it, and the sessions that were opened through it end."""
        way = self.field("way", limit=_REFERENCE) or ""
        who = await self.owner(f"{way_pages.REMOVE}?way={way}")
        self.fields_are("csrf", "way")
        account = await self.account_of(who)
        key = _named(account, way)
        by = By("self", address=self.address, request_id=self.request_id)
        request = Unlink(UUID(bytes=self.context.random(16), version=4), who.account_id, key, by)
        ends_here = who.session.identity == key
        match await self.context.durable.run(self.context.accounts.unlink, request):
            case Reached() | NotEverywhereYet() | Refuse(reason=Refusal.NOT_LINKED):
                if ends_here:
                    self.forget()
                self.go("/login?reason=unlinked" if ends_here else "/account?done=removed")
            case NotReachedYet():
                if ends_here:
                    self.forget()
                self.show_trouble("removal-queued")
            case Refuse() as refused:
                self.refuse_removal(refused)

    def refuse_removal(self, refused: Refuse) -> NoReturn:
        """Say why a way to log in stays."""
        if refused.reason is Refusal.LAST_WAY:
            raise LastWay
        self.refuse(LoginDenied(refused.reason))


def _holder(who: SignedIn) -> Holder:
    return Holder(who.account_id, who.session)


def _named(account: AccountRow, way: str) -> IdentityKey:
    for key in account.identities:
        if way_pages.way_id(key) == way:
            return key
    raise NotFound("way-unknown", public="Your account has no such way to log in, or it was removed already.")


ROUTES: Final = (
    Route(way_pages.ADD, AddWay, Listener.PUBLIC),
    Route(way_pages.CONFIRM, ConfirmWay, Listener.PUBLIC),
    Route(way_pages.ADOPT, AdoptSignUp, Listener.PUBLIC),
    Route(way_pages.REMOVE, RemoveWay, Listener.PUBLIC),
    Route(way_pages.EXISTING, ExistingAccount, Listener.PUBLIC),
)
