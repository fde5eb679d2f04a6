"""A study: the same questions asked under one or several settings of the rotation.

Owns which experiments answer which question. The figures in docs/simulation.md are studies.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from identity.sessions.planning import Rules
from identity.sessions.rotation import RotationPace
from identity.types import Millis
from lab.experiment import Experiment
from lab.networks import ACTIVE, GOOD, NETWORKS, USUAL, Network, NetworkTraffic, Thief
from lab.run import Goal
from lab.tally import Total

CRASH_WATCHED_S: Final = 600.0
"""A crash happens in the first five minutes; what it ends, it ends soon."""


class Question(Enum):
    """What an experiment answers."""

    HONEST = "honest"
    """Is a person logged out whose jar was neither copied nor set back?"""
    THEFT = "theft"
    """How long is a copy good for?"""
    CRASH = "crash"
    """Does a browser's crash end its session?"""


@dataclass(frozen=True, slots=True)
class Part:
    """One row of a table: one experiment on one network."""

    question: Question
    network: Network
    experiment: Experiment
    goal: Goal

    @property
    def pace(self) -> RotationPace:
        """The setting it was played under."""
        return self.experiment.rules.pace

    @property
    def title(self) -> str:
        """What is being played, in a few words."""
        thief = self.experiment.thief
        what = thief.value if thief else self.question.value
        traffic, settle = self.experiment.traffic.name, seconds(self.pace.settle_ms)
        return f"{what} on {self.network.name}, {traffic} traffic, settle {settle} s"


@dataclass(frozen=True, slots=True)
class Result:
    """A row and what it came to."""

    part: Part
    total: Total


@dataclass(frozen=True, slots=True)
class Study:
    """What to ask. Without `networks`: honest browsers on all seven, thieves and crashes on the good one."""

    paces: Sequence[RotationPace] = (RotationPace(),)
    networks: Sequence[Network] = ()
    thieves: Sequence[Thief] = tuple(Thief)
    traffic: NetworkTraffic = USUAL
    requests: int = 1_000_000
    thefts: int = 400
    crashes: int = 1_000
    seed: int = 1
    rules: Rules = field(default_factory=Rules)

    def parts(self) -> Iterator[Part]:
        """Yield the experiments, question by question."""
        for question in Question:
            for pace in self.paces:
                yield from self._asked(question, pace)

    def _asked(self, question: Question, pace: RotationPace) -> Iterator[Part]:
        base = Experiment(seed=self.seed, rules=replace(self.rules, pace=pace), traffic=self.traffic)
        match question:
            case Question.HONEST if self.requests:
                networks = self.networks or NETWORKS
                for network in networks:
                    yield Part(question, network, base, Goal(requests=self.requests // len(networks)))
            case Question.THEFT if self.thefts:
                for experiment in self._thefts(base):
                    for network in self.networks or (GOOD,):
                        yield Part(question, network, experiment, Goal(sessions=self.thefts))
            case Question.CRASH if self.crashes:
                crash = replace(base, crash=True, seconds=CRASH_WATCHED_S)
                for network in self.networks or (GOOD,):
                    yield Part(question, network, crash, Goal(sessions=self.crashes))
            case _:
                pass

    def _thefts(self, base: Experiment) -> Iterator[Experiment]:
        """Yield every thief beside a user who is active throughout, then beside one who also pauses."""
        for traffic in (ACTIVE, USUAL) if self.traffic is USUAL else (self.traffic,):
            for thief in self.thieves:
                yield replace(base, thief=thief, traffic=traffic)


def seconds(millis: Millis) -> str:
    """Return a duration as people write it: 10, 0.5."""
    return f"{millis / 1000:g}"
