"""Reading and writing session records around compare-and-swap.

Owns the loops and the ticket of a login; what changes is decided in `changes.py`. Invariant: a
write whose outcome is unknown is never taken for done or not done.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from identity.errors import StoreCorrupt, StoreUnavailable
from identity.keyring import KeyRing
from identity.sessions import changes
from identity.sessions.changes import Lifetimes
from identity.sessions.record import Record
from identity.sessions.store import Absent, Found, Read, SessionStore, Unread, Version, Written
from identity.types import AccountId, Clock, Locator

WRITES: Final = 16
"""How often ending a session is tried again after a lost or unknown write."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The session record as it stood before the account was read.

    `open` writes only over exactly this: a disable in between moves the record, so either the
    login saw the disabled account or its write loses.
    """

    account_id: AccountId
    locator: Locator
    read: Found | Absent | Unread


class Records:
    """The session records of all accounts.

    Args:
        store: where they are.
        keys: gives the current key ring (for locators).
        lifetimes: what counts as over.
        clock: the time.
    """

    def __init__(self, store: SessionStore, *, keys: Callable[[], KeyRing], lifetimes: Lifetimes, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._lifetimes = lifetimes
        self._clock = clock

    def read(self, locators: set[Locator]) -> Mapping[Locator, Read]:
        """Read records: one trip per node, none for an empty set."""
        return self._store.read_many(locators) if locators else {}

    def ticket(self, account_id: AccountId) -> Ticket:
        """Read one account's record. Raises StoreUnavailable when its node does not answer."""
        locator = self._keys().locator(account_id)
        read = self._store.read_many({locator})[locator]
        if read is Unread.DOWN or read is Unread.NEWER:
            raise StoreUnavailable(detail=f"session record: {read.value}")
        return Ticket(account_id, locator, read)

    def swap(self, locator: Locator, record: Record, version: Version) -> Written:
        """Replace a record that is still at `version`, without what has been over for a day."""
        record, expires_at = changes.stored(record, self._lifetimes, now=self._clock())
        return self._store.swap(locator, record, version=version, expires_at=expires_at)

    def put(self, ticket: Ticket, record: Record) -> Written:
        """Write over exactly what the ticket saw: a record, nothing, or a corrupt value."""
        record, expires_at = changes.stored(record, self._lifetimes, now=self._clock())
        match ticket.read:
            case Found(version=version):
                return self._store.swap(ticket.locator, record, version=version, expires_at=expires_at)
            case Absent():
                return self._store.add(ticket.locator, record, expires_at=expires_at)
            case Unread():
                return self._store.replace_corrupt(ticket.locator, record, expires_at=expires_at)

    def change(
        self, account_id: AccountId, change: Callable[[Record], Record], *, otherwise: Record | None = None
    ) -> None:
        """Apply a change until it holds; where there is no record, write `otherwise` or nothing.

        `change` must be idempotent: after an unknown outcome it is applied to what is read then,
        and returning its argument itself means that nothing is left to do.

        Raises:
            StoreUnavailable: the node does not answer, or no write was confirmed.
            StoreCorrupt: the record is not what this daemon wrote and `otherwise` is not given.
        """
        for _ in range(WRITES):
            ticket = self.ticket(account_id)
            if ticket.read is Unread.CORRUPT and otherwise is None:
                raise StoreCorrupt(detail="session record")
            after = change(ticket.read.record) if isinstance(ticket.read, Found) else otherwise
            if after is None or (isinstance(ticket.read, Found) and after is ticket.read.record):
                return
            if self.put(ticket, after) is Written.APPLIED:
                return
        raise StoreUnavailable(detail="session record: write not confirmed")
