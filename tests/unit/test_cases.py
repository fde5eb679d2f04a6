"""What a proven identity means: a test for each row of the table."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from identity.accounts.cases import SIGN_IN, Aim, AlreadyLinked, Case, LoginPurpose, MayLink, NotTheirs, decide_case
from identity.accounts.linking import MOST_LINKS, ChooseName, Refusal, Refuse, SignIn, Unfinished, Unknown
from identity.accounts.store import AccountRow, AccountStatus, IdentityRow, IdentityState, LinkedIdentity, Suspension
from identity.types import AccountId, IdentityKey, Username
from tests.support.clock import NOON

KEY = IdentityKey("github:1")
MINE, OTHERS = AccountId(UUID(int=1)), AccountId(UUID(int=2))


def account(key: AccountId, status: AccountStatus = AccountStatus.ACTIVE, *, ways: int = 1) -> AccountRow:
    """Make an account that does not list KEY."""
    listed = {IdentityKey(f"demo:{key}-{number}"): LinkedIdentity(NOON, "") for number in range(ways)}
    return AccountRow(key, Username("ada"), status, 1, 1, uuid4(), NOON, identities=listed)


def listing(there: AccountRow, suspended: str = "") -> AccountRow:
    """Return the account with KEY among its ways."""
    ways = {**there.identities, KEY: LinkedIdentity(NOON, "")}
    return replace(there, identities=ways, suspensions={KEY: Suspension(NOON, suspended)} if suspended else {})


def row(key: AccountId, state: IdentityState = IdentityState.ACTIVE) -> IdentityRow:
    """Make the index row of KEY."""
    return IdentityRow(KEY, Username("ada"), key, state, uuid4(), NOON, uuid4())


HERS, HIS, PLAIN = listing(account(MINE)), listing(account(OTHERS)), account(MINE)
FULL, CLOSED = account(MINE, ways=MOST_LINKS), account(MINE, AccountStatus.DISABLED)
SUSPENDED = listing(PLAIN, "account-purged")
PROVE, PROVE_ANY, LINK = Aim(LoginPurpose.PROVE, MINE), Aim(LoginPurpose.PROVE), Aim(LoginPurpose.LINK, MINE)
PENDING, COMPLETING, NAMELESS = IdentityState.PENDING, IdentityState.COMPLETING, IdentityState.NEEDS_NAME
BELONGS = Refuse(Refusal.BELONGS_TO_OTHER)


@pytest.mark.parametrize(
    ("aim", "found", "owner", "mine", "expected"),
    [
        (SIGN_IN, None, None, None, Unknown()),
        (SIGN_IN, row(MINE), PLAIN, None, Unknown()),
        (SIGN_IN, row(MINE), HERS, None, SignIn(HERS)),
        (SIGN_IN, row(MINE), listing(CLOSED), None, Refuse(Refusal.DISABLED)),
        (SIGN_IN, row(MINE), SUSPENDED, None, Refuse(Refusal.SUSPENDED)),
        (SIGN_IN, row(MINE), account(MINE, AccountStatus.MERGING), None, Refuse(Refusal.MERGING)),
        (SIGN_IN, row(MINE), account(MINE, AccountStatus.MERGED), None, Refuse(Refusal.MERGED)),
        (SIGN_IN, row(MINE, COMPLETING), None, None, Unfinished()),
        (SIGN_IN, row(MINE, NAMELESS), HERS, None, ChooseName(MINE)),
        (PROVE, None, None, None, NotTheirs()),
        (PROVE, row(MINE), PLAIN, None, NotTheirs()),
        (PROVE, row(MINE, PENDING), None, None, NotTheirs()),
        (PROVE, row(MINE, NAMELESS), HERS, None, NotTheirs()),
        (PROVE, row(OTHERS), HIS, None, NotTheirs()),
        (PROVE, row(OTHERS, COMPLETING), None, None, NotTheirs()),
        (PROVE, row(MINE), HERS, None, SignIn(HERS)),
        (PROVE, row(MINE), listing(CLOSED), None, Refuse(Refusal.DISABLED)),
        (PROVE, row(MINE, COMPLETING), None, None, Unfinished()),
        (PROVE_ANY, None, None, None, NotTheirs()),
        (PROVE_ANY, row(OTHERS), HIS, None, SignIn(HIS)),
        (LINK, None, None, None, Refuse(Refusal.NO_ACCOUNT)),
        (LINK, row(OTHERS), HIS, None, Refuse(Refusal.NO_ACCOUNT)),
        (LINK, None, None, account(MINE, AccountStatus.MERGING), Refuse(Refusal.MERGING)),
        (LINK, None, None, account(MINE, AccountStatus.MERGED), Refuse(Refusal.MERGED)),
        (LINK, None, None, CLOSED, Refuse(Refusal.DISABLED)),
        (LINK, row(OTHERS), HIS, CLOSED, Refuse(Refusal.DISABLED)),
        (LINK, row(OTHERS, COMPLETING), None, PLAIN, Unfinished()),
        (LINK, row(MINE, COMPLETING), PLAIN, PLAIN, Unfinished()),
        (LINK, row(MINE), HERS, HERS, AlreadyLinked()),
        (LINK, row(MINE), SUSPENDED, SUSPENDED, AlreadyLinked()),
        (LINK, row(MINE), listing(FULL), listing(FULL), AlreadyLinked()),
        (LINK, row(OTHERS), HIS, PLAIN, BELONGS),
        (LINK, row(OTHERS), HIS, FULL, BELONGS),
        (LINK, row(OTHERS), listing(account(OTHERS, AccountStatus.DISABLED)), PLAIN, BELONGS),
        (LINK, row(OTHERS), listing(account(OTHERS), "account-purged"), PLAIN, BELONGS),
        (LINK, row(OTHERS), account(OTHERS, AccountStatus.MERGING), PLAIN, BELONGS),
        (LINK, row(OTHERS), account(OTHERS, AccountStatus.MERGED), PLAIN, BELONGS),
        (LINK, row(OTHERS), None, PLAIN, BELONGS),
        (LINK, row(OTHERS, NAMELESS), account(OTHERS), PLAIN, BELONGS),
        (LINK, None, None, FULL, Refuse(Refusal.TOO_MANY_WAYS)),
        (LINK, None, None, PLAIN, MayLink(PLAIN)),
        (LINK, row(OTHERS, PENDING), None, PLAIN, MayLink(PLAIN)),
        (LINK, row(OTHERS), account(OTHERS), PLAIN, MayLink(PLAIN)),
        (LINK, row(MINE), PLAIN, PLAIN, MayLink(PLAIN)),
    ],
)
def test_each_row_of_the_table(
    aim: Aim, found: IdentityRow | None, owner: AccountRow | None, mine: AccountRow | None, expected: Case
) -> None:
    """The table in the docstring is what people may rely on."""
    assert decide_case(aim, found, owner, mine=mine) == expected


def test_a_refusal_says_nothing_of_the_account_it_protects() -> None:
    """Otherwise linking tells a thief of a provider's session whose account it would open."""
    assert {decide_case(LINK, row(OTHERS), there, mine=PLAIN) for there in (HIS, None)} == {BELONGS}
