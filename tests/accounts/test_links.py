"""Adding a way to log in, and taking one away."""

from dataclasses import replace
from uuid import uuid4

import pytest

from identity.accounts.linking import CLAIM_REST_MS, CLAIM_TTL_MS, MOST_LINKS, Refusal, Refuse
from identity.accounts.results import AlreadyKnown, BeingFinished, Linked, NotReachedYet, Reached, SignedUp
from identity.accounts.store import AccountStatus, IdentityState, LinkedIdentity, Revocation
from identity.errors import StoreUnavailable
from identity.sessions.record import Ended
from identity.types import AccountId
from tests.support.accounts import Registry, Stopped, key
from tests.support.clock import NOON, ManualClock
from tests.support.contention import WatchedStore


@pytest.fixture
def registry(clock: ManualClock, store: WatchedStore) -> Registry:
    """Give a service."""
    return Registry(store, clock=clock)


def test_a_linked_identity_logs_in_to_the_account(registry: Registry) -> None:
    """It is what linking is for."""
    alice = registry.member("1", "alice")

    assert registry.link(alice, "2") == Linked(alice)

    assert registry.log_in("2") == registry.log_in("1") == alice
    assert registry.account(alice).identities[key("2")] == LinkedIdentity(NOON, "@2")


def test_a_link_does_not_expire(registry: Registry, clock: ManualClock) -> None:
    """A quarter of an hour later the way would be gone."""
    alice = registry.member("1", "alice", "2")

    clock.advance(10 * CLAIM_TTL_MS)

    assert registry.log_in("2") == alice


def test_a_link_ends_no_session(registry: Registry) -> None:
    """Adding a way is no reason to log in again."""
    alice = registry.member("1", "alice", "2")

    account = registry.account(alice)
    assert (account.epoch, account.version) == (1, 2)
    assert registry.ended == []


def test_linking_twice_is_linking_once(registry: Registry) -> None:
    """The form sent twice must not be an error."""
    alice, claim = registry.member("1", "alice"), uuid4()
    registry.link(alice, "2", claim=claim)

    assert registry.link(alice, "2", claim=claim) == Linked(alice)
    assert registry.link(alice, "2") == Linked(alice)

    assert registry.ways(alice) == {"p:1", "p:2"}


def test_an_identity_of_somebody_else_is_refused_without_naming_him(registry: Registry) -> None:
    """Whoever tries identities must not learn whose they are."""
    alice, _ = registry.member("1", "alice"), registry.member("2", "bob")

    refused = registry.link(alice, "2")

    assert refused == Refuse(Refusal.BELONGS_TO_OTHER)
    assert "bob" not in repr(refused)
    assert registry.ways(alice) == {"p:1"}


def test_an_identity_that_somebody_else_is_about_to_name_is_his(registry: Registry, clock: ManualClock) -> None:
    """His account is committed; only its name is missing."""
    registry.stop_at("sign-up.committed")
    with pytest.raises(Stopped):
        registry.sign_up("2", "bob")
    clock.advance(CLAIM_TTL_MS)
    registry.member("3", "bob")
    alice = registry.member("1", "alice")

    assert registry.link(alice, "2") == Refuse(Refusal.BELONGS_TO_OTHER)


def test_an_identity_that_is_just_signing_up_is_left_to_it(registry: Registry) -> None:
    """Two windows of one person, one signing up and one linking."""
    alice = registry.member("1", "alice")
    outcomes = []
    registry.at["sign-up.name-claimed"] = lambda: outcomes.append(registry.link(alice, "2"))

    assert isinstance(registry.sign_up("2", "bob"), SignedUp)

    assert outcomes == [BeingFinished()]


def test_an_abandoned_sign_up_does_not_keep_an_identity_from_being_linked(
    registry: Registry, clock: ManualClock
) -> None:
    """People say "I already have an account" after half a sign-up."""
    alice = registry.member("1", "alice")
    assert not isinstance(registry.sign_up("2", "alice"), SignedUp)
    clock.advance(CLAIM_REST_MS + 1)

    assert registry.link(alice, "2") == Linked(alice)


def test_a_sign_up_overtaken_by_a_link_finds_the_account(registry: Registry, clock: ManualClock) -> None:
    """The identity would lead to two accounts."""
    alice = registry.member("1", "alice")

    def overtake() -> None:
        clock.advance(CLAIM_REST_MS + 1)
        assert registry.link(alice, "2") == Linked(alice)

    registry.at["sign-up.name-claimed"] = overtake

    assert registry.sign_up("2", "bob") == AlreadyKnown(alice)


def test_a_link_overtaken_by_a_sign_up_is_refused(registry: Registry, clock: ManualClock) -> None:
    """The same the other way round."""
    alice = registry.member("1", "alice")

    def overtake() -> None:
        clock.advance(CLAIM_REST_MS + 1)
        assert isinstance(registry.sign_up("2", "bob"), SignedUp)

    registry.at["link.identity-claimed"] = overtake

    assert registry.link(alice, "2") == Refuse(Refusal.BELONGS_TO_OTHER)
    assert registry.ways(alice) == {"p:1"}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (AccountStatus.DISABLED, Refusal.DISABLED),
        (AccountStatus.MERGING, Refusal.MERGING),
        (AccountStatus.MERGED, Refusal.MERGED),
    ],
)
def test_an_account_that_may_not_log_in_gets_no_further_way(
    registry: Registry, store: WatchedStore, status: AccountStatus, reason: Refusal
) -> None:
    """A disabled thief would link his own identity for later."""
    alice = registry.member("1", "alice")
    store.set_status(alice, status)

    assert registry.link(alice, "2") == Refuse(reason)
    assert registry.log_in("2") is None


def test_an_account_that_is_not_there_is_refused(registry: Registry) -> None:
    """An operator's typing error must be told apart from a success."""
    nobody = AccountId(uuid4())

    assert registry.link(nobody, "2") == Refuse(Refusal.NO_ACCOUNT)
    assert registry.unlink(nobody, "2") == Refuse(Refusal.NO_ACCOUNT)


def test_an_account_has_twenty_ways_at_most(registry: Registry) -> None:
    """One row holds them all; a person with a robot could fill it."""
    alice = registry.member("0", "alice", *map(str, range(1, MOST_LINKS)))

    assert len(registry.ways(alice)) == MOST_LINKS
    assert registry.link(alice, "99") == Refuse(Refusal.TOO_MANY_WAYS)
    assert registry.link(alice, "3") == Linked(alice)


def test_a_link_that_never_gets_its_turn_is_to_be_tried_again(registry: Registry, store: WatchedStore) -> None:
    """An endless race must not hang a thread."""
    alice = registry.member("1", "alice")

    def always() -> None:
        store.identities.touch(key("2"))
        registry.at["link.identity-claimed"] = always

    registry.at["link.identity-claimed"] = always

    with pytest.raises(StoreUnavailable, match="identity row"):
        registry.link(alice, "2")


def test_a_link_to_an_account_that_a_merge_takes_meanwhile_is_refused(registry: Registry, store: WatchedStore) -> None:
    """The way would be added to an account that is about to be empty."""
    alice = registry.member("1", "alice")
    registry.at["link.committed"] = lambda: store.set_status(alice, AccountStatus.MERGED)

    assert registry.link(alice, "2") == Refuse(Refusal.MERGED)
    assert registry.log_in("2") is None


def test_an_unlinked_identity_does_not_reach_the_account(registry: Registry) -> None:
    """It is what unlinking is for."""
    alice = registry.member("1", "alice", "2")

    assert registry.unlink(alice, "2") == Reached(alice)

    assert registry.log_in("2") is None
    assert registry.log_in("1") == alice
    assert registry.service.find(key("2")) is None


def test_an_unlinked_identity_may_begin_anew(registry: Registry) -> None:
    """A person may give an identity to an account of its own."""
    alice = registry.member("1", "alice", "2")
    registry.unlink(alice, "2")

    made = registry.sign_up("2", "bob")

    assert isinstance(made, SignedUp)
    assert made.account_id != alice
    assert registry.log_in("2") == made.account_id


def test_the_sessions_of_the_unlinked_way_end(registry: Registry) -> None:
    """The thief's browser would stay logged in."""
    alice, request = registry.member("1", "alice", "2"), uuid4()

    registry.unlink(alice, "2", request=request)

    assert registry.ended == [Revocation(request, alice, None, 2, Ended.UNLINKED, NOON, key("2"))]
    assert registry.account(alice).epoch == 2
    assert registry.store.revocations.open() == ()


def test_sessions_that_cannot_be_reached_are_ended_later(registry: Registry) -> None:
    """A node that is down would keep the thief logged in for ever."""
    alice = registry.member("1", "alice", "2")
    registry.away = True

    assert registry.unlink(alice, "2") == NotReachedYet(alice, "node 2 is down")
    assert registry.log_in("2") is None
    assert registry.service.retry_revocations() == 1

    registry.away = False
    assert registry.service.retry_revocations() == 0
    assert [revocation.identity for revocation in registry.ended] == ["p:2"]


def test_the_last_way_is_never_taken_away(registry: Registry) -> None:
    """Nobody could log in to the account any more."""
    alice = registry.member("1", "alice", "2")
    registry.unlink(alice, "1")

    assert registry.unlink(alice, "2") == Refuse(Refusal.LAST_WAY)

    assert registry.log_in("2") == alice
    assert registry.store.revocations.open() == ()


def test_of_two_unlinks_that_overlap_the_second_finds_the_last_way(registry: Registry) -> None:
    """Two windows, each removing the other's way."""
    alice = registry.member("1", "alice", "2")
    outcomes = []
    registry.at["ending.revocation-kept"] = lambda: outcomes.append(registry.unlink(alice, "2"))

    assert registry.unlink(alice, "1") == Refuse(Refusal.LAST_WAY)

    assert outcomes == [Reached(alice)]
    assert registry.log_in("1") == alice
    assert registry.store.revocations.open() == ()


def test_what_is_not_linked_cannot_be_unlinked(registry: Registry) -> None:
    """A "done" would be a lie, and it might be somebody else's identity."""
    alice, bob = registry.member("1", "alice", "3"), registry.member("2", "bob")

    assert registry.unlink(alice, "2") == Refuse(Refusal.NOT_LINKED)

    assert registry.log_in("2") == bob


@pytest.mark.parametrize(
    ("status", "reason"), [(AccountStatus.MERGING, Refusal.MERGING), (AccountStatus.MERGED, Refusal.MERGED)]
)
def test_an_account_in_a_merge_is_left_to_it(
    registry: Registry, store: WatchedStore, status: AccountStatus, reason: Refusal
) -> None:
    """The merge is moving its ways one by one."""
    alice = registry.member("1", "alice", "2")
    store.set_status(alice, status)

    assert registry.unlink(alice, "2") == Refuse(reason)


def test_a_disabled_account_may_lose_a_way(registry: Registry, store: WatchedStore) -> None:
    """An operator disables the account, takes the thief's way from it, and enables it."""
    alice = registry.member("1", "alice", "2")
    store.set_status(alice, AccountStatus.DISABLED)

    assert registry.unlink(alice, "2") == Reached(alice)


def test_an_unlink_finishes_a_link_that_was_cut_short_first(registry: Registry) -> None:
    """A helper that meets the unfinished row later would add the identity again."""
    alice = registry.member("1", "alice")
    registry.stop_at("complete.account-written")
    with pytest.raises(Stopped):
        registry.link(alice, "2")
    row = registry.store.identities.read_settled(key("2"))
    assert row is not None
    assert row.state is IdentityState.COMPLETING
    registry.at["ending.account-changed"] = lambda: registry.log_in("2")

    assert registry.unlink(alice, "2") == Reached(alice)

    assert registry.log_in("2") is None
    assert registry.ways(alice) == {"p:1"}


def test_an_unlink_leaves_a_row_that_is_somebody_else_s(registry: Registry, store: WatchedStore) -> None:
    """An account that wrongly lists an identity must be mended without locking its real owner out."""
    alice, bob = registry.member("1", "alice"), registry.member("2", "bob")
    account = store.accounts.there(alice)
    listed = {**account.identities, key("2"): LinkedIdentity(1, ""), key("3"): LinkedIdentity(1, "")}
    store.accounts.rows.replace(replace(account, identities=listed, op=uuid4()), expected=account)

    assert registry.unlink(alice, "2") == Reached(alice)
    assert registry.unlink(alice, "3") == Reached(alice)

    assert registry.ways(alice) == {"p:1"}
    assert registry.log_in("2") == bob


def test_what_is_linked_anew_during_an_unlink_stays(registry: Registry) -> None:
    """The late deletion would leave an account that lists a way which does not work."""
    alice = registry.member("1", "alice", "2")
    registry.at["ending.account-changed"] = lambda: registry.link(alice, "2")

    registry.unlink(alice, "2")

    assert registry.ways(alice) == {"p:1", "p:2"}
    assert registry.log_in("2") == alice


def test_an_unlink_that_never_gets_its_turn_is_to_be_tried_again(registry: Registry, store: WatchedStore) -> None:
    """An endless race must not hang a thread."""
    alice = registry.member("1", "alice", "2")
    store.accounts.before = store.accounts.touch

    with pytest.raises(StoreUnavailable, match="account row"):
        registry.unlink(alice, "2")


def test_link_and_unlink_are_audited_before_and_after(registry: Registry) -> None:
    """An operator must see who took a way from an account, and whether he managed to."""
    alice = registry.member("1", "alice", "2")
    registry.unlink(alice, "2")
    registry.unlink(alice, "1")

    events = [(event.action, event.facts) for event in reversed(registry.audit.of_account(alice))]

    assert events == [
        ("link-begun", {"identity": "p:2"}),
        ("link", {"identity": "p:2", "outcome": "linked"}),
        ("unlink-begun", {"identity": "p:2"}),
        ("unlink", {"identity": "p:2", "outcome": "done"}),
        ("unlink-begun", {"identity": "p:1"}),
        ("unlink", {"identity": "p:1", "outcome": "last-way"}),
    ]


def test_outcomes_of_every_kind_have_a_word_in_the_audit(registry: Registry) -> None:
    """An entry without an outcome means a crash."""
    alice = registry.member("1", "alice", "3")
    registry.sign_up("2", "alice")
    registry.link(alice, "2")
    registry.away = True
    registry.unlink(alice, "3")

    words = [event.facts["outcome"] for event in registry.audit.of_account(alice) if "outcome" in event.facts]

    assert words == ["sessions-not-reached", "being-finished", "linked"]
