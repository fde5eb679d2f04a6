"""What providers say of their people's accounts: whom it concerns here, and each notice once.

Owns the way from a verified notice to the account it concerns. Whether a notice is genuine the
provider's kind has found out before; what an event means is `accounts.event_effects`, doing it the
account service's. Plain functions, thread-safe, no HTTP. Invariants: a notice is remembered after all of
it was done, never before, so one that was cut short counts when it is sent again; and no store that
forgets (memcached) keeps a person logged in whom it concerns.

    the notice                     what is done, and said
    ----------------------------   ----------------------------------------------------------
    counted already                nothing, and the provider hears what it heard the first time
    of a person unknown here       noted
    of an event that asks for      noted, with the account if there is one
    nothing
    that its tokens are good no    kept tokens from before it are forgotten, then as any other
    more
    any other                      what the table says; twice is as once but for sessions that
                                   were opened in between
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias
from uuid import UUID, uuid5

from identity.accounts.event_effects import effect_of, worded
from identity.accounts.linking import Refuse, identity_key
from identity.accounts.results import By, NotReachedYet, ProviderEvent
from identity.accounts.service import AccountService
from identity.accounts.store import IdentityRow, IdentityState
from identity.audit import Event
from identity.errors import BadInput, StoreError
from identity.login.dependencies import LoginDependencies
from identity.login.flow import record_name
from identity.login.store import RecordKind
from identity.types import SECOND, AccountId, Count, IdentityKey, Millis
from providers.security_notices import SecurityEvent, SecurityNotice

Forget: TypeAlias = Callable[[IdentityKey, AccountId, Millis], bool]
"""Forgets the kept tokens of an identity and account that a provider gave up to a moment; whether there were any.

Raises StoreUnavailable.
"""

ACTION: Final = "security-event"
METRIC: Final = "identityd_security_events_total"
_NOTICES: Final = UUID("7d5a1c8e-3f0b-5c39-9a54-6f1d2f8f2b60")
"""Under which the ids of changes are made of the ids of notices: a notice that is sent again asks for the same."""


class ProviderEvents:
    """Does what providers' notices ask for.

    Args:
        accounts: whose identity is it; changes accounts.
        dependencies: markers and time.
        note: hears of what changes nothing, for the audit; must not block.
        count: adds to the counter of events.
        forget: forgets kept tokens.
    """

    def __init__(
        self,
        accounts: AccountService,
        dependencies: LoginDependencies,
        *,
        note: Callable[[Event], None],
        count: Count,
        forget: Forget,
    ) -> None:
        self._forget = forget
        self._accounts = accounts
        self._dependencies = dependencies
        self._note = note
        self._count = count

    def heed(self, provider: str, notice: SecurityNotice, *, by: By) -> str:
        """Do what a verified notice asks for; return what became of each event, for the log.

        Costs two reads for an event of a person unknown here, and for one of a known one what a change of an
        account costs. While memcached is away a notice may count twice.

        Raises:
            StoreUnavailable: not all of it was done; the same notice may be sent again.
        """
        one_time, name = self._dependencies.one_time, record_name(f"events {provider} {notice.id}")
        with contextlib.suppress(StoreError):
            if one_time.peek(RecordKind.NOTICE, name) is not None:
                for event in notice.events:
                    self._tally(provider, event, "repeated")
                return "repeated"
        done = [self._heed(provider, notice, number, by=by) for number in range(len(notice.events))]
        with contextlib.suppress(StoreError):
            one_time.spend(RecordKind.NOTICE, name, expires_at=notice.counts_until * SECOND)
        return ", ".join(f"{worded(event)}: {what}" for event, what in zip(notice.events, done, strict=True))

    def refused(self, provider: str, why: str) -> BadInput:
        """Count what is no notice, and return the error that says so."""
        self._count(METRIC, provider=provider, event="none", outcome="refused")
        return BadInput(ACTION, detail=f"{provider}: {why}", public="This is no security event that counts here.")

    def _heed(self, provider: str, notice: SecurityNotice, number: int, *, by: By) -> str:
        event = notice.events[number]
        request_id = uuid5(_NOTICES, f"{provider} {notice.id} {number}")
        by, effect, key = replace(by, why=worded(event)), effect_of(event), _key(provider, event)
        row = self._known(key)
        if row is None or effect.idle:
            outcome = "noted" if effect.idle else "nothing"
            self._audit(request_id, by, key, account_id=row.account_id if row else None, outcome=outcome)
        else:
            happened_at = notice.happened_at * SECOND
            if effect.forgets_tokens and self._forget(row.key, row.account_id, happened_at):
                self._audit_forgotten(request_id, by, row)
            outcome = self._change(ProviderEvent(request_id, row.account_id, row.key, effect, happened_at, by))
        self._tally(provider, event, outcome)
        return outcome

    def _change(self, request: ProviderEvent) -> str:
        match self._accounts.heed_provider(request):
            case Refuse():
                return "nothing"
            case NotReachedYet():
                return "queued"
            case _:
                return "done"

    def _known(self, key: IdentityKey | None) -> IdentityRow | None:
        row = self._accounts.find(key) if key else None
        return row if row is not None and row.state is IdentityState.ACTIVE else None

    def _audit(
        self, event_id: UUID, by: By, key: IdentityKey | None, *, account_id: AccountId | None, outcome: str
    ) -> None:
        facts = {"reason": by.why, "outcome": outcome, "identity": key}
        self._note(
            Event(
                id=event_id,
                at=self._dependencies.clock(),
                action=ACTION,
                account_id=account_id,
                actor=by.actor,
                address=by.address,
                request_id=by.request_id,
                facts={name: value for name, value in facts.items() if value},
            )
        )

    def _audit_forgotten(self, request_id: UUID, by: By, row: IdentityRow) -> None:
        self._note(
            Event(
                id=uuid5(request_id, "tokens-forgotten"),
                at=self._dependencies.clock(),
                action="tokens-forgotten",
                account_id=row.account_id,
                actor=by.actor,
                address=by.address,
                request_id=by.request_id,
                facts={"identity": row.key, "outcome": "ended-there", "reason": by.why},
            )
        )

    def _tally(self, provider: str, event: SecurityEvent, outcome: str) -> None:
        self._count(METRIC, provider=provider, event=event.type.value, outcome=outcome)


def _key(provider: str, event: SecurityEvent) -> IdentityKey | None:
    """Return whom an event is about; None if that can be no identity."""
    try:
        return identity_key(provider, event.subject) if event.subject else None
    except ValueError:
        return None
