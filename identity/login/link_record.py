"""A link in progress: an identity was proven for an account, and the person has not confirmed it yet.

Owns the record and who may confirm it. Pure. Invariant: a record serves one session of one account in one
browser, for ten minutes; nothing of what is linked is taken from the request.
"""

import hmac
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from identity.login.flow import SKEW_MS, Flaw, Flow
from identity.sessions.record import Session
from identity.types import MINUTE, AccountId, IdentityKey, Millis, SessionId

LINK_MS: Final[Millis] = 10 * MINUTE
"""How long ago the new way may have been proven when it is linked."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who is logged in."""

    account_id: AccountId
    session: Session


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRecord:
    """A proven identity that waits to become one more way to log in. Confirming it adds nothing."""

    reference: str = field(repr=False)
    identity: IdentityKey
    provider: str
    label: str
    """What the person recognises it by."""
    proven: bool
    """Whether the provider proved that the person was there, and not only the browser."""
    claim: UUID
    account: AccountId
    session: SessionId = field(repr=False)
    created_at: Millis
    """When the identity was proven."""

    @property
    def expires_at(self) -> Millis:
        """When the record is void."""
        return self.created_at + LINK_MS


def holder_flaw(flow: Flow, holder: Holder | None) -> Flaw | None:
    """Tell why who is logged in may not go on with a link that was begun; None if they may.

    The session that began it must be there, and count, when the provider answers: otherwise the proof of one
    person is linked to the account of another who logged in meanwhile (THREATS 19, 57).
    """
    same = holder and flow.session == holder.session.id and flow.account == holder.account_id
    return None if same and holder and not holder.session.doubtful else Flaw.LOGIN_OVER


def link_flaw(record: LinkRecord, *, reference: str, holder: Holder, now: Millis) -> Flaw | None:
    """Tell why a link may not be confirmed; None if it may.

    The first row that applies:

        condition                                                   | flaw
        ------------------------------------------------------------+-----------
        `reference` is not the record's (compared in constant time) | OTHER_NAME
        made for another session or account, or it is doubtful now  | LOGIN_OVER
        older than 10 minutes, or more than 1 minute ahead          | EXPIRED
        none of these                                               | None
    """
    if not hmac.compare_digest(record.reference.encode(), reference.encode()):
        return Flaw.OTHER_NAME
    mine = record.session == holder.session.id and record.account == holder.account_id
    if not mine or holder.session.doubtful:
        return Flaw.LOGIN_OVER
    return None if record.created_at - SKEW_MS <= now < record.expires_at else Flaw.EXPIRED
