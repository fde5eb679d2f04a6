"""Taking access away while a data centre of the account store cannot be told."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from identity.accounts.linking import Refusal, Refuse
from identity.accounts.results import EndingOutcome, NotEverywhereYet, NotReachedYet
from identity.accounts.store import AccountStatus
from identity.errors import StoreUnavailable
from identity.sessions.record import Ended
from identity.stores.memory import MemoryAccounts
from identity.types import AccountId, SessionId
from tests.support.accounts import Registry, Stopped, key
from tests.support.clock import ManualClock
from tests.support.contention import WatchedStore


def away(_: object) -> None:
    """Fail as a quorum of every data centre does while one is gone."""
    raise StoreUnavailable(detail="DC2 is away")


def there(_: object) -> None:
    """Let it be."""


@pytest.fixture
def store() -> WatchedStore:
    """Give a store of which a data centre is away."""
    made = WatchedStore(MemoryAccounts(clock=ManualClock()))
    made.accounts.before_everywhere = away
    return made


@pytest.fixture
def registry(store: WatchedStore) -> Registry:
    """Give a service."""
    return Registry(store)


def _disable(registry: Registry, account_id: AccountId) -> EndingOutcome:
    return registry.service.disable(registry.change(account_id))


def _end_everywhere(registry: Registry, account_id: AccountId) -> EndingOutcome:
    return registry.service.end_everywhere(registry.change(account_id))


def _unlink(registry: Registry, account_id: AccountId) -> EndingOutcome:
    return registry.unlink(account_id, "2")


CHANGES = pytest.mark.parametrize("change", [_disable, _end_everywhere, _unlink])


@CHANGES
def test_what_takes_access_away_is_done_here_and_says_that_it_is_not_everywhere_yet(
    registry: Registry, change: Callable[[Registry, AccountId], EndingOutcome]
) -> None:
    """A "done" would be a lie: the data centre that returns would let the thief in."""
    alice = registry.member("1", "alice", "2")

    assert change(registry, alice) == NotEverywhereYet(alice, "DC2 is away")

    assert registry.account(alice).epoch == 2
    assert len(registry.ended) == 1
    assert len(registry.store.revocations.open()) == 1


@CHANGES
def test_it_is_told_again_until_every_data_centre_knows(
    registry: Registry, store: WatchedStore, change: Callable[[Registry, AccountId], EndingOutcome]
) -> None:
    """A data centre that is never told keeps the old account."""
    alice = registry.member("1", "alice", "2")
    change(registry, alice)

    registry.service.retry_revocations()
    assert len(registry.store.revocations.open()) == 1

    store.accounts.before_everywhere = there
    registry.service.retry_revocations()
    assert registry.store.revocations.open() == ()


def test_an_unlink_that_came_through_unseen_still_ends_the_sessions(registry: Registry, store: WatchedStore) -> None:
    """Its answer was lost and somebody wrote over it: taken for a lost race, it would leave the thief logged in."""
    alice = registry.member("1", "alice", "2")
    store.accounts.before_everywhere = there

    def come_through() -> None:
        account = store.accounts.there(alice)
        left = {way: listed for way, listed in account.identities.items() if way != key("2")}
        after = replace(account, identities=left, epoch=account.epoch + 1, op=uuid4())
        store.accounts.rows.replace(after, expected=account)
        store.accounts.touch(alice)

    store.accounts.once_before(come_through)

    assert registry.unlink(alice, "2") == Refuse(Refusal.NOT_LINKED)
    assert registry.service.retry_revocations() == 0

    assert [revocation.identity for revocation in registry.ended] == ["p:2"]
    assert registry.store.revocations.open() == ()


def test_sessions_that_are_over_are_not_counted_as_open(registry: Registry) -> None:
    """A memcached node that restarts would stay unused for as long as a data centre is away."""
    _disable(registry, registry.member("1", "alice"))

    assert registry.service.retry_revocations() == 0
    assert len(registry.store.revocations.open()) == 1


def test_sessions_come_before_the_other_data_centres(registry: Registry, store: WatchedStore) -> None:
    """A data centre that hangs takes seconds to say no, and the thief would be logged in for as long."""
    alice = registry.member("1", "alice")
    seen: list[int] = []
    store.accounts.before_everywhere = lambda _: seen.append(len(registry.ended))

    _disable(registry, alice)

    assert seen == [1]


def test_sessions_that_cannot_be_reached_either_are_the_news(registry: Registry) -> None:
    """Of two things that are still to come, the operator must hear of the one that leaves somebody logged in."""
    alice = registry.member("1", "alice")
    registry.away = True

    assert _disable(registry, alice) == NotReachedYet(alice, "node 2 is down")

    assert registry.service.retry_revocations() == 1
    registry.away = False
    assert registry.service.retry_revocations() == 0


def test_the_end_of_one_session_concerns_no_data_centre(registry: Registry) -> None:
    """A queued logout would wait for a data centre that has nothing to do with it."""
    registry.service.end_later(AccountId(uuid4()), SessionId(bytes(range(16))), reason=Ended.LOGOUT)

    assert registry.service.retry_revocations() == 0
    assert registry.store.revocations.open() == ()


def test_sessions_are_ended_while_the_transactions_of_two_data_centres_find_no_majority(
    registry: Registry, store: WatchedStore
) -> None:
    """What this data centre knows to have happened must not wait for the other to confirm it."""
    alice = registry.member("1", "alice")
    registry.away = True
    _disable(registry, alice)
    registry.away = False
    store.accounts.after_read = away

    assert registry.service.retry_revocations() == 0
    assert len(registry.ended) == 1


def test_one_account_whose_change_cannot_be_found_out_does_not_stop_the_others(
    registry: Registry, store: WatchedStore
) -> None:
    """Everybody else's logout would wait for it."""
    registry.stop_at("ending.revocation-kept")
    with pytest.raises(Stopped):
        _disable(registry, registry.member("1", "alice"))
    registry.service.end_later(AccountId(uuid4()), SessionId(bytes(range(16))), reason=Ended.LOGOUT)
    store.accounts.after_read = away

    assert registry.service.retry_revocations() == 1
    assert [revocation.session for revocation in registry.ended] == [bytes(range(16))]


def test_a_disabled_account_stays_disabled_meanwhile(registry: Registry) -> None:
    """The change itself was committed; only its news has not arrived."""
    alice = registry.member("1", "alice")
    _disable(registry, alice)

    assert registry.account(alice).status is AccountStatus.DISABLED
    assert registry.log_in("1") is None
