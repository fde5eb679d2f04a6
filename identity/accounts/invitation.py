"""An invitation: the right to one account, or to groups for one that is there, until it is used or ends.

Pure. Owns the row, what it means at a moment, and how its link's secret becomes its key: a hash, so that who reads
the account store can follow no link. The secret itself is nowhere but in the link.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final
from uuid import UUID

from identity.types import DAY, SECOND, AccountId, IdentityKey, Millis

LASTS_MS: Final[Millis] = 7 * DAY
LONGEST_MS: Final[Millis] = 90 * DAY
KEPT_MS: Final[Millis] = 30 * DAY
"""How long a row stays after its link ended, used or not: a person who follows it hears why it is worth nothing."""
REST_MS: Final[Millis] = 30 * SECOND
"""How long a sign-up that is being committed keeps the invitation; then another may find out what became of it."""
GUEST_CHARS: Final = 100
ID_DIGITS: Final = 12
"""How much of the key operators are shown: enough to tell invitations apart."""

PATH: Final = "/invitation"
PARAMETER: Final = "i"
"""Holds the secret of a link: in the query, which no log of ours has."""

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class InvitationState(Enum):
    """How far an invitation has come."""

    OPEN = "open"
    CLAIMED = "claimed"
    """A sign-up is about to be committed with it."""
    GRANTING = "granting"
    """Given to an account that is there, for good: it will have the groups, whichever request finishes it."""
    USED = "used"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """An invitation; the row expires `KEPT_MS` after the link."""

    key: str
    state: InvitationState
    created_at: Millis
    ends_at: Millis
    actor: str
    """Who made it."""
    reason: str
    guest: str
    """Whom it is for, in the operator's words; perhaps empty."""
    groups: tuple[str, ...]
    claim: UUID | None
    """Whose sign-up, or which request of an account, has it."""
    claimed_at: Millis
    identity: IdentityKey | None
    """Through which it is being used, or was."""
    account_id: AccountId | None
    op: UUID

    @property
    def id(self) -> str:
        """How operators and the audit name it; opens nothing."""
        return id_of(self.key)

    @property
    def expires_at(self) -> Millis:
        """When the row is gone."""
        return self.ends_at + KEPT_MS

    def opened(self, op: UUID) -> "InvitationRow":
        """Return it with every trace of an attempt taken away."""
        return replace(
            self, state=InvitationState.OPEN, claim=None, claimed_at=0, identity=None, account_id=None, op=op
        )


class Worth(Enum):
    """What an invitation is worth at a moment."""

    GOOD = "good"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"
    REVOKED = "revoked"
    BUSY = "busy"
    """It is being used in this moment."""
    UNSETTLED = "unsettled"
    """It was being used a while ago; what became of it can be found out."""


def standing(row: InvitationRow | None, *, now: Millis, claim: UUID | None = None) -> Worth:
    """Tell what an invitation is worth to the attempt that holds `claim`. The first match wins.

    | row                                  | answer    |
    |--------------------------------------|-----------|
    | none                                 | UNKNOWN   |
    | revoked                              | REVOKED   |
    | used                                 | USED      |
    | granting                             | UNSETTLED |
    | claimed by another, up to 30 s ago   | BUSY      |
    | claimed by another                   | UNSETTLED |
    | its end is past                      | EXPIRED   |
    | open, or claimed by this attempt     | GOOD      |
    """
    if row is None:
        return Worth.UNKNOWN
    if row.state in _SETTLED:
        return _SETTLED[row.state]
    if row.state is InvitationState.CLAIMED and row.claim != claim:
        return Worth.UNSETTLED if now - row.claimed_at > REST_MS else Worth.BUSY
    return Worth.EXPIRED if row.ends_at <= now else Worth.GOOD


_SETTLED: Final = {
    InvitationState.REVOKED: Worth.REVOKED,
    InvitationState.USED: Worth.USED,
    InvitationState.GRANTING: Worth.UNSETTLED,
}


def id_of(key: str) -> str:
    """Return how operators and the audit name the invitation of a key."""
    return key[:ID_DIGITS]


def link_of(public_url: str, secret: str) -> str:
    """Return the link of an invitation."""
    return f"{public_url.rstrip('/')}{PATH}?{PARAMETER}={secret}"


def key_of(secret: str) -> str | None:
    """Return the key a link's secret leads to; None for what is no secret of ours, without a look at any store."""
    if not _SECRET.fullmatch(secret):
        return None
    return hashlib.sha256(b"identityd invitation\0" + secret.encode()).hexdigest()
