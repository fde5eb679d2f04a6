"""Making invitations and taking them back: what an operator does with them.

Owns both changes and their audit. Invariant: the link's secret is returned once and kept nowhere, and is in no entry
of the audit; what is kept is its hash.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from uuid import UUID

from identity.accounts.audited import Attempt, AuditedChanges
from identity.accounts.invitation import InvitationRow, InvitationState, Worth, key_of, standing
from identity.accounts.invited import GroupGrants, InvitationUse
from identity.accounts.results import By
from identity.accounts.store import Applied
from identity.accounts.writing import ROUNDS, AccountParts, put
from identity.errors import StoreUnavailable
from identity.types import Millis


@dataclass(frozen=True, slots=True)
class Invite:
    """An invitation to be made. `id` and `secret` are made once; the secret is for the link alone."""

    id: UUID
    secret: str = field(repr=False)
    by: By
    lasts_ms: Millis
    guest: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InvitationMade:
    """It may be followed."""

    row: InvitationRow
    word: str = "made"


@dataclass(frozen=True, slots=True)
class InvitationRevoked:
    """It is worth nothing any more."""

    row: InvitationRow
    word: str = "revoked"


@dataclass(frozen=True, slots=True)
class InvitationOver:
    """It was worth nothing before: used, expired, unknown, or in use at this moment."""

    standing: Worth
    row: InvitationRow | None

    @property
    def word(self) -> str:
        """As the audit spells it."""
        return self.standing.value


class Inviting:
    """Makes invitations and takes them back.

    Args:
        parts: what every change stands on.
        audited: where changes are audited, at once.
        invitations: hands each to one.
        accepting: settles what was begun.
    """

    def __init__(
        self, parts: AccountParts, *, audited: AuditedChanges, invitations: InvitationUse, accepting: GroupGrants
    ) -> None:
        self._parts = parts
        self._rows = parts.store.invitations
        self._audited = audited
        self._invitations = invitations
        self._accepting = accepting

    def make(self, request: Invite) -> InvitationMade:
        """Make an invitation; the same request again finds what it made.

        Raises:
            StoreUnavailable: the store is away; whether it was made is not known, and its link is not.
        """
        key, now = key_of(request.secret), self._parts.clock()
        if key is None:
            raise ValueError("not the secret of an invitation")
        row = InvitationRow(
            key=key,
            state=InvitationState.OPEN,
            created_at=now,
            ends_at=now + request.lasts_ms,
            actor=request.by.actor,
            reason=request.by.why,
            guest=request.guest,
            groups=tuple(sorted(set(request.groups))),
            claim=None,
            claimed_at=0,
            identity=None,
            account_id=None,
            op=request.id,
        )
        groups = tuple(f"+{each}" for each in row.groups)
        attempt = Attempt("invite", request.id, None, request.by, groups=groups, invitation=row.id)

        def make() -> InvitationMade:
            self._rows.insert(row, expires_at=row.expires_at)
            return InvitationMade(row)

        return self._audited.around(attempt, make)

    def revoke(self, request: UUID, row: InvitationRow, *, by: By) -> InvitationRevoked | InvitationOver:
        """Take an invitation back unless it was used; one that is being used is settled first.

        Raises:
            StoreUnavailable: the store is away, or the row changed in every round; the request may be repeated.
        """
        attempt = Attempt("invite-revoke", request, None, by, invitation=row.id)
        return self._audited.around(attempt, lambda: self._revoke(row.key))

    def _revoke(self, key: str) -> InvitationRevoked | InvitationOver:
        for _ in range(ROUNDS):
            found = self._rows.read_settled(key)
            worth = standing(found, now=self._parts.clock())
            if worth is Worth.UNSETTLED and found:
                self._accepting.settle(found)
                continue
            if worth is not Worth.GOOD or found is None:
                return InvitationOver(worth, found)
            revoked = replace(found, state=InvitationState.REVOKED, op=self._parts.new_uuid())
            if put(self._rows, revoked, expected=found, expires_at=found.expires_at) is Applied.APPLIED:
                return InvitationRevoked(revoked)
        raise StoreUnavailable(detail="the invitation changed in every round")

    def all(self) -> Iterator[tuple[InvitationRow, Worth]]:
        """Yield every invitation that is kept and what it is worth, in the store's order. Reads them all."""
        now = self._parts.clock()
        return ((row, standing(row, now=now)) for row in self._rows.scan())
