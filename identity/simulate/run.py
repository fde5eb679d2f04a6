"""Many hours, on every processor, added up.

Owns the totals. A run is a function of its seed: hour n of a network uses its own generator.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from random import Random
from statistics import median, quantiles

from identity.sessions.planning import Rules
from identity.simulate.networks import Network, Thief, Traffic
from identity.simulate.world import Tally, World

SESSIONS_PER_JOB = 20


@dataclass(slots=True)
class Total:
    """The sum over many hours on one network."""

    network: str
    sessions: int = 0
    requests: int = 0
    false_logouts: int = 0
    bounces: int = 0
    longest_bounce: int = 0
    writes: int = 0
    minted: int = 0
    retries: int = 0
    largest_jar: int = 0
    thief_seconds: list[float] = field(default_factory=list)
    thief_alive: int = 0
    ended: int = 0
    disturbed: int = 0

    def add(self, tally: Tally) -> None:
        """Count one hour."""
        self.sessions += 1
        self.requests += tally.requests
        self.false_logouts += tally.false_logouts
        self.bounces += tally.bounces
        self.longest_bounce = max(self.longest_bounce, tally.longest_bounce)
        self.writes += tally.writes
        self.minted += tally.minted
        self.retries += tally.retries
        self.largest_jar = max(self.largest_jar, tally.largest_jar)
        self.ended += tally.ended_at is not None
        self.disturbed += tally.user_disturbed

    def add_theft(self, tally: Tally, *, seconds: float) -> None:
        """Count how long a copy was good for: to the thief's last accepted answer."""
        stolen = tally.stolen_at or 0.0
        until = tally.thief_served_until or stolen
        self.thief_seconds.append(until - stolen)
        self.thief_alive += tally.ended_at is None and until > seconds - 60

    def merge(self, other: "Total") -> None:
        """Add another total of the same network."""
        for name in ("sessions", "requests", "false_logouts", "bounces", "writes", "minted", "retries"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("thief_alive", "ended", "disturbed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.longest_bounce = max(self.longest_bounce, other.longest_bounce)
        self.largest_jar = max(self.largest_jar, other.largest_jar)
        self.thief_seconds += other.thief_seconds

    @property
    def thief_median(self) -> float:
        """Median life of a copy in seconds."""
        return median(self.thief_seconds)

    @property
    def thief_p99(self) -> float:
        """99th percentile of a copy's life in seconds."""
        return quantiles(self.thief_seconds, n=100)[98]


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is simulated: everything but the networks and how long."""

    seed: int = 1
    rules: Rules = field(default_factory=Rules)
    traffic: Traffic = field(default_factory=Traffic)
    thief: Thief | None = None
    seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Job:
    """A batch of hours of one network."""

    network: Network
    experiment: Experiment
    first: int


def play(job: Job) -> Total:
    """Play a batch."""
    it, total = job.experiment, Total(job.network.name)
    for hour in range(job.first, job.first + SESSIONS_PER_JOB):
        random = Random(f"{it.seed}/{job.network.name}/{it.thief}/{hour}")  # noqa: S311 - must be repeatable
        tally = World(
            job.network, random=random, rules=it.rules, traffic=it.traffic, thief=it.thief, seconds=it.seconds
        ).run()
        total.add(tally)
        if it.thief:
            total.add_theft(tally, seconds=it.seconds)
    return total


def simulate(
    networks: tuple[Network, ...],
    experiment: Experiment,
    *,
    requests: int = 0,
    thefts: int = 0,
    processes: int = 2,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Total]:
    """Play hours on each network until its share of `requests` (or `thefts` hours with a thief) is reached.

    `progress` is told the requests simulated so far.
    """
    totals = {n.name: Total(n.name) for n in networks}
    share = requests // len(networks)
    with ProcessPoolExecutor(processes) as pool:
        for network in networks:
            total, first = totals[network.name], 0
            while (total.sessions < thefts) if experiment.thief else (total.requests < share):
                jobs = [
                    Job(network, experiment, first + n * SESSIONS_PER_JOB)
                    for n in range(processes if experiment.thief else processes * 4)
                ]
                first += len(jobs) * SESSIONS_PER_JOB
                for done in as_completed([pool.submit(play, job) for job in jobs]):
                    total.merge(done.result())
                    progress(sum(t.requests for t in totals.values()))
    return totals
