"""Deciding of those who wait, by two operators, against logins, and many who want to wait."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest

from identity.accounts import approval
from identity.accounts.approval import Approved, Rejected
from identity.accounts.linking import Refusal, Refuse
from identity.accounts.results import SignedUp
from identity.accounts.store import AccountStatus
from tests.races.conftest import Arena
from tests.races.test_accounts import opened
from tests.support.accounts import Registry
from tests.support.clock import ManualClock
from tests.support.disorder import everything_wrong
from tests.support.racing import race

ROUNDS: Final = 200
MOST: Final = 3
PEOPLE: Final = 8


@pytest.fixture
def registry(arena: Arena) -> Registry:
    """Give a service whose clock stands still."""
    return opened(arena, ManualClock())


def acts(*each: Callable[[], object]) -> Callable[[int], Any]:
    """Let each runner do one of these."""
    return lambda me: each[me]()


def test_of_an_approval_and_a_rejection_one_wins(registry: Registry, arena: Arena) -> None:
    """Two operators would each be told yes, and the account be what the slower one said."""
    for number in arena.rounds(ROUNDS):
        made = registry.sign_up(str(number), f"name{number}", waits=True)
        assert isinstance(made, SignedUp)
        account_id, service = made.account_id, registry.service

        approved, rejected = race(
            2,
            acts(
                partial(service.approve, registry.change(account_id)),
                partial(service.reject, registry.change(account_id)),
            ),
        )

        lost = Refuse(Refusal.NOT_WAITING)
        assert (approved, rejected) in [(Approved(account_id), lost), (lost, Rejected(account_id))]
        status = AccountStatus.ACTIVE if approved == Approved(account_id) else AccountStatus.REJECTED
        assert registry.account(account_id).status is status
        assert service.waiting() == ()
    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_a_login_at_the_moment_of_an_approval_waits_or_enters(registry: Registry, arena: Arena) -> None:
    """Either is right; an error, or a login that is refused afterwards, is not."""
    for number in arena.rounds(ROUNDS):
        subject = str(number)
        made = registry.sign_up(subject, f"name{number}", waits=True)
        assert isinstance(made, SignedUp)
        log_in = partial(registry.log_in, subject)

        _, *reached = race(4, acts(partial(registry.service.approve, registry.change(made.account_id)), *[log_in] * 3))

        assert set(reached) <= {None, made.account_id}
        assert log_in() == made.account_id


def test_no_more_wait_than_may(registry: Registry, arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers who come at once would fill the store with accounts that no operator looks through."""
    monkeypatch.setattr(approval, "MOST_WAITING", MOST)
    for number in arena.rounds(ROUNDS):

        def sign_up(me: int, number: int = number) -> object:
            return registry.sign_up(f"{number}-{me}", f"name{number}x{me}", waits=True)

        outcomes = race(PEOPLE, sign_up)

        made = [each for each in outcomes if isinstance(each, SignedUp)]
        assert len(made) == MOST
        assert outcomes.count(Refuse(Refusal.TOO_MANY_WAITING)) == PEOPLE - MOST
        assert len(registry.service.waiting()) == MOST
        for each in made:
            registry.service.reject(registry.change(each.account_id))
        assert isinstance(registry.sign_up(f"{number}-9", f"name{number}x9", waits=True), SignedUp)
        for waiter in registry.service.waiting():
            registry.service.approve(registry.change(waiter.account.key))
