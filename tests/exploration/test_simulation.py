"""Simulated hours over the production decision. `make simulate` runs the published ten million requests."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from identity.sessions.planning import Asked, Jar, Plan, Rules, plan
from identity.sessions.rotation import Pace
from identity.sessions.store import Read
from identity.simulate import world
from identity.simulate.networks import AWFUL, GOOD, NETWORKS, Thief
from identity.simulate.run import Experiment, Job, play, simulate
from identity.types import Locator


@pytest.mark.slow
def test_no_honest_browser_is_logged_out_on_any_of_the_seven_networks() -> None:
    """The first promise: nobody ever notices the rotation."""
    totals = simulate(NETWORKS, Experiment(seed=20, seconds=900), requests=280_000)

    assert {name: total.false_logouts for name, total in totals.items()} == dict.fromkeys(totals, 0)
    assert sum(total.requests for total in totals.values()) >= 280_000
    assert totals["good"].writes / totals["good"].requests <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize("thief", list(Thief), ids=[t.value for t in Thief])
def test_no_copy_survives_its_owners_visits(thief: Thief) -> None:
    """The second promise: a copy is unmasked while its owner goes on."""
    total = simulate((GOOD,), Experiment(seed=3, thief=thief, seconds=2400), thefts=20, processes=1)["good"]

    assert total.thief_alive == 0
    assert total.thief_median <= 60
    if thief.keeps_jar:
        assert total.ended == total.sessions
    else:
        assert total.disturbed == 0


def test_a_rotation_that_never_mints_is_seen_by_the_simulation() -> None:
    """If rotation stopped, the copy would live on: the measure must show it."""
    frozen = Experiment(seed=3, thief=Thief.PASSIVE, seconds=1200, rules=Rules(pace=Pace(token_age_ms=10**9)))

    total = simulate((GOOD,), frozen, thefts=20)["good"]

    assert total.thief_alive == total.sessions


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

    assert play(Job(AWFUL, Experiment(seed=5), 0)).false_logouts > 0
