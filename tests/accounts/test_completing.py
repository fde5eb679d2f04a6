"""Finishing what was committed, by whoever meets it."""

from dataclasses import replace
from uuid import uuid4

import pytest

from identity.accounts.linking import CLAIM_REST_MS, CLAIM_TTL_MS, ChooseName, account_of, decide
from identity.accounts.results import AlreadyKnown, BeingFinished, NameTaken, SignedUp
from identity.accounts.store import (
    AccountRow,
    AccountStatus,
    IdentityRow,
    IdentityState,
    LinkedIdentity,
    UsernameState,
)
from identity.errors import StoreUnavailable
from identity.types import AccountId, UsernameKey
from tests.support.accounts import Registry, Stopped, key
from tests.support.clock import ManualClock
from tests.support.contention import WatchedStore

ALICE = UsernameKey("alice")


@pytest.fixture
def registry(clock: ManualClock, store: WatchedStore) -> Registry:
    """Give a service."""
    return Registry(store, clock=clock)


def state(registry: Registry, subject: str = "1") -> IdentityState | None:
    """Return how far an index row has come."""
    row = registry.store.identities.read_settled(key(subject))
    return row.state if row else None


AFTER_THE_COMMIT = ["sign-up.committed", "complete.account-written", "complete.name-owned", "complete.finished"]


@pytest.mark.parametrize("checkpoint", AFTER_THE_COMMIT)
def test_the_next_login_finishes_what_was_committed(registry: Registry, checkpoint: str) -> None:
    """A power failure in the wrong second would lock somebody out of an account that exists."""
    registry.cut_short(checkpoint)

    account_id = registry.log_in("1")

    assert account_id is not None
    assert registry.account(account_id).username == "alice"
    assert state(registry) is IdentityState.ACTIVE
    name = registry.store.usernames.read_settled(ALICE)
    assert name is not None
    assert (name.account_id, name.state) == (account_id, UsernameState.ACTIVE)


@pytest.mark.parametrize("checkpoint", AFTER_THE_COMMIT)
def test_what_was_committed_is_finished_after_its_claims_expired_too(
    registry: Registry, clock: ManualClock, checkpoint: str
) -> None:
    """People come back the next day."""
    registry.cut_short(checkpoint)
    clock.advance(CLAIM_TTL_MS)

    account_id = registry.log_in("1")

    assert account_id is not None
    name = registry.store.usernames.read_settled(ALICE)
    assert name is not None
    assert name.account_id == account_id


@pytest.mark.parametrize("checkpoint", AFTER_THE_COMMIT)
def test_a_helper_in_the_middle_does_no_harm(registry: Registry, checkpoint: str) -> None:
    """A second tab that logs in while the first one signs up."""
    helped = []
    registry.at[checkpoint] = lambda: helped.append(registry.log_in("1"))

    made = registry.sign_up("1", "alice")

    assert isinstance(made, SignedUp)
    assert helped == [made.account_id]
    assert registry.account(made.account_id).version == 1
    assert [event.action for event in registry.noted] == ["sign-up"]


def test_a_roll_forward_is_noted_as_the_system_s(registry: Registry) -> None:
    """The audit would miss the account, or name an address that did not make it."""
    registry.cut_short("sign-up.committed")

    registry.log_in("1")

    (event,) = registry.noted
    assert (event.actor, event.address) == ("system", "")


def test_the_form_sent_again_after_the_commit_finishes_it(registry: Registry) -> None:
    """The person sees an error page and presses the button again."""
    claim = uuid4()
    registry.stop_at("sign-up.committed")
    with pytest.raises(Stopped):
        registry.sign_up("1", "alice", claim=claim)

    made = registry.sign_up("1", "bob", claim=claim)

    assert made == SignedUp(account_of(claim), registry.account(account_of(claim)).username)
    assert registry.account(account_of(claim)).username == "alice"


def test_a_sign_up_that_meets_a_committed_one_finishes_it(registry: Registry) -> None:
    """Nobody must have to wait for a process that is gone."""
    registry.cut_short("sign-up.committed")

    known = registry.sign_up("1", "bob")

    assert isinstance(known, AlreadyKnown)
    assert registry.log_in("1") == known.account_id


def lose_the_name(registry: Registry, clock: ManualClock) -> AccountId:
    """Commit a sign-up whose name expires and is taken by another person; return the account's id."""
    registry.cut_short("sign-up.committed")
    row = registry.store.identities.read_settled(key("1"))
    assert row is not None
    clock.advance(CLAIM_TTL_MS)
    registry.member("2", "alice")
    return row.account_id


def test_a_name_lost_meanwhile_is_asked_for_again(registry: Registry, clock: ManualClock) -> None:
    """Two people would have one name, or the account could never be finished."""
    account_id = lose_the_name(registry, clock)

    row = registry.service.find(key("1"))

    assert decide(row, registry.service.account(account_id)) == ChooseName(account_id)
    assert isinstance(registry.sign_up("1", "alice"), NameTaken)
    made = registry.sign_up("1", "bob")
    assert isinstance(made, SignedUp)
    assert made.account_id == account_id
    assert registry.log_in("1") == account_id
    assert registry.account(account_id).username == "bob"
    assert registry.log_in("2") != account_id


def test_a_sign_up_is_noted_when_it_has_its_name_and_not_before(registry: Registry, clock: ManualClock) -> None:
    """The audit would count one account twice, once under a name it never had."""
    account_id = lose_the_name(registry, clock)
    registry.service.find(key("1"))
    assert [event.facts["identity"] for event in registry.noted] == [key("2")]

    registry.sign_up("1", "bob")

    assert (registry.noted[-1].account_id, registry.noted[-1].facts["username"]) == (account_id, "bob")
    assert len(registry.noted) == 2


def test_a_name_that_is_just_being_taken_is_lost_too(registry: Registry, clock: ManualClock) -> None:
    """A name that two people are promised at once goes to the one who claims it now."""

    def lose() -> None:
        clock.advance(CLAIM_REST_MS + 1)
        registry.cut_short("sign-up.name-claimed", "2")

    registry.at["sign-up.committed"] = lose
    claim = uuid4()

    assert isinstance(registry.sign_up("1", "alice", claim=claim), NameTaken)
    made = registry.sign_up("1", "bob", claim=claim)

    assert made == SignedUp(account_of(claim), registry.account(account_of(claim)).username)
    assert registry.log_in("1") == account_of(claim)


def test_a_new_choice_that_is_cut_short_is_finished_too(registry: Registry, clock: ManualClock) -> None:
    """The second commit must be worth as much as the first."""
    account_id = lose_the_name(registry, clock)
    registry.service.find(key("1"))
    registry.cut_short("sign-up.committed", "1", "bob")

    assert registry.log_in("1") == account_id
    assert registry.account(account_id).username == "bob"


def test_a_name_whose_claim_expired_unnoticed_is_taken_if_it_is_free(registry: Registry, clock: ManualClock) -> None:
    """A stall after the commit must not cost the name if nobody wanted it."""

    def stall() -> None:
        clock.advance(CLAIM_TTL_MS)

    registry.at["sign-up.committed"] = stall

    made = registry.sign_up("1", "alice")

    assert isinstance(made, SignedUp)
    assert made.username == "alice"


def committed_link(store: WatchedStore, account: AccountRow, subject: str = "2") -> IdentityRow:
    """Write the row of a link that was cut short after its commit."""
    row = IdentityRow(
        key(subject), account.username, account.key, IdentityState.COMPLETING, uuid4(), 1, uuid4(), "@second"
    )
    store.identities.rows.insert(row)
    return row


def test_the_next_login_finishes_a_link(registry: Registry, store: WatchedStore) -> None:
    """An identity that was linked in the wrong second would be locked."""
    account_id = registry.member("1", "alice")
    committed_link(store, registry.account(account_id))

    assert registry.log_in("2") == account_id

    assert registry.account(account_id).identities[key("2")] == LinkedIdentity(1, "@second")
    assert [event.facts["identity"] for event in registry.noted] == [key("1")]


def test_a_link_to_an_account_that_is_gone_frees_the_identity(registry: Registry, store: WatchedStore) -> None:
    """The person could never log in with it again."""
    ghost = replace(registry.account(registry.member("1", "alice")), key=AccountId(uuid4()))
    committed_link(store, ghost)

    assert registry.service.find(key("2")) is None

    assert isinstance(registry.sign_up("2", "bob"), SignedUp)
    assert registry.store.accounts.read_settled(ghost.key) is None


def test_a_link_to_an_account_that_was_merged_frees_the_identity(registry: Registry, store: WatchedStore) -> None:
    """An absorbed account must not collect ways to log in."""
    account_id = registry.member("1", "alice")
    committed_link(store, registry.account(account_id))
    store.set_status(account_id, AccountStatus.MERGED)

    assert registry.service.find(key("2")) is None
    assert registry.ways(account_id) == {"p:1"}


def test_a_link_waits_while_the_account_is_being_merged(registry: Registry, store: WatchedStore) -> None:
    """It would be added to the account that is about to be empty."""
    account_id = registry.member("1", "alice")
    row = committed_link(store, registry.account(account_id))
    store.set_status(account_id, AccountStatus.MERGING)

    assert registry.service.find(key("2")) == row
    assert registry.sign_up("2", "bob") == BeingFinished()
    assert registry.link(registry.member("3", "carol"), "2") == BeingFinished()

    store.set_status(account_id, AccountStatus.ACTIVE)
    assert registry.log_in("2") == account_id


def test_a_sign_up_whose_account_was_merged_already_is_left_to_the_merge(
    registry: Registry, store: WatchedStore
) -> None:
    """Deleting its row would make the person a newcomer."""
    registry.cut_short("complete.account-written")
    row = store.identities.read_settled(key("1"))
    store.set_status(row.account_id, AccountStatus.MERGED)

    assert registry.service.find(key("1")) == row
    assert registry.sign_up("1", "bob") == BeingFinished()


def test_a_helper_does_not_add_again_what_was_unlinked_after_it_looked(registry: Registry, store: WatchedStore) -> None:
    """An identity taken from a thief would come back by itself."""
    account_id = registry.member("1", "alice")
    committed_link(store, registry.account(account_id))

    def finish_and_unlink() -> None:
        assert registry.log_in("2") == account_id
        registry.unlink(account_id, "2")

    store.accounts.once_after_read(finish_and_unlink)

    assert registry.service.find(key("2")) is None
    assert registry.ways(account_id) == {"p:1"}


def test_a_helper_does_not_add_again_what_was_unlinked_just_before_it_writes(
    registry: Registry, store: WatchedStore
) -> None:
    """The same one moment later, when only the account's op can tell."""
    account_id = registry.member("1", "alice")
    committed_link(store, registry.account(account_id))

    def finish_and_unlink() -> None:
        assert registry.log_in("2") == account_id
        registry.unlink(account_id, "2")

    store.accounts.once_before(finish_and_unlink)

    assert registry.service.find(key("2")) is None
    assert registry.ways(account_id) == {"p:1"}


def test_a_sign_up_that_was_finished_and_unlinked_meanwhile_is_not_made_again(registry: Registry) -> None:
    """The slow window must not bring back what the person removed in the quick one."""

    def finish_and_unlink() -> None:
        account_id = registry.log_in("1")
        assert account_id is not None
        registry.link(account_id, "2")
        registry.unlink(account_id, "1")

    registry.at["sign-up.committed"] = finish_and_unlink

    assert registry.sign_up("1", "alice") == BeingFinished()

    account_id = registry.log_in("2")
    assert account_id is not None
    assert registry.ways(account_id) == {"p:2"}
    assert registry.log_in("1") is None


def test_an_endless_race_for_the_account_ends(registry: Registry, store: WatchedStore) -> None:
    """It must be "try again", not a thread that hangs."""
    account_id = registry.member("1", "alice")
    committed_link(store, registry.account(account_id))
    store.accounts.before = store.accounts.touch

    with pytest.raises(StoreUnavailable, match="account row"):
        registry.service.find(key("2"))


def test_an_endless_race_for_the_index_row_ends(registry: Registry, store: WatchedStore) -> None:
    """The same for the row itself."""
    registry.cut_short("sign-up.committed")
    store.identities.before = store.identities.touch

    with pytest.raises(StoreUnavailable, match="identity row"):
        registry.service.find(key("1"))


def test_an_endless_race_for_the_name_ends(registry: Registry, store: WatchedStore) -> None:
    """And for the name."""
    registry.cut_short("sign-up.committed")
    store.usernames.before = store.usernames.touch

    with pytest.raises(StoreUnavailable, match="username row"):
        registry.service.find(key("1"))
