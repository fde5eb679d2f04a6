"""Who was put into a group: the one question of an operator that reads every account.

Must not be asked while a person waits: nothing of a login, a page or a check may import it.
"""

from identity.accounts.store import AccountStore
from identity.admin.results import GroupMembers


def members_of(store: AccountStore, group: str) -> GroupMembers:
    """Return the accounts that operators have put into a group. Reads every account once. Raises StoreUnavailable."""
    members = (each for each in store.accounts.scan() if group in each.groups)
    return GroupMembers(group, tuple(sorted(members, key=lambda each: each.username)))
