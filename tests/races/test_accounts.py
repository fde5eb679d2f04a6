"""Many people at one identity or one name at the same moment, with real threads."""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, Final
from uuid import uuid4

import pytest

from identity.accounts.linking import Refusal, Refuse, decide
from identity.accounts.results import AlreadyKnown, BeingFinished, Linked, NameTaken, Reached, SignedUp
from identity.accounts.store import IdentityState
from identity.errors import StoreUnavailable
from identity.types import SECOND, Millis
from tests.races.conftest import Arena
from tests.support.accounts import Registry, key
from tests.support.clock import NOON, ManualClock
from tests.support.disorder import everything_wrong
from tests.support.racing import race

THREADS: Final = 8
NEWCOMERS: Final = 500
CHANGES: Final = {"memory": 1_000, "sqlite": 1_000, "cassandra": 200}
QUARRELS: Final = 6
"""Fewer: each of them is a long one."""


class HastyClock:
    """A clock on which every claim is old by the next look: everybody takes over from everybody."""

    def __init__(self) -> None:
        self._steps = count()

    def __call__(self) -> Millis:
        """Return a time 31 seconds after the last one."""
        return NOON + next(self._steps) * 31 * SECOND


def acts(*each: Callable[[], object]) -> Callable[[int], Any]:
    """Let the runners take turns at what to do."""
    return lambda me: each[me % len(each)]()


@pytest.fixture
def registry(arena: Arena) -> Registry:
    """Give a service whose clock stands still."""
    return opened(arena, ManualClock())


def opened(arena: Arena, clock: ManualClock | HastyClock) -> Registry:
    """Open a service on the arena's store."""
    store = arena.open_store(clock)
    return Registry(store, audit=store.audit, clock=clock)


def test_many_logins_with_one_new_identity_make_one_account(registry: Registry, arena: Arena) -> None:
    """A double click, or two devices, would split a person in two."""
    for number in arena.rounds(NEWCOMERS):
        subject = str(number)

        outcomes = race(
            THREADS, acts(*(partial(registry.sign_up, subject, f"name{subject}-{me}") for me in range(THREADS)))
        )

        (made,) = [each for each in outcomes if isinstance(each, SignedUp)]
        others = [each for each in outcomes if not isinstance(each, SignedUp)]
        assert set(others) <= {BeingFinished(), AlreadyKnown(made.account_id)}
        assert registry.log_in(subject) == made.account_id

    assert len(list(registry.store.accounts.scan())) == len(arena.rounds(NEWCOMERS))
    assert len(registry.noted) == len(arena.rounds(NEWCOMERS))
    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_of_many_who_want_one_name_one_gets_it_and_the_others_are_asked_again(registry: Registry, arena: Arena) -> None:
    """Two people with one name could read each other's pages in every application."""
    for number in arena.rounds(NEWCOMERS):
        name = f"name{number}"

        outcomes = race(THREADS, acts(*(partial(registry.sign_up, f"{name}-{me}", name) for me in range(THREADS))))

        (made,) = [each for each in outcomes if isinstance(each, SignedUp)]
        losers = [each for each in outcomes if isinstance(each, NameTaken)]
        assert len(losers) == THREADS - 1
        assert all(name not in loser.alternatives for loser in losers)
        owner = registry.account(made.account_id)
        assert owner.username == name

    assert len(list(registry.store.accounts.scan())) == len(arena.rounds(NEWCOMERS))
    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_a_login_that_helps_while_the_sign_up_goes_on_changes_nothing(registry: Registry, arena: Arena) -> None:
    """Helpers and the one who began must end with one account under one name."""
    for number in arena.rounds(CHANGES[arena.kind]):
        subject = str(number)

        made, *found = race(
            THREADS,
            acts(
                partial(registry.sign_up, subject, f"name{subject}"),
                *(partial(registry.log_in, subject) for _ in range(THREADS - 1)),
            ),
        )

        assert isinstance(made, SignedUp)
        assert set(found) <= {None, made.account_id}
        assert registry.account(made.account_id).version == 1

    assert len(registry.noted) == len(arena.rounds(CHANGES[arena.kind]))
    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_when_everybody_takes_over_from_everybody_there_is_still_one_account_each(arena: Arena) -> None:
    """Claims that change hands at every step are what a stalled machine looks like."""
    registry = opened(arena, HastyClock())
    for number in arena.rounds(QUARRELS):

        def act(me: int, number: int = number) -> SignedUp | None:
            try:
                made = registry.sign_up(f"{number}-{me % 2}", f"name{number}-{me % 3}")
            except StoreUnavailable:
                return None
            return made if isinstance(made, SignedUp) else None

        made = [each for each in race(THREADS, act) if each]

        for subject in (f"{number}-0", f"{number}-1"):
            row = registry.service.find(key(subject))
            if row is not None and row.state is IdentityState.NEEDS_NAME:
                registry.sign_up(subject, f"spare{number}-{subject[-1]}")
        reached = {registry.log_in(f"{number}-0"), registry.log_in(f"{number}-1")}
        assert {each.account_id for each in made} <= reached

    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_of_the_two_last_ways_one_stays(registry: Registry, arena: Arena) -> None:
    """Two windows that each remove the other's way would lock the person out for ever."""
    for number in arena.rounds(CHANGES[arena.kind]):
        ways = (f"{number}-0", f"{number}-1")
        account_id = registry.member(ways[0], f"name{number}", ways[1])

        outcomes = race(2, acts(*(partial(registry.unlink, account_id, way) for way in ways)))

        assert sorted(outcomes, key=str) == [Reached(account_id), Refuse(Refusal.LAST_WAY)]
        kept = ways[outcomes.index(Refuse(Refusal.LAST_WAY))]
        assert registry.log_in(kept) == account_id
        assert registry.ways(account_id) == {key(kept)}

    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_link_and_unlink_of_one_identity_end_with_rows_that_agree(registry: Registry, arena: Arena) -> None:
    """A way that the account lists and that does not work, or the other way round."""
    for number in arena.rounds(CHANGES[arena.kind]):
        first, second = f"{number}-0", f"{number}-1"
        account_id = registry.member(first, f"name{number}", second)

        race(4, acts(partial(registry.unlink, account_id, second), partial(registry.link, account_id, second)))

        linked = key(second) in registry.ways(account_id)
        assert (registry.log_in(second) == account_id) == linked

    leftovers = [row for row in registry.store.identities.scan() if row.state is IdentityState.PENDING]
    assert leftovers == []
    # Who lost the race may have unlinked unseen, so its revocation is kept until the daemon looks.
    assert registry.service.retry_revocations() == 0
    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_two_links_of_one_identity_to_one_account_are_one(registry: Registry, arena: Arena) -> None:
    """A form that is sent twice would be refused, or claim what it has just linked."""
    for number in arena.rounds(CHANGES[arena.kind]):
        account_id = registry.member(f"{number}-0", f"name{number}")
        wanted, claim = f"{number}-wanted", uuid4()

        outcomes = race(2, lambda _, a=account_id, w=wanted, c=claim: registry.link(a, w, claim=c))

        assert outcomes == [Linked(account_id)] * 2
        assert registry.log_in(wanted) == account_id
        assert registry.account(account_id).version == 2

    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_an_identity_that_two_accounts_want_goes_to_one(registry: Registry, arena: Arena) -> None:
    """Who controls one identity would be let into two accounts."""
    for number in arena.rounds(CHANGES[arena.kind]):
        accounts = [registry.member(f"{number}-{me}", f"name{number}-{me}") for me in range(2)]
        wanted = f"{number}-wanted"

        outcomes = race(2, acts(*(partial(registry.link, account_id, wanted) for account_id in accounts)))

        (winner,) = [each for each in outcomes if isinstance(each, Linked)]
        (loser,) = [each for each in outcomes if not isinstance(each, Linked)]
        assert loser in (BeingFinished(), Refuse(Refusal.BELONGS_TO_OTHER))
        assert registry.log_in(wanted) == winner.account_id

    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_an_identity_that_signs_up_and_is_linked_at_once_leads_to_one_account(registry: Registry, arena: Arena) -> None:
    """One window says "new here" and the other one links."""
    for number in arena.rounds(CHANGES[arena.kind]):
        account_id = registry.member(f"{number}-0", f"name{number}")
        wanted = f"{number}-wanted"

        linked, made = race(
            2, acts(partial(registry.link, account_id, wanted), partial(registry.sign_up, wanted, f"other-{wanted}"))
        )

        reached = registry.log_in(wanted)
        assert isinstance(linked, Linked) != isinstance(made, SignedUp)
        assert reached == (made.account_id if isinstance(made, SignedUp) else account_id)

    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_an_identity_that_signs_up_in_one_tab_and_is_linked_in_another_leads_to_one_account(
    registry: Registry, arena: Arena
) -> None:
    """A username form, and "I already have an account" beside it: both go on from one proof, under one claim."""
    for number in arena.rounds(CHANGES[arena.kind]):
        account_id, claim = registry.member(f"{number}-0", f"name{number}"), uuid4()
        wanted = f"{number}-wanted"

        linked, made = race(
            2,
            acts(
                partial(registry.link, account_id, wanted, claim=claim),
                partial(registry.sign_up, wanted, f"other-{wanted}", claim=claim),
            ),
        )

        reached = registry.log_in(wanted)
        assert isinstance(made, SignedUp)
        assert reached == made.account_id
        assert (linked == Linked(account_id)) == (reached == account_id)

    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_an_identity_unlinked_and_signed_up_at_once_leads_to_one_account_or_other(
    registry: Registry, arena: Arena
) -> None:
    """Whoever takes over a freed identity must not be joined to the account it came from."""
    for number in arena.rounds(CHANGES[arena.kind]):
        first, second = f"{number}-0", f"{number}-1"
        account_id = registry.member(first, f"name{number}", second)

        unlinked, made = race(
            2, acts(partial(registry.unlink, account_id, second), partial(registry.sign_up, second, f"other-{second}"))
        )

        assert unlinked == Reached(account_id)
        assert registry.ways(account_id) == {key(first)}
        assert registry.log_in(second) == (made.account_id if isinstance(made, SignedUp) else None)
        assert isinstance(made, SignedUp | AlreadyKnown)

    assert everything_wrong(registry.store, now=registry.clock()) == []


def test_changes_of_one_account_at_once_all_happen(registry: Registry, arena: Arena) -> None:
    """A disable that loses a race against a link must not be lost."""
    for number in arena.rounds(CHANGES[arena.kind]):
        account_id = registry.member(f"{number}", f"name{number}")

        race(
            4,
            acts(
                partial(registry.service.disable, registry.change(account_id)),
                *(partial(registry.link, account_id, f"{number}-{me}") for me in range(3)),
            ),
        )

        row = registry.service.find(key(f"{number}"))
        assert decide(row, registry.account(account_id)) == Refuse(Refusal.DISABLED)
        assert registry.account(account_id).epoch == 2

    assert everything_wrong(registry.store, now=registry.clock()) == []
