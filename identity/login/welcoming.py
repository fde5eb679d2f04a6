"""Choosing a username: from a proven identity that has none to an account and its first session.

Owns the sign-up in progress, which its browser carries sealed, and how often it may be used. Making
accounts is the account service's. Plain functions, thread-safe, no HTTP. Invariants: a sign-up is
in one hand at a time and ends with success or a refusal; everything but the name comes from it; an
identity asks for so many different names in a quarter of an hour and no more, however many
sign-ups it begins (names that are only asked for cost the account store its dearest writes, and
tell who has an account).

    begin            welcome             choose
    ──────────────   ─────────────────   ──────────────────────────────────────────────────────────
    sealed for a     opened; refused     marker written → the name counted → sign up → open a session
    cookie           if it is in use     · or the marker is taken back, and the form may be sent again
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Final
from uuid import UUID

from identity.accounts.linking import Refusal, Refuse
from identity.accounts.results import AlreadyKnown, BeingFinished, By, NameTaken, SignedUp, SignUp
from identity.accounts.service import AccountService
from identity.accounts.store import IdentityState
from identity.accounts.usernames import NameRefused, check, fold
from identity.errors import FlowInvalid, TooOften
from identity.login.carrying import LONGEST
from identity.login.dependencies import LoginDependencies
from identity.login.entering import Entered, Entering
from identity.login.flow import (
    SIGN_UP_MS,
    Flaw,
    Flow,
    ProvenPerson,
    SignUpRecord,
    record_name,
    sign_up_flaw,
    tag_of,
)
from identity.login.packing import pack_sign_up, unpack_sign_up
from identity.login.results import (
    AskAgain,
    Chosen,
    LoggedIn,
    LoginBusy,
    LoginDenied,
    NeedsUsername,
    UsernameForm,
    Visit,
)
from identity.login.returning import shorter
from identity.login.rules import provider_unknown
from identity.login.store import RecordKind
from identity.types import SECOND, Username
from providers.base import Profile

MOST_NAMES: Final = 20
"""Different names one identity may ask for in the time of a sign-up."""
_NAME_BYTES: Final = 4
_SHORT: Final = 64
"""Characters that are left of a handle and a name which would not fit into a cookie."""

_OUTCOMES: Final[Mapping[type, str]] = {
    SignedUp: "signed-up",
    AlreadyKnown: "already-known",
    NameTaken: "name-taken",
    NameRefused: "name-refused",
    BeingFinished: "being-finished",
    Refuse: "refused",
}


class Welcoming:
    """Sign-ups in progress.

    Args:
        accounts: makes accounts.
        entering: opens sessions and tells what became of logins.
        dependencies: seals, markers, settings, time and chance.
    """

    def __init__(self, accounts: AccountService, entering: Entering, dependencies: LoginDependencies) -> None:
        self._accounts = accounts
        self._entering = entering
        self._dependencies = dependencies

    def begin(self, flow: Flow, person: ProvenPerson) -> NeedsUsername:
        """Return what the browser must carry to choose a name; nothing is kept."""
        record = SignUpRecord(
            reference=self._dependencies.secret(),
            person=person,
            claim=UUID(bytes=self._dependencies.random_bytes(16), version=4),
            return_to=flow.return_to,
            created_at=self._dependencies.clock(),
            persistent=flow.persistent,
            invitation=flow.invitation,
        )
        tag = tag_of(record.reference)
        for fitting in _smaller(record):
            binding = self._dependencies.carrying.seal(RecordKind.SIGN_UP, tag, pack_sign_up(fitting))
            if len(binding) <= LONGEST:
                self._entering.tally(flow.provider, "needs-username")
                return NeedsUsername(record.reference, binding)
        raise FlowInvalid("sign-up-invalid", detail="an identity that fits no cookie")

    def welcome(self, reference: str, binding: str | None) -> UsernameForm:
        """Return the sign-up this browser may finish, and a name to offer; nothing is used up.

        Raises:
            FlowInvalid: there is none for this browser (`sign-up-invalid`).
            NotFound: its provider was switched off meanwhile.
            StoreUnavailable: a store is away.
        """
        record = self.unfinished(reference, binding)
        return UsernameForm(record, self._accounts.suggest(record.person.handle, record.person.said.name))

    def unfinished(self, reference: str, binding: str | None) -> SignUpRecord:
        """Return the sign-up this browser may finish, or link instead; nothing is used up. Raises as `welcome`."""
        record = self._opened(reference, binding)
        if self._dependencies.one_time.peek(RecordKind.SIGN_UP, record_name(reference)) is not None:
            raise _invalid(Flaw.USED)
        return record

    def choose(self, reference: str, binding: str | None, username: str, visit: Visit) -> Chosen:
        """Make the account under the name that was typed, and open its first session.

        Only success or a refusal uses the sign-up up. Everything but the name comes from its record.

        Raises:
            FlowInvalid: there is no sign-up for this browser (`sign-up-invalid`).
            NotFound: its provider was switched off meanwhile.
            StoreUnavailable: a store is away; the same form may be sent again.
            TooOften: too many names were asked for (`too-many-names`).
        """
        record = self._opened(reference, binding)
        name, used = record_name(reference), _invalid(Flaw.USED)
        with self._dependencies.using_up(RecordKind.SIGN_UP, name, expires_at=record.expires_at, used=used):
            chosen = self._choose(record, username, visit)
        if isinstance(chosen, AskAgain | LoginBusy):
            self._dependencies.one_time.take(RecordKind.SIGN_UP, name)
            if record.expires_at <= self._dependencies.clock():
                raise _invalid(Flaw.EXPIRED)
        return chosen

    def _choose(self, record: SignUpRecord, username: str, visit: Visit) -> Chosen:
        person = record.person
        if refused := self._refusal(record):
            return self._denied(person, refused, visit)
        wanted = check(username, self._dependencies.rules.names)
        if not isinstance(wanted, NameRefused):
            self._count(record, wanted)
        by = By("self", address=visit.address, request_id=visit.request_id)
        waits = self._dependencies.rules.admission.approval and not record.invitation
        outcome = self._accounts.sign_up(
            SignUp(record.claim, person.identity, username, person.label, by, record.invitation, waits=waits)
        )
        self._entering.tally_sign_up(person.provider, _OUTCOMES[type(outcome)])
        match outcome:
            case NameTaken(alternatives=alternatives):
                return AskAgain(record, None, alternatives)
            case NameRefused(problem=problem):
                return AskAgain(record, problem)
            case BeingFinished():
                return LoginBusy()
            case Refuse(reason=reason):
                return self._denied(person, reason, visit)
        return self._entered(record, visit)

    def _refusal(self, record: SignUpRecord) -> Refusal | None:
        """Tell whether the operator has shut the door while the form was open; None if it may be finished.

        The account may be made already, and lacks its name only: that costs a read where the door is shut.
        """
        person, admission = record.person, self._dependencies.rules.admission
        invited = bool(record.invitation)  # whether it still counts is asked where it is used up
        refused = admission.refusal(person.provider, person.facts, newcomer=True, invited=invited)
        row = self._accounts.find(person.identity) if refused else None
        return None if row and row.state is not IdentityState.PENDING else refused

    def _denied(self, person: ProvenPerson, reason: Refusal, visit: Visit) -> LoginDenied:
        self._entering.refuse(person.provider, reason.value, visit)
        return LoginDenied(reason)

    def _entered(self, record: SignUpRecord, visit: Visit) -> Chosen:
        entered: Entered = self._entering.enter(
            record.person, return_to=record.return_to, visit=visit, persistent=record.persistent
        )
        # Unlinked, or its name lost, between the two calls: the form may be sent once more.
        return entered if isinstance(entered, LoggedIn | LoginDenied) else LoginBusy()

    def _count(self, record: SignUpRecord, wanted: Username) -> None:
        """Raise TooOften unless the name is one of those this identity may ask for."""
        mine = sha256(fold(wanted).encode()).digest()[:_NAME_BYTES]
        asked = self._dependencies.one_time.amend(
            RecordKind.NAMES,
            record_name(record.person.identity),
            _adding(mine),
            expires_at=self._dependencies.clock() + SIGN_UP_MS,
        )
        if mine not in _names(asked):
            self._entering.tally_sign_up(record.person.provider, "too-many-names")
            raise TooOften(
                "too-many-names",
                retry_after_s=SIGN_UP_MS // SECOND,
                public=f"You asked for {MOST_NAMES} different usernames. Wait a quarter of an hour, then log in again.",
            )

    def _opened(self, reference: str, binding: str | None) -> SignUpRecord:
        record = self._dependencies.opened(RecordKind.SIGN_UP, tag_of(reference), binding or None, unpack_sign_up)
        if isinstance(record, SignUpRecord):
            record = sign_up_flaw(record, reference=reference, now=self._dependencies.clock()) or record
        if isinstance(record, Flaw):
            raise _invalid(record)
        if not self._dependencies.rules.enabled(record.person.provider):
            raise provider_unknown()
        return record


def _smaller(record: SignUpRecord) -> Iterator[SignUpRecord]:
    """Yield the sign-up as it is, then with less and less of what is only information.

    What is left out comes again with the next login. Of what rules ask about the first fact stays: with it the
    person was admitted, if that took one.
    """
    yield record
    person, said = record.person, replace(record.person.said, picture="")
    for return_to in shorter(record.return_to):
        yield replace(record, person=replace(person, said=said), return_to=return_to)
    short = replace(person, handle=person.handle[:_SHORT], said=replace(said, name=said.name[:_SHORT]))
    yield replace(record, person=short, return_to=return_to)
    bare = Profile(name=short.said.name, email_verified=False)
    yield replace(record, person=replace(short, said=bare), return_to=return_to)
    yield replace(record, person=replace(short, said=bare, facts=short.facts[:1]), return_to=return_to)


def _adding(mine: bytes) -> Callable[[bytes], bytes | None]:
    """Return what adds a name to those that were asked for; None leaves them: it is there, or they are enough."""

    def added(asked: bytes) -> bytes | None:
        names = _names(asked)
        return None if mine in names or len(names) >= MOST_NAMES else asked + mine

    return added


def _names(asked: bytes) -> list[bytes]:
    return [asked[at : at + _NAME_BYTES] for at in range(0, len(asked), _NAME_BYTES)]


def _invalid(flaw: Flaw) -> FlowInvalid:
    return FlowInvalid(
        "sign-up-invalid",
        detail=flaw.value,
        public=(
            "This form was sent already, was open for longer than 15 minutes, or belongs to another browser. "
            "Log in again: if your username was accepted, you will be signed in."
        ),
    )
