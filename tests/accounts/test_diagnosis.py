"""What is wrong between the rows, and which step mends it: a test for each row of the tables."""

from dataclasses import replace
from typing import Final
from uuid import UUID, uuid4

import pytest

from identity.accounts.store import (
    AccountRow,
    AccountStatus,
    IdentityRow,
    IdentityState,
    KeptTokens,
    LinkedIdentity,
    Revocation,
    UsernameRow,
    UsernameState,
)
from identity.types import AccountId, IdentityKey, Millis, Username, UsernameKey
from identity.upkeep.diagnosis import (
    REST_MS,
    Diagnosis,
    Fault,
    Remedy,
    of_account,
    of_identity,
    of_name,
    of_own_name,
    of_revocation,
    of_tokens,
    of_way,
    young,
)
from tests.support.clock import NOON

ME: Final = AccountId(UUID(int=1))
YOU: Final = AccountId(UUID(int=2))
KEY: Final = IdentityKey("p:1")
SECOND_KEY: Final = IdentityKey("p:2")
LATELY: Final[Millis] = NOON - REST_MS
LONG_AGO: Final[Millis] = LATELY - 1


def row(state: IdentityState, *, owner: AccountId = ME, at: Millis = LONG_AGO) -> IdentityRow:
    """Make an index row of KEY."""
    return IdentityRow(KEY, Username("alice"), owner, state, uuid4(), at, uuid4())


def account(
    *keys: IdentityKey,
    key: AccountId = ME,
    status: AccountStatus = AccountStatus.ACTIVE,
    username: str = "Alice",
    at: Millis = LONG_AGO,
) -> AccountRow:
    """Make an account that lists these identities."""
    listed = {each: LinkedIdentity(at, "") for each in keys}
    return AccountRow(key, Username(username), status, 3, 1, uuid4(), LONG_AGO, identities=listed)


def name(state: UsernameState, *, owner: AccountId = ME, at: Millis = LONG_AGO) -> UsernameRow:
    """Make the row of the name alice."""
    return UsernameRow(UsernameKey("alice"), Username("Alice"), owner, state, uuid4(), at, uuid4())


PENDING, COMPLETING = IdentityState.PENDING, IdentityState.COMPLETING
NEEDS_NAME, ACTIVE = IdentityState.NEEDS_NAME, IdentityState.ACTIVE
MINE: Final = account(KEY)
MERGING: Final = account(KEY, status=AccountStatus.MERGING)
MERGED: Final = account(KEY, status=AccountStatus.MERGED)
YOURS: Final = account(KEY, key=YOU, username="bob")


@pytest.mark.parametrize(("since", "expected"), [(NOON + 1, True), (NOON, True), (LATELY, True), (LONG_AGO, False)])
def test_rows_are_left_alone_for_two_lives_of_a_claim(since: Millis, *, expected: bool) -> None:
    """A sign-up that is under way would be taken for one that died."""
    assert young(since, now=NOON) == expected


@pytest.mark.parametrize(
    ("row", "account", "expected"),
    [
        *((row(state, at=LATELY), None, None) for state in IdentityState),
        *((row(PENDING), there, Diagnosis(Fault.CLAIM_OUTLIVED, Remedy.REMOVE)) for there in (None, MINE)),
        *((row(COMPLETING), there, Diagnosis(Fault.UNFINISHED, Remedy.FINISH)) for there in (None, MINE, MERGING)),
        *((row(state), None, Diagnosis(Fault.ACCOUNT_LOST, Remedy.ASK)) for state in (NEEDS_NAME, ACTIVE)),
        *((row(state), MERGING, None) for state in (NEEDS_NAME, ACTIVE)),
        *((row(state), MERGED, Diagnosis(Fault.IN_MERGE, Remedy.WAIT)) for state in (NEEDS_NAME, ACTIVE)),
        *((row(state), account(), None) for state in (NEEDS_NAME, ACTIVE)),
        *(
            (row(state), account(SECOND_KEY), Diagnosis(Fault.LEFTOVER_IDENTITY, Remedy.REMOVE))
            for state in (NEEDS_NAME, ACTIVE)
        ),
        (row(NEEDS_NAME), MINE, Diagnosis(Fault.NEEDS_NAME, Remedy.WAIT)),
        (row(ACTIVE), MINE, None),
        (row(ACTIVE), account(KEY, status=AccountStatus.DISABLED), None),
    ],
)
def test_an_index_row_is_judged_by_its_account(
    row: IdentityRow, account: AccountRow | None, expected: Diagnosis | None
) -> None:
    """A way that works would be removed, or one that does not be kept for ever."""
    assert of_identity(row, account, now=NOON) == expected


@pytest.mark.parametrize(
    ("name", "owner", "expected"),
    [
        *((name(state, at=LATELY), None, None) for state in UsernameState),
        (name(UsernameState.RETIRED), None, None),
        *((name(state), replace(MERGING, username=Username("b")), None) for state in UsernameState),
        *((name(state), MINE, None) for state in UsernameState),
        *(
            (name(UsernameState.PENDING), owner, Diagnosis(Fault.NAME_CLAIM_OUTLIVED, Remedy.REMOVE))
            for owner in (None, account(KEY, username="bob"))
        ),
        (name(UsernameState.ACTIVE), None, Diagnosis(Fault.NAME_WITHOUT_OWNER, Remedy.ASK)),
        (name(UsernameState.ACTIVE), account(KEY, username="bob"), Diagnosis(Fault.NAME_UNUSED, Remedy.REMOVE)),
    ],
)
def test_a_name_is_judged_by_its_owner(name: UsernameRow, owner: AccountRow | None, expected: Diagnosis | None) -> None:
    """A stranger would get the name of a person, or a name nobody uses be locked."""
    assert of_name(name, owner, now=NOON) == expected


UNLIST: Final = Diagnosis(Fault.WAY_ELSEWHERE, Remedy.UNLIST)
ASK: Final = Diagnosis(Fault.WAY_ELSEWHERE, Remedy.ASK)
BOTH: Final = account(KEY, SECOND_KEY)


@pytest.mark.parametrize(
    ("account", "row", "other", "expected"),
    [
        (account(KEY, at=LATELY), None, None, None),
        (account(KEY, at=LATELY), row(ACTIVE, owner=YOU), YOURS, None),
        (MINE, None, None, Diagnosis(Fault.WAY_LOST, Remedy.RESTORE)),
        *((BOTH, row(state, owner=owner), YOURS, None) for state in (PENDING, COMPLETING) for owner in (ME, YOU)),
        *((MINE, row(state), None, None) for state in (NEEDS_NAME, ACTIVE)),
        (BOTH, row(ACTIVE, owner=YOU), replace(MERGING, key=YOU), None),
        *((BOTH, row(state, owner=YOU), YOURS, UNLIST) for state in (NEEDS_NAME, ACTIVE)),
        (MINE, row(ACTIVE, owner=YOU), YOURS, ASK),
        (BOTH, row(ACTIVE, owner=YOU), None, ASK),
        (BOTH, row(ACTIVE, owner=YOU), account(SECOND_KEY, key=YOU), ASK),
    ],
)
def test_a_listed_identity_is_judged_by_its_index_row(
    account: AccountRow, row: IdentityRow | None, other: AccountRow | None, expected: Diagnosis | None
) -> None:
    """A person would lose a way to log in, or keep one that is somebody else's."""
    assert of_way(account, KEY, row, other=other, now=NOON) == expected


TAKEN: Final = Diagnosis(Fault.NAME_TAKEN, Remedy.ASK)


@pytest.mark.parametrize(
    ("account", "row", "name", "expected"),
    [
        (replace(MINE, created_at=LATELY), row(ACTIVE), None, None),
        *((MINE, row(state), None, None) for state in (COMPLETING, NEEDS_NAME)),
        (MINE, row(NEEDS_NAME), name(UsernameState.ACTIVE, owner=YOU), None),
        (MINE, row(NEEDS_NAME, owner=YOU), None, Diagnosis(Fault.NAME_LOST, Remedy.OWN)),
        *((MINE, there, None, Diagnosis(Fault.NAME_LOST, Remedy.OWN)) for there in (None, row(ACTIVE))),
        (MINE, row(ACTIVE), name(UsernameState.ACTIVE), None),
        (MINE, row(ACTIVE), name(UsernameState.PENDING, at=LATELY), None),
        (MINE, row(ACTIVE), name(UsernameState.PENDING), Diagnosis(Fault.NAME_UNCONFIRMED, Remedy.OWN)),
        (MINE, row(ACTIVE), name(UsernameState.PENDING, owner=YOU), None),
        (MINE, row(ACTIVE), name(UsernameState.ACTIVE, owner=YOU), TAKEN),
        *((MINE, row(ACTIVE), name(UsernameState.RETIRED, owner=owner), TAKEN) for owner in (ME, YOU)),
    ],
)
def test_the_name_of_an_account_is_judged_by_its_row(
    account: AccountRow, row: IdentityRow | None, name: UsernameRow | None, expected: Diagnosis | None
) -> None:
    """Two people would have one name, or a person who is being asked for a name be given the lost one."""
    assert of_own_name(account, {KEY: row}, name, now=NOON) == expected


UNREACHABLE: Final = Diagnosis(Fault.UNREACHABLE, Remedy.ASK)
WAITS: Final = Diagnosis(Fault.IN_MERGE, Remedy.WAIT)


@pytest.mark.parametrize(
    ("account", "row", "expected"),
    [
        (MERGING, row(ACTIVE), WAITS),
        (account(status=AccountStatus.MERGING), None, WAITS),
        (MERGED, row(ACTIVE), WAITS),
        (account(status=AccountStatus.MERGED), None, None),
        (replace(account(), created_at=LATELY), None, None),
        (account(KEY, at=LATELY), row(ACTIVE, owner=YOU), None),
        (MINE, None, None),
        *((MINE, row(state), None) for state in (COMPLETING, NEEDS_NAME, ACTIVE)),
        (account(), None, UNREACHABLE),
        (account(status=AccountStatus.DISABLED), None, UNREACHABLE),
        (MINE, row(PENDING), UNREACHABLE),
        *((MINE, row(state, owner=YOU), UNREACHABLE) for state in IdentityState),
    ],
)
def test_an_account_is_judged_by_what_leads_to_it(
    account: AccountRow, row: IdentityRow | None, expected: Diagnosis | None
) -> None:
    """A person who can never log in again would be noticed by nobody."""
    assert of_account(account, dict.fromkeys(account.identities, row), now=NOON) == expected


def revocation(*, epoch: int = 3, session: bytes | None = None, at: Millis = LONG_AGO) -> Revocation:
    """Make a revocation of ME."""
    return Revocation(uuid4(), ME, session, epoch, 1, at)


@pytest.mark.parametrize(
    ("revocation", "account", "expected"),
    [
        (revocation(at=LATELY), None, None),
        (revocation(session=b"s", epoch=0), None, Fault.REVOCATION_WAITING),
        (revocation(), None, Fault.REVOCATION_ABANDONED),
        (revocation(epoch=4), MINE, Fault.REVOCATION_ABANDONED),
        (revocation(), MINE, Fault.REVOCATION_WAITING),
    ],
)
def test_an_open_revocation_is_judged_by_the_epoch_of_its_account(
    revocation: Revocation, account: AccountRow | None, expected: Fault | None
) -> None:
    """Sessions that nobody ends, because no daemon runs, would go unnoticed."""
    verdict = of_revocation(revocation, account, now=NOON)
    assert verdict == (Diagnosis(expected, Remedy.WAIT) if expected else None)


def tokens(*, at: Millis = LONG_AGO) -> KeptTokens:
    """Make tokens of KEY that are kept for ME."""
    return KeptTokens(KEY, ME, b"sealed", at, None, 0, uuid4())


KEPT = frozenset({KEY.partition(":")[0]})


@pytest.mark.parametrize(
    ("tokens", "account", "keeping", "expected"),
    [
        (tokens(at=LATELY), None, KEPT, None),
        (tokens(), None, KEPT, Fault.TOKENS_LEFT),
        (tokens(), account(), KEPT, Fault.TOKENS_LEFT),
        (tokens(), account(KEY, status=AccountStatus.DISABLED), KEPT, Fault.TOKENS_LEFT),
        (tokens(), account(KEY, status=AccountStatus.MERGED), KEPT, Fault.TOKENS_LEFT),
        (tokens(), MINE, frozenset(), Fault.TOKENS_UNWANTED),
        (tokens(), MINE, KEPT, None),
        (tokens(), account(KEY, status=AccountStatus.MERGING), KEPT, None),
    ],
)
def test_kept_tokens_are_judged_by_the_account_they_are_for(
    tokens: KeptTokens, account: AccountRow | None, keeping: frozenset[str], expected: Fault | None
) -> None:
    """Tokens without an owner are worth stealing and of use to no application."""
    verdict = of_tokens(tokens, account, keeping=keeping, now=NOON)
    assert verdict == (Diagnosis(expected, Remedy.REMOVE) if expected else None)
