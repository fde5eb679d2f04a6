"""Keeping the tokens of logins, and handing out access tokens that are good.

Owns the steps; what they decide is in `grants.py`. Plain functions, thread-safe, no HTTP; the provider is
asked by the caller, between `claim` and one of `settle`, `refuse` and `rest`. Invariants: of all callers on
all daemons one asks the provider; what counts is what the account says, not what is kept (D6); a
refresh token that the provider exchanged is not lost with the store's next hiccup.

    claim                   the provider       afterwards
    ─────────────────────   ────────────────   ─────────────────────────────────────────────────────
    written to the row      answers            settle: the fresh tokens are written, and handed out
    under its op; only its  refuses            refuse: the row says that a login is needed
    holder asks             gives no answer    rest: left alone for a while; what is usable is used on
    killed here             -                  the claim runs out, and the next caller asks again
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from identity.accounts.linking import identity_key
from identity.accounts.store import AccountRow, AccountStatus, AccountStore, Applied, KeptTokens
from identity.accounts.writing import ROUNDS, put
from identity.errors import ProviderTrouble, StoreCorrupt, StoreError, StoreUnavailable
from identity.types import MINUTE, SECOND, AccountId, Checkpoint, Clock, Count, IdentityKey, Millis
from identity.upstream_tokens import grants
from identity.upstream_tokens.grants import Freshness, KeptGrant, freshness
from identity.upstream_tokens.results import (
    ClaimOutcome,
    DueForRefresh,
    HandedOut,
    LoginDue,
    Looked,
    NotLinked,
    Orphaned,
    RefreshClaim,
    Settled,
    TokenQuestion,
    Waiting,
)
from identity.upstream_tokens.sealing import GrantSeal
from providers.base import RenewedGrant, UpstreamGrant

log = logging.getLogger("identity.upstream_tokens")

TOKEN_CHECKPOINTS: Final = (
    "tokens.kept",
    "tokens.claimed",
    "tokens.settled",
    "tokens.taken-back",
    "tokens.forgotten",
)
"""Every place at which a change may be interrupted; the kill tests visit each."""
SIGN_UP_MS: Final[Millis] = 30 * MINUTE
"""How long tokens wait for a person who chooses a username; twice as long as that may take."""
REST_MS: Final[Millis] = 15 * SECOND
"""How long a provider that failed is left alone for one person's tokens."""
MOST_UNSAVED: Final = 1_000
"""Fresh tokens that wait in memory for the store; more than that are lost, and said in the log."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What the operator decided."""

    keeping: frozenset[str]
    """The providers whose tokens are kept."""
    hold_ms: Millis
    """How long a claim lasts: longer than a call to a provider may take, with what is around it."""


class UpstreamTokens:
    """Kept tokens.

    Args:
        store: the rows.
        seal: seals and opens what is in them.
        rules: the operator's.
        clock: the time.
        new_uuid: claims and ops.
        count: adds to the counter of what became of requests.
        checkpoint: told each name of `TOKEN_CHECKPOINTS` as it is reached.
    """

    def __init__(
        self,
        store: AccountStore,
        seal: GrantSeal,
        *,
        rules: TokenRules,
        clock: Clock,
        new_uuid: Callable[[], UUID],
        count: Count,
        checkpoint: Checkpoint,
    ) -> None:
        self.rules = rules
        self._rows = store.upstream_tokens
        self._accounts = store.accounts
        self._seal = seal
        self._clock = clock
        self._new_uuid = new_uuid
        self._count = count
        self._checkpoint = checkpoint
        self._unsaved: dict[IdentityKey, tuple[RefreshClaim, KeptGrant]] = {}

    def tally(self, provider: str, outcome: str) -> None:
        """Count what became of a request."""
        self._count("identityd_upstream_tokens_total", provider=provider, outcome=outcome)

    # --- at a login

    def keep(self, key: IdentityKey, account_id: AccountId | None, grant: UpstreamGrant | None) -> None:
        """Keep the tokens of a login, or with None those that waited for its account. Never fails a login.

        One read and one conditional write; nothing for a provider whose tokens are not kept.

        Args:
            key: the identity that was proven.
            account_id: whose; None while a username is chosen, and the row expires.
            grant: the tokens; None after a sign-up, whose login brought them before.
        """
        provider = key.partition(":")[0]
        if provider not in self.rules.keeping:
            return
        try:
            self._keep(key, account_id, grant)
        except StoreError as error:
            log.warning("tokens-not-kept: %s: %s", provider, error.detail or error.code)
            self.tally(provider, "not-kept")
        else:
            self._checkpoint("tokens.kept")

    def _keep(self, key: IdentityKey, account_id: AccountId | None, grant: UpstreamGrant | None) -> None:
        fresh = grants.received(grant, self._clock()) if grant else None
        if grant and fresh is None:
            log.warning("tokens-too-large: those of a login through %s are not kept", _provider(key))
            return
        expires_at = self._clock() + SIGN_UP_MS if account_id is None else None
        for _ in range(ROUNDS):
            row = self._rows.read_settled(key)
            before = self._of(row, account_id)
            kept = before if fresh is None else grants.followed(before, fresh) if before else fresh
            if kept is None:
                return
            if (
                put(self._rows, self._row(key, account_id, kept), expected=row, expires_at=expires_at)
                is Applied.APPLIED
            ):
                return
        raise StoreUnavailable(detail="the row of kept tokens changed in every round")

    def forget(self, key: IdentityKey, account_id: AccountId, until: Millis) -> bool:
        """Forget the tokens that were kept up to a moment; tell whether there were any.

        For tokens that their provider says are good no more: those it gave later stay. One read and one
        conditional write. Raises StoreUnavailable.
        """
        for _ in range(ROUNDS):
            row = self._rows.read_settled(key)
            # Providers tell whole seconds.
            if row is None or row.account_id != account_id or row.kept_at >= until + SECOND:
                return False
            if self._rows.delete(row) is Applied.APPLIED:
                return True
        raise StoreUnavailable(detail="the row of kept tokens changed in every round")

    def _of(self, row: KeptTokens | None, account_id: AccountId | None) -> KeptGrant | None:
        """Return what a row holds for this account, or for a person who has none yet; nothing of another account."""
        if row is None or row.account_id not in {account_id, None}:
            return None
        return self._opened(row)

    def _opened(self, row: KeptTokens) -> KeptGrant:
        """Return what a row holds; what was not sealed by us for its place is lost, and a login puts it right."""
        try:
            return self._seal.opened(row)
        except StoreCorrupt as error:
            log.error("tokens-corrupt: %s: %s", _provider(row.key), error.detail)  # noqa: TRY400 - what it says is all
            return KeptGrant("", "", "", row.kept_at, None)

    # --- for an application

    def look(self, question: TokenQuestion) -> Looked:
        """Return an access token that is good, or what is in its way. Two reads, one more for each further link.

        Raises:
            StoreError: the store is away, or a daemon with a newer key ring wrote there.
        """
        account = self._accounts.read(question.account_id)
        keys = [*_links(account, question)] if account and account.status is AccountStatus.ACTIVE else []
        if not keys:
            return NotLinked()
        now = self._clock()
        for key in keys:
            self._save(key)
            row = self._rows.read(key)
            if row is None or row.account_id != question.account_id or (account and account.suspended(key)):
                continue
            grant = self._opened(row)
            fresh = freshness(grant, now)
            if fresh is Freshness.GOOD:
                self._reseal(row, grant)
                return _handed_out(grant, now)
            if fresh is not Freshness.LOST:
                return DueForRefresh(key, question.account_id)
        return LoginDue()

    def claim(self, due: DueForRefresh) -> ClaimOutcome:
        """Return the right to ask the provider, or what came of another caller's. Raises StoreError.

        A claim that is far ahead was written by a clock that was wrong, and does not count.
        """
        for _ in range(ROUNDS):
            row = self._rows.read_settled(due.key)
            if row is None or row.account_id != due.account_id:
                return LoginDue()
            now, grant = self._clock(), self._opened(row)
            fresh = freshness(grant, now)
            if fresh is Freshness.LOST:
                return LoginDue()
            taken = now < row.rests_until <= now + self.rules.hold_ms
            if fresh is Freshness.GOOD or (fresh is Freshness.AGEING and taken):
                return _handed_out(grant, now)
            if taken:
                return Waiting(row.rests_until - now, asking=row.claim is not None)
            mine = replace(row, claim=self._new_uuid(), rests_until=now + self.rules.hold_ms, op=self._new_uuid())
            if put(self._rows, mine, expected=row) is Applied.APPLIED:
                self._checkpoint("tokens.claimed")
                return RefreshClaim(mine, grant)
        raise StoreUnavailable(detail="the row of kept tokens changed in every round")

    def settle(self, claimed: RefreshClaim, renewed: RenewedGrant) -> Settled:
        """Write what a refresh brought, and hand it out. If the store is away it is written later.

        Raises:
            ProviderTrouble: the tokens are another person's, or too large to be kept.
        """
        key, now = claimed.row.key, self._clock()
        if not _same_person(key, renewed):
            self.rest(claimed)
            raise ProviderTrouble(detail=f"{_provider(key)} refreshed with tokens of another person")
        fresh = grants.received(renewed.grant, now)
        if fresh is None:
            self.rest(claimed)
            raise ProviderTrouble(detail=f"{_provider(key)} refreshed with tokens that are too large to be kept")
        fresh = grants.followed(claimed.grant, fresh)
        try:
            there = self._write(claimed, fresh)
        except StoreUnavailable as error:
            self._hold(claimed, fresh, error)
            there = True
        self._checkpoint("tokens.settled")
        return _handed_out(fresh, now) if there else Orphaned(fresh.tokens)

    def refuse(self, claimed: RefreshClaim) -> LoginDue:
        """Note that the provider does not honour the refresh token any more."""
        self._replace(claimed, grants.lost(claimed.grant, self._clock()), rests_until=0)
        return LoginDue()

    def rest(self, claimed: RefreshClaim) -> Millis:
        """Leave the provider alone for a while, because it failed; return for how long."""
        self._replace(claimed, claimed.grant, rests_until=self._clock() + REST_MS)
        return REST_MS

    def still_usable(self, claimed: RefreshClaim) -> HandedOut | None:
        """Return the access token there was, if it is good for a moment although a fresh one could not be had."""
        now = self._clock()
        return _handed_out(claimed.grant, now) if freshness(claimed.grant, now) is Freshness.AGEING else None

    def save_all(self) -> None:
        """Write fresh tokens that the store did not take before. For a periodic task; never raises StoreError."""
        for key in [*self._unsaved]:
            self._save(key)

    def _save(self, key: IdentityKey) -> None:
        waiting = self._unsaved.get(key)
        if waiting is None:
            return
        try:
            self._write(*waiting)
        except StoreUnavailable:
            return
        self._unsaved.pop(key, None)

    def _hold(self, claimed: RefreshClaim, fresh: KeptGrant, error: StoreUnavailable) -> None:
        key = claimed.row.key
        kept = len(self._unsaved) < MOST_UNSAVED
        if kept:
            self._unsaved[key] = claimed, fresh
        what = "kept in memory and written when it is back" if kept else "lost; its person has to log in again"
        log.error("tokens-not-written: fresh tokens of %s are %s: %s", _provider(key), what, error.detail)

    def _write(self, claimed: RefreshClaim, fresh: KeptGrant) -> bool:
        """Write fresh tokens over what stands there; False if the link went meanwhile."""
        row, kept = claimed.row, fresh
        for _ in range(ROUNDS):
            stands = put(self._rows, self._row(row.key, row.account_id, kept), expected=row)
            if stands is Applied.APPLIED:
                return True
            if stands is None or stands.account_id != row.account_id:
                return False
            merged = grants.overtaken(claimed.grant, fresh, self._opened(stands))
            if merged is None:
                return True
            row, kept = stands, merged
        raise StoreUnavailable(detail="the row of kept tokens changed in every round")

    def _replace(self, claimed: RefreshClaim, grant: KeptGrant, *, rests_until: Millis) -> None:
        """Write over our own claim, and over nothing else; without the store it runs out by itself."""
        after = replace(self._row(claimed.row.key, claimed.row.account_id, grant), rests_until=rests_until)
        try:
            put(self._rows, after, expected=claimed.row)
        except StoreError as error:
            log.warning("tokens-claim-left: it runs out by itself: %s", error.detail or error.code)

    def _reseal(self, row: KeptTokens, grant: KeptGrant) -> None:
        """Seal with the key that seals now, so that the old one can leave the ring; a lost race is no matter."""
        if not self._seal.is_outdated(row):
            return
        sealed = self._seal.sealed(row.key, row.account_id, grant)
        try:
            put(self._rows, replace(row, sealed=sealed, op=self._new_uuid()), expected=row)
        except StoreError as error:
            log.info("tokens-not-resealed: %s", error.detail or error.code)

    def _row(self, key: IdentityKey, account_id: AccountId | None, grant: KeptGrant) -> KeptTokens:
        return KeptTokens(
            key=key,
            account_id=account_id,
            sealed=self._seal.sealed(key, account_id, grant),
            kept_at=self._clock(),
            claim=None,
            rests_until=0,
            op=self._new_uuid(),
        )


def _links(account: AccountRow, question: TokenQuestion) -> Iterator[IdentityKey]:
    """Yield the account's links to the provider: the session's own, then the oldest first."""
    own = question.identity
    mine = [key for key in account.identities if _provider(key) == question.provider]
    yield from sorted(mine, key=lambda key: (key != own, account.identities[key].linked_at, key))


def _provider(key: IdentityKey) -> str:
    return key.partition(":")[0]


def _handed_out(grant: KeptGrant, now: Millis) -> HandedOut:
    left = None if grant.expires_at is None else max(0, grant.expires_at - now) // SECOND
    return HandedOut(grant.access_token, left, grant.scope)


def _same_person(key: IdentityKey, renewed: RenewedGrant) -> bool:
    said = renewed.said
    if said is None:
        return True
    try:
        return identity_key(_provider(key), said.subject, tenant=said.tenant) == key
    except ValueError:
        return False
