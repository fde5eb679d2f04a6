"""What conditional rows must do when many write at once, with real threads."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final
from uuid import uuid4

import pytest

from identity.accounts.store import Applied, Held, Outcome, Rows
from tests.contracts.account_kinds import (
    TTL,
    Kind,
    Subject,
    every_table,
    new_account,
    tables_that_expire,
    with_op,
)
from tests.support.racing import race

THREADS: Final = 16
ROUNDS: Final = 10


def the_winner(outcomes: Sequence[Any], rows: Sequence[Any]) -> Any:  # noqa: ANN401 - a row of any table
    """Return the row that was written; there must be exactly one."""
    winners = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome is Applied.APPLIED]
    assert len(winners) == 1
    return winners[0]


def inserting(rows: Rows[Any, Any], wanted: Sequence[Any]) -> Callable[[int], Outcome]:
    """Let each runner insert a row of its own."""
    return lambda me: rows.insert(wanted[me])


def replacing(rows: Rows[Any, Any], expected: Any, wanted: Sequence[Any]) -> Callable[[int], Outcome]:  # noqa: ANN401 - a row
    """Let each runner replace the one row."""
    return lambda me: rows.replace(wanted[me], expected=expected)


def deleting(rows: Rows[Any, Any], expected: Any) -> Callable[[int], Outcome]:  # noqa: ANN401 - a row
    """Let each runner delete the one row."""
    return lambda _: rows.delete(expected)


def either(first: Callable[[int], Outcome], second: Callable[[int], Outcome]) -> Callable[[int], Outcome]:
    """Let the first runner do the one thing and the second the other."""
    return lambda me: second(me) if me else first(me)


class RacesContract:
    """Subclass it and give the fixture `subject`."""

    @pytest.fixture
    def subject(self) -> Subject:
        """Give the store to test; other tests' rows may be in it."""
        raise NotImplementedError

    @every_table
    def test_of_many_who_insert_one_wins_and_the_others_see_him(self, subject: Subject, kind: Kind) -> None:
        """Two people at one username, or two sign-ups with one identity."""
        rows = kind.rows(subject.store)
        for _ in range(ROUNDS):
            first = kind.new()
            wanted = [replace(kind.changed(first), op=uuid4()) for _ in range(THREADS)]

            outcomes = race(THREADS, inserting(rows, wanted))

            winner = the_winner(outcomes, wanted)
            assert outcomes.count(Held(winner)) == THREADS - 1
            assert rows.read_settled(first.key) == winner

    @every_table
    def test_of_many_who_replace_one_row_one_wins(self, subject: Subject, kind: Kind) -> None:
        """Two who take over one abandoned claim."""
        rows = kind.rows(subject.store)
        for _ in range(ROUNDS):
            old = kind.new()
            rows.insert(old)
            wanted = [replace(kind.changed(old), op=uuid4()) for _ in range(THREADS)]

            outcomes = race(THREADS, replacing(rows, old, wanted))

            winner = the_winner(outcomes, wanted)
            assert outcomes.count(Held(winner)) == THREADS - 1
            assert rows.read_settled(old.key) == winner

    @every_table
    def test_of_many_who_delete_one_row_one_wins(self, subject: Subject, kind: Kind) -> None:
        """Two unlinks of one identity: one did it."""
        rows = kind.rows(subject.store)
        for _ in range(ROUNDS):
            row = kind.new()
            rows.insert(row)

            outcomes = race(THREADS, deleting(rows, row))

            assert outcomes.count(Applied.APPLIED) == 1
            assert outcomes.count(Held(None)) == THREADS - 1
            assert rows.read_settled(row.key) is None

    @every_table
    def test_of_a_replacement_and_a_deletion_one_wins(self, subject: Subject, kind: Kind) -> None:
        """Link against unlink: the loser must not believe it happened."""
        rows = kind.rows(subject.store)
        for _ in range(ROUNDS):
            old = kind.new()
            new = kind.changed(old)
            rows.insert(old)

            outcomes = race(2, either(replacing(rows, old, [new]), deleting(rows, old)))

            assert outcomes in ([Applied.APPLIED, Held(new)], [Held(None), Applied.APPLIED])
            assert rows.read_settled(old.key) == (new if outcomes[0] is Applied.APPLIED else None)

    @tables_that_expire
    def test_of_many_who_meet_an_expired_row_one_gets_its_key(self, subject: Subject, kind: Kind) -> None:
        """A name that became free must not be given to two people."""
        rows = kind.rows(subject.store)
        keys = [kind.new() for _ in range(ROUNDS)]
        for row in keys:
            rows.insert(row, expires_at=subject.soon())
        subject.advance(TTL)
        for old in keys:
            wanted = [replace(kind.changed(old), op=uuid4()) for _ in range(THREADS)]

            outcomes = race(THREADS, inserting(rows, wanted))

            winner = the_winner(outcomes, wanted)
            assert outcomes.count(Held(winner)) == THREADS - 1

    def test_no_change_is_lost_between_threads(self, subject: Subject) -> None:
        """Every confirmed change of an account must be in it: a lost epoch is a session that does not end."""
        accounts, first = subject.store.accounts, new_account()
        accounts.insert(first)
        each = 5

        def count(_: int) -> None:
            done = 0
            while done < each:
                there = accounts.read_settled(first.key)
                assert there is not None
                more = with_op(replace(there, epoch=there.epoch + 1))
                done += accounts.replace(more, expected=there) is Applied.APPLIED

        race(THREADS, count)

        after = accounts.read_settled(first.key)
        assert after is not None
        assert after.epoch == first.epoch + THREADS * each

    @every_table
    def test_a_reader_never_sees_half_a_row(self, subject: Subject, kind: Kind) -> None:
        """A login must not combine one person's name with another one's account."""
        rows, old = kind.rows(subject.store), kind.new()
        versions = [old, *(kind.changed(old) for _ in range(3 * ROUNDS))]
        rows.insert(old)

        def act(me: int) -> list[Any]:
            if me:
                return [rows.read_settled(old.key) for _ in range(3 * ROUNDS)]
            return [rows.replace(new, expected=before) for before, new in pairwise(versions)]

        _, *seen = race(4, act)

        assert all(row in versions for reads in seen for row in reads)
