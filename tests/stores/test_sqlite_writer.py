"""The one writer: shared commits, separate failures, no lost answers."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from identity.errors import StoreUnavailable
from identity.stores.sqlite_connections import connect
from identity.stores.sqlite_writer import JOBS, Writer
from identity.types import SECOND

PATIENCE_S = 10


class Bench:
    """A writer on an empty table, with every statement it runs on record."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.statements: list[str] = []
        path.touch()
        connection = connect(path, busy_ms=0)
        connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
        connection.set_trace_callback(self.statements.append)
        self.connection = connection
        self.writer = Writer(connection, patience_ms=PATIENCE_S * SECOND)
        self.threads = ThreadPoolExecutor(JOBS * 2)

    def numbers(self) -> list[int]:
        """Return what another connection finds."""
        reader = sqlite3.connect(self.path)
        found = [n for (n,) in reader.execute("SELECT n FROM numbers ORDER BY n")]
        reader.close()
        return found

    def held(self) -> tuple[Event, Future[None]]:
        """Keep the writer busy until the event is set, so that jobs gather behind."""
        release, entered = Event(), Event()

        def wait(_: sqlite3.Connection) -> None:
            entered.set()
            assert release.wait(PATIENCE_S)

        busy = self.threads.submit(self.writer.run, wait)
        assert entered.wait(PATIENCE_S)
        return release, busy

    def gathered(self, jobs: list[Callable[[sqlite3.Connection], object]]) -> list[Future[object]]:
        """Queue all jobs behind a busy writer, then let it go; return their answers."""
        release, _ = self.held()
        before = self.writer._queue.qsize()
        answers = [self.threads.submit(self.writer.run, job) for job in jobs]
        while self.writer._queue.qsize() < before + len(jobs):
            pass
        release.set()
        return answers


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Give a writer."""
    made = Bench(tmp_path / "numbers.sqlite")
    yield made
    made.writer.close()
    made.threads.shutdown()


def inserting(n: int) -> Callable[[sqlite3.Connection], object]:
    """Return a job that inserts a number and returns it."""

    def insert(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO numbers VALUES (?)", (n,))
        return n

    return insert


def test_a_success_is_on_disk_when_it_is_reported(bench: Bench) -> None:
    """The person would be told of an account that a crash takes away."""
    assert bench.writer.run(inserting(1)) == 1

    assert bench.numbers() == [1]


def test_jobs_that_wait_share_one_commit(bench: Bench) -> None:
    """Each sign-up would cost a disk flush of its own: 600 a second instead of thousands."""
    answers = bench.gathered([inserting(n) for n in range(JOBS)])

    assert [answer.result(PATIENCE_S) for answer in answers] == list(range(JOBS))
    assert bench.statements.count("COMMIT") == 2
    assert bench.numbers() == list(range(JOBS))


def test_no_commit_holds_more_than_its_share(bench: Bench) -> None:
    """Under load the first caller would wait for the last one."""
    answers = bench.gathered([inserting(n) for n in range(JOBS + 1)])

    assert [answer.result(PATIENCE_S) for answer in answers] == list(range(JOBS + 1))
    assert bench.statements.count("COMMIT") == 3


def test_a_job_that_fails_takes_nothing_with_it(bench: Bench) -> None:
    """One broken request would undo the sign-ups of strangers."""

    def fail(connection: sqlite3.Connection) -> object:
        connection.execute("INSERT INTO numbers VALUES (99)")
        raise KeyError("the caller's own error")

    answers = bench.gathered([inserting(1), fail, inserting(2)])

    assert answers[0].result(PATIENCE_S) == 1
    assert answers[2].result(PATIENCE_S) == 2
    with pytest.raises(KeyError, match="own error"):
        answers[1].result(PATIENCE_S)
    assert bench.numbers() == [1, 2]


def test_a_full_disk_fails_the_job_and_the_next_one_may_work(bench: Bench) -> None:
    """Somebody frees space; nobody should have to restart the daemon for that."""
    pages = bench.connection.execute("PRAGMA page_count").fetchone()[0]
    bench.connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE big AS SELECT randomblob(100000)")

    with pytest.raises(StoreUnavailable) as caught:
        bench.writer.run(fill)
    bench.connection.execute("PRAGMA max_page_count = 1000000")

    assert "SQLITE_FULL" in caught.value.detail
    assert bench.writer.run(inserting(1)) == 1


def test_a_transaction_that_sqlite_gives_up_fails_all_its_jobs(bench: Bench) -> None:
    """A success would be reported for what was rolled back."""

    def give_up(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT OR ROLLBACK INTO numbers VALUES (1), (1)")

    answers = bench.gathered([inserting(7), give_up, inserting(8)])

    for answer in answers:
        with pytest.raises(StoreUnavailable, match="UNIQUE"):
            answer.result(PATIENCE_S)
    assert bench.numbers() == []
    assert bench.writer.run(inserting(9)) == 9


def test_a_caller_does_not_wait_for_ever(bench: Bench) -> None:
    """A disk that hangs would take every thread of the daemon, one by one."""
    release, busy = bench.held()
    bench.writer._patience_s = 0.01

    with pytest.raises(StoreUnavailable, match="in time"):
        bench.writer.run(inserting(1))

    release.set()
    busy.result(PATIENCE_S)
    bench.writer.close()
    assert bench.numbers() == []


def test_what_waits_is_finished_before_the_file_is_closed(bench: Bench) -> None:
    """A restart would lose sign-ups that were already being answered."""
    release, busy = bench.held()
    answer = bench.threads.submit(bench.writer.run, inserting(1))
    while bench.writer._queue.empty():
        pass
    closing = bench.threads.submit(bench.writer.close)
    release.set()

    closing.result(PATIENCE_S)

    busy.result(PATIENCE_S)
    assert answer.result(PATIENCE_S) == 1
    assert bench.numbers() == [1]


def test_a_closed_writer_refuses_and_closing_again_is_harmless(bench: Bench) -> None:
    """A late request during a restart must get "try again", not an internal error."""
    bench.writer.close()
    bench.writer.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        bench.writer.run(inserting(1))
