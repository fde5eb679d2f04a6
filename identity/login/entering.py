"""From a proven identity to an opened session, or the reason why not.

Owns the order that keeps a disabled account out and the two reads a returning login may cost.
Whether an identity leads to an account is `accounts.linking`; what a session is, the session
service's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias
from uuid import UUID

from identity.accounts.cases import SIGN_IN, Aim, Case, NotTheirs, decide_case
from identity.accounts.linking import ChooseName, Refuse, SignIn, Unknown
from identity.accounts.service import AccountService
from identity.accounts.store import AccountRow, IdentityRow, IdentityState
from identity.applications.disclosure import Attribute
from identity.audit import Event
from identity.errors import StoreUnavailable
from identity.login.flow import ProvenPerson
from identity.login.results import LoggedIn, LoginBusy, LoginDenied, OtherAccount, Visit
from identity.sessions.check import Opening
from identity.sessions.record import Described, Session
from identity.sessions.service import Opened, SessionService
from identity.types import AccountId, Clock, Count, IdentityKey, RandomBytes
from providers.base import Profile, UpstreamGrant

TICKETS: Final = 4
"""How often a login that lost a race reads the account again before it is 503."""
LONGEST_NAME: Final = 100
LONGEST_EMAIL: Final = 254
OTHER_ACCOUNT: Final = "other-account"
"""Why a login is refused that had to be one to an account and is none."""

NotYet: TypeAlias = Unknown | ChooseName
"""The identity leads to no account, or to one without a name."""
KeepGrant: TypeAlias = Callable[[IdentityKey, AccountId | None, UpstreamGrant | None], None]
Entered: TypeAlias = LoggedIn | LoginDenied | LoginBusy | OtherAccount | NotYet


@dataclass(frozen=True, slots=True)
class AfterLogin:
    """What is kept of a login beside its session."""

    remember: Callable[[str, str, AccountId, Session], None] = lambda *_: None
    """Keeps which session here a provider's own session led to; must not raise."""
    keep: KeepGrant = lambda *_: None
    """Keeps the tokens of a login, or finds those that waited for its account; must not raise."""


class Entering:
    """Opens sessions for proven identities, and tells who did or was refused.

    Args:
        accounts: whose identity is it.
        sessions: opens them.
        clock, random_bytes: time, and ids of audited events.
        note: hears of audited events; must not block.
        count: adds to the counters of logins, sign-ups and opened sessions.
        told: what at least one application is told; of what a provider said, a session keeps nothing else.
        after: what is kept beside the session.
    """

    def __init__(
        self,
        accounts: AccountService,
        sessions: SessionService,
        *,
        clock: Clock,
        random_bytes: RandomBytes,
        note: Callable[[Event], None],
        count: Count,
        told: frozenset[Attribute],
        after: AfterLogin | None = None,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._clock = clock
        self._random = random_bytes
        self._note = note
        self._count = count
        self._told = told
        after = after or AfterLogin()
        self._remember, self._keep = after.remember, after.keep

    def enter(
        self,
        person: ProvenPerson,
        *,
        return_to: str,
        visit: Visit,
        aim: Aim = SIGN_IN,
        persistent: bool = False,
        grant: UpstreamGrant | None = None,
    ) -> Entered:
        """Open a session if the person's identity leads to an account that may log in, and is one the aim allows.

        `grant` are the provider's tokens, where they are kept.

        The session record is read before the account row: disabling the account writes the row
        first and the record after it, so either we see the row, or our write loses and all is
        read again.

        Raises:
            StoreUnavailable: a store is away, or the race was lost four times.
        """
        row = self._accounts.find(person.identity)
        if row is None or row.state is not IdentityState.ACTIVE:
            return self._unopened(decide_case(aim, row, None), person, visit, aim)
        for _ in range(TICKETS):
            entered = self._try(row, person, return_to=return_to, visit=visit, aim=aim, persistent=persistent)
            if isinstance(entered, LoggedIn):
                self._keep(person.identity, row.account_id, grant)
            if entered:
                return entered
        raise StoreUnavailable(detail="the session record moved at every attempt to log in")

    def keep(self, identity: IdentityKey, account_id: AccountId, grant: UpstreamGrant | None) -> None:
        """Keep the tokens of an identity that was linked, or with None those that waited for that."""
        self._keep(identity, account_id, grant)

    def hold(self, person: ProvenPerson, grant: UpstreamGrant | None) -> None:
        """Let the tokens of a person who may choose a username wait for the account; not those of one who may not."""
        if grant:
            self._keep(person.identity, None, grant)

    def refuse(self, provider: str, reason: str, visit: Visit, *, account_id: AccountId | None = None) -> None:
        """Note a login that was refused."""
        self.tally(provider, reason)
        self._tell("login-refused", account_id, visit, provider=provider, reason=reason)

    def tally(self, provider: str, outcome: str) -> None:
        """Count what became of a login."""
        self._count("identityd_logins_total", provider=provider, outcome=outcome)

    def tally_sign_up(self, provider: str, outcome: str) -> None:
        """Count what became of a username form."""
        self._count("identityd_sign_ups_total", provider=provider, outcome=outcome)

    def _try(
        self, row: IdentityRow, person: ProvenPerson, *, return_to: str, visit: Visit, aim: Aim, persistent: bool
    ) -> Entered | None:
        ticket = self._sessions.ticket(row.account_id)
        match decide_case(aim, row, self._accounts.account(row.account_id)):
            case SignIn(account=account):
                opening = replace(
                    _opening(account, person, visit, persistent=persistent),
                    described=self._described(account.key, person.said),
                )
                opened = self._sessions.open(opening, ticket=ticket, jar=visit.jar)
                if not isinstance(opened, Opened):
                    return None
                self._accounts.record_profile(account.key, person.said)
                if person.session:
                    self._remember(person.provider, person.session, account.key, opened.session)
                self.tally(person.provider, "signed-in")
                self._count("identityd_sessions_opened_total")
                self._tell("login", account.key, visit, provider=person.provider, identity=person.identity)
                return LoggedIn(opened, return_to)
            case Refuse(reason=reason):
                self.refuse(person.provider, reason.value, visit, account_id=row.account_id)
                return LoginDenied(reason)
            case case:
                return self._unopened(case, person, visit, aim)

    def _unopened(self, case: Case, person: ProvenPerson, visit: Visit, aim: Aim) -> Entered:
        """Say what a case means that neither lets in nor refuses."""
        if isinstance(case, NotTheirs):
            self.refuse(person.provider, OTHER_ACCOUNT, visit, account_id=aim.account_id)
            return OtherAccount()
        return case if isinstance(case, NotYet) else LoginBusy()

    def _described(self, account_id: AccountId, said: Profile) -> Described | None:
        """Return what the session keeps; a name said once and never again, as Apple does, costs one read more."""
        if Attribute.NAME in self._told and not said.name and (known := self._accounts.profile(account_id)):
            said = replace(said, name=known.name)
        return described(said, self._told)

    def _tell(self, action: str, account_id: AccountId | None, visit: Visit, **facts: str) -> None:
        self._note(
            Event(
                id=UUID(bytes=self._random(16), version=4),
                at=self._clock(),
                action=action,
                account_id=account_id,
                actor="self",
                address=visit.address,
                request_id=visit.request_id,
                facts={**facts, "agent": visit.jar.agent},
            )
        )


def described(said: Profile, told: frozenset[Attribute]) -> Described | None:
    """Return what a session keeps of what a provider said: only what an application is told.

    A name is cut to 100 characters. An e-mail longer than 254, which none can be (RFC 5321 §4.5.3.1.3), is left
    out: cut, it would be another person's.
    """
    name = said.name[:LONGEST_NAME] if Attribute.NAME in told else ""
    email = said.email if Attribute.EMAIL in told and len(said.email) <= LONGEST_EMAIL else ""
    if not told & {Attribute.NAME, Attribute.EMAIL}:
        return None
    return Described(name, email, email_verified=bool(email) and said.email_verified)


def _opening(account: AccountRow, person: ProvenPerson, visit: Visit, *, persistent: bool) -> Opening:
    return Opening(
        account_id=account.key,
        username=account.username,
        epoch=account.epoch,
        identity=person.identity,
        auth_at=person.auth_at,
        auth_proven=person.auth_proven,
        host=visit.jar.host,
        agent=visit.jar.agent,
        address=visit.jar.address,
        persistent=persistent,
        groups=account.groups,
        facts=person.facts,
    )
