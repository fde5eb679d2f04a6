"""What is simulated: the rules under test, the people, the thief, and what else lies in the jar.

Owns the description of an experiment and nothing that runs it. An experiment, a network and the
number of an hour are all an hour depends on.
"""

from dataclasses import dataclass, field

from identity.sessions.cookie import Token
from identity.sessions.planning import Rules
from identity.sessions.record import Record, Session
from identity.types import Locator
from lab.networks import NetworkTraffic, Thief


@dataclass(frozen=True, slots=True)
class Baggage:
    """What the jar holds beside the session that is watched, for the person and for the thief."""

    junk: tuple[str, ...] = ()
    """Names that never verify; they are planted again as soon as they are deleted."""
    tokens: tuple[Token, ...] = ()
    """Tokens of other sessions."""
    sessions: tuple[Session, ...] = ()
    """Other live sessions of the same account."""
    records: tuple[tuple[Locator, Record], ...] = ()
    """Other accounts' records."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """Everything but the network and how often it is repeated."""

    seed: int = 1
    rules: Rules = field(default_factory=Rules)
    traffic: NetworkTraffic = field(default_factory=NetworkTraffic)
    thief: Thief | None = None
    crash: bool = False
    """The browser crashes once, and its jar is set back by up to 20 s."""
    baggage: Baggage = field(default_factory=Baggage)
    seconds: float = 3600.0
    """How long one session is watched, from its login."""

    def seed_of(self, network: str, hour: int) -> str:
        """Return what the generator of one hour starts from: the same for all rules, so that they compare."""
        return f"{self.seed}/{network}/{self.thief.value if self.thief else ''}/{'crash' if self.crash else ''}/{hour}"
