"""Disabling, ending everywhere, what could not be reached, profiles, and what a login costs."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from identity.accounts.linking import Refusal, Refuse, decide
from identity.accounts.results import Enabled, EndingOutcome, NotReachedYet, Reached
from identity.accounts.revoking import ABANDONED_MS
from identity.accounts.store import AccountStatus, ProfileRow, Revocation
from identity.errors import StoreCorrupt, StoreUnavailable
from identity.sessions.record import Ended
from identity.types import AccountId, SessionId
from providers.base import Profile
from tests.support.accounts import Registry, Stopped, key
from tests.support.clock import NOON, ManualClock
from tests.support.contention import WatchedStore
from tests.support.guards import Expectation


@pytest.fixture
def registry(clock: ManualClock, store: WatchedStore) -> Registry:
    """Give a service."""
    return Registry(store, clock=clock)


def disable(registry: Registry, account_id: AccountId) -> EndingOutcome:
    """Disable an account as an operator does."""
    return registry.service.disable(registry.change(account_id))


def test_a_returning_login_costs_two_durable_reads(registry: Registry, store: WatchedStore) -> None:
    """Every further read is a round trip to another machine for everybody's login."""
    alice = registry.member("1", "alice")
    store.reads = 0

    row = registry.service.find(key("1"))
    assert row is not None
    registry.service.account(row.account_id)

    assert store.reads == 2
    assert row.account_id == alice


def test_a_stranger_s_login_costs_one_durable_read(registry: Registry, store: WatchedStore) -> None:
    """There is no account to read."""
    assert registry.service.find(key("1")) is None

    assert store.reads == 1


def test_a_sign_up_costs_six_conditional_writes_and_no_read(registry: Registry, store: WatchedStore) -> None:
    """Each is a round of agreement between machines."""
    writes: list[object] = []
    store.identities.before = store.usernames.before = store.accounts.before = writes.append

    registry.member("1", "alice")

    assert len(writes) == 6
    assert store.reads == 0


def test_a_disabled_account_cannot_log_in_and_its_sessions_end(registry: Registry) -> None:
    """It is what disabling is for."""
    alice = registry.member("1", "alice")
    request = registry.change(alice)

    assert registry.service.disable(request) == Reached(alice)

    row = registry.service.find(key("1"))
    assert decide(row, registry.service.account(alice)) == Refuse(Refusal.DISABLED)
    assert registry.ended == [Revocation(request.id, alice, None, 2, Ended.DISABLED, NOON)]
    assert (registry.account(alice).epoch, registry.account(alice).version) == (2, 2)


def test_disabling_twice_ends_the_sessions_twice(registry: Registry) -> None:
    """An operator who repeats it wants to be sure."""
    alice = registry.member("1", "alice")
    disable(registry, alice)

    assert disable(registry, alice) == Reached(alice)

    assert [revocation.epoch for revocation in registry.ended] == [2, 3]


def test_an_enabled_account_may_log_in_again(registry: Registry) -> None:
    """What was done must be able to be undone."""
    alice = registry.member("1", "alice")
    disable(registry, alice)

    assert registry.service.enable(registry.change(alice)) == Enabled(alice)

    assert registry.log_in("1") == alice
    assert (registry.account(alice).epoch, registry.account(alice).version) == (2, 3)


def test_enabling_what_is_enabled_changes_nothing(registry: Registry) -> None:
    """Repeating a request must not count as a change."""
    alice = registry.member("1", "alice")
    before = registry.account(alice)

    assert registry.service.enable(registry.change(alice)) == Enabled(alice)

    assert registry.account(alice) == before


def test_enabling_meets_a_race_and_looks_again(registry: Registry, store: WatchedStore) -> None:
    """Two operators at once."""
    alice = registry.member("1", "alice")
    disable(registry, alice)
    store.accounts.once_before(lambda: store.accounts.touch(alice))

    assert registry.service.enable(registry.change(alice)) == Enabled(alice)
    assert registry.account(alice).status is AccountStatus.ACTIVE


def test_enabling_does_not_race_for_ever(registry: Registry, store: WatchedStore) -> None:
    """It must be "try again", not a thread that hangs."""
    alice = registry.member("1", "alice")
    disable(registry, alice)
    store.accounts.before = store.accounts.touch

    with pytest.raises(StoreUnavailable, match="account row"):
        registry.service.enable(registry.change(alice))


def test_ending_everywhere_ends_sessions_and_refuses_no_login(registry: Registry) -> None:
    """A person who lost a phone wants to log in again at once."""
    alice = registry.member("1", "alice")

    assert registry.service.end_everywhere(registry.change(alice)) == Reached(alice)

    assert [(revocation.epoch, revocation.reason) for revocation in registry.ended] == [(2, Ended.REVOKED)]
    assert registry.log_in("1") == alice


def test_an_account_that_is_not_there_cannot_be_changed(registry: Registry) -> None:
    """An operator's typing error must not look like a success."""
    request = registry.change(AccountId(uuid4()))
    refused = Refuse(Refusal.NO_ACCOUNT)

    assert registry.service.disable(request) == refused
    assert registry.service.enable(request) == refused
    assert registry.service.end_everywhere(request) == refused
    assert registry.store.revocations.open() == ()


@pytest.mark.parametrize(
    ("status", "reason"), [(AccountStatus.MERGING, Refusal.MERGING), (AccountStatus.MERGED, Refusal.MERGED)]
)
def test_an_account_in_a_merge_is_left_to_it(
    registry: Registry, store: WatchedStore, status: AccountStatus, reason: Refusal
) -> None:
    """Enabling an absorbed account would bring it back beside the one that absorbed it."""
    alice = registry.member("1", "alice")
    store.set_status(alice, status)

    assert disable(registry, alice) == Refuse(reason)
    assert registry.service.enable(registry.change(alice)) == Refuse(reason)
    assert registry.service.end_everywhere(registry.change(alice)) == Refuse(reason)
    assert registry.account(alice).status is status


def test_the_revocation_stands_before_the_account_changes(registry: Registry) -> None:
    """Killed in between, nobody would know that sessions still have to end."""
    alice = registry.member("1", "alice")
    seen = []

    def look() -> None:
        seen.append((registry.account(alice).epoch, len(registry.store.revocations.open()), len(registry.ended)))

    registry.at = dict.fromkeys(
        ("ending.revocation-kept", "ending.account-changed", "ending.sessions-ended", "ending.revocation-done"), look
    )

    disable(registry, alice)

    assert seen == [(1, 1, 0), (2, 1, 0), (2, 1, 1), (2, 0, 1)]


def test_a_race_for_the_account_moves_the_revocation_s_epoch(registry: Registry) -> None:
    """Ending sessions below the old epoch would spare those opened in between."""
    alice = registry.member("1", "alice")
    registry.at["ending.revocation-kept"] = lambda: registry.service.end_everywhere(registry.change(alice))

    disable(registry, alice)

    assert [revocation.epoch for revocation in registry.ended] == [2, 3]
    assert registry.store.revocations.open() == ()


def test_what_was_not_reached_is_tried_again_until_it_is(registry: Registry) -> None:
    """A node that was down would keep a disabled person logged in."""
    alice, bob = registry.member("1", "alice"), registry.member("2", "bob")
    registry.away = True

    assert disable(registry, alice) == NotReachedYet(alice, "node 2 is down")
    assert disable(registry, bob) == NotReachedYet(bob, "node 2 is down")
    assert registry.log_in("1") is None
    assert registry.service.retry_revocations() == 2

    registry.away = False
    assert registry.service.retry_revocations() == 0
    assert {revocation.account_id for revocation in registry.ended} == {alice, bob}


def test_a_corrupt_record_does_not_stop_the_others(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """One broken record would keep everybody else's sessions alive."""
    accounts = [registry.member("1", "alice"), registry.member("2", "bob")]
    registry.away = True
    for account_id in accounts:
        disable(registry, account_id)
    reached: list[AccountId] = []

    def end(revocation: Revocation) -> None:
        if revocation.account_id == accounts[0]:
            raise StoreCorrupt(detail="session record")
        reached.append(revocation.account_id)

    monkeypatch.setattr(registry.service._revoking, "_end_sessions", end)

    assert registry.service.retry_revocations() == 1
    assert reached == [accounts[1]]


def test_sessions_that_were_ended_count_as_reached_only_when_that_is_kept(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If forgetting the revocation fails it is tried again, which is harmless."""
    alice = registry.member("1", "alice")

    def fail(_: Revocation) -> None:
        raise StoreUnavailable(detail="disk full")

    monkeypatch.setattr(registry.store.revocations, "done", fail)

    assert disable(registry, alice) == NotReachedYet(alice, "disk full")
    assert len(registry.store.revocations.open()) == 1


def test_a_revocation_whose_change_never_happened_ends_nothing(registry: Registry, clock: ManualClock) -> None:
    """A record under an epoch the account never reached would refuse every login."""
    alice = registry.member("1", "alice")
    registry.stop_at("ending.revocation-kept")
    with pytest.raises(Stopped):
        disable(registry, alice)

    assert registry.service.retry_revocations() == 1
    clock.advance(ABANDONED_MS)
    assert registry.service.retry_revocations() == 1
    clock.advance(1)
    assert registry.service.retry_revocations() == 0

    assert registry.ended == []
    assert registry.store.revocations.open() == ()
    assert registry.log_in("1") == alice


def test_a_revocation_of_nobody_is_forgotten_in_the_end(registry: Registry, clock: ManualClock) -> None:
    """It would be tried for ever."""
    registry.store.revocations.add(Revocation(uuid4(), AccountId(uuid4()), None, 2, 9, NOON))

    assert registry.service.retry_revocations() == 1
    clock.advance(ABANDONED_MS + 1)
    assert registry.service.retry_revocations() == 0


def test_one_session_that_was_not_reached_is_ended_later(registry: Registry) -> None:
    """A logout during an outage must not be forgotten."""
    account_id, session = AccountId(uuid4()), SessionId(bytes(range(16)))

    registry.service.end_later(account_id, session, reason=Ended.LOGOUT)
    registry.service.retry_revocations()

    (ended,) = registry.ended
    assert (ended.account_id, ended.session, ended.reason) == (account_id, session, Ended.LOGOUT)
    assert registry.store.revocations.open() == ()


def test_changes_by_operators_are_audited_with_their_reason(registry: Registry) -> None:
    """The question "why am I locked out" must have an answer."""
    alice = registry.member("1", "alice")
    disable(registry, alice)
    registry.service.enable(registry.change(alice))
    registry.service.end_everywhere(registry.change(alice))

    events = list(reversed(registry.audit.of_account(alice)))

    assert [event.action for event in events] == [
        "disable-begun",
        "disable",
        "enable-begun",
        "enable",
        "end-everywhere-begun",
        "end-everywhere",
    ]
    assert {(event.actor, event.facts["reason"], event.request_id) for event in events} == {
        ("operator:ann", "asked by mail", "r-2")
    }
    assert [event.facts.get("outcome") for event in events] == [None, "done", None, "enabled", None, "done"]


def test_a_retried_request_adds_nothing_to_the_audit(registry: Registry) -> None:
    """It would look as if somebody had disabled the account twice."""
    request = registry.change(registry.member("1", "alice"))

    registry.service.disable(request)
    registry.service.disable(request)

    assert len(registry.audit.of_account(request.account_id)) == 2


def test_what_cannot_be_audited_does_not_happen(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator could disable people without a trace while the audit is away."""
    alice = registry.member("1", "alice")

    def fail(_: object) -> None:
        raise StoreUnavailable(detail="disk full")

    monkeypatch.setattr(registry.audit, "append", fail)

    with pytest.raises(StoreUnavailable, match="disk full"):
        disable(registry, alice)

    assert registry.log_in("1") == alice


ZOE = Profile(name="Zoë\n", email="zoe@example.org", email_verified=True)


def test_a_profile_is_kept_fit_to_be_shown(registry: Registry) -> None:
    """The account page shows it."""
    alice = registry.member("1", "alice")
    assert registry.service.profile(alice) is None

    assert registry.service.record_profile(alice, ZOE)

    assert registry.service.profile(alice) == ProfileRow(
        alice, registry.clock(), name="Zoë", email="zoe@example.org", email_verified=True
    )


def test_a_profile_that_cannot_be_kept_fails_no_login(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[..., Expectation]
) -> None:
    """Information about a person is not worth an error page."""

    def fail(_: object) -> None:
        raise StoreUnavailable(detail="disk full")

    monkeypatch.setattr(registry.store.profiles, "write", fail)

    with expect_log("identity.accounts", "profile-lost: .*disk full") as seen:
        assert not registry.service.record_profile(AccountId(uuid4()), ZOE)

    assert "zoe@example.org" not in seen.records[0].getMessage()
