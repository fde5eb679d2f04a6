"""The one thread that writes to the account file.

Owns group commit: whatever waits when a transaction begins, up to 64 jobs, shares its commit and
thereby its fsync. Invariant: a caller hears of a success only after the commit that holds it,
and a job that fails takes nothing of its neighbours with it.
"""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Final, TypeVar

from identity.errors import StoreUnavailable
from identity.stores.sqlite_connections import unavailable
from identity.types import SECOND, Millis

JOBS: Final = 64
"""Most jobs in one transaction."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    answer: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception


class Writer:
    """Runs jobs in transactions, one after the other.

    Args:
        connection: for this thread alone; closed by `close`.
        patience_ms: how long a caller waits; whether its job was done is unknown after that.
    """

    def __init__(self, connection: sqlite3.Connection, *, patience_ms: Millis) -> None:
        self._connection = connection
        self._patience_s = patience_ms / SECOND
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._lock = Lock()
        self._thread = Thread(target=self._run, name="idd-sqlite-writer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run the job in a transaction and return its result once that is on disk.

        Raises:
            StoreUnavailable: the file cannot be written, or the outcome is unknown.
        """
        job = _Job(work)
        # Under the lock of `close`: a job behind the last item would never be run, and its caller would wait.
        with self._lock:
            if self._closed:
                raise StoreUnavailable(detail="sqlite: the store is closed")
            self._queue.put(job)
        try:
            result: T = job.answer.result(self._patience_s)
        except NoAnswer as error:
            # A job that waits is taken back; one that has begun may still be committed, hence "unknown".
            job.answer.cancel()
            raise StoreUnavailable(detail="sqlite: the writer did not answer in time") from error
        except sqlite3.Error as error:
            raise unavailable(error) from error
        return result

    def close(self) -> None:
        """Finish what waits, then close the connection; closing twice is harmless."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            jobs, last = self._take()
            if jobs:
                self._transact(jobs)
        self._connection.close()

    def _take(self) -> tuple[list[_Job], bool]:
        """Wait for a job and take what else is there; tell whether those are the last."""
        jobs: list[_Job] = []
        item = self._queue.get()
        # Only what is there already: the commit before gave the others time to gather, and none is delayed.
        with suppress(Empty):
            while item is not None:
                if item.answer.set_running_or_notify_cancel():
                    jobs.append(item)
                if len(jobs) == JOBS:
                    return jobs, False
                item = self._queue.get_nowait()
        return jobs, item is None

    def _transact(self, jobs: list[_Job]) -> None:
        try:
            # IMMEDIATE: a transaction that reads first and writes later fails at once when
            # another process wrote in between, whatever the busy time-out says.
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._one(job) for job in jobs]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            # Nothing of this transaction is on the disk: the callers of jobs that went well must hear it too.
            results = [_Failure(error)] * len(jobs)
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, _Failure):
                job.answer.set_exception(result.error)
            else:
                job.answer.set_result(result)

    def _one(self, job: _Job) -> Any:  # noqa: ANN401 - the job's own result, or _Failure
        # A savepoint for each: a job that fails is undone alone, while its neighbours share one commit.
        self._connection.execute("SAVEPOINT job")
        result: Any
        try:
            result = job.work(self._connection)
        except Exception as error:
            if not self._connection.in_transaction:
                raise  # SQLite gave up the whole transaction, for example on a full disk
            self._connection.execute("ROLLBACK TO job")
            result = _Failure(error)
        self._connection.execute("RELEASE job")
        return result
