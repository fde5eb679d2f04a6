"""Simulated hours over the production decision. `make simulate` runs ten million requests."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from identity.sessions.planning import Asked, Jar, Plan, Rules, plan
from identity.sessions.rotation import RotationPace
from identity.sessions.store import Read
from identity.types import Locator
from lab import world
from lab.experiment import Experiment
from lab.networks import ACTIVE, AWFUL, GOOD, NETWORKS, PARALLEL, POLLING, Network, Thief
from lab.run import Goal, Job, crew, play, simulate
from lab.tally import Total, percentile

MOBILE_H2 = NETWORKS[2]


def played(experiment: Experiment, sessions: int, network: Network = GOOD) -> Total:
    """Play some hours in this process."""
    return play(Job(network, experiment, 0, sessions))


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS, ids=[n.name for n in NETWORKS])
def test_no_honest_browser_is_logged_out(network: Network) -> None:
    """The first promise: nobody ever notices the rotation."""
    total = played(Experiment(seed=20, seconds=900), 130, network)

    assert total.requests >= 25_000
    assert total.false_logouts == 0
    if network is GOOD:
        assert total.writes / total.requests <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize("thief", list(Thief), ids=[t.value for t in Thief])
def test_no_copy_survives_its_owners_visits(thief: Thief) -> None:
    """The second promise: a copy is unmasked while its owner goes on."""
    total = played(Experiment(seed=3, thief=thief, traffic=ACTIVE, seconds=1200), 30)

    assert total.thief_alive == 0
    assert percentile(sorted(total.lives), 0.5) <= 40
    if thief.keeps_jar:
        assert total.ended == total.sessions
    else:
        assert (total.ended, total.disturbed) == (0, 0)


def test_a_rotation_that_never_mints_is_seen_by_the_simulation() -> None:
    """If rotation stopped, the copy would live on: the measure must show it."""
    frozen = Experiment(seed=3, thief=Thief.PASSIVE, seconds=1200, rules=Rules(pace=RotationPace(token_age_ms=10**9)))

    assert played(frozen, 10).thief_alive == 10


@pytest.mark.slow
def test_forty_parallel_calls_do_not_fill_the_jar() -> None:
    """A request header past 8 KB is refused by most servers, and then never gets its deletions."""
    total = played(Experiment(seed=2, traffic=PARALLEL), 15, MOBILE_H2)

    assert total.false_logouts == 0
    assert total.largest_jar <= 48


@pytest.mark.slow
def test_a_page_that_only_polls_still_unmasks_a_copy() -> None:
    """A dashboard left open makes no navigations; rotation must not wait for one."""
    total = played(Experiment(seed=2, traffic=POLLING, thief=Thief.PASSIVE, seconds=1800), 60)

    assert total.thief_alive == 0
    assert percentile(sorted(total.lives), 0.5) <= 65


@pytest.mark.slow
def test_settling_lets_sessions_survive_crashes() -> None:
    """The price of `settle` is paid in a thief's lifetime; this is what it buys."""
    ended = [
        played(Experiment(crash=True, seconds=600, rules=Rules(RotationPace(settle_ms=s * 1000))), 60).crashes_ended
        for s in (0, 20)
    ]

    assert ended[0] > 0
    assert ended[1] == 0


def test_an_hour_with_a_crash_has_one() -> None:
    """A crash that never came would make every setting look safe."""
    total = played(Experiment(crash=True, seconds=600), 3)

    assert total.crashes == 3
    assert total.false_logouts == 0


def test_a_run_is_the_same_with_any_number_of_processes() -> None:
    """Figures nobody can repeat on another machine prove nothing."""
    experiment, goal = Experiment(seed=7, seconds=120), Goal(requests=4_000)
    totals = []
    for processes in (1, 2):
        with crew(processes) as hands:
            totals.append(list(simulate(GOOD, experiment, goal, crew=hands))[-1])

    assert totals[0] == totals[1]
    assert totals[0].requests >= 4_000


def any_marker(jar: Jar, reads: Mapping[Locator, Read], asked: Asked, rules: Rules) -> Plan:
    """Bind the marker to the newest token only, as if it named no set."""
    if asked.marker is None:
        return plan(jar, reads, asked, rules)
    return plan(jar, reads, replace(asked, marker=lambda _, __: True), rules)


def end_without_bounce(jar: Jar, reads: Mapping[Locator, Read], asked: Asked, rules: Rules) -> Plan:
    """End a stale set at once."""
    return plan(jar, reads, replace(asked, marker=lambda _, __: True), rules)


@pytest.mark.parametrize("fault", [any_marker, end_without_bounce], ids=["a marker for any set", "no bounce"])
def test_a_planted_fault_logs_honest_browsers_out(fault: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulation that finds nothing anywhere proves nothing."""
    monkeypatch.setattr(world, "plan", fault)

    assert played(Experiment(seed=5), 20, AWFUL).false_logouts > 0
