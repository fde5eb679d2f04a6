"""Account stores on which something happens just before a write: races, at will and one at a time."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

from identity.accounts.store import (
    AccountStatus,
    AccountStore,
    Applied,
    CopyNote,
    Outcome,
    Profiles,
    Revocations,
    Rows,
)
from identity.types import AccountId


class WatchedRows:
    """A table that calls `before` ahead of each conditional write and `after_read` after each settled read.

    Args:
        rows: the table itself.
        counted: told of each read.
    """

    def __init__(self, rows: Rows[Any, Any], counted: Callable[[], None]) -> None:
        self.rows = rows
        self.before: Callable[[Any], None] = lambda _: None
        self.after_read: Callable[[Any], None] = lambda _: None
        self.before_everywhere: Callable[[Any], None] = lambda _: None
        self._counted = counted

    def read(self, key: Any) -> Any:  # noqa: ANN401 - of any table
        """Count and read."""
        self._counted()
        return self.rows.read(key)

    def read_settled(self, key: Any) -> Any:  # noqa: ANN401
        """Count and read."""
        self._counted()
        row = self.rows.read_settled(key)
        self.after_read(key)
        return row

    def insert(self, row: Any, *, expires_at: int | None = None) -> Outcome:  # noqa: ANN401
        """Let `before` act, then insert."""
        self.before(row.key)
        return self.rows.insert(row, expires_at=expires_at)

    def replace(self, row: Any, *, expected: Any, expires_at: int | None = None) -> Outcome:  # noqa: ANN401
        """Let `before` act, then replace."""
        self.before(row.key)
        return self.rows.replace(row, expected=expected, expires_at=expires_at)

    def delete(self, expected: Any) -> Outcome:  # noqa: ANN401
        """Let `before` act, then delete."""
        self.before(expected.key)
        return self.rows.delete(expected)

    def read_everywhere(self, key: Any) -> Any:  # noqa: ANN401
        """Let `before_everywhere` act, count and read."""
        self.before_everywhere(key)
        self._counted()
        return self.rows.read_everywhere(key)

    def scan(self, *, after: Any = None) -> Iterator[Any]:  # noqa: ANN401
        """Yield all rows."""
        return self.rows.scan(after=after)

    def once_before(self, act: Callable[[], object]) -> None:
        """Let something happen ahead of the next conditional write only."""

        def before(_: Any) -> None:  # noqa: ANN401
            self.before = lambda _: None
            act()

        self.before = before

    def once_after_read(self, act: Callable[[], object]) -> None:
        """Let something happen after the next settled read only."""

        def after_read(_: Any) -> None:  # noqa: ANN401
            self.after_read = lambda _: None
            act()

        self.after_read = after_read

    def there(self, key: Any) -> Any:  # noqa: ANN401
        """Return the row, which must be there; nobody interferes."""
        row = self.rows.read_settled(key)
        assert row is not None
        return row

    def touch(self, key: Any) -> None:  # noqa: ANN401
        """Write the row again under another op, as somebody who races for it would."""
        row = self.rows.read_settled(key)
        if row is not None:
            self.rows.replace(replace(row, op=uuid4()), expected=row)


class WatchedStore:
    """An account store made of watched tables; `reads` counts durable reads.

    Args:
        store: the store itself.
    """

    def __init__(self, store: AccountStore) -> None:
        self.reads = 0
        self.identities = WatchedRows(store.identities, self._count)
        self.usernames = WatchedRows(store.usernames, self._count)
        self.accounts = WatchedRows(store.accounts, self._count)
        self.providers = WatchedRows(store.providers, self._count)
        self.upstream_tokens = WatchedRows(store.upstream_tokens, self._count)
        self.invitations = WatchedRows(store.invitations, self._count)
        self.waiting = WatchedRows(store.waiting, self._count)
        self.profiles: Profiles = store.profiles
        self.revocations: Revocations = store.revocations
        self.copy_note: CopyNote = store.copy_note
        self._store = store

    def _count(self) -> None:
        self.reads += 1

    def probe(self) -> None:
        """Probe the store itself."""
        self._store.probe()

    def set_status(self, account_id: AccountId, status: AccountStatus) -> None:
        """Change an account's status behind the service's back, as a merge would."""
        account = self.accounts.there(account_id)
        after = replace(account, status=status, op=uuid4(), version=account.version + 1)
        assert self.accounts.rows.replace(after, expected=account) is Applied.APPLIED
