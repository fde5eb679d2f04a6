"""Copying every account from one store into another: whole, equal, and only then served."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from identity.accounts.store import AccountStore, IdentityState, UsernameState
from identity.audit import Event
from identity.errors import StoreUnavailable
from identity.stores.memory import MemoryAccounts
from identity.stores.sqlite import SqliteAccounts
from identity.types import MINUTE, AccountId
from identity.upkeep.copied_tables import TABLES, CopySide
from identity.upkeep.copy_position import CopyPosition
from identity.upkeep.copying import MOST_REVOCATIONS, PAUSES_S, Copying, CopyRefused, CopyTally, Done, Unequal
from tests.contracts.account_kinds import new_identity, new_username
from tests.contracts.accounts import new_event, new_revocation
from tests.support.accounts import Registry, Stopped
from tests.support.clock import ManualClock
from tests.support.copies import BATCH, FEW, THREADS, contents, copy, fill, person
from tests.support.wholeness import disagreements

KINDS: Final = ("memory", "sqlite")

Open = Callable[[str], CopySide]


@pytest.fixture
def clock() -> ManualClock:
    """Give the time of every store."""
    return ManualClock()


@pytest.fixture
def opened(tmp_path: Path, clock: ManualClock) -> Iterator[Open]:
    """Give a function that opens an empty store of a kind."""
    stores: list[SqliteAccounts] = []

    def open_(kind: str) -> CopySide:
        if kind == "memory":
            memory = MemoryAccounts(clock=clock)
            return CopySide(kind, memory, memory.audit)
        stores.append(SqliteAccounts(tmp_path / f"{len(stores)}.sqlite", clock=clock))
        return CopySide(kind, stores[-1], stores[-1].audit)

    yield open_
    for store in stores:
        store.close()


@pytest.fixture
def source(opened: Open) -> CopySide:
    """Give a store with ten people."""
    side = opened("memory")
    fill(side, range(10))
    return side


@pytest.fixture
def target(opened: Open) -> CopySide:
    """Give an empty store."""
    return opened("memory")


def tally(outcome: object, table: str) -> CopyTally:
    """Return what became of a table."""
    assert isinstance(outcome, Done | Unequal)
    return next(each for each in outcome.tallies if each.table == table)


@pytest.mark.parametrize("people", [3, 2_000])
@pytest.mark.parametrize(("from_", "to"), [("memory", "sqlite"), ("sqlite", "memory")])
def test_people_arrive_with_everything_they_have(opened: Open, from_: str, to: str, people: int) -> None:
    """Somebody would be a stranger to their own account, or lose their name, after the move."""
    source, target = opened(from_), opened(to)
    fill(source, range(people))

    outcome = copy(source, target)

    assert isinstance(outcome, Done)
    assert contents(target) == contents(source)
    assert tally(outcome, "accounts") == CopyTally("accounts", people, 0, written=people, there=people, equal=people)
    events = 2 * people + 1
    assert tally(outcome, "audit") == CopyTally("audit", events, 0, written=events, there=events, equal=events)
    assert target.store.copy_note.read() is None


def test_a_copy_back_gives_what_there_was(opened: Open, source: CopySide) -> None:
    """Whoever tries a cluster and goes back would have lost people on the way."""
    over, back = opened("sqlite"), opened("memory")

    assert isinstance(copy(source, over), Done)
    assert isinstance(copy(over, back), Done)

    assert contents(back) == contents(source)


def test_people_log_in_with_the_copy(source: CopySide, target: CopySide, clock: ManualClock) -> None:
    """Equal rows are worth nothing if a login does not find its way through them."""
    there = Registry(source.store, audit=source.audit, clock=clock)
    alice = there.member("x1", "alice", "x2")

    copy(source, target)

    here = Registry(target.store, audit=target.audit, clock=clock)
    assert here.log_in("x1") == here.log_in("x2") == alice
    assert here.service.account(alice) == there.service.account(alice)
    assert disagreements(target.store) == []


def test_pending_claims_are_left_out_and_counted(source: CopySide, target: CopySide, clock: ManualClock) -> None:
    """Copied without its expiry a claim would keep an identity or a name from everybody, for good."""
    source.store.identities.insert(new_identity(), expires_at=clock() + MINUTE)
    source.store.usernames.insert(new_username(), expires_at=clock() + MINUTE)

    outcome = copy(source, target)

    assert isinstance(outcome, Done)
    assert tally(outcome, "identities").left_out == tally(outcome, "usernames").left_out == 1
    assert all(row.state is not IdentityState.PENDING for row in target.store.identities.scan())
    assert all(row.state is not UsernameState.PENDING for row in target.store.usernames.scan())


@pytest.mark.parametrize("kind", KINDS)
def test_expired_rows_are_not_there_for_a_copy(opened: Open, clock: ManualClock, kind: str) -> None:
    """A claim that ran out last year would come back with the move."""
    source, target = opened(kind), opened("memory")
    fill(source, range(3))
    source.store.identities.insert(new_identity(), expires_at=clock() + MINUTE)
    clock.advance(MINUTE)

    outcome = copy(source, target)

    assert isinstance(outcome, Done)
    assert tally(outcome, "identities").left_out == 0
    assert contents(target) == contents(source)


@pytest.mark.parametrize("checkpoint", ["sign-up.committed", "complete.account-written", "complete.name-owned"])
def test_a_committed_sign_up_is_finished_in_the_copy(
    source: CopySide, target: CopySide, clock: ManualClock, checkpoint: str
) -> None:
    """A daemon that was stopped in the middle of a sign-up would leave an identity nobody can use."""
    there = Registry(source.store, audit=source.audit, clock=clock)
    there.stop_at(checkpoint)
    with pytest.raises(Stopped):
        there.sign_up("x1", "alice")

    assert isinstance(copy(source, target), Done)

    here = Registry(target.store, audit=target.audit, clock=clock)
    assert here.log_in("x1") is not None
    assert disagreements(target.store) == []


def test_an_unfinished_copy_carries_a_note_from_its_first_row_on(source: CopySide, target: CopySide) -> None:
    """A daemon started meanwhile would offer a sign-up to everybody who is not copied yet."""
    notes: list[str | None] = []

    outcome = copy(source, target, told=lambda _: notes.append(target.store.copy_note.read()))

    assert isinstance(outcome, Done)
    assert notes
    assert None not in notes
    assert target.store.copy_note.read() is None


def interrupted(source: CopySide, target: CopySide, table: str) -> None:
    """Copy, and stop after the first batch of a table."""

    def stop(step: Any) -> None:  # noqa: ANN401 - a step
        if (step.stage.value, step.table) == ("copying", table):
            raise Stopped

    with pytest.raises(Stopped):
        copy(source, target, told=stop)


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_a_copy_that_was_interrupted_goes_on_and_is_whole(opened: Open, table: str) -> None:
    """An operator whose terminal closed would begin a copy of hours again, or lose rows."""
    source, target = opened("memory"), opened("sqlite")
    fill(source, range(BATCH + 10))
    interrupted(source, target, table)

    outcome = copy(source, target)

    assert isinstance(outcome, Done)
    assert contents(target) == contents(source)
    resumed = tally(outcome, table)
    if table not in FEW:
        assert resumed.before == BATCH
        assert resumed.written == resumed.rows - BATCH


def test_rows_written_after_the_last_note_are_met_again_unharmed(source: CopySide, target: CopySide) -> None:
    """A kill falls between a row and the note of it nearly always."""
    interrupted(source, target, "identities")
    target.store.copy_note.write(CopyPosition("memory").text())

    outcome = copy(source, target)

    assert isinstance(outcome, Done)
    assert tally(outcome, "identities").before == tally(outcome, "identities").rows
    assert contents(target) == contents(source)


def test_a_row_that_differs_is_named_and_not_written_over(source: CopySide, target: CopySide) -> None:
    """One of two people who meet under one name would lose it, and nobody would know."""
    mine, other = person(3).username, replace(person(3).username, account_id=AccountId(uuid4()), op=uuid4())
    interrupted(source, target, "identities")
    target.store.usernames.insert(other)

    outcome = copy(source, target)

    assert isinstance(outcome, Unequal)
    assert tally(outcome, "usernames").examples == (mine.key,)
    assert target.store.usernames.read(mine.key) == other
    assert target.store.copy_note.read() is not None


def test_a_profile_or_event_that_differs_is_found(source: CopySide, target: CopySide) -> None:
    """An audit that says something else than it did proves nothing."""
    interrupted(source, target, "identities")
    target.store.profiles.write(replace(person(4).profile, email="else@example.org"))
    target.audit.append(replace(person(5).events[0], address="192.0.2.9"))

    outcome = copy(source, target)

    assert isinstance(outcome, Unequal)
    assert tally(outcome, "profiles").examples == (str(person(4).account.key),)
    assert tally(outcome, "audit").examples == (str(person(5).events[0].id),)


@pytest.mark.parametrize("add", ["account", "event", "revocation"])
def test_a_row_too_many_is_found(source: CopySide, target: CopySide, add: str) -> None:
    """What was unlinked since would be a way to log in again."""
    interrupted(source, target, "identities")
    match add:
        case "account":
            target.store.accounts.insert(person(99).account)
        case "event":
            target.audit.append(new_event(None))
        case _:
            target.store.revocations.add(new_revocation())

    outcome = copy(source, target)

    assert isinstance(outcome, Unequal)
    assert target.store.copy_note.read() is not None


def test_a_row_that_is_missing_before_the_noted_place_is_found_and_brought_by_the_next_run(
    source: CopySide, target: CopySide
) -> None:
    """The source went on being used between two runs of a copy, and somebody signed up."""
    interrupted(source, target, "audit")
    fill(source, [50])

    first = copy(source, target)
    second = copy(source, target)

    assert isinstance(first, Unequal)
    assert isinstance(second, Done)
    assert contents(target) == contents(source)


def test_a_store_in_use_is_not_copied_into(source: CopySide, target: CopySide) -> None:
    """Two installations' people would be mixed."""
    target.store.accounts.insert(person(99).account)
    before = contents(target)

    assert copy(source, target) is CopyRefused.TARGET_IN_USE

    assert contents(target) == before
    assert target.store.copy_note.read() is None


def test_a_copy_that_is_done_is_not_begun_again(source: CopySide, target: CopySide) -> None:
    """The copy is in use by now; an old row must not come back into it."""
    copy(source, target)

    assert copy(source, target) is CopyRefused.TARGET_IN_USE


def test_an_empty_source_is_refused(target: CopySide, opened: Open) -> None:
    """A misspelt file name would be "copied" and served: nobody would have an account."""
    assert copy(opened("memory"), target) is CopyRefused.SOURCE_EMPTY
    assert target.store.copy_note.read() is None


def test_half_a_copy_is_not_copied_on(source: CopySide, target: CopySide, opened: Open) -> None:
    """Half of the people would be lost, and the copy of the half would be called whole."""
    interrupted(source, target, "accounts")

    assert copy(target, opened("memory")) is CopyRefused.SOURCE_UNFINISHED


def test_a_copy_from_elsewhere_is_not_finished_from_here(source: CopySide, target: CopySide) -> None:
    """The noted places are places in another store's order."""
    interrupted(source, target, "accounts")

    assert copy(replace(source, name="cassandra"), target) is CopyRefused.TARGET_OF_ANOTHER


def test_more_revocations_than_a_store_shows_are_refused(source: CopySide, target: CopySide) -> None:
    """A thief's session would live on, because its end was the thousand and first."""
    for _ in range(MOST_REVOCATIONS):
        source.store.revocations.add(new_revocation())

    assert copy(source, target) is CopyRefused.TOO_MANY_REVOCATIONS


class Shaky:
    """A table whose first writes find nobody.

    Args:
        rows: the table.
        times: how many writes fail.
    """

    def __init__(self, rows: Any, times: int) -> None:  # noqa: ANN401 - of any table
        self._rows = rows
        self._left = times

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the table has
        return getattr(self._rows, name)

    def insert(self, row: Any) -> Any:  # noqa: ANN401 - of any table
        """Fail, or insert."""
        self._left -= 1
        if self._left >= 0:
            raise StoreUnavailable(detail="no replica answered")
        return self._rows.insert(row)


def shaken(side: CopySide, monkeypatch: pytest.MonkeyPatch, *, times: int) -> None:
    """Let the first writes of accounts fail."""
    monkeypatch.setattr(side.store, "accounts", Shaky(side.store.accounts, times))


def test_a_moment_without_the_store_does_not_end_the_copy(
    source: CopySide, target: CopySide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One time-out in hours would."""
    shaken(target, monkeypatch, times=2)
    pauses: list[float] = []

    outcome = Copying(source, target, threads=1, told=lambda _: None, pause=pauses.append).run()

    assert isinstance(outcome, Done)
    assert pauses == list(PAUSES_S[:2])


def test_a_store_that_stays_away_ends_the_copy_which_can_be_run_again(
    source: CopySide, target: CopySide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator must hear of it, mend the cluster and go on."""
    shaken(target, monkeypatch, times=(len(PAUSES_S) + 1) * THREADS * 2)
    with pytest.raises(StoreUnavailable):
        copy(source, target)
    monkeypatch.undo()
    assert target.store.copy_note.read() is not None

    assert isinstance(copy(source, target), Done)
    assert contents(target) == contents(source)


def test_every_table_of_a_store_is_copied() -> None:
    """A table that somebody adds later would stay behind."""
    names = {name for name, each in vars(AccountStore).items() if isinstance(each, property)}

    assert {table.name for table in TABLES} == (names - {"copy_note"}) | {"audit"}


@pytest.mark.parametrize(
    "note", ["", "begun", "[]", '{"from": "memory"}', '{"from": "memory", "tables": {"audit": 7}}']
)
def test_a_note_that_cannot_be_read_means_from_the_beginning(note: str) -> None:
    """Rows would be skipped because of a misread number."""
    places = CopyPosition.read(note, source="memory")

    assert places.of("audit") is None
    assert places.done("audit") == 0


def test_facts_are_compared_whatever_their_order(source: CopySide, target: CopySide) -> None:
    """A store that keeps them in another order would never be equal."""
    event = Event(uuid4(), 1, "login", None, "self", facts={"a": "1", "b": "2"})
    source.audit.append(event)
    interrupted(source, target, "identities")
    target.audit.append(replace(event, facts={"b": "2", "a": "1"}))

    assert isinstance(copy(source, target), Done)
