"""People with one link at the same moment, and an operator who takes it back then."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final
from uuid import uuid4

import pytest

from identity.accounts.invitation import LONGEST_MS, InvitationState
from identity.accounts.inviting import InvitationOver, InvitationRevoked
from identity.accounts.linking import Refusal, Refuse
from identity.accounts.results import BeingFinished, SignedUp
from identity.accounts.store import IdentityState
from identity.errors import StoreUnavailable
from tests.races.conftest import Arena
from tests.races.test_accounts import HastyClock, opened
from tests.support.accounts import OPERATOR, PERSON, Registry, key
from tests.support.clock import ManualClock
from tests.support.disorder import everything_wrong
from tests.support.racing import race

PEOPLE: Final = 4
ROUNDS: Final = 200
HASTY: Final = 20
"""Fewer: each of them is a long one."""


@pytest.fixture
def registry(arena: Arena) -> Registry:
    """Give a service whose clock stands still."""
    return opened(arena, ManualClock())


def acts(each: Sequence[Callable[[], object]]) -> Callable[[int], Any]:
    """Let each runner do one of these."""
    return lambda me: each[me]()


def hurried(registry: Registry, number: int, invitation: str, me: int) -> object:
    """Sign up among people who all take over from each other: giving up is an answer too."""
    try:
        return registry.sign_up(f"{number}-{me}", f"name{number}x{me}", invitation=invitation)
    except StoreUnavailable:
        return None


def made_with(registry: Registry, invitation: str) -> list[str]:
    """Return the names of the accounts that were made with an invitation."""
    rows = (row for row in registry.store.identities.scan() if row.invitation == invitation)
    return [row.username for row in rows if row.state is IdentityState.ACTIVE]


def test_of_people_with_one_link_one_signs_up(registry: Registry, arena: Arena) -> None:
    """A link that was forwarded would make an account for each who has it."""
    for number in arena.rounds(ROUNDS):
        invitation = registry.invite("staff")

        outcomes = race(
            PEOPLE,
            lambda me, n=number, i=invitation: registry.sign_up(f"{n}-{me}", f"name{n}x{me}", invitation=i.key),
        )

        winners = [each for each in outcomes if isinstance(each, SignedUp)]
        losers = [each for each in outcomes if not isinstance(each, SignedUp)]
        assert len(winners) == 1
        assert all(each in {BeingFinished(), Refuse(Refusal.INVITATION_USED)} for each in losers)
        assert registry.account(winners[0].account_id).groups == ("staff",)
        assert registry.invitation(invitation.key).account_id == winners[0].account_id
    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_of_people_who_all_take_over_from_each_other_one_signs_up(arena: Arena) -> None:
    """A daemon that slept for half a minute must not wake up and make a second account with the link."""
    registry = opened(arena, HastyClock())
    for number in arena.rounds(HASTY):
        invitation = registry.invite("staff", lasts_ms=LONGEST_MS)

        outcomes = race(PEOPLE, partial(hurried, registry, number, invitation.key))

        assert sum(isinstance(each, SignedUp) for each in outcomes) <= 1
        after = registry.sign_up(f"{number}-9", f"name{number}x9", invitation=invitation.key)
        names = made_with(registry, invitation.key)
        assert len(names) == 1
        assert after == Refuse(Refusal.INVITATION_USED) or isinstance(after, SignedUp)


def test_of_accounts_and_newcomers_with_one_link_one_uses_it(registry: Registry, arena: Arena) -> None:
    """The groups would be given to two people."""
    for number in arena.rounds(ROUNDS):
        old = [registry.member(f"{number}-old{each}", f"old{number}x{each}") for each in range(2)]
        invitation = registry.invite("staff")
        accept = registry.service.accept_invitation

        race(
            4,
            acts(
                [
                    *(partial(accept, invitation.key, key(f"{number}-old{each}"), by=PERSON) for each in range(2)),
                    *(
                        partial(registry.sign_up, f"{number}-{each}", f"new{number}x{each}", invitation=invitation.key)
                        for each in range(2)
                    ),
                ]
            ),
        )

        after = registry.invitation(invitation.key)
        assert after.state is InvitationState.USED
        grown = [each for each in old if registry.account(each).groups]
        assert len(grown) + len(made_with(registry, invitation.key)) == 1
        assert registry.account(after.account_id).groups == ("staff",) if after.account_id else False
    assert registry.service.retry_revocations() == 0


def test_a_link_that_is_taken_back_while_it_is_used_is_either(registry: Registry, arena: Arena) -> None:
    """The operator would be told that it is worth nothing, and it made an account."""
    for number in arena.rounds(ROUNDS):
        invitation = registry.invite("staff")
        revoke = partial(registry.service.revoke_invitation, uuid4(), invitation, by=OPERATOR)
        sign_up = partial(registry.sign_up, str(number), f"name{number}", invitation=invitation.key)

        revoked, made = race(2, acts([revoke, sign_up]))

        state = registry.invitation(invitation.key).state
        if isinstance(made, SignedUp):
            assert isinstance(revoked, InvitationOver)
            assert state is InvitationState.USED
        else:
            assert made == Refuse(Refusal.INVITATION_REVOKED)
            assert isinstance(revoked, InvitationRevoked)
            assert state is InvitationState.REVOKED
