"""The login service: from "log in with X" to an opened session.

Owns the order of a login's steps; the rules are in `flow.py`, whether an identity leads to an
account is `accounts.linking`, opening is the session service's. Plain functions, thread-safe, no
HTTP, no provider is called. Invariants: a record is used once; what a step decides on comes from
the record; a returning login reads the account store twice (index row, account row).

    start   keep         take      finish                              choose_username
    ─────   ──────────   ───────   ─────────────────────────────────   ──────────────────────────
    values  flow stored  flow used find → ticket → account → decide →  record used → sign up →
                                   open · or a sign-up record stored   open · or the record is put
                                                                       back under the same claim
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar
from uuid import UUID

from identity.accounts.linking import ChooseName, Unknown, identity_key
from identity.accounts.results import AlreadyKnown, BeingFinished, By, NameTaken, SignedUp, SignUp
from identity.accounts.service import AccountService
from identity.accounts.usernames import NamePolicy, NameRefused
from identity.errors import FlowInvalid, NotFound, ProviderTrouble, StoreError
from identity.login.entering import Entered, Entering
from identity.login.flow import (
    SECRET_BYTES,
    Flaw,
    Flow,
    Person,
    Purpose,
    SignUpRecord,
    binding_hash,
    callback_flaw,
    record_name,
    sign_up_flaw,
    spelt,
)
from identity.login.packing import pack_flow, pack_sign_up, unpack_flow, unpack_sign_up
from identity.login.results import AskAgain, Busy, Chosen, Finished, NeedsUsername, Started, Visit, Welcome
from identity.login.returning import safe_return
from identity.login.staying import Stay, stays
from identity.login.store import Kind, OneTimeStore
from identity.types import SECOND, Clock, IdentityKey, Millis, RandomBytes
from providers.base import Profile, Start

_TEXT: Final = 200
_EMAIL: Final = 320
_ADDRESS: Final = 2_000

_SIGN_UPS: Final[Mapping[type, str]] = {
    SignedUp: "signed-up",
    AlreadyKnown: "already-known",
    NameTaken: "name-taken",
    NameRefused: "name-refused",
    BeingFinished: "being-finished",
}

R = TypeVar("R", Flow, SignUpRecord)


@dataclass(frozen=True, slots=True)
class Rules:
    """The operator's settings that logins depend on."""

    public_url: str
    """Scheme and host of the login host, without a trailing slash."""
    enabled: Callable[[str], bool]
    """Tells whether a provider of this name is configured and switched on."""
    origins: frozenset[str] = frozenset()
    """Scheme and host of applications a login may lead to."""
    stay: Stay = Stay.ASK
    """Whether logins outlive the browser."""
    names: NamePolicy = field(default_factory=NamePolicy)
    """Which usernames may be chosen; for the form, the account service decides."""


class LoginService:
    """Logins and sign-ups in progress.

    Args:
        accounts: makes accounts.
        entering: opens sessions and tells what became of logins.
        one_time: where records in progress are kept.
        rules: the operator's settings.
        clock, random_bytes: time and randomness.
    """

    def __init__(
        self,
        accounts: AccountService,
        entering: Entering,
        one_time: OneTimeStore,
        *,
        rules: Rules,
        clock: Clock,
        random_bytes: RandomBytes,
    ) -> None:
        self._accounts = accounts
        self._entering = entering
        self._one_time = one_time
        self.rules = rules
        self._clock = clock
        self._random = random_bytes

    def safe_return(self, raw: str | None) -> str:
        """Return where a login may lead: a path of this host or an address of an application."""
        return safe_return(raw, self.rules.origins, public_url=self.rules.public_url)

    # --- to the provider and back

    def start(
        self, provider: str, *, return_to: str | None = None, stay: str | None = None, force_login: bool = False
    ) -> Started:
        """Make the values a login begins with, fresh for each. No I/O.

        `stay` is what the person said about staying logged in; the operator's rule decides what it counts.
        """
        binding = self._secret()
        flow = Flow(
            provider=provider,
            purpose=Purpose.SIGN_IN,
            state=self._secret(),
            nonce=self._secret(),
            verifier=self._secret(),
            binding=binding_hash(binding),
            return_to=self.safe_return(return_to),
            created_at=self._clock(),
            force_login=force_login,
            persistent=stays(self.rules.stay, stay),
        )
        return Started(flow, self.start_of(flow), binding)

    def keep(self, started: Started, kept: Mapping[str, str]) -> None:
        """Store the login and what the provider wants back at the end; one write.

        Raises:
            StoreUnavailable: it was not stored; the browser must not be sent away.
        """
        flow = replace(started.flow, kept=kept)
        self._one_time.put(Kind.FLOW, record_name(flow.state), pack_flow(flow), expires_at=flow.expires_at)
        self._entering.tally(flow.provider, "started")

    def take(self, state: str, provider: str, binding: str | None) -> Flow:
        """Return the login an answer belongs to, and use it up; of several callers one gets it.

        Raises:
            FlowInvalid: there is none for this browser and provider.
            StoreUnavailable: the store is away; the login may be used up.
        """
        # Without the cookie nothing is used up: programs fetch addresses they find in mail and logs.
        found = self._one_time.take(Kind.FLOW, record_name(state)) if binding else Flaw.NO_COOKIE
        flow = _read(found, unpack_flow)
        if isinstance(flow, Flow):
            now = self._clock()
            flow = callback_flaw(flow, state=state, provider=provider, binding=binding or "", now=now) or flow
        if isinstance(flow, Flaw):
            self._entering.tally(provider, "flow-invalid")
            raise FlowInvalid(detail=flow.value)
        return flow

    def start_of(self, flow: Flow) -> Start:
        """Return what the provider was told at the beginning."""
        return Start(
            redirect_uri=f"{self.rules.public_url}/login/{flow.provider}/callback",
            state=flow.state,
            nonce=flow.nonce,
            verifier=flow.verifier,
            force_login=flow.force_login,
        )

    def denied(self, flow: Flow, visit: Visit) -> None:
        """Note that the person, or the provider about this person, said no."""
        self._entering.refuse(flow.provider, "provider-denied", visit)

    def failed(self, provider: str) -> None:
        """Note that the provider failed."""
        self._entering.tally(provider, "provider-failed")

    def finish(self, flow: Flow, profile: Profile, visit: Visit) -> Finished:
        """End a proven login: open a session, begin a sign-up, or refuse.

        Costs two reads of the account store and one compare-and-swap for somebody who is known.

        Raises:
            ProviderTrouble: the provider names nobody.
            StoreUnavailable: a store is away, or races were lost too often.
        """
        try:
            key = identity_key(flow.provider, profile.subject, tenant=profile.tenant)
        except ValueError as error:
            raise ProviderTrouble(detail=f"{flow.provider} sent an unusable subject: {error}") from error
        person = _person(profile, now=self._clock())
        match self._entering.enter(
            key, flow.provider, person, return_to=flow.return_to, visit=visit, persistent=flow.persistent
        ):
            case Unknown() | ChooseName():
                return self._begin_sign_up(flow, key, person)
            case entered:
                return entered

    # --- choosing a username

    def welcome(self, reference: str, binding: str | None) -> Welcome:
        """Return the sign-up this browser may finish, and a name to offer; nothing is used up.

        Raises:
            FlowInvalid: there is none for this browser (`sign-up-invalid`).
            NotFound: its provider was switched off meanwhile.
            StoreUnavailable: a store is away.
        """
        found = self._one_time.peek(Kind.SIGN_UP, record_name(reference)) if binding else Flaw.NO_COOKIE
        record = self._read_sign_up(found, reference, binding)
        return Welcome(record, self._accounts.suggest(record.person.handle, record.person.name))

    def choose_username(self, reference: str, binding: str | None, username: str, visit: Visit) -> Chosen:
        """Make the account under the name that was typed, and open its first session.

        Only success or a refusal uses the sign-up up. Everything but the name comes from its record.

        Raises:
            FlowInvalid: there is no sign-up for this browser (`sign-up-invalid`).
            NotFound: its provider was switched off meanwhile.
            StoreUnavailable: a store is away; the same form may be sent again.
        """
        found = self._one_time.take(Kind.SIGN_UP, record_name(reference)) if binding else Flaw.NO_COOKIE
        record = self._read_sign_up(found, reference, binding)
        try:
            chosen = self._choose(record, username, visit)
        except StoreError:
            with contextlib.suppress(StoreError, FlowInvalid):
                self._keep_sign_up(record)
            raise
        if isinstance(chosen, AskAgain | Busy):
            self._keep_sign_up(record)
        return chosen

    def _choose(self, record: SignUpRecord, username: str, visit: Visit) -> Chosen:
        person = record.person
        by = By("self", address=visit.address, request_id=visit.request_id)
        label = person.handle or person.email or person.name
        outcome = self._accounts.sign_up(SignUp(record.claim, record.identity, username, label, by))
        self._entering.tally_sign_up(record.provider, _SIGN_UPS[type(outcome)])
        match outcome:
            case NameTaken(alternatives=alternatives):
                return AskAgain(record, None, alternatives)
            case NameRefused(problem=problem):
                return AskAgain(record, problem)
            case BeingFinished():
                return Busy()
        return self._enter_signed_up(record, visit)

    def _enter_signed_up(self, record: SignUpRecord, visit: Visit) -> Chosen:
        entered: Entered = self._entering.enter(
            record.identity,
            record.provider,
            record.person,
            return_to=record.return_to,
            visit=visit,
            persistent=record.persistent,
        )
        # Unlinked, or its name lost, between the two calls: the form may be sent once more.
        return Busy() if isinstance(entered, Unknown | ChooseName) else entered

    def _begin_sign_up(self, flow: Flow, key: IdentityKey, person: Person) -> NeedsUsername:
        reference, binding = self._secret(), self._secret()
        record = SignUpRecord(
            reference=reference,
            identity=key,
            provider=flow.provider,
            person=person,
            claim=UUID(bytes=self._random(16), version=4),
            return_to=flow.return_to,
            binding=binding_hash(binding),
            created_at=self._clock(),
            persistent=flow.persistent,
        )
        self._keep_sign_up(record)
        self._entering.tally(flow.provider, "needs-username")
        return NeedsUsername(reference, binding)

    def _keep_sign_up(self, record: SignUpRecord) -> None:
        if record.expires_at <= self._clock():
            raise _sign_up_invalid(Flaw.EXPIRED)
        name = record_name(record.reference)
        self._one_time.put(Kind.SIGN_UP, name, pack_sign_up(record), expires_at=record.expires_at)

    def _read_sign_up(self, found: bytes | Flaw | None, reference: str, binding: str | None) -> SignUpRecord:
        record = _read(found, unpack_sign_up)
        if isinstance(record, SignUpRecord):
            record = sign_up_flaw(record, reference=reference, binding=binding or "", now=self._clock()) or record
        if isinstance(record, Flaw):
            raise _sign_up_invalid(record)
        if not self.rules.enabled(record.provider):
            raise provider_unknown()
        return record

    def _secret(self) -> str:
        return spelt(self._random(SECRET_BYTES))


def provider_unknown() -> NotFound:
    """Return the error for a provider that is not configured, or was switched off (THREATS 22)."""
    public = "There is no login provider of this name here, or it was switched off. Choose another way to log in."
    return NotFound("provider-unknown", public=public)


def _read(found: bytes | Flaw | None, unpack: Callable[[bytes], R]) -> R | Flaw:
    if not isinstance(found, bytes):
        return found or Flaw.ABSENT
    try:
        return unpack(found)
    except ValueError:
        return Flaw.UNREADABLE


def _sign_up_invalid(flaw: Flaw) -> FlowInvalid:
    return FlowInvalid(
        "sign-up-invalid",
        detail=flaw.value,
        public=(
            "This form was sent already, was open for longer than 15 minutes, or belongs to another browser. "
            "Log in again: if your username was accepted, you will be signed in."
        ),
    )


def _person(profile: Profile, *, now: Millis) -> Person:
    said = now if profile.auth_at is None else profile.auth_at * SECOND
    return Person(
        handle=_plain(profile.handle, _TEXT),
        name=_plain(profile.name, _TEXT),
        email=_plain(profile.email, _EMAIL),
        email_verified=profile.email_verified,
        picture=_plain(profile.picture, _ADDRESS),
        auth_at=min(max(said, 0), now),
    )


def _plain(text: str, limit: int) -> str:
    """Drop what cannot be printed (control and format characters, lone surrogates) and cut."""
    return "".join(c for c in text[:_ADDRESS] if c.isprintable())[:limit]
