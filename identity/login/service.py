"""The login service: from "log in with X" to an opened session.

Owns the order of a login's steps; the rules are in `flow.py`, whether an identity leads to an
account is `accounts.linking`, opening is the session service's, sign-ups are `welcoming.py`. Plain
functions, thread-safe, no HTTP, no provider is called. Invariants: nothing is kept here before a
provider has proven a person; a login is used once; what a step decides on comes from its flow; a
returning login reads the account store twice (index row, account row).

    start    keep            take              finish                                choose_username
    ──────   ─────────────   ───────────────   ───────────────────────────────────   ────────────────
    values   flow sealed     flow opened;      marker written; find → ticket →       welcoming.py
             for a cookie    refused if        account → decide → open · or a
                             it was used       sign-up sealed for a cookie
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from identity.accounts.cases import SIGN_IN, Aim, LoginPurpose
from identity.accounts.invitation import InvitationRow
from identity.accounts.linking import ChooseName, Refusal, Refuse, Unknown, identity_key
from identity.accounts.results import BeingFinished
from identity.errors import FlowInvalid, LoginNotFresh, ProviderTrouble, StoreUnavailable
from identity.login.carrying import LONGEST
from identity.login.dependencies import LoginDependencies
from identity.login.entering import Entering
from identity.login.flow import (
    Flaw,
    Flow,
    ProvenPerson,
    SignUpRecord,
    ToldOnce,
    callback_flaw,
    record_name,
    spent_until,
    tag_of,
    told_flaw,
)
from identity.login.following import Invited
from identity.login.freshness import proven_since
from identity.login.link_record import Holder, holder_flaw
from identity.login.links import LoginLinks
from identity.login.pacing import Counted, Pacing
from identity.login.packing import pack_flow, pack_told, unpack_flow, unpack_told
from identity.login.pinning import ProviderPins
from identity.login.results import Chosen, Finished, LoginBusy, LoginDenied, Started, UsernameForm, Visit
from identity.login.returning import safe_return, shorter
from identity.login.rules import LoginRules
from identity.login.staying import stays
from identity.login.store import RecordKind
from identity.login.welcoming import Welcoming
from identity.membership import facts
from identity.types import SECOND, IdentityKey, Millis, SessionId
from providers.base import HANDLE, LoginStart, ProviderProfile, callback_address, fit, plain

MOST_KEPT: Final = 1_024
"""Characters a provider may want back at the end; the longest known token secret has a quarter of that."""


class LoginService:
    """Logins and sign-ups in progress.

    Args:
        entering: opens sessions and tells what became of logins.
        welcoming: sign-ups.
        links: links in progress.
        pacing: how many may come from one place.
        pins: which issuer each provider's name stands for.
        invited: those who follow a link.
        dependencies: seals, markers, settings, time and chance.
    """

    def __init__(
        self,
        entering: Entering,
        welcoming: Welcoming,
        links: LoginLinks,
        pacing: Pacing,
        *,
        pins: ProviderPins,
        invited: Invited,
        dependencies: LoginDependencies,
    ) -> None:
        self._entering = entering
        self._welcoming = welcoming
        self.links = links
        self._pacing = pacing
        self._pins = pins
        self._invited = invited
        self._dependencies = dependencies

    @property
    def invited(self) -> Invited:
        """Those who follow a link."""
        return self._invited

    @property
    def rules(self) -> LoginRules:
        """The operator's settings."""
        return self._dependencies.rules

    def safe_return(self, raw: str | None) -> str:
        """Return where a login may lead: a path of this host or an address of an application."""
        return safe_return(raw, self.rules.origins, public_url=self.rules.public_url)

    def wait_s(self, what: Counted, provider: str, address: str) -> int:
        """Return after how many seconds this step may be taken from this address; 0 is now, and is counted."""
        wait = self._pacing.wait_s(what, address)
        if wait:
            self._entering.tally(provider, "slowed")
        return wait

    # --- to the provider and back

    def start(
        self,
        provider: str,
        *,
        return_to: str | None = None,
        stay: str | None = None,
        force_login: bool = False,
        aim: Aim = SIGN_IN,
        session: SessionId | None = None,
        invitation: str = "",
    ) -> Started:
        """Make the values a login begins with, fresh for each. No I/O.

        `stay` is what the person said about staying logged in; the operator's rule decides what it counts.
        `force_login` demands that the provider logs the person in again. `aim` is what the login is for; `session`,
        to link, the one that began it. `invitation` is the key of the one that the person followed.
        """
        secret = self._dependencies.secret
        flow = Flow(
            provider=provider,
            purpose=aim.purpose,
            state=secret(),
            nonce=secret(),
            verifier=secret(),
            return_to=self.safe_return(return_to),
            created_at=self._dependencies.clock(),
            force_login=force_login,
            account=aim.account_id,
            session=session,
            persistent=stays(self.rules.stay, stay),
            invitation=invitation,
        )
        return Started(flow, self.start_of(flow))

    def keep(self, started: Started, kept: Mapping[str, str], *, posted: bool = False) -> str:
        """Return what the browser's binding cookie must hold: the login, and what the provider wants back.

        Nothing is kept here. An address too long for a cookie is shortened (`returning.shorter`). `posted` says
        that the answer will come by a cross-site POST.

        Raises:
            ProviderTrouble: the provider wants more back than a login may carry.
        """
        flow = replace(started.flow, kept=kept, answer={} if posted else None)
        if sum(map(len, (*kept.keys(), *kept.values()))) > MOST_KEPT:
            raise ProviderTrouble(detail=f"{flow.provider} wants more than {MOST_KEPT} characters back at the end")
        binding = self._sealed(flow, f"what {flow.provider} wants back at the end")
        self._entering.tally(flow.provider, "started")
        return binding

    def carry(self, state: str, provider: str, binding: str | None, answer: Mapping[str, str]) -> tuple[str, Flow]:
        """Return what the binding cookie must hold from now on, and the login: a cross-site POST brought its answer.

        Decides nothing about the answer, and reads and writes nothing: `take` does.

        Raises:
            FlowInvalid: there is no login for this browser and provider that waits for a POST.
            ProviderTrouble: the answer fits no cookie.
            StoreUnavailable: this daemon does not know the key yet; the same answer may be brought again.
        """
        flow = self._opened(state, provider, binding)
        if isinstance(flow, Flow) and flow.answer is None:
            flow = Flaw.OTHER_WAY
        if isinstance(flow, Flaw):
            raise self._invalid(provider, flow)
        return self._sealed(replace(flow, answer=answer), f"what {provider} answered by POST"), flow

    def keep_told(self, provider: str, user: str) -> str:
        """Return what a cookie must hold so that what a provider says only once is not lost; empty if it fits none."""
        told = ToldOnce(provider=provider, user=user, created_at=self._dependencies.clock())
        text = self._dependencies.carrying.seal(RecordKind.TOLD, provider, pack_told(told))
        return text if len(text) <= LONGEST else ""

    def told(self, provider: str, text: str | None) -> Mapping[str, str]:
        """Return what the provider told this browser in the last hour, as parameters of an answer; perhaps none."""
        try:
            told = self._dependencies.opened(RecordKind.TOLD, provider, text or None, unpack_told)
        except StoreUnavailable:  # sealed with a key this daemon does not know yet: no reason to fail a login
            return {}
        if isinstance(told, Flaw) or told_flaw(told, provider=provider, now=self._dependencies.clock()):
            return {}
        return {"user": told.user}

    def take(self, state: str, provider: str, binding: str | None, *, carried: bool = False) -> Flow:
        """Return the login an answer belongs to, if it was not used yet; `finish` uses it up. One read.

        `carried` says that the answer is in it, brought by a POST before.

        Raises:
            FlowInvalid: there is none for this browser and provider.
            StoreUnavailable: the store is away, or this daemon does not know the key yet; the same answer
                may be brought again.
        """
        flow = self._opened(state, provider, binding)
        if isinstance(flow, Flow) and bool(flow.answer) is not carried:
            flow = Flaw.OTHER_WAY
        if isinstance(flow, Flow) and self._dependencies.one_time.peek(RecordKind.FLOW, record_name(state)) is not None:
            flow = Flaw.USED
        if isinstance(flow, Flaw):
            raise self._invalid(provider, flow)
        return flow

    def start_of(self, flow: Flow) -> LoginStart:
        """Return what the provider was told at the beginning."""
        return LoginStart(
            redirect_uri=callback_address(self.rules.public_url, flow.provider),
            state=flow.state,
            nonce=flow.nonce,
            verifier=flow.verifier,
            force_login=flow.force_login,
        )

    def require_holder(self, flow: Flow, holder: Holder | None) -> None:
        """Raise FlowInvalid if a link was begun by another session than the one that is here when it ends."""
        if flow.purpose is LoginPurpose.LINK and (flaw := holder_flaw(flow, holder)):
            raise self._invalid(flow.provider, flaw)

    def denied(self, flow: Flow, visit: Visit) -> None:
        """Note that the person, or the provider about this person, said no."""
        self._entering.refuse(flow.provider, "provider-denied", visit)

    def failed(self, provider: str) -> None:
        """Note that the provider failed."""
        self._entering.tally(provider, "provider-failed")

    def finish(self, flow: Flow, profile: ProviderProfile, visit: Visit, *, holder: Holder | None = None) -> Finished:
        """End a proven login: open a session, begin a sign-up, ask whether to link to the holder's, or refuse.

        Costs one write of a marker, and for a person with an account two reads of the account store and one
        compare-and-swap. The marker comes now and not before: of several requests with one answer one goes
        on, and an answer that proves no person leaves nothing behind.

        Raises:
            FlowInvalid: the login was used meanwhile, or is a link of another session than the holder's.
            LoginNotFresh: a fresh login was demanded, and the provider does not prove one.
            ProviderTrouble: the subject cannot be an identity, or the name stands for another issuer.
            StoreUnavailable: a store is away, or races were lost too often; begin again.
        """
        try:
            key = identity_key(flow.provider, profile.subject, tenant=profile.tenant)
        except ValueError as error:
            raise ProviderTrouble(detail=f"{flow.provider} sent an unusable subject: {error}") from error
        person = self._with_facts(_person(key, flow, profile, now=self._dependencies.clock()), profile)
        if flow.force_login and not proven_since(person.proven_at, flow.created_at):
            raise LoginNotFresh(detail=f"{flow.provider} does not say that the person logged in again")
        self.require_holder(flow, holder)
        self._pins.hold(flow.provider)
        until = spent_until(flow.expires_at, now=self._dependencies.clock())
        if not self._dependencies.one_time.spend(RecordKind.FLOW, record_name(flow.state), expires_at=until):
            raise self._invalid(flow.provider, Flaw.USED)
        if refused := self._refused(flow, person, visit):
            return refused
        if flow.purpose is LoginPurpose.LINK and holder:
            return self.links.begin(person, holder, visit, profile.grant)
        entered = self._entering.enter(
            person,
            return_to=flow.return_to,
            visit=visit,
            aim=Aim(flow.purpose, flow.account),
            persistent=flow.persistent,
            grant=profile.grant,
        )
        match entered:
            case Unknown() | ChooseName():
                newcomer = isinstance(entered, Unknown)
                if newcomer and (refused := self._newcomer_refused(flow, person, visit)):
                    return refused
                self._entering.hold(person, profile.grant)
                return self._welcoming.begin(flow, person)
            case entered:
                return entered

    def _with_facts(self, person: ProvenPerson, profile: ProviderProfile) -> ProvenPerson:
        """Add what rules ask about."""
        said = facts.said_of(
            profile.facts, tenant=profile.tenant, email=person.said.email, email_verified=person.said.email_verified
        )
        return replace(person, facts=facts.kept(self.rules.facts, person.provider, said))

    def _refused(self, flow: Flow, person: ProvenPerson, visit: Visit) -> LoginDenied | LoginBusy | None:
        """Refuse a person with an account whom the operator does not admit; let one who is admitted have their groups.

        Whether the account was made with an invitation is looked up, by one read more, only for those of whom no
        rule holds.
        """
        asked = self.rules.admission.refusal
        reason = asked(person.provider, person.facts, newcomer=False, invited=False)
        if reason and asked(
            person.provider, person.facts, newcomer=False, invited=self._invited.excused(person.identity)
        ):
            return self._denied(person, reason, visit)
        if not flow.invitation:
            return None
        match self._invited.accepted(flow.invitation, person.identity, visit):
            case Refuse(reason=reason):
                return self._denied(person, reason, visit)
            case BeingFinished():
                return LoginBusy()
            case None:
                return None

    def _newcomer_refused(self, flow: Flow, person: ProvenPerson, visit: Visit) -> LoginDenied | None:
        """Refuse a person without an account who may not have one."""
        found = self._invited.look(flow.invitation) if flow.invitation else None
        reason = self.rules.admission.refusal(
            person.provider, person.facts, newcomer=True, invited=isinstance(found, InvitationRow)
        )
        if isinstance(found, Refuse):
            # Who followed a link hears what is wrong with it, also where no link is needed.
            reason = found.reason
        return self._denied(person, reason, visit) if reason else None

    def _denied(self, person: ProvenPerson, reason: Refusal, visit: Visit) -> LoginDenied:
        self._entering.refuse(person.provider, reason.value, visit)
        return LoginDenied(reason)

    # --- choosing a username

    def welcome(self, reference: str, binding: str | None) -> UsernameForm:
        """Return the sign-up this browser may finish; see `Welcoming.welcome`."""
        return self._welcoming.welcome(reference, binding)

    def unfinished_sign_up(self, reference: str, binding: str | None) -> SignUpRecord:
        """Return the sign-up this browser may finish, to show whose it is; see `Welcoming.unfinished`."""
        return self._welcoming.unfinished(reference, binding)

    def choose_username(self, reference: str, binding: str | None, username: str, visit: Visit) -> Chosen:
        """Make the account under the name that was typed; see `Welcoming.choose`."""
        return self._welcoming.choose(reference, binding, username, visit)

    def _opened(self, state: str, provider: str, binding: str | None) -> Flow | Flaw:
        flow = self._dependencies.opened(RecordKind.FLOW, tag_of(state), binding or None, unpack_flow)
        if isinstance(flow, Flaw):
            return flow
        return callback_flaw(flow, state=state, provider=provider, now=self._dependencies.clock()) or flow

    def _sealed(self, flow: Flow, what: str) -> str:
        for return_to in shorter(flow.return_to):
            body = pack_flow(replace(flow, return_to=return_to))
            binding = self._dependencies.carrying.seal(RecordKind.FLOW, tag_of(flow.state), body)
            if len(binding) <= LONGEST:
                return binding
        raise ProviderTrouble(detail=f"{what} fits no cookie")

    def _invalid(self, provider: str, flaw: Flaw) -> FlowInvalid:
        self._entering.tally(provider, "flow-invalid")
        return FlowInvalid(detail=flaw.value)


def _person(key: IdentityKey, flow: Flow, profile: ProviderProfile, *, now: Millis) -> ProvenPerson:
    auth_at = now if profile.auth_at is None else min(max(profile.auth_at * SECOND, 0), now)
    proven = profile.auth_proven and profile.auth_at is not None
    if flow.force_login and proven and proven_since(auth_at, flow.created_at):
        # It was after we asked, whatever the provider's clock says: who came for it must not be sent again.
        auth_at = max(auth_at, min(flow.created_at, now))
    return ProvenPerson(
        identity=key,
        provider=flow.provider,
        auth_at=auth_at,
        auth_proven=proven,
        handle=plain(profile.handle, HANDLE),
        said=fit(profile),
        session=profile.session,
    )
