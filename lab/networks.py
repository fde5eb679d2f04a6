"""The seven networks, the traffic and the six thieves of the published figures.

Owns the parameters and nothing else. Times are in seconds here (they feed distributions).
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final


@dataclass(frozen=True, slots=True)
class Network:
    """What happens to a request and its answer on the way.

    `tail` and `huge` are extra delays: a share of messages gets an exponential one with the mean
    given, or a uniform one from the range. `slow` is the share of requests the application itself
    answers slowly. Servers' clocks differ by a normal distribution with `clock_sigma`; one of the
    four is wrong by `bad_clock` on top.
    """

    name: str
    loss_up: float
    loss_down: float
    tail_share: float
    tail_mean: float
    huge_share: float
    huge_range: tuple[float, float]
    slow_share: float
    slow_range: tuple[float, float]
    clock_sigma: float
    bad_clock: float = 0.0
    in_order: bool = False


GOOD: Final = Network("good", 0.002, 0.002, 0.005, 1.0, 0.0, (0.0, 0.0), 0.01, (2.0, 8.0), 0.05)
MOBILE: Final = Network("mobile", 0.02, 0.03, 0.04, 3.0, 0.002, (5.0, 60.0), 0.02, (3.0, 30.0), 0.5)
AWFUL: Final = Network("awful", 0.08, 0.10, 0.10, 6.0, 0.01, (5.0, 120.0), 0.04, (3.0, 60.0), 2.0, 45.0)
NETWORKS: Final = (
    GOOD,
    MOBILE,
    replace(MOBILE, name="mobile-h2", in_order=True),
    AWFUL,
    replace(GOOD, name="skewed", clock_sigma=30.0, bad_clock=600.0),
    replace(MOBILE, name="mobile+600", bad_clock=600.0),
    replace(AWFUL, name="awful+600", bad_clock=600.0),
)


@dataclass(frozen=True, slots=True)
class NetworkTraffic:
    """How a person uses an application: a page, then calls, then a pause."""

    name: str = "usual"
    most_calls: int = 8
    calls_within: float = 0.9
    gap_mean: float = 10.0
    long_gap_share: float = 0.04
    long_gap_range: tuple[float, float] = (60.0, 600.0)
    poll_share: float = 0.5
    poll_every: float = 7.0
    servers: int = 4
    latency: tuple[float, float] = (-3.2, 0.5)
    application: tuple[float, float] = (-2.5, 0.6)
    relayed_within: float = 5.0
    """Cookies of an answer the application took longer for are lost."""
    unknown_share: float = 0.002
    """Compare-and-swaps whose outcome the server does not learn."""
    crash_loses: float = 20.0
    """Where the experiment has a crash: it sets the jar back by up to so many seconds."""


USUAL: Final = NetworkTraffic()
ACTIVE: Final = NetworkTraffic(name="active", long_gap_share=0.0)
"""A person who never pauses for minutes: a copy made during a pause lives until the person comes back."""
PARALLEL: Final = NetworkTraffic(name="parallel", most_calls=40)
"""Pages that make up to 40 calls at once: how large can the jar become?"""
POLLING: Final = NetworkTraffic(name="polling", most_calls=0, gap_mean=1e9, long_gap_share=0.0, poll_share=1.0)
"""A page that is opened once and then only polls: how slow is detection without navigations?"""
TRAFFICS: Final = (USUAL, ACTIVE, PARALLEL, POLLING)


class Thief(Enum):
    """How a thief uses a copied jar."""

    PASSIVE = "passive"
    """Replays the copied header every 5 s."""
    HAMMER = "hammer"
    """Replays it four times a second."""
    BROWSER = "browser"
    """Keeps a jar, as a browser does, every 8 s."""
    SNIPER = "sniper"
    """Keeps a jar, once a second."""
    PACER = "pacer"
    """Keeps a jar, 0.3 to 1.5 s after the age at which a token is renewed."""
    LURKER = "lurker"
    """Keeps a jar, starts 1 to 10 minutes later, then every 8 s."""

    @property
    def keeps_jar(self) -> bool:
        """Whether it applies the cookies it is handed."""
        return self not in (Thief.PASSIVE, Thief.HAMMER)
