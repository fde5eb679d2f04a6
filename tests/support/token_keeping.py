"""The service of kept tokens over a real account store, and a provider that refreshes as strict ones do."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NoReturn, cast
from uuid import uuid4

from identity.accounts.store import AccountRow, AccountStatus, AccountStore, KeptTokens, LinkedIdentity
from identity.encryption import Encryption
from identity.errors import StoreUnavailable
from identity.keyring import KeyRing, Purpose, new_ring
from identity.stores.memory import MemoryAccounts
from identity.types import SECOND, AccountId, Clock, IdentityKey, Username
from identity.upstream_tokens.grants import KeptGrant
from identity.upstream_tokens.results import DueForRefresh, TokenQuestion
from identity.upstream_tokens.sealing import GrantSeal
from identity.upstream_tokens.service import TokenRules, UpstreamTokens
from options.secret import Secret
from providers.base import UpstreamGrant
from tests.support.clock import ManualClock

KEY: Final = IdentityKey("google:7")
OTHER: Final = IdentityKey("google:8")
GITHUB: Final = IdentityKey("github:7")
HOLD_MS: Final = 30 * SECOND
GRANT: Final = UpstreamGrant("canary-access-1", "canary-refresh-1", 3600, "mail")


class Keeping:
    """An account, and the service that keeps its tokens.

    Args:
        store: where the rows are; in memory by default.
        clock: the time; stands still by default.
    """

    def __init__(self, store: AccountStore | None = None, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.store = store or MemoryAccounts(clock=self.clock)
        self.ring = new_ring(secret=Secret(b"k" * 32), locator=Secret(b"l" * 32), now=0)
        self.reached: list[str] = []
        self.stop_at = ""
        self.outcomes: list[str] = []
        self.tokens = self.daemon()
        self.account = self.made(KEY, GITHUB)

    def daemon(self, *, keeping: frozenset[str] = frozenset({"google"})) -> UpstreamTokens:
        """Return the service as one more daemon has it."""
        return UpstreamTokens(
            self.store,
            self.seal,
            rules=TokenRules(keeping, HOLD_MS),
            clock=self.clock,
            new_uuid=uuid4,
            count=self._count,
            checkpoint=self.reach,
        )

    def _count(self, _name: str, /, **labels: str) -> None:
        self.outcomes.append(labels["outcome"])

    @property
    def seal(self) -> GrantSeal:
        """What seals rows."""
        return GrantSeal(sealing(lambda: self.ring, self.clock))

    def reach(self, place: str) -> None:
        """Note a checkpoint, and end there if a test says so."""
        self.reached.append(place)
        if place == self.stop_at:
            raise Killed(place)

    def made(self, *keys: IdentityKey) -> AccountId:
        """Make an account with these ways to log in, the first the oldest."""
        ways = {key: LinkedIdentity(self.clock() + at, "") for at, key in enumerate(keys)}
        status = AccountStatus.ACTIVE
        row = AccountRow(AccountId(uuid4()), Username("ada"), status, 1, 1, uuid4(), self.clock(), ways)
        self.store.accounts.insert(row)
        return row.key

    def change_account(self, **changes: Any) -> None:  # noqa: ANN401 - fields of the row
        """Write the account anew."""
        row = self.store.accounts.read(self.account)
        assert row is not None
        self.store.accounts.replace(replace(row, op=uuid4(), **changes), expected=row)

    def question(self, provider: str = "google", identity: IdentityKey = KEY) -> TokenQuestion:
        """Return what an application asks for its person."""
        return TokenQuestion(self.account, provider, identity)

    @property
    def due(self) -> DueForRefresh:
        """The refresh of the account's tokens."""
        return DueForRefresh(KEY, self.account)

    def row(self, key: IdentityKey = KEY) -> KeptTokens:
        """Return a row, which must be there."""
        row = self.store.upstream_tokens.read(key)
        assert row is not None
        return row

    def kept(self, key: IdentityKey = KEY) -> KeptGrant:
        """Return what a row holds."""
        return self.seal.opened(self.row(key))


class Killed(Exception):
    """Stands for the end of the process at a checkpoint."""


def sealing(ring: Callable[[], KeyRing], clock: Clock) -> Encryption:
    """Return the encryption of kept tokens."""
    return Encryption(ring, purpose=Purpose.KEPT, clock=clock, random_bytes=lambda size: uuid4().bytes[:size])


def cut_store(site: Keeping) -> Callable[[], None]:
    """Let no row be written from now on; return what mends it."""
    rows = cast("Any", site.store.upstream_tokens)

    def away(*_: object, **__: object) -> NoReturn:
        raise StoreUnavailable(detail="away")

    rows.insert = rows.replace = away

    def mend() -> None:
        del rows.insert, rows.replace

    return mend
