"""What a proven identity means to the person who proved it, whatever it was proven for.

Pure. Owns the table of cases. Whether an identity leads to an account is `linking.decide`. What the operator
allows before that (a provider that is switched off, sign-ups that are closed) is `login.rules` and
`login.admission`. Invariant: an identity that leads to another account is neither moved nor linked, and the
answer does not say whose it is.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from identity.accounts.linking import ChooseName, Decision, Refusal, Refuse, Unfinished, Unknown, decide, may_link
from identity.accounts.store import AccountRow, IdentityRow
from identity.types import AccountId


class LoginPurpose(Enum):
    """What a person proves an identity for."""

    SIGN_IN = "sign-in"
    """To log in, or to sign up."""
    PROVE = "prove"
    """To show that an account is theirs; one that is logged in, or any there is."""
    LINK = "link"
    """To have one more way to log in to the account that is logged in."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What an identity was proven for, and for which account."""

    purpose: LoginPurpose
    account_id: AccountId | None = None
    """Whose login it must be, or whose it shall become; None: any account's."""


SIGN_IN: Final = Aim(LoginPurpose.SIGN_IN)


@dataclass(frozen=True, slots=True)
class NotTheirs:
    """It had to lead to an account, or to a certain one, and does not."""


@dataclass(frozen=True, slots=True)
class MayLink:
    """It leads to no account and may become one more way to this one, once its owner has confirmed that."""

    account: AccountRow


@dataclass(frozen=True, slots=True)
class AlreadyLinked:
    """It is a way to log in to this account already."""


Case: TypeAlias = Decision | NotTheirs | MayLink | AlreadyLinked


def decide_case(aim: Aim, row: IdentityRow | None, owner: AccountRow | None, *, mine: AccountRow | None = None) -> Case:
    """Decide what becomes of a proven identity. The first match wins.

    "Leads to" is `decide`'s word: the index row and the account it names agree. A row that only claims, or whose
    account does not list it (it was unlinked), leads to none.

    | proven to | the identity                | the account of who is logged in | case                         |
    |-----------|-----------------------------|---------------------------------|------------------------------|
    | sign in   | leads to no account         |                                 | Unknown: welcome             |
    | sign in   | leads to one                |                                 | SignIn, or Refuse: disabled, |
    |           |                             |                                 | suspended, merging, merged   |
    | sign in   | being finished, needs name  |                                 | Unfinished, ChooseName       |
    | prove     | leads to no account         |                                 | NotTheirs                    |
    | prove     | leads to another than asked |                                 | NotTheirs                    |
    | prove     | leads to the one asked for, |                                 | as to sign in                |
    |           | or to any where none is     |                                 |                              |
    | link      | any                         | not there                       | Refuse NO_ACCOUNT            |
    | link      | any                         | merging, merged, disabled       | Refuse that                  |
    | link      | being finished              | active                          | Unfinished                   |
    | link      | leads to mine, suspended or | active                          | AlreadyLinked                |
    |           | not                         |                                 |                              |
    | link      | leads to another, whatever  | active                          | Refuse BELONGS_TO_OTHER      |
    |           | its status, or needs a name |                                 |                              |
    | link      | leads to none               | active, has 20 ways             | Refuse TOO_MANY_WAYS         |
    | link      | leads to none               | active                          | MayLink                      |

    Args:
        aim: what it was proven for.
        row: the index row of the identity.
        owner: the account that row names.
        mine: the account of who is logged in, to link.
    """
    decision = decide(row, owner)
    match aim.purpose:
        case LoginPurpose.SIGN_IN:
            return decision
        case LoginPurpose.PROVE:
            lost = row is None or isinstance(decision, Unknown | ChooseName)
            lost = lost or (aim.account_id is not None and row is not None and row.account_id != aim.account_id)
            return NotTheirs() if lost else decision
        case LoginPurpose.LINK:
            return _to_link(decision, row, mine)


def _to_link(decision: Decision, row: IdentityRow | None, mine: AccountRow | None) -> Case:
    if mine is None:
        return Refuse(Refusal.NO_ACCOUNT)
    refused = may_link(mine, None)
    if refused and refused.reason is not Refusal.TOO_MANY_WAYS:
        return refused
    if isinstance(decision, Unfinished):
        return decision
    if row is None or isinstance(decision, Unknown):
        return refused or MayLink(mine)
    return AlreadyLinked() if row.account_id == mine.key else Refuse(Refusal.BELONGS_TO_OTHER)
