"""What must hold between the tables of the identity map once nothing is in flight."""

from collections.abc import Iterator

from identity.accounts.store import AccountStore, IdentityState, UsernameState
from identity.accounts.usernames import fold


def disagreements(store: AccountStore, *, among: str = "") -> list[str]:
    """Return a sentence for each pair of rows that do not agree; pending claims count for nothing.

    Looks at rows only whose key or name holds `among`.
    """
    return [*_of_identities(store, among), *_of_accounts(store, among), *_of_names(store, among)]


def _of_identities(store: AccountStore, among: str) -> Iterator[str]:
    for row in (each for each in store.identities.scan() if among in each.key):
        account = store.accounts.read_settled(row.account_id)
        if row.state is IdentityState.COMPLETING:
            yield f"identity {row.key} is unfinished"
        elif row.state is IdentityState.ACTIVE and (account is None or row.key not in account.identities):
            yield f"identity {row.key} leads to an account that does not list it"


def _of_accounts(store: AccountStore, among: str) -> Iterator[str]:
    for account in (each for each in store.accounts.scan() if among in each.username):
        for key in account.identities:
            row = store.identities.read_settled(key)
            if row is None or row.account_id != account.key or row.state is IdentityState.PENDING:
                yield f"account {account.username} lists {key}, which does not lead to it"
        states = {row.state for key in account.identities if (row := store.identities.read_settled(key))}
        name = store.usernames.read_settled(fold(account.username))
        owned = name is not None and name.account_id == account.key and name.state is UsernameState.ACTIVE
        if not owned and states != {IdentityState.NEEDS_NAME}:
            yield f"account {account.username} does not own its name"


def _of_names(store: AccountStore, among: str) -> Iterator[str]:
    for name in (each for each in store.usernames.scan() if among in each.key):
        owner = store.accounts.read_settled(name.account_id)
        if name.state is UsernameState.ACTIVE and (owner is None or fold(owner.username) != name.key):
            yield f"name {name.key} belongs to an account that does not use it"
