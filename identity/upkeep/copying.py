"""Copying everything durable from one account store into another, and proving that it arrived.

Owns the order of a copy and what it answers. Must not know any concrete store, and never writes
over a row of the target. Invariants: the target carries a note (`CopyNote`) from before its first
row until every row was read back and found equal, so no daemon serves half of the people;
the note says no row is there that is not. A copy that was killed is run again and goes on.

The source must be quiet meanwhile; the command that opens the stores sees to that. Rows that are pending
expire by themselves and are left out: a person who was choosing a name chooses it again.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

from identity.errors import StoreUnavailable
from identity.upkeep.copied_tables import KEYED, TABLES, UNKEYED, CopiedTable, CopySide, fingerprint
from identity.upkeep.copy_position import CopyPosition

BATCH: Final = 1_000
"""Rows between two notes of how far the copy is: what a killed copy does again at most."""
MOST_REVOCATIONS: Final = 1_000
"""As many as a store shows of its open revocations: with so many, there may be more."""
EXAMPLES: Final = 20
"""Most keys that are named of the rows of one table that are missing or differ."""
PAUSES_S: Final = (1.0, 2.0, 5.0)
"""Before a write or read is tried again that the store did not answer; all may be repeated."""

RowT = TypeVar("RowT")
T = TypeVar("T")


class CopyStage(Enum):
    """What is being done with a table."""

    COUNT = "counting"
    COPY = "copying"
    READ = "reading back"
    COUNT_COPY = "counting the copy"


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """How far it is: rows done, by this run or an earlier one, of how many if that is known."""

    stage: CopyStage
    table: str
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class CopyTally:
    """What became of one table."""

    table: str
    rows: int
    """In the source, and for good."""
    left_out: int
    """Pending in the source."""
    written: int = 0
    """By this run."""
    before: int = 0
    """There already, by an earlier run."""
    there: int = 0
    """In the target at the end."""
    equal: int = 0
    """Read back and found equal."""
    examples: tuple[str, ...] = ()
    """Keys of rows that are missing or differ, a few of them."""

    @property
    def whole(self) -> bool:
        """Tell whether the target has exactly the source's rows."""
        return self.rows == self.equal == self.there


@dataclass(frozen=True, slots=True)
class Done:
    """Every row is there and equal, and the target may be served."""

    tallies: tuple[CopyTally, ...]


@dataclass(frozen=True, slots=True)
class Unequal:
    """Rows are missing, differ, or are too many; the target stays closed."""

    tallies: tuple[CopyTally, ...]


class CopyRefused(Enum):
    """Nothing was written."""

    SOURCE_EMPTY = "source-empty"
    SOURCE_UNFINISHED = "source-unfinished"
    TARGET_IN_USE = "target-in-use"
    """It holds rows and carries no note of a copy."""
    TARGET_OF_ANOTHER = "target-of-another"
    """It carries the note of a copy from another kind of store."""
    TOO_MANY_REVOCATIONS = "too-many-revocations"


CopyOutcome: TypeAlias = Done | Unequal | CopyRefused


class Copying:
    """One run of a copy.

    Args:
        source: where the rows are; must not change meanwhile.
        target: an empty store, or one that an earlier run began to fill.
        threads: writes and reads at once.
        told: hears how far it is, after each batch, on the thread that runs the copy.
        pause: waits so many seconds.
        batch: rows between two notes of how far the copy is.
    """

    def __init__(
        self,
        source: CopySide,
        target: CopySide,
        *,
        threads: int,
        told: Callable[[CopyProgress], None],
        pause: Callable[[float], None],
        batch: int = BATCH,
    ) -> None:
        self._source = source
        self._target = target
        self._told = told
        self._pause = pause
        self._threads = threads
        self._batch = batch

    def run(self) -> CopyOutcome:
        """Copy and verify. Run again it goes on where it was; StoreUnavailable leaves it to be run again."""
        note = self._with_retries(self._target.store.copy_note.read)
        refused = self._with_retries(lambda: self._refusal(note))
        if refused:
            return refused
        places = CopyPosition.read(note, source=self._source.name)
        self._note(places)
        tallies = {table.name: self._counted(table) for table in TABLES}
        with ThreadPoolExecutor(self._threads, thread_name_prefix="idd-copy") as threads:
            for table in TABLES:
                tally, places = self._copied(table, tallies[table.name], places=places, threads=threads)
                tallies[table.name] = tally
            for keyed in KEYED:
                tallies[keyed.name] = self._read_back(keyed, tallies[keyed.name], threads)
            for table in UNKEYED:
                tallies[table.name] = self._compared(table, tallies[table.name])
        return self._concluded(tuple(tallies.values()))

    def _refusal(self, note: str | None) -> CopyRefused | None:
        if self._source.store.copy_note.read() is not None:
            return CopyRefused.SOURCE_UNFINISHED
        if next(self._source.store.identities.scan(), None) is None:
            return CopyRefused.SOURCE_EMPTY
        if len(self._source.store.revocations.open()) >= MOST_REVOCATIONS:
            return CopyRefused.TOO_MANY_REVOCATIONS
        if note is None:
            used = any(next(table.scan(self._target, None), None) is not None for table in TABLES)
            return CopyRefused.TARGET_IN_USE if used else None
        return None if CopyPosition.source_of(note) == self._source.name else CopyRefused.TARGET_OF_ANOTHER

    def _note(self, places: CopyPosition) -> None:
        self._with_retries(lambda: self._target.store.copy_note.write(places.text()))

    def _concluded(self, tallies: tuple[CopyTally, ...]) -> CopyOutcome:
        if all(tally.whole for tally in tallies):
            self._with_retries(self._target.store.copy_note.clear)
            return Done(tallies)
        # The next run looks at every row: what is missing may lie before the places noted.
        self._note(CopyPosition(self._source.name))
        return Unequal(tallies)

    def _counted(self, table: CopiedTable[Any]) -> CopyTally:
        rows = left_out = 0
        for batch in self._batches(table.scan(self._source, None)):
            kept = sum(map(table.kept, batch))
            rows, left_out = rows + kept, left_out + len(batch) - kept
            self._told(CopyProgress(CopyStage.COUNT, table.name, rows))
        return CopyTally(table.name, rows, left_out)

    def _copied(
        self, table: CopiedTable[RowT], tally: CopyTally, *, places: CopyPosition, threads: ThreadPoolExecutor
    ) -> tuple[CopyTally, CopyPosition]:
        before, written = places.done(table.name), 0

        def put(row: RowT) -> bool:
            return self._with_retries(lambda: table.put(self._target, row))

        for batch in self._batches(table.scan(self._source, places.of(table.name))):
            fresh = list(threads.map(put, filter(table.kept, batch)))
            written, before = written + sum(fresh), before + len(fresh) - sum(fresh)
            # All of the batch is written; only now may the note say so.
            places = places.reached(table.name, table.place(batch[-1]), before + written)
            self._note(places)
            self._told(CopyProgress(CopyStage.COPY, table.name, before + written, tally.rows))
        return replace(tally, written=written, before=before), places

    def _read_back(self, table: CopiedTable[RowT], tally: CopyTally, threads: ThreadPoolExecutor) -> CopyTally:
        equal, done = 0, 0
        examples: list[str] = []

        def same(row: RowT) -> bool:
            return self._with_retries(lambda: table.read(self._target, row)) == row

        for batch in self._batches(filter(table.kept, table.scan(self._source, None))):
            answers = list(threads.map(same, batch))
            equal, done = equal + sum(answers), done + len(batch)
            examples += [table.label(row) for row, fine in zip(batch, answers, strict=True) if not fine]
            del examples[EXAMPLES:]
            self._told(CopyProgress(CopyStage.READ, table.name, done, tally.rows))
        return replace(tally, equal=equal, examples=tuple(examples), there=self._count_copy(table))

    def _count_copy(self, table: CopiedTable[Any]) -> int:
        there = 0
        for batch in self._batches(filter(table.kept, table.scan(self._target, None))):
            there += len(batch)
            self._told(CopyProgress(CopyStage.COUNT_COPY, table.name, there))
        return there

    def _compared(self, table: CopiedTable[Any], tally: CopyTally) -> CopyTally:
        """Compare tables that are not read by key: the sums of all rows' fingerprints, and the rows if they differ."""
        ours, _ = self._sum(table, self._source)
        theirs, there = self._sum(table, self._target)
        if ours == theirs:
            return replace(tally, equal=there, there=there)
        known = {fingerprint(row) for row in table.scan(self._target, None)}
        strays = [table.label(row) for row in table.scan(self._source, None) if fingerprint(row) not in known]
        return replace(tally, equal=tally.rows - len(strays), there=there, examples=tuple(strays[:EXAMPLES]))

    def _sum(self, table: CopiedTable[Any], side: CopySide) -> tuple[int, int]:
        total = rows = 0
        for batch in self._batches(table.scan(side, None)):
            total, rows = total + sum(map(fingerprint, batch)), rows + len(batch)
            self._told(CopyProgress(CopyStage.READ, table.name, rows))
        return total, rows

    def _with_retries(self, act: Callable[[], T]) -> T:
        """Do what may be repeated; a copy of hours must not end with one time-out."""
        for pause in PAUSES_S:
            with suppress(StoreUnavailable):
                return act()
            self._pause(pause)
        return act()

    def _batches(self, rows: Iterator[RowT]) -> Iterator[list[RowT]]:
        while batch := list(islice(rows, self._batch)):
            yield batch
