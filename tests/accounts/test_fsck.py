"""`fsck` over the rows: what it finds, what it mends, and what it keeps its hands off."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from identity.accounts.results import SignedUp
from identity.accounts.store import AccountStatus
from identity.stores.memory import MemoryAccounts
from identity.types import Username
from identity.upkeep.diagnosis import Diagnosis, Fault, Remedy
from identity.upkeep.mending import Mended
from tests.support.accounts import Registry, key
from tests.support.clock import ManualClock
from tests.support.contention import WatchedStore
from tests.support.disorder import (
    ALICE,
    LEFT,
    MENDED,
    WAITING,
    change_account,
    everything,
    long_after,
    lose,
    run,
    verdicts,
)
from tests.support.wholeness import disagreements


@pytest.fixture
def watched() -> Registry:
    """Give a service over a store on which something can happen just before a write."""
    clock = ManualClock()
    memory = MemoryAccounts(clock=clock)
    return Registry(WatchedStore(memory), audit=memory.audit, clock=clock)


def test_nothing_is_found_where_nothing_is_wrong(registry: Registry) -> None:
    """An operator who is shown honest rows stops reading."""
    alice = registry.member("1", "alice", "2")
    registry.member("3", "bob")
    registry.unlink(alice, "2")
    registry.service.disable(registry.change(alice))
    long_after(registry)

    assert run(registry, repair=True) == []


@pytest.mark.parametrize("what", list(MENDED))
def test_without_repair_it_is_found_and_nothing_is_written(registry: Registry, what: str) -> None:
    """Somebody who only wants to look must not change accounts by it."""
    plant, fault, step = MENDED[what]
    plant(registry)
    long_after(registry)
    before = list(everything(registry))

    (found,) = run(registry)

    assert (found.diagnosis, found.outcome, found.left) == (Diagnosis(fault, step), None, True)
    assert list(everything(registry)) == before
    assert not any(event.action.startswith("repair") for event in registry.audit.of_account(found.account_id))


@pytest.mark.parametrize("what", list(MENDED))
def test_with_repair_it_is_mended_once_and_for_all(registry: Registry, what: str) -> None:
    """A way, a name or a person would stay locked by a crash."""
    plant, fault, step = MENDED[what]
    plant(registry)
    long_after(registry)

    (found,) = run(registry, repair=True)

    assert (found.diagnosis, found.outcome, found.left) == (Diagnosis(fault, step), Mended.DONE, False)
    assert disagreements(registry.store) == []
    assert [each for each in run(registry) if each.diagnosis.remedy is not Remedy.WAIT] == []


@pytest.mark.parametrize("what", list(LEFT))
def test_what_the_rows_do_not_tell_is_left_to_an_operator(registry: Registry, what: str) -> None:
    """A guess could open a disabled account, or give a person's name away."""
    plant, faults = LEFT[what]
    plant(registry)
    long_after(registry)
    before = list(everything(registry))

    found = run(registry, repair=True)

    assert {each.diagnosis for each in found} == {Diagnosis(fault, Remedy.ASK) for fault in faults}
    assert all(each.left for each in found)
    assert list(everything(registry)) == before


@pytest.mark.parametrize("what", list(WAITING))
def test_what_waits_for_somebody_is_said_and_is_no_fault(registry: Registry, what: str) -> None:
    """A nightly run would call an operator for somebody who has not chosen a name yet."""
    plant, fault = WAITING[what]
    plant(registry)
    long_after(registry)
    before = list(everything(registry))

    found = run(registry, repair=True)

    assert [(each.diagnosis, each.left) for each in found] == [(Diagnosis(fault, Remedy.WAIT), False)]
    assert list(everything(registry)) == before


def test_every_fault_is_planted_here() -> None:
    """A code without a plant is one that nobody knows to be found."""
    mended = {fault for _, fault, _ in MENDED.values()}
    left = {fault for _, faults in LEFT.values() for fault in faults}

    assert mended | left | {fault for _, fault in WAITING.values()} == set(Fault)


@pytest.mark.parametrize("what", list(MENDED))
def test_rows_of_the_last_half_hour_are_left_alone(registry: Registry, what: str) -> None:
    """A sign-up under way would be judged by what it has not written yet."""
    plant, _, _ = MENDED[what]
    plant(registry)

    assert run(registry, repair=True) == []


def test_after_a_repair_people_log_in_as_before(registry: Registry) -> None:
    """Agreement between rows is worth nothing if it locks the person out."""
    MENDED["a way that is another's"][0](registry)
    alice, bob = registry.log_in("1"), registry.log_in("2")
    long_after(registry)

    run(registry, repair=True)

    assert (registry.log_in("1"), registry.log_in("2"), registry.log_in("3")) == (alice, bob, bob)


def test_sessions_of_an_identity_that_was_anothers_are_ended_by_the_daemon(registry: Registry) -> None:
    """Whoever came in through it would stay in."""
    MENDED["a way that is another's"][0](registry)
    alice = registry.log_in("1")
    long_after(registry)

    run(registry, repair=True)
    registry.service.retry_revocations()

    assert [(each.account_id, each.identity) for each in registry.ended] == [(alice, key("3"))]


def test_a_disabled_account_stays_disabled_when_its_way_is_restored(registry: Registry) -> None:
    """Mending must not let anybody in who was shut out."""
    alice = registry.member("1", "alice", "2")
    registry.service.disable(registry.change(alice))
    row = registry.store.identities.read_settled(key("2"))
    assert row is not None
    registry.store.identities.delete(row)
    long_after(registry)

    assert verdicts(run(registry, repair=True)) == [Diagnosis(Fault.WAY_LOST, Remedy.RESTORE)]
    assert registry.log_in("2") is None


@pytest.mark.parametrize(
    ("what", "facts"),
    [
        ("an unlink cut short", {"identity": "p:2", "reason": "leftover-identity", "outcome": "mended"}),
        ("the name of a late helper", {"username": "alicia", "reason": "name-unused", "outcome": "mended"}),
        ("a name without its row", {"username": "alice", "reason": "name-lost", "outcome": "mended"}),
    ],
)
def test_each_repair_is_audited_before_and_after(registry: Registry, what: str, facts: dict[str, str]) -> None:
    """What was removed, and why, must be found when a person asks."""
    MENDED[what][0](registry)
    long_after(registry)

    (found,) = run(registry, repair=True)

    after, before, *_ = registry.audit.of_account(found.account_id)
    assert (before.action, after.action) == ("repair-begun", "repair")
    assert {before.actor, after.actor} == {"system"}
    assert dict(after.facts) == facts
    assert dict(before.facts) == {name: value for name, value in facts.items() if name != "outcome"}


def test_an_account_made_by_a_repair_is_audited_as_a_sign_up(registry: Registry) -> None:
    """Every account has its first entry, whoever finished it."""
    MENDED["a sign-up cut short"][0](registry)
    long_after(registry)

    (found,) = run(registry, repair=True)

    assert {event.action for event in registry.audit.of_account(found.account_id)} >= {"sign-up", "repair"}


def touch(registry: Registry, table: str, row_key: object) -> None:
    """Let somebody write a row again just before the next write to its table."""
    rows: Any = getattr(registry.store, table)
    rows.once_before(lambda: rows.touch(row_key))


@pytest.mark.parametrize(
    ("what", "table", "row_key"),
    [
        ("an unlink cut short", "identities", key("2")),
        ("a claim that stayed", "identities", key("1")),
        ("the name of a late helper", "usernames", "alicia"),
        ("a name not confirmed", "usernames", ALICE),
    ],
)
def test_a_row_that_changes_meanwhile_is_looked_at_again(
    watched: Registry, what: str, table: str, row_key: object
) -> None:
    """A step on a row that is another one by now would undo what a person just did."""
    MENDED[what][0](watched)
    long_after(watched)
    touch(watched, table, row_key)

    (found,) = run(watched, repair=True)

    assert found.outcome is Mended.DONE
    assert disagreements(watched.store) == []


def test_a_row_that_somebody_takes_just_before_it_is_removed_is_theirs(watched: Registry) -> None:
    """A person who signs up with a freed identity would lose the account at once."""
    MENDED["an unlink cut short"][0](watched)
    long_after(watched)
    made: list[object] = []
    identities: Any = watched.store.identities
    identities.once_before(lambda: made.append(watched.sign_up("2", "bob")))

    assert run(watched, repair=True) == []

    (signed_up,) = made
    assert isinstance(signed_up, SignedUp)
    assert watched.log_in("2") == signed_up.account_id


def test_an_unlink_during_a_restore_wins(registry: Registry) -> None:
    """A thief's way would come back while its owner removes it."""
    alice = registry.member("1", "alice", "2")
    row = registry.store.identities.read_settled(key("2"))
    assert row is not None
    registry.store.identities.delete(row)
    long_after(registry)

    def unlink_meanwhile(checkpoint: str) -> None:
        # The rest of an unlink that saw no row before, and therefore deletes none.
        listed = registry.account(alice).identities
        if checkpoint == "repair.restored" and key("2") in listed:
            change_account(registry, alice, identities={key("1"): listed[key("1")]})

    assert run(registry, repair=True, checkpoint=unlink_meanwhile) == []
    assert registry.store.identities.read_settled(key("2")) is None
    assert disagreements(registry.store) == []


def test_an_unlink_while_an_account_is_looked_at_is_no_finding(watched: Registry) -> None:
    """An operator would be told of a lost row that its owner had just given up."""
    alice = watched.member("1", "alice", "2")
    long_after(watched)
    accounts: Any = watched.store.accounts
    reads = count(1)
    read_by_the_accounts = 4  # after two identities and one name

    def unlink_meanwhile(_: object) -> None:
        if next(reads) == read_by_the_accounts:
            watched.unlink(alice, "2")

    accounts.after_read = unlink_meanwhile

    assert run(watched, threads=1) == []
    assert watched.ways(alice) == {key("1")}


def test_a_name_that_its_account_left_meanwhile_is_given_back(registry: Registry) -> None:
    """The name would be locked by an account that goes by another one."""
    MENDED["a name without its row"][0](registry)
    alice = registry.log_in("1")
    assert alice is not None
    long_after(registry)

    def rename_meanwhile(checkpoint: str) -> None:
        if checkpoint == "repair.owned" and registry.account(alice).username == "alice":
            change_account(registry, alice, username=Username("anne"))

    run(registry, repair=True, checkpoint=rename_meanwhile)

    assert registry.store.usernames.read_settled(ALICE) is None
    assert disagreements(registry.store) == []


def test_nothing_of_an_account_in_a_merge_is_touched(registry: Registry) -> None:
    """On their way between two accounts, rows are where neither account expects them."""
    alice = registry.member("1", "alice", "2")
    for rows, row_key in ((registry.store.identities, key("2")), (registry.store.usernames, ALICE)):
        lose(rows, row_key)
    change_account(registry, alice, status=AccountStatus.MERGING)
    long_after(registry)
    before = list(everything(registry))

    assert verdicts(run(registry, repair=True)) == [Diagnosis(Fault.IN_MERGE, Remedy.WAIT)]
    assert list(everything(registry)) == before


def test_a_link_that_waits_for_a_merge_is_left(registry: Registry) -> None:
    """It would be called finished, and still be refused."""
    MENDED["a link cut short"][0](registry)
    alice = registry.log_in("1")
    assert alice is not None
    change_account(registry, alice, status=AccountStatus.MERGING)
    long_after(registry)

    unfinished, _ = run(registry, repair=True)

    assert (unfinished.diagnosis.fault, unfinished.outcome, unfinished.left) == (Fault.UNFINISHED, Mended.LEFT, True)


def test_a_name_is_owned_again_under_the_claim_of_its_sign_up(registry: Registry) -> None:
    """A helper of that sign-up who comes late would take the name for a stranger's."""
    MENDED["a name without its row"][0](registry)
    long_after(registry)

    run(registry, repair=True)

    name, row = registry.store.usernames.read_settled(ALICE), registry.store.identities.read_settled(key("1"))
    assert name is not None
    assert row is not None
    assert name.claim == row.claim


def at_first_step(act: Callable[[], object]) -> Callable[[str], None]:
    """Let something happen, once, between the verdict and the step."""
    acts = [act]
    return lambda _: acts.pop()() and None if acts else None


def test_an_identity_that_the_other_account_gives_up_meanwhile_stays_listed(registry: Registry) -> None:
    """It would lead to neither of the two."""
    MENDED["a way that is another's"][0](registry)
    alice, bob = registry.log_in("1"), registry.log_in("2")
    assert bob is not None
    long_after(registry)

    found = run(registry, repair=True, checkpoint=at_first_step(lambda: registry.unlink(bob, "3")))

    assert verdicts(found) == [Diagnosis(Fault.WAY_LOST, Remedy.RESTORE)]
    assert registry.log_in("3") == alice


def test_an_account_that_enters_a_merge_meanwhile_keeps_its_list(registry: Registry) -> None:
    """The merge moves what is listed; what is taken from under it would be lost."""
    MENDED["a way that is another's"][0](registry)
    alice = registry.log_in("1")
    assert alice is not None
    ways = registry.ways(alice)
    long_after(registry)

    run(
        registry,
        repair=True,
        checkpoint=at_first_step(lambda: change_account(registry, alice, status=AccountStatus.MERGING)),
    )

    assert registry.ways(alice) == ways
