"""Conditional writes whose answer is lost, never sent, or late: each has one outcome, and it is the true one.

The server and the transactions are real. Only the network between is made worse, by a connection
that does with one write what the table says:

| the write    | really                              | the caller's connection says      |
|--------------|-------------------------------------|-----------------------------------|
| lost answer  | is executed                         | unavailable                       |
| never sent   | is not                              | unavailable                       |
| late         | is executed after the caller looked | unavailable                       |
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import Thread, Timer
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import pytest

from identity.accounts.store import Applied, Held, Outcome, UsernameRow, UsernameState
from identity.errors import StoreUnavailable
from identity.stores.cassandra import columns
from identity.stores.cassandra.connection import CassandraConnection, Row
from identity.stores.cassandra.rows import TRIES, CassandraRows
from identity.stores.cassandra.settings import Settings
from identity.stores.cassandra.statements import Statement, StatementKind
from identity.types import AccountId, Username, UsernameKey
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import migrated, now

Fault: TypeAlias = "Callable[[Unreliable, Callable[[], Row | None]], Row | None]"
Write: TypeAlias = "Callable[[Names, UsernameRow], Outcome]"


class Unreliable(CassandraConnection):
    """A connection on which the next conditional writes meet the faults in `faults`, one each."""

    def __init__(self, settings: Settings) -> None:
        self.faults: list[Fault] = []
        self.late: list[Callable[[], object]] = []
        """What arrives once the caller has looked."""
        self.sent = 0
        self.patient = False
        super().__init__(settings, check=lambda _: None, chance=random.random)

    def conditional(self, statement: Statement, values: Sequence[Any]) -> Row | None:
        """Meet the next fault, or send."""
        self.sent += 1

        def really() -> Row | None:
            return CassandraConnection.conditional(self, statement, values)

        return self.faults.pop(0)(self, really) if self.faults else really()

    def pause(self, tries: int) -> None:
        """Wait only for a server that really hangs."""
        if self.patient:
            super().pause(tries)

    def one(self, statement: Statement, values: Sequence[Any]) -> Row | None:
        """Read; what is late arrives just after a settled read."""
        found = super().one(statement, values)
        if statement.kind is StatementKind.SETTLED:
            for arrive in self.late:
                arriving = Thread(target=arrive)
                arriving.start()
                arriving.join()
            self.late.clear()
        return found


def lost(_: Unreliable, really: Callable[[], Row | None]) -> Row | None:
    """Execute, and lose the answer."""
    really()
    raise StoreUnavailable(detail="no answer in time")


def never_sent(_: Unreliable, _really: Callable[[], Row | None]) -> Row | None:
    """Lose the question."""
    raise StoreUnavailable(detail="no answer in time")


def late(connection: Unreliable, really: Callable[[], Row | None]) -> Row | None:
    """Execute after the caller has looked what became of it."""
    connection.late.append(really)
    raise StoreUnavailable(detail="no answer in time")


class Names(CassandraRows[UsernameKey, UsernameRow]):
    """The table of usernames over an unreliable connection."""

    def __init__(self, connection: Unreliable) -> None:
        super().__init__(columns.USERNAMES, connection, clock=now)
        self.connection = connection


def fresh() -> UsernameRow:
    """Return a row that is nowhere yet."""
    name = f"n{uuid4().hex[:12]}"
    return UsernameRow(
        UsernameKey(name), Username(name), AccountId(uuid4()), UsernameState.ACTIVE, uuid4(), now(), uuid4()
    )


def again(row: UsernameRow, op: UUID | None = None) -> UsernameRow:
    """Return the row as a further write would leave it."""
    return replace(row, account_id=AccountId(uuid4()), op=op or uuid4())


def insert(names: Names, row: UsernameRow) -> Outcome:
    """Insert it."""
    return names.insert(row)


def rewrite(names: Names, row: UsernameRow) -> Outcome:
    """Insert another one in peace, then put this one in its place."""
    return names.replace(row, expected=names.read_settled(row.key) or row)


def delete(names: Names, row: UsernameRow) -> Outcome:
    """Delete what is there."""
    return names.delete(names.read_settled(row.key) or row)


@pytest.fixture(scope="module")
def reached(cassandra: CassandraCluster) -> Settings:
    """Give a keyspace with the tables in it."""
    return migrated(cassandra)


@pytest.fixture(scope="module")
def connection(reached: Settings) -> Iterator[Unreliable]:
    """Give a connection that can be made unreliable."""
    made = Unreliable(reached)
    yield made
    made.close()


@pytest.fixture
def names(connection: Unreliable) -> Names:
    """Give the table, on a connection that is in order."""
    connection.faults.clear()
    connection.late.clear()
    connection.sent = 0
    return Names(connection)


WRITES = pytest.mark.parametrize("write", [insert, rewrite, delete])
FAULTS = pytest.mark.parametrize("fault", [lost, never_sent, late])


def prepared(names: Names, write: Write) -> UsernameRow:
    """Return a row to write, with what the write needs already there."""
    row = fresh()
    if write is not insert:
        there = again(row)
        assert names.insert(there) is Applied.APPLIED
    names.connection.sent = 0
    return row


def left(write: Write, row: UsernameRow) -> UsernameRow | None:
    """Return what a write that happened leaves."""
    return None if write is delete else row


@FAULTS
@WRITES
def test_a_write_of_unknown_outcome_is_found_to_have_happened_once(names: Names, write: Write, fault: Fault) -> None:
    """A person whose sign-up happened would be told that the name is taken, by himself."""
    row = prepared(names, write)
    names.connection.faults = [fault]

    assert write(names, row) is Applied.APPLIED

    assert names.read_settled(row.key) == left(write, row)
    assert names.connection.sent == (1 if fault is lost else 2)


@FAULTS
@WRITES
def test_two_answers_lost_in_a_row_are_one_write_all_the_same(names: Names, write: Write, fault: Fault) -> None:
    """A network that is bad for a while is bad for the second try too."""
    row = prepared(names, write)
    names.connection.faults = [fault, lost]

    assert write(names, row) is Applied.APPLIED

    assert names.read_settled(row.key) == left(write, row)


@WRITES
def test_a_write_that_never_gets_through_is_unavailable_and_changed_nothing(names: Names, write: Write) -> None:
    """Any other answer would be a guess."""
    row = prepared(names, write)
    before = names.read_settled(row.key)
    names.connection.faults = [never_sent] * TRIES

    with pytest.raises(StoreUnavailable, match="no outcome after 3 tries: no answer in time"):
        write(names, row)

    assert names.read_settled(row.key) == before


@FAULTS
@pytest.mark.parametrize("write", [insert, rewrite])
def test_a_write_overtaken_while_its_outcome_was_unknown_has_lost(names: Names, write: Write, fault: Fault) -> None:
    """Two people would be told that the name is theirs."""
    row = prepared(names, write)
    others = again(row)

    def overtaken(connection: Unreliable, really: Callable[[], Row | None]) -> Row | None:
        there = names.read_settled(row.key)
        CassandraRows.insert(names, others) if there is None else CassandraRows.replace(names, others, expected=there)
        return fault(connection, really)

    names.connection.faults = [overtaken]

    assert write(names, row) == Held(others)
    assert names.read_settled(row.key) == others


@pytest.mark.parametrize("write", [insert, rewrite])
def test_a_write_that_happened_and_was_overwritten_before_its_answer_counts_as_lost(names: Names, write: Write) -> None:
    """Its caller goes on from the row that stands there, which is the only thing that is true now."""
    row = prepared(names, write)
    others = again(row)

    def happened(_: Unreliable, really: Callable[[], Row | None]) -> Row | None:
        really()
        assert CassandraRows.replace(names, others, expected=row) is Applied.APPLIED
        raise StoreUnavailable(detail="no answer in time")

    names.connection.faults = [happened]

    assert write(names, row) == Held(others)


@FAULTS
def test_a_delete_overtaken_by_a_write_leaves_it(names: Names, fault: Fault) -> None:
    """What somebody wrote meanwhile would be deleted without having been looked at."""
    row = prepared(names, delete)
    there = names.read_settled(row.key)
    assert there is not None
    others = again(row)

    def overtaken(connection: Unreliable, really: Callable[[], Row | None]) -> Row | None:
        assert CassandraRows.replace(names, others, expected=there) is Applied.APPLIED
        return fault(connection, really)

    names.connection.faults = [overtaken]

    assert names.delete(there) == Held(others)
    assert names.read_settled(row.key) == others


def test_a_late_write_after_everybody_gave_up_happens_once(names: Names) -> None:
    """A caller that was told "unavailable" and asks again with the same row must not lose to himself."""
    row = fresh()
    waiting: list[Callable[[], Row | None]] = []

    def kept(_: Unreliable, really: Callable[[], Row | None]) -> Row | None:
        waiting.append(really)
        raise StoreUnavailable(detail="no answer in time")

    names.connection.faults = [kept] * TRIES
    with pytest.raises(StoreUnavailable):
        names.insert(row)

    arrived = [really() for really in waiting]

    assert arrived.count(None) == 1
    assert names.read_settled(row.key) == row
    assert names.insert(row) == Held(row)


def test_a_write_cut_off_by_a_node_that_hangs_is_found_out_when_it_goes_on(cassandra: CassandraCluster) -> None:
    """The same with nothing made up: the answer is late because the server is."""
    settings = replace(migrated(cassandra), timeout_ms=700)
    connection = Unreliable(settings)
    names = Names(connection)

    def frozen(_: Unreliable, really: Callable[[], Row | None]) -> Row | None:
        cassandra.freeze()
        thawing = Timer(1.5, cassandra.thaw)
        thawing.start()
        try:
            return really()
        finally:
            thawing.join()

    row = fresh()
    connection.patient = True
    connection.faults = [frozen]
    try:
        assert names.insert(row) is Applied.APPLIED
        assert names.read_settled(row.key) == row
    finally:
        cassandra.thaw()
        cassandra.settle()
        connection.close()
