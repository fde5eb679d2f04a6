"""Helpers that stall and wake up when the sign-up they help with has moved on.

Each test plays one order of steps that random races meet rarely; what must hold between the
tables is checked at its end.
"""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from identity.accounts.linking import CLAIM_REST_MS, CLAIM_TTL_MS
from identity.accounts.results import NameTaken, SignedUp
from identity.accounts.store import IdentityState, UsernameState
from identity.types import AccountId, UsernameKey
from tests.support.accounts import Registry, key
from tests.support.clock import ManualClock
from tests.support.contention import WatchedStore
from tests.support.wholeness import disagreements

ALICE = UsernameKey("alice")


@pytest.fixture
def registry(clock: ManualClock, store: WatchedStore) -> Iterator[Registry]:
    """Give a service; in the end its rows agree."""
    made = Registry(store, clock=clock)
    yield made
    assert disagreements(store) == []


def lose_alice(registry: Registry, clock: ManualClock) -> None:
    """Let somebody take the name of the first sign-up over and disappear, and have that noticed."""
    clock.advance(CLAIM_REST_MS + 1)
    registry.cut_short("sign-up.name-claimed", "2", "alice")
    row = registry.service.find(key("1"))
    assert row is not None
    assert row.state is IdentityState.NEEDS_NAME


def test_a_name_owned_too_late_is_given_back(registry: Registry, store: WatchedStore, clock: ManualClock) -> None:
    """A name that nobody uses would be taken for ever."""

    def meanwhile() -> None:
        lose_alice(registry, clock)
        assert isinstance(registry.sign_up("1", "bob"), SignedUp)
        clock.advance(CLAIM_TTL_MS)

    registry.at["complete.account-written"] = meanwhile

    late = registry.sign_up("1", "alice")

    assert isinstance(late, SignedUp)
    assert late.username == "bob"
    assert store.usernames.read_settled(ALICE) is None


def test_a_name_owned_too_late_is_given_back_while_the_new_one_is_still_being_written(
    registry: Registry, store: WatchedStore, clock: ManualClock
) -> None:
    """The account still carries the old name then, and must not be asked."""

    def meanwhile() -> None:
        lose_alice(registry, clock)
        clock.advance(CLAIM_TTL_MS)
        registry.cut_short("sign-up.committed", "1", "bob")

    registry.at["complete.account-written"] = meanwhile

    late = registry.sign_up("1", "alice")

    assert isinstance(late, SignedUp)
    assert late.username == "bob"
    assert store.usernames.read_settled(ALICE) is None


def test_a_name_owned_too_late_is_given_back_while_the_person_is_asked_again(
    registry: Registry, store: WatchedStore, clock: ManualClock
) -> None:
    """The person may want another name now, and this one would be nobody's."""

    def meanwhile() -> None:
        lose_alice(registry, clock)
        clock.advance(CLAIM_TTL_MS)

    registry.at["complete.account-written"] = meanwhile

    assert isinstance(registry.sign_up("1", "alice"), NameTaken)

    assert store.usernames.read_settled(ALICE) is None
    assert isinstance(registry.sign_up("1", "bob"), SignedUp)


def test_a_name_that_is_chosen_again_meanwhile_is_not_given_back(
    registry: Registry, store: WatchedStore, clock: ManualClock
) -> None:
    """The person would lose the name just promised, to the next one who asks for it."""

    def meanwhile() -> None:
        lose_alice(registry, clock)
        clock.advance(CLAIM_TTL_MS)
        registry.at["complete.name-owned"] = lambda: registry.sign_up("1", "alice")

    registry.at["complete.account-written"] = meanwhile

    late = registry.sign_up("1", "alice")

    assert isinstance(late, SignedUp)
    assert store.usernames.there(ALICE).account_id == late.account_id


def test_a_name_that_is_chosen_again_at_the_last_moment_is_not_given_back(
    registry: Registry, store: WatchedStore, clock: ManualClock
) -> None:
    """The same between the look at the row and the giving back: only the name's op can tell."""
    chosen = []

    def choose_again() -> None:
        store.usernames.once_before(lambda: chosen.append(registry.sign_up("1", "alice")))

    def meanwhile() -> None:
        lose_alice(registry, clock)
        clock.advance(CLAIM_TTL_MS)
        registry.at["complete.name-owned"] = choose_again

    registry.at["complete.account-written"] = meanwhile

    registry.sign_up("1", "alice")

    (made,) = chosen
    assert isinstance(made, SignedUp)
    assert store.usernames.there(ALICE).account_id == made.account_id
    assert registry.log_in("1") == made.account_id


def test_a_sign_up_that_wakes_up_in_the_next_one_finishes_that(registry: Registry, clock: ManualClock) -> None:
    """It must not write the name it once claimed over the one that was chosen since."""

    def meanwhile() -> None:
        lose_alice(registry, clock)
        registry.cut_short("sign-up.committed", "1", "bob")

    registry.at["sign-up.committed"] = meanwhile

    late = registry.sign_up("1", "alice")

    assert isinstance(late, SignedUp)
    assert late.username == "bob"
    assert registry.account(late.account_id).username == "bob"


def rename(store: WatchedStore, account_id: AccountId) -> None:
    """Give an account another name, and retire the one it had."""
    old, account = store.usernames.there(ALICE), store.accounts.there(account_id)
    new = replace(old, key=UsernameKey("bob"), username="bob", claim=uuid4(), op=uuid4())
    store.usernames.rows.insert(new)
    store.accounts.rows.replace(replace(account, username="bob", op=uuid4()), expected=account)
    store.usernames.rows.replace(replace(old, state=UsernameState.RETIRED, op=uuid4()), expected=old)


@pytest.mark.parametrize("unlinked", [False, True], ids=["still-linked", "unlinked"])
def test_a_name_that_was_retired_meanwhile_stays_retired(
    registry: Registry, store: WatchedStore, *, unlinked: bool
) -> None:
    """A helper that wakes up late must not undo a rename, nor free a name applications know somebody by."""

    def meanwhile() -> None:
        account_id = registry.log_in("1")
        assert account_id is not None
        rename(store, account_id)
        if unlinked:
            registry.link(account_id, "2")
            registry.unlink(account_id, "1")

    registry.at["complete.account-written"] = meanwhile

    registry.sign_up("1", "alice")

    assert store.usernames.there(ALICE).state is UsernameState.RETIRED


@pytest.mark.parametrize("anew", [False, True], ids=["free", "signed-up-anew"])
def test_a_name_of_an_account_that_lost_the_identity_meanwhile_is_kept(
    registry: Registry, store: WatchedStore, *, anew: bool
) -> None:
    """The account lives on through another identity, under its name."""
    reached = []

    def meanwhile() -> None:
        account_id = registry.log_in("1")
        assert account_id is not None
        registry.link(account_id, "2")
        registry.unlink(account_id, "1")
        reached.append(account_id)
        if anew:
            assert isinstance(registry.sign_up("1", "carol"), SignedUp)

    registry.at["complete.account-written"] = meanwhile

    registry.sign_up("1", "alice")

    assert store.usernames.there(ALICE).account_id == reached[0]
    assert registry.log_in("2") == reached[0]


def test_a_name_of_an_account_that_was_renamed_and_lost_the_identity_is_given_back(
    registry: Registry, store: WatchedStore, clock: ManualClock
) -> None:
    """Nobody would use it, and nobody could have it."""

    def meanwhile() -> None:
        lose_alice(registry, clock)
        made = registry.sign_up("1", "bob")
        assert isinstance(made, SignedUp)
        registry.link(made.account_id, "3")
        registry.unlink(made.account_id, "1")
        clock.advance(CLAIM_TTL_MS)

    registry.at["complete.account-written"] = meanwhile

    registry.sign_up("1", "alice")

    assert store.usernames.read_settled(ALICE) is None
    assert registry.log_in("3") is not None
