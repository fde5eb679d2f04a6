"""Linking by the person: from two proofs in one browser to one more way to log in.

Owns the link in progress, which its browser carries sealed until it is confirmed. What an identity means is
`accounts.cases`, what is written `accounts.links`. Plain functions, thread-safe, no HTTP. Invariants: who confirms
is the session that the identity was proven for, or that logged in beside a sign-up; a confirmation is used once;
everything that is linked comes from the record.

    begin, or adopt from a sign-up     waiting              confirm
    --------------------------------   ------------------   ---------------------------------------------------
    sealed for a cookie, if the        opened; refused if   marker written -> link · or the marker is taken back,
    identity leads to no account       it was used          and the same may be sent again
"""

from typing import Final
from uuid import UUID

from identity.accounts.cases import Aim, AlreadyLinked, LoginPurpose, MayLink, decide_case
from identity.accounts.linking import Refuse
from identity.accounts.results import BeingFinished, By, Linked, LinkOutcome, LinkRequest
from identity.accounts.service import AccountService
from identity.errors import FlowInvalid, TooOften
from identity.login.dependencies import LoginDependencies
from identity.login.entering import Entering
from identity.login.flow import Flaw, ProvenPerson, SignUpRecord, record_name, tag_of
from identity.login.link_record import LINK_MS, Holder, LinkRecord, link_flaw
from identity.login.packing import pack_link, unpack_link
from identity.login.results import ConfirmLink, LinkBegun, LoginBusy, LoginDenied, Visit
from identity.login.rules import provider_unknown
from identity.login.store import RecordKind
from identity.types import MINUTE, SECOND, AccountId, Millis
from providers.base import UpstreamGrant

MOST_LINKED: Final = 20
"""Ways that may be added to one account in a quarter of an hour, removed ones included: each leaves audit rows."""
_COUNTED_MS: Final[Millis] = 15 * MINUTE


class LoginLinks:
    """Links in progress.

    Args:
        accounts: links.
        entering: tells what became of them, and keeps providers' tokens.
        dependencies: seals, markers, settings, time and chance.
    """

    def __init__(self, accounts: AccountService, entering: Entering, dependencies: LoginDependencies) -> None:
        self._accounts = accounts
        self._entering = entering
        self._dependencies = dependencies

    def begin(self, person: ProvenPerson, holder: Holder, visit: Visit, grant: UpstreamGrant | None) -> LinkBegun:
        """Tell what the identity means to who is logged in; at most three reads of the account store.

        Raises:
            StoreUnavailable: the account store is away.
        """
        claim = UUID(bytes=self._dependencies.random_bytes(16), version=4)
        begun = self._begun(person, holder, visit, claim=claim, proven_at=self._dependencies.clock())
        if isinstance(begun, ConfirmLink):
            self._entering.hold(person, grant)
        elif isinstance(begun, AlreadyLinked):
            self._entering.keep(person.identity, holder.account_id, grant)
        return begun

    def adopt(self, sign_up: SignUpRecord, holder: Holder, visit: Visit) -> LinkBegun:
        """Let who is logged in have the identity of a sign-up; under its claim, so that neither blocks the other.

        Raises:
            FlowInvalid: the identity was proven too long ago (`link-invalid`).
            StoreUnavailable: the account store is away.
        """
        if sign_up.created_at + LINK_MS <= self._dependencies.clock():
            raise _invalid(Flaw.EXPIRED)
        return self._begun(sign_up.person, holder, visit, claim=sign_up.claim, proven_at=sign_up.created_at)

    def waiting(self, reference: str, binding: str | None, holder: Holder) -> LinkRecord:
        """Return the link that this session may confirm; nothing is used up.

        Raises:
            FlowInvalid: there is none for this session and browser (`link-invalid`).
            NotFound: its provider was switched off meanwhile.
            StoreUnavailable: a store is away.
        """
        record = self._opened(reference, binding, holder)
        if self._dependencies.one_time.peek(RecordKind.LINK, record_name(reference)) is not None:
            raise _invalid(Flaw.USED)
        return record

    def confirm(self, reference: str, binding: str | None, holder: Holder, visit: Visit) -> LinkOutcome:
        """Link. Only success or a refusal uses the link in progress up.

        Raises:
            FlowInvalid: there is none for this session and browser (`link-invalid`).
            NotFound: its provider was switched off meanwhile.
            StoreUnavailable: a store is away; the same form may be sent again.
            TooOften: too many were added to this account lately (`too-many-links`).
        """
        record = self._opened(reference, binding, holder)
        one_time, name = self._dependencies.one_time, record_name(reference)
        by = By("self", address=visit.address, request_id=visit.request_id)
        used = _invalid(Flaw.USED)
        with self._dependencies.using_up(RecordKind.LINK, name, expires_at=record.expires_at, used=used):
            self._count(record.account)
            outcome = self._accounts.link(LinkRequest(record.claim, record.account, record.identity, record.label, by))
        match outcome:
            case Linked():
                self._entering.keep(record.identity, record.account, None)
                self._entering.tally(record.provider, "linked")
            case BeingFinished():
                one_time.take(RecordKind.LINK, name)
            case Refuse(reason=reason):
                self._entering.tally(record.provider, reason.value)
        return outcome

    def _begun(
        self, person: ProvenPerson, holder: Holder, visit: Visit, *, claim: UUID, proven_at: Millis
    ) -> LinkBegun:
        row = self._accounts.find(person.identity)
        owner = self._accounts.account(row.account_id) if row else None
        mine = owner if owner and owner.key == holder.account_id else self._accounts.account(holder.account_id)
        match decide_case(Aim(LoginPurpose.LINK, holder.account_id), row, owner, mine=mine):
            case MayLink():
                record = LinkRecord(
                    reference=self._dependencies.secret(),
                    identity=person.identity,
                    provider=person.provider,
                    label=person.label,
                    proven=person.auth_proven,
                    claim=claim,
                    account=holder.account_id,
                    session=holder.session.id,
                    created_at=proven_at,
                )
                return ConfirmLink(record.reference, self._sealed(record))
            case AlreadyLinked() as already:
                return already
            case Refuse(reason=reason):
                self._entering.refuse(person.provider, reason.value, visit, account_id=holder.account_id)
                return LoginDenied(reason)
        return LoginBusy()

    def _count(self, account_id: AccountId) -> None:
        """Raise TooOften if too many ways were added to the account lately."""
        before = b""

        def one_more(counted: bytes) -> bytes | None:
            nonlocal before
            before = counted
            return counted + b"." if len(counted) < MOST_LINKED else None

        name, until = record_name(str(account_id)), self._dependencies.clock() + _COUNTED_MS
        self._dependencies.one_time.amend(RecordKind.LINKS, name, one_more, expires_at=until)
        if len(before) >= MOST_LINKED:
            raise TooOften(
                "too-many-links",
                retry_after_s=_COUNTED_MS // SECOND,
                public=f"{MOST_LINKED} ways to log in were added to this account lately. Wait a quarter of an hour.",
            )

    def _sealed(self, record: LinkRecord) -> str:
        return self._dependencies.carrying.seal(RecordKind.LINK, tag_of(record.reference), pack_link(record))

    def _opened(self, reference: str, binding: str | None, holder: Holder) -> LinkRecord:
        record = self._dependencies.opened(RecordKind.LINK, tag_of(reference), binding or None, unpack_link)
        if isinstance(record, LinkRecord):
            now = self._dependencies.clock()
            record = link_flaw(record, reference=reference, holder=holder, now=now) or record
        if isinstance(record, Flaw):
            raise _invalid(record)
        if not self._dependencies.rules.enabled(record.provider):
            raise provider_unknown()
        return record


def _invalid(flaw: Flaw) -> FlowInvalid:
    return FlowInvalid(
        "link-invalid",
        detail=flaw.value,
        public=(
            "This was confirmed already, was open for longer than ten minutes, or belongs to another login. "
            "Look at your account: if the way to log in is not there, add it again."
        ),
    )
