"""The groups that operators put accounts into.

Owns the change of an account's groups. Each raises the account's epoch, and the sessions are moved to it with
the new groups (`SessionService.regroup`) instead of being ended: so every check after the change knows them,
and reads nothing more for it. Until the sessions were reached a revocation stands, as of any other change
(`revoking.py`). Invariant: the row and a session record of the same epoch hold the same groups.
"""

from dataclasses import replace

from identity.accounts.linking import Refusal, Refuse, in_merge
from identity.accounts.results import EndingOutcome, GroupsChange
from identity.accounts.revoking import Revoking
from identity.accounts.store import REGROUPED, AccountRow
from identity.membership.groups import MOST


class Grouping:
    """Puts accounts into groups and takes them out.

    Args:
        revoking: changes accounts and reaches their sessions.
    """

    def __init__(self, revoking: Revoking) -> None:
        self._revoking = revoking

    def change(self, request: GroupsChange) -> EndingOutcome:
        """Change the groups in one conditional write; the same change again is harmless.

        Refused (`too-many-groups`) where the account would be in more than 32 groups.
        """

        def regrouped(account: AccountRow) -> AccountRow | Refuse:
            if refused := in_merge(account):
                return refused
            groups = tuple(sorted({*account.groups, *request.add} - request.remove))
            if len(groups) > max(MOST, len(account.groups)):
                return Refuse(Refusal.TOO_MANY_GROUPS)
            return replace(account, groups=groups)

        raised = self._revoking.change(request.account_id, regrouped, request=request.id, reason=REGROUPED)
        return raised if isinstance(raised, Refuse) else self._revoking.reach(raised.revocation)
