"""What simulated hours came to: one hour's tally, and the total of many.

Owns the counting and the percentiles. A total is the same whatever the order its parts were
computed in, as long as they are added in order.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """What one hour came to. Moments are seconds from the login."""

    requests: int = 0
    accepted: int = 0
    bounces: int = 0
    longest_bounce: int = 0
    writes: int = 0
    minted: int = 0
    retries: int = 0
    largest_jar: int = 0
    ended_at: float | None = None
    ended_by_user: bool = False
    """It was a request of the person's own browser that met the end."""
    crashed_at: float | None = None
    stolen_at: float | None = None
    served_until: float | None = None
    """When the thief got its last accepted answer."""

    @property
    def false_logout(self) -> bool:
        """Whether an honest browser was ended although nothing had happened to its jar."""
        return self.ended_at is not None and self.stolen_at is None and self.crashed_at is None

    @property
    def life(self) -> float:
        """How long the copy was good for, in seconds."""
        return 0.0 if self.served_until is None or self.stolen_at is None else self.served_until - self.stolen_at


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
    ended: int = 0
    disturbed: int = 0
    crashes: int = 0
    crashes_ended: int = 0
    thief_alive: int = 0
    largest_jars: Counter[int] = field(default_factory=Counter)
    """How many hours had this as their largest jar."""
    lives: list[float] = field(default_factory=list)
    """Of copies, from the theft to the last accepted answer."""

    def add(self, tally: Tally, *, seconds: float) -> None:
        """Count one hour of this many seconds."""
        self.sessions += 1
        self.requests += tally.requests
        self.false_logouts += tally.false_logout
        self.bounces += tally.bounces
        self.longest_bounce = max(self.longest_bounce, tally.longest_bounce)
        self.writes += tally.writes
        self.minted += tally.minted
        self.retries += tally.retries
        self.largest_jars[tally.largest_jar] += 1
        self.ended += tally.ended_at is not None
        if tally.crashed_at is not None:
            self.crashes += 1
            self.crashes_ended += tally.ended_at is not None
        if tally.stolen_at is not None:
            self._add_theft(tally, seconds=seconds)

    def _add_theft(self, tally: Tally, *, seconds: float) -> None:
        self.lives.append(tally.life)
        self.disturbed += tally.ended_by_user
        self.thief_alive += tally.ended_at is None and (tally.served_until or 0.0) > seconds - 60

    def merge(self, other: "Total") -> None:
        """Add another total of the same network."""
        self.sessions += other.sessions
        self.requests += other.requests
        self.false_logouts += other.false_logouts
        self.bounces += other.bounces
        self.longest_bounce = max(self.longest_bounce, other.longest_bounce)
        self.writes += other.writes
        self.minted += other.minted
        self.retries += other.retries
        self.ended += other.ended
        self.disturbed += other.disturbed
        self.crashes += other.crashes
        self.crashes_ended += other.crashes_ended
        self.thief_alive += other.thief_alive
        self.largest_jars.update(other.largest_jars)
        self.lives += other.lives

    @property
    def largest_jar(self) -> int:
        """The most names any request showed."""
        return max(self.largest_jars, default=0)

    @property
    def jar_p99(self) -> int:
        """The largest jar that all but one hour in a hundred stayed within."""
        return int(percentile(sorted(self.largest_jars.elements()), 0.99))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the ordered values that this share of them does not exceed; 0 for none."""
    if not ordered:
        return 0.0
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
