"""Letting go of kept tokens: taken back at the provider, then forgotten here.

Owns what happens to tokens when an identity is unlinked or its account is disabled. It follows the revocation
that ends the sessions (D10), which is kept and carried out again until it is done; so a process that is killed
here leaves the rest to the next one. Invariants: nothing here keeps a revocation from being done; tokens are
worth nothing from the unlink on, because the account does not list their identity.

    the revocation is of                  the account now          let go of
    ------------------------------------  -----------------------  ----------------------------
    an unlink                             does not list it         that identity's tokens
    a disabling                           is disabled              those of all its identities
    either, and it was undone meanwhile                            nothing
    anything else                                                  nothing
"""

import logging
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias
from uuid import UUID

from identity.accounts.store import AccountStatus, AccountStore, Applied, KeptTokens, Revocation
from identity.audit import Event
from identity.errors import StoreCorrupt, StoreError
from identity.sessions.record import Ended
from identity.types import SECOND, AccountId, Checkpoint, Clock, IdentityKey, Millis
from identity.upstream_tokens.sealing import GrantSeal
from providers.base import ProviderBroken

log = logging.getLogger("identity.upstream_tokens")

PAUSES: Final[tuple[Millis, ...]] = (0, SECOND, 2 * SECOND)
"""Before each try at a provider."""
_ROUNDS: Final = 4
"""How often tokens that were refreshed meanwhile are taken back too."""

TakeBack: TypeAlias = Callable[[str, tuple[str, ...]], bool | None]
"""Given a provider and tokens: whether it has an address for it; None if it is not configured any more.

Raises ProviderBroken.
"""


class LettingGo:
    """Takes tokens back and forgets them.

    Args:
        store: the rows.
        seal: opens them.
        take_back: asks the provider.
        pause: waits, between tries.
        note: takes audit events.
        clock, new_uuid: date and ids of the events.
        checkpoint: told each place that is reached.
    """

    def __init__(
        self,
        store: AccountStore,
        seal: GrantSeal,
        *,
        take_back: TakeBack,
        pause: Callable[[Millis], None],
        note: Callable[[Event], None],
        clock: Clock,
        new_uuid: Callable[[], UUID],
        checkpoint: Checkpoint,
    ) -> None:
        self._rows = store.upstream_tokens
        self._accounts = store.accounts
        self._seal = seal
        self._take_back = take_back
        self._pause = pause
        self._note = note
        self._clock = clock
        self._new_uuid = new_uuid
        self._checkpoint = checkpoint

    def __call__(self, revocation: Revocation) -> None:
        """Let go of what a revocation leaves without an owner. Never raises StoreError.

        One read of the account and one for each identity; a provider's tokens cost its answers, and three seconds
        of pauses if it fails.
        """
        try:
            for key in self._left(revocation):
                self._let_go(key, revocation.account_id)
        except StoreError as error:
            what = error.detail or error.code
            log.error("tokens-left: of account %s; fsck finds them: %s", revocation.account_id, what)  # noqa: TRY400

    def _left(self, revocation: Revocation) -> Iterator[IdentityKey]:
        if revocation.session is not None or revocation.reason not in {Ended.UNLINKED, Ended.DISABLED}:
            return
        account = self._accounts.read_settled(revocation.account_id)
        if account is None:
            return
        key = revocation.identity
        if revocation.reason == Ended.UNLINKED and key and key not in account.identities:
            yield key
        if revocation.reason == Ended.DISABLED and account.status is AccountStatus.DISABLED:
            yield from account.identities

    def _let_go(self, key: IdentityKey, account_id: AccountId) -> None:
        for _ in range(_ROUNDS):
            row = self._rows.read_settled(key)
            if row is None or row.account_id != account_id:
                return
            outcome = self._taken_back(row)
            self._checkpoint("tokens.taken-back")
            gone = self._rows.delete(row) is Applied.APPLIED
            self._tell(row, outcome)
            if gone:
                self._checkpoint("tokens.forgotten")
                return

    def _taken_back(self, row: KeptTokens) -> str:
        """Return what became of it, as the audit spells it."""
        provider = row.key.partition(":")[0]
        try:
            tokens = self._seal.opened(row).tokens
        except StoreCorrupt:
            tokens = ()
        if not tokens:
            return "nothing-to-take-back"
        fault: ProviderBroken | None = None
        for pause in PAUSES:
            if pause:
                self._pause(pause)
            try:
                done = self._take_back(provider, tokens)
            except ProviderBroken as error:
                fault = error
            else:
                return {True: "taken-back", False: "no-address", None: "not-configured"}[done]
        log.error("tokens-not-taken-back: %s keeps those of %s good until they end: %s", provider, row.key, fault)
        return "not-taken-back"

    def _tell(self, row: KeptTokens, outcome: str) -> None:
        self._note(
            Event(
                id=self._new_uuid(),
                at=self._clock(),
                action="tokens-forgotten",
                account_id=row.account_id,
                actor="system",
                facts={"identity": row.key, "outcome": outcome},
            )
        )
