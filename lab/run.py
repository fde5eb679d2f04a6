"""Many hours, on every processor, added up in order.

Owns the repetition. Hour n of a network uses a generator of its own and the totals are added in
the order of n, so the figures do not depend on how many processes computed them.
"""

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from random import Random
from typing import Final, Protocol

from lab.experiment import Experiment
from lab.networks import Network
from lab.tally import Total
from lab.world import World

SESSIONS_PER_JOB: Final = 20
AHEAD: Final = 3
"""Jobs given out per process, so that none waits for another's sum."""


@dataclass(frozen=True, slots=True)
class Job:
    """A batch of hours of one network."""

    network: Network
    experiment: Experiment
    first: int
    sessions: int = SESSIONS_PER_JOB


@dataclass(frozen=True, slots=True)
class Goal:
    """When a network has been played enough: after so many requests and so many sessions."""

    requests: int = 0
    sessions: int = 0

    def reached(self, total: Total) -> bool:
        """Whether it is."""
        return total.requests >= self.requests and total.sessions >= self.sessions


class Crew(Protocol):
    """Plays jobs and hands the totals back in the jobs' order."""

    def __call__(self, jobs: Iterable[Job]) -> Iterator[Total]:
        """Play them, lazily."""
        ...


def play(job: Job) -> Total:
    """Play a batch."""
    it, total = job.experiment, Total(job.network.name)
    for hour in range(job.first, job.first + job.sessions):
        random = Random(it.seed_of(job.network.name, hour))  # noqa: S311 - must be repeatable
        total.add(World(job.network, random=random, experiment=it).run(), seconds=it.seconds)
    return total


@contextmanager
def crew(processes: int) -> Iterator[Crew]:
    """Give a crew of so many processes; of one, this one."""
    if processes == 1:
        yield lambda jobs: map(play, jobs)
        return
    pool = ProcessPoolExecutor(processes, initializer=_ignore_interrupts)
    try:
        yield lambda jobs: _in_order(pool, iter(jobs), processes * AHEAD)
    finally:
        pool.shutdown(cancel_futures=True)


def simulate(network: Network, experiment: Experiment, goal: Goal, *, crew: Crew) -> Iterator[Total]:
    """Play hours until the goal is reached; yield the same growing total after each batch.

    Stop asking for more and it stops: what was yielded is what is known so far.
    """
    total = Total(network.name)
    size = min(SESSIONS_PER_JOB, goal.sessions) or SESSIONS_PER_JOB
    jobs = (Job(network, experiment, n * size, size) for n in count())
    for done in crew(jobs):
        total.merge(done)
        yield total
        if goal.reached(total):
            return


def _in_order(pool: ProcessPoolExecutor, jobs: Iterator[Job], ahead: int) -> Iterator[Total]:
    waiting: deque[Future[Total]] = deque(pool.submit(play, job) for job in islice(jobs, ahead))
    try:
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(pool.submit(play, job) for job in islice(jobs, 1))
            yield done
    finally:
        for future in waiting:
            future.cancel()


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that prints the table."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
