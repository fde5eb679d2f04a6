"""The accounts by their usernames, a page at a time: for an operator who does not know a name whole.

Must not be asked while a person waits: nothing of a login, a page or a check may import it. What it costs:

| accounts in | reads |
|---|---|
| SQLite, memory | the names of the page, which lie beside each other, and each account |
| Cassandra | every name behind `after` until the page is full, in its own order, and each account |
"""

from collections.abc import Iterator
from itertools import islice

from identity.accounts.store import AccountRow, AccountStore
from identity.accounts.usernames import fold
from identity.types import UsernameKey

_LAST = "\x7f"
"""Behind every character that a username may hold."""


def accounts_from(
    store: AccountStore, prefix: str, *, after: UsernameKey | None, limit: int, in_order: bool
) -> Iterator[AccountRow]:
    """Yield at most `limit` accounts whose username begins so, those behind the name `after`.

    Args:
        store: where they are.
        prefix: folded; empty for all.
        after: the last name of the page before.
        limit: how many.
        in_order: whether the store scans names in their order, and not only each of them once.

    Raises StoreUnavailable.
    """
    begin = after
    if in_order and prefix and (after is None or after < prefix):
        begin = UsernameKey(f"{prefix[:-1]}{chr(ord(prefix[-1]) - 1)}{_LAST}")
    return islice(_accounts(store, prefix, begin, in_order=in_order), limit)


def _accounts(store: AccountStore, prefix: str, begin: UsernameKey | None, *, in_order: bool) -> Iterator[AccountRow]:
    for row in store.usernames.scan(after=begin):
        if row.key.startswith(prefix):
            account = store.accounts.read(row.account_id)
            if account and fold(account.username) == row.key:  # not a name that is being chosen, or was given up
                yield account
        elif in_order and row.key > prefix:
            return
