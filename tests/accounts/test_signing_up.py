"""Signing up: one identity, one name, one account."""

from dataclasses import replace
from uuid import uuid4

import pytest

from identity.accounts.linking import CLAIM_REST_MS, CLAIM_TTL_MS, account_of
from identity.accounts.results import AlreadyKnown, BeingFinished, NameTaken, SignedUp
from identity.accounts.store import (
    AccountStatus,
    LinkedIdentity,
    UsernameState,
)
from identity.accounts.usernames import NamePolicy, NameProblem, NameRefused
from identity.errors import StoreUnavailable
from identity.types import AccountId, UsernameKey
from tests.support.accounts import Registry, Stopped, key
from tests.support.clock import NOON, ManualClock
from tests.support.contention import WatchedRows, WatchedStore


@pytest.fixture
def registry(clock: ManualClock, store: WatchedStore) -> Registry:
    """Give a service."""
    return Registry(store, clock=clock)


def name(registry: Registry, text: str) -> AccountId | None:
    """Return who owns a name for good."""
    row = registry.store.usernames.read_settled(UsernameKey(text))
    return row.account_id if row and row.state is UsernameState.ACTIVE else None


def test_a_newcomer_gets_an_account_a_name_and_can_log_in(registry: Registry) -> None:
    """It is what the daemon is for."""
    made = registry.sign_up("1", "Alice", label="@alice")

    assert isinstance(made, SignedUp)
    assert made.username == "Alice"
    assert registry.log_in("1") == made.account_id
    assert name(registry, "alice") == made.account_id
    account = registry.account(made.account_id)
    assert account.identities == {key("1"): LinkedIdentity(NOON, "@alice")}
    assert (account.username, account.status, account.created_at) == ("Alice", AccountStatus.ACTIVE, NOON)


def test_an_account_does_not_expire(registry: Registry, clock: ManualClock) -> None:
    """A quarter of an hour after the sign-up the person would be a stranger again."""
    made = registry.member("1", "alice")

    clock.advance(10 * CLAIM_TTL_MS)

    assert registry.log_in("1") == made
    assert name(registry, "alice") == made


def test_a_sign_up_is_noted_once_with_who_and_where(registry: Registry) -> None:
    """The audit would miss new accounts, or count them twice."""
    made = registry.member("1", "Alice")

    (event,) = registry.noted
    assert (event.action, event.account_id, event.actor) == ("sign-up", made, "self")
    assert (event.address, event.request_id, event.at) == ("2001:db8::1", "r-1", NOON)
    assert event.facts == {"identity": "p:1", "username": "Alice"}


def test_a_name_that_cannot_be_chosen_is_refused_before_anything_is_written(registry: Registry) -> None:
    """A typing error must not start the clock of a claim."""
    refused = registry.sign_up("1", "root")

    assert isinstance(refused, NameRefused)
    assert refused.problem is NameProblem.RESERVED
    assert registry.service.find(key("1")) is None
    assert registry.passed == []


def test_a_known_identity_is_told_apart_from_a_newcomer(registry: Registry) -> None:
    """A login that saw an old copy of the index must not make a second account."""
    first = registry.member("1", "alice")

    assert registry.sign_up("1", "alice2") == AlreadyKnown(first)

    assert name(registry, "alice2") is None


def test_the_form_sent_twice_makes_one_account(registry: Registry) -> None:
    """An impatient click must not be punished with "already known" or a second account."""
    claim = uuid4()
    first = registry.sign_up("1", "alice", claim=claim)

    assert registry.sign_up("1", "alice", claim=claim) == first

    assert isinstance(first, SignedUp)
    assert first.account_id == account_of(claim)
    assert len(registry.noted) == 1


def test_a_taken_name_is_answered_with_free_ones(registry: Registry) -> None:
    """A bare "taken" leaves a person guessing."""
    registry.member("1", "Alice")
    registry.member("2", "alice2")

    taken = registry.sign_up("3", "ALICE")

    assert isinstance(taken, NameTaken)
    assert taken.username == "ALICE"
    assert taken.alternatives[:2] == ("ALICE3", "ALICE4")
    assert len(taken.alternatives) == 3


def test_another_name_may_be_chosen_after_the_first_was_taken(registry: Registry) -> None:
    """The claim must stay the person's own through the failures of the form."""
    registry.member("1", "alice")
    claim = uuid4()
    assert isinstance(registry.sign_up("2", "alice", claim=claim), NameTaken)

    made = registry.sign_up("2", "bob", claim=claim)

    assert isinstance(made, SignedUp)
    assert registry.log_in("2") == made.account_id
    assert registry.account(made.account_id).username == "bob"


def test_a_retired_name_is_never_given_out_again(registry: Registry, store: WatchedStore) -> None:
    """Applications may still know its former owner by it."""
    registry.member("1", "alice")
    row = store.usernames.read_settled(UsernameKey("alice"))
    store.usernames.replace(replace(row, state=UsernameState.RETIRED, op=uuid4()), expected=row)

    assert isinstance(registry.sign_up("2", "alice"), NameTaken)


def test_a_name_of_one_s_own_that_was_retired_stays_so(registry: Registry, store: WatchedStore) -> None:
    """Whoever gave a name up must not get it back by sending an old form again."""
    claim = uuid4()
    registry.stop_at("sign-up.name-claimed")
    with pytest.raises(Stopped):
        registry.sign_up("1", "alice", claim=claim)
    row = store.usernames.there("alice")
    store.usernames.rows.replace(replace(row, state=UsernameState.RETIRED, op=uuid4()), expected=row)

    assert isinstance(registry.sign_up("1", "alice", claim=claim), NameTaken)


def test_an_abandoned_sign_up_leaves_nothing_after_a_quarter_of_an_hour(
    registry: Registry, store: WatchedStore, clock: ManualClock
) -> None:
    """Claims that nobody finishes would fill the store, and keep names from people."""
    registry.stop_at("sign-up.name-claimed")
    with pytest.raises(Stopped):
        registry.sign_up("1", "alice")
    clock.advance(CLAIM_TTL_MS - 1)
    assert (len(list(store.identities.scan())), len(list(store.usernames.scan()))) == (1, 1)

    clock.advance(1)

    assert (list(store.identities.scan()), list(store.usernames.scan())) == ([], [])


def test_a_second_window_is_asked_to_wait(registry: Registry) -> None:
    """Two windows of one person would otherwise fight for the identity."""
    outcomes = []
    registry.at["sign-up.identity-claimed"] = lambda: outcomes.append(registry.sign_up("1", "alice"))

    made = registry.sign_up("1", "alice")

    assert outcomes == [BeingFinished()]
    assert isinstance(made, SignedUp)


def test_an_abandoned_window_is_taken_over_after_half_a_minute(registry: Registry, clock: ManualClock) -> None:
    """A closed tab would lock the person out for a quarter of an hour."""
    registry.member("9", "taken")
    registry.sign_up("1", "taken")  # leaves the identity claimed

    assert registry.sign_up("1", "alice") == BeingFinished()
    clock.advance(CLAIM_REST_MS + 1)

    assert isinstance(registry.sign_up("1", "alice"), SignedUp)


def test_a_name_somebody_is_just_taking_is_taken(registry: Registry) -> None:
    """Two people would be promised one name."""
    outcomes = []
    registry.at["sign-up.name-claimed"] = lambda: outcomes.append(registry.sign_up("2", "alice"))

    made = registry.sign_up("1", "alice")

    assert isinstance(made, SignedUp)
    assert isinstance(outcomes[0], NameTaken)


def test_a_name_somebody_gave_up_on_is_free_after_half_a_minute(registry: Registry, clock: ManualClock) -> None:
    """A closed tab would keep a name for a quarter of an hour."""
    registry.stop_at("sign-up.name-claimed")
    with pytest.raises(Stopped):
        registry.sign_up("1", "alice")
    clock.advance(CLAIM_REST_MS + 1)

    assert isinstance(registry.sign_up("2", "alice"), SignedUp)


def test_whoever_stalls_before_the_commit_notices_that_he_was_overtaken(registry: Registry, clock: ManualClock) -> None:
    """A slow sign-up would overwrite the account another window made."""
    outcomes = []

    def overtake() -> None:
        clock.advance(CLAIM_REST_MS + 1)
        outcomes.append(registry.sign_up("1", "bob"))

    registry.at["sign-up.name-claimed"] = overtake

    late = registry.sign_up("1", "alice")

    (made,) = outcomes
    assert isinstance(made, SignedUp)
    assert late == AlreadyKnown(made.account_id)
    assert registry.log_in("1") == made.account_id
    assert name(registry, "alice") is None


def test_whoever_stalls_past_the_expiry_begins_again(registry: Registry, clock: ManualClock) -> None:
    """A laptop that slept in the middle must not leave half an account."""

    def sleep() -> None:
        clock.advance(CLAIM_TTL_MS)

    registry.at["sign-up.name-claimed"] = sleep

    made = registry.sign_up("1", "alice")

    assert isinstance(made, SignedUp)
    assert registry.log_in("1") == made.account_id
    assert name(registry, "alice") == made.account_id


def test_whoever_never_gets_his_turn_is_told_to_try_again(registry: Registry, store: WatchedStore) -> None:
    """An endless race must end in "try again", not hang a thread."""
    store.usernames.before = lambda _: store.identities.touch(key("1"))

    with pytest.raises(StoreUnavailable, match="every round"):
        registry.sign_up("1", "alice")


def test_an_identity_that_changes_all_the_time_is_not_claimed(
    registry: Registry, store: WatchedStore, clock: ManualClock
) -> None:
    """The same for the claim itself."""
    registry.stop_at("sign-up.identity-claimed")
    with pytest.raises(Stopped):
        registry.sign_up("1", "alice")
    clock.advance(CLAIM_REST_MS + 1)
    store.identities.before = store.identities.touch

    with pytest.raises(StoreUnavailable, match="identity row"):
        registry.sign_up("1", "alice")


def test_a_name_that_changes_all_the_time_is_not_claimed(
    registry: Registry, store: WatchedStore, clock: ManualClock
) -> None:
    """And for a name."""
    registry.stop_at("sign-up.name-claimed")
    with pytest.raises(Stopped):
        registry.sign_up("1", "alice")
    clock.advance(CLAIM_REST_MS + 1)
    store.usernames.before = store.usernames.touch

    with pytest.raises(StoreUnavailable, match="username row"):
        registry.sign_up("2", "alice")


def test_a_claim_that_vanishes_is_claimed_anew(registry: Registry, store: WatchedStore, clock: ManualClock) -> None:
    """A claim that expires between two looks at it must not end the sign-up."""
    registry.stop_at("sign-up.name-claimed")
    with pytest.raises(Stopped):
        registry.sign_up("1", "alice")
    clock.advance(CLAIM_REST_MS + 1)

    def expire(rows: WatchedRows, row_key: str) -> None:
        rows.once_before(lambda: rows.once_before(lambda: rows.rows.delete(rows.there(row_key))))

    expire(store.identities, key("1"))
    expire(store.usernames, "alice")

    assert isinstance(registry.sign_up("1", "alice"), SignedUp)


def test_the_name_of_an_earlier_try_may_be_chosen_again(registry: Registry) -> None:
    """Whoever sends the form again after an error owns the name already; it must not count as taken."""
    claim = uuid4()
    registry.stop_at("sign-up.name-claimed")
    with pytest.raises(Stopped):
        registry.sign_up("1", "alice", claim=claim)

    assert isinstance(registry.sign_up("1", "alice", claim=claim), SignedUp)


def test_a_newcomer_is_offered_a_free_name(registry: Registry) -> None:
    """The first offer should be one that works."""
    registry.member("1", "zoe")
    registry.member("2", "Zoe.Gross")

    assert registry.service.suggest("bob", "Bob") == "bob"
    assert registry.service.suggest("zoe", "Zoë Groß") == "zoe2"


def test_a_newcomer_without_a_name_is_offered_none(registry: Registry) -> None:
    """People took `user1` for a name of theirs, and are now called so in every application."""
    assert registry.service.suggest("", "") is None
    assert registry.service.suggest("李雷", "") is None


def test_when_every_obvious_name_is_taken_a_number_helps(registry: Registry) -> None:
    """The second Zoë must not be offered a name that is taken."""
    registry.member("1", "zoe")

    assert registry.service.suggest("zoe", "") == "zoe2"


def test_when_nothing_is_free_the_first_choice_is_offered_all_the_same() -> None:
    """The form must have something in it; it will say that the name is taken."""
    registry = Registry(policy=NamePolicy(min_length=1, max_length=1))
    for number, each in enumerate("123456789abz"):
        registry.member(f"{number}", each)

    assert registry.service.suggest("z", "") == "z"
