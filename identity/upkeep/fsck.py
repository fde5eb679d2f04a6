"""Looking through the whole identity map for what does not agree, while daemons use it.

Owns the walk over the tables and its order: index rows first, because finishing them settles the
rest; names next; accounts, when both are in order; last tokens, invitations and what is still to
be revoked. A scanned row is only a hint: it is read again, settled, with its counterparts, and
judged (`diagnosis.py`) only if it is still the same afterwards. Streams: at most a few rows for
each thread are in memory.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final, TypeVar

from identity.accounts.linking import in_merge
from identity.accounts.store import AccountRow, AccountStore, IdentityRow, Revocation
from identity.accounts.usernames import fold
from identity.accounts.writing import ROUNDS
from identity.types import AccountId, Clock, IdentityKey, UsernameKey
from identity.upkeep import diagnosis
from identity.upkeep.diagnosis import Diagnosis, Remedy
from identity.upkeep.mending import Mended, Mending, Suspect

AHEAD: Final = 4
"""Rows read ahead of the slowest, for each thread."""

T = TypeVar("T")


class WalkedTable(Enum):
    """What is walked over."""

    IDENTITIES = "identities"
    USERNAMES = "usernames"
    ACCOUNTS = "accounts"
    UPSTREAM_TOKENS = "upstream_tokens"
    INVITATIONS = "invitations"
    REVOCATIONS = "revocations"


@dataclass(frozen=True, slots=True)
class Inconsistency:
    """One thing that is wrong, or waits."""

    diagnosis: Diagnosis
    account_id: AccountId
    identity: IdentityKey | None
    username: UsernameKey | None
    outcome: Mended | None
    """What became of the step; None if only looked at."""

    @property
    def left(self) -> bool:
        """Tell whether something is wrong after this; what only waits is not."""
        return self.diagnosis.remedy is not Remedy.WAIT and self.outcome is not Mended.DONE


@dataclass(frozen=True, slots=True)
class Checked:
    """A row was looked at."""

    table: WalkedTable
    findings: tuple[Inconsistency, ...]


class Fsck:
    """Looks, and mends if it was given what mends.

    Args:
        store: the rows.
        clock: the time; rows younger than two claims' lives are left alone.
        mending: takes the steps; None to look only, which writes nothing.
        threads: how many rows are looked at at once.
        keeping: the providers whose tokens are kept.
    """

    def __init__(
        self,
        store: AccountStore,
        *,
        clock: Clock,
        mending: Mending | None,
        threads: int,
        keeping: Collection[str] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._mending = mending
        self._threads = threads
        self._keeping = keeping

    def run(self) -> Iterator[Checked]:
        """Yield each row as it was looked at, each table in its store's order.

        Closing the iterator, or an exception in its consumer, stops it: steps under way are finished, none begins.

        Raises:
            StoreUnavailable: the store is away; what was mended is whole, and a later run does the rest.
            StoreCorrupt: a table holds a row that cannot be read; its key is not known.
        """
        store = self._store
        yield from self._over(WalkedTable.IDENTITIES, (row.key for row in store.identities.scan()), self._identity)
        yield from self._over(WalkedTable.USERNAMES, (row.key for row in store.usernames.scan()), self._name)
        yield from self._over(WalkedTable.ACCOUNTS, (row.key for row in store.accounts.scan()), self._account)
        tokens = (row.key for row in store.upstream_tokens.scan())
        yield from self._over(WalkedTable.UPSTREAM_TOKENS, tokens, self._tokens)
        invitations = (row.key for row in store.invitations.scan())
        yield from self._over(WalkedTable.INVITATIONS, invitations, self._invitation)
        yield from self._over(WalkedTable.REVOCATIONS, store.revocations.open(), self._revocation)

    def _over(
        self, table: WalkedTable, keys: Iterable[T], look: Callable[[T], tuple[Suspect, ...]]
    ) -> Iterator[Checked]:
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="idd-fsck")
        under_way: deque[Future[tuple[Inconsistency, ...]]] = deque()
        try:
            for key in keys:
                under_way.append(pool.submit(self._settled, partial(look, key)))
                if len(under_way) >= AHEAD * self._threads:
                    yield Checked(table, under_way.popleft().result())
            while under_way:
                yield Checked(table, under_way.popleft().result())
        finally:
            pool.shutdown(cancel_futures=True)

    def _settled(self, look: Callable[[], tuple[Suspect, ...]]) -> tuple[Inconsistency, ...]:
        """Look, take the steps, and look again as long as another process changes the rows meanwhile."""
        if self._mending is None:
            return tuple(_finding(suspect, None) for suspect in look())
        mended: list[Inconsistency] = []
        for _ in range(ROUNDS):
            found = [_finding(suspect, self._mending.mend(suspect)) for suspect in look()]
            mended += [each for each in found if each.outcome is Mended.DONE]
            left = [each for each in found if each.outcome is not Mended.DONE]
            if not any(each.outcome is Mended.MOVED for each in left):
                break
        return (*mended, *left)

    def _identity(self, key: IdentityKey) -> tuple[Suspect, ...]:
        rows = self._store.identities

        def judged() -> tuple[IdentityRow | None, tuple[Suspect, ...]]:
            row = rows.read_settled(key)
            if row is None:
                return None, ()
            account = self._store.accounts.read_settled(row.account_id)
            wrong = diagnosis.of_identity(row, account, now=self._clock())
            return row, (Suspect(wrong, row.account_id, key, identity=row),) if wrong else ()

        return _steady(judged, lambda: rows.read_settled(key))

    def _name(self, key: UsernameKey) -> tuple[Suspect, ...]:
        names = self._store.usernames

        def judged() -> tuple[object, tuple[Suspect, ...]]:
            name = names.read_settled(key)
            if name is None:
                return None, ()
            owner = self._store.accounts.read_settled(name.account_id)
            wrong = diagnosis.of_name(name, owner, now=self._clock())
            return name, (Suspect(wrong, name.account_id, name=name),) if wrong else ()

        return _steady(judged, lambda: names.read_settled(key))

    def _account(self, key: AccountId) -> tuple[Suspect, ...]:
        accounts = self._store.accounts

        def judged() -> tuple[AccountRow | None, tuple[Suspect, ...]]:
            account = accounts.read_settled(key)
            return account, tuple(self._of_account(account)) if account else ()

        return _steady(judged, lambda: accounts.read_settled(key))

    def _of_account(self, account: AccountRow) -> Iterator[Suspect]:
        # In this order: an account is listed in before its row is active, and renamed before it owns
        # the name. So what is missing below is missing, as long as the account stays as it is.
        rows = {key: self._store.identities.read_settled(key) for key in account.identities}
        name = self._store.usernames.read_settled(fold(account.username))
        now = self._clock()
        if wrong := diagnosis.of_account(account, rows, now=now):
            yield Suspect(wrong, account.key)
        if in_merge(account):
            return
        for key, row in rows.items():
            other = self._store.accounts.read_settled(row.account_id) if row and row.account_id != account.key else None
            if wrong := diagnosis.of_way(account, key, row, other=other, now=now):
                yield Suspect(wrong, account.key, key, account=account)
        if wrong := diagnosis.of_own_name(account, rows, name, now=now):
            there = tuple(row for row in rows.values() if row)
            yield Suspect(wrong, account.key, name=name, account=account, rows=there)

    def _tokens(self, key: IdentityKey) -> tuple[Suspect, ...]:
        rows = self._store.upstream_tokens

        def judged() -> tuple[object, tuple[Suspect, ...]]:
            row = rows.read_settled(key)
            if row is None or row.account_id is None:  # of a person who chooses a username; it expires
                return row, ()
            account = self._store.accounts.read_settled(row.account_id)
            wrong = diagnosis.of_tokens(row, account, keeping=self._keeping, now=self._clock())
            return row, (Suspect(wrong, row.account_id, key, tokens=row),) if wrong else ()

        return _steady(judged, lambda: rows.read_settled(key))

    def _invitation(self, key: str) -> tuple[Suspect, ...]:
        rows = self._store.invitations

        def judged() -> tuple[object, tuple[Suspect, ...]]:
            row = rows.read_settled(key)
            wrong = diagnosis.of_invitation(row, now=self._clock()) if row else None
            if row is None or wrong is None or row.account_id is None:
                return row, ()
            return row, (Suspect(wrong, row.account_id, row.identity, invitation=row),)

        return _steady(judged, lambda: rows.read_settled(key))

    def _revocation(self, revocation: Revocation) -> tuple[Suspect, ...]:
        account = self._store.accounts.read_settled(revocation.account_id)
        wrong = diagnosis.of_revocation(revocation, account, now=self._clock())
        return (Suspect(wrong, revocation.account_id, revocation.identity),) if wrong else ()


def _steady(
    judged: Callable[[], tuple[object, tuple[Suspect, ...]]], again: Callable[[], object]
) -> tuple[Suspect, ...]:
    """Judge until the row is the same before and after: its op tells, and every write renews it."""
    for _ in range(ROUNDS):
        row, suspects = judged()
        if not suspects or again() == row:
            return suspects
    return ()  # What changes all the time is not stuck.


def _finding(suspect: Suspect, outcome: Mended | None) -> Inconsistency:
    return Inconsistency(suspect.diagnosis, suspect.account_id, suspect.key, suspect.username, outcome)
