"""Simulated hours over the production decision. `make simulate` runs the published ten million requests."""

import pytest

from identity.sessions.planning import Rules
from identity.sessions.rotation import Pace
from identity.simulate.networks import GOOD, NETWORKS, Thief
from identity.simulate.run import Experiment, simulate


@pytest.mark.slow
def test_no_honest_browser_is_logged_out_on_any_of_the_seven_networks() -> None:
    """The first promise: nobody ever notices the rotation."""
    totals = simulate(NETWORKS, Experiment(seed=20), requests=300_000)

    assert {name: total.false_logouts for name, total in totals.items()} == dict.fromkeys(totals, 0)
    assert sum(total.requests for total in totals.values()) >= 300_000
    assert totals["good"].writes / totals["good"].requests <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize("thief", list(Thief), ids=[t.value for t in Thief])
def test_no_copy_survives_the_hour(thief: Thief) -> None:
    """The second promise: a copy is unmasked while its owner goes on."""
    total = simulate((GOOD,), Experiment(seed=3, thief=thief), thefts=20)["good"]

    assert total.thief_alive == 0
    assert total.thief_median <= 60
    if thief.keeps_jar:
        assert total.ended == total.sessions
    else:
        assert total.disturbed == 0


def test_a_rotation_that_never_mints_is_seen_by_the_simulation() -> None:
    """If rotation stopped, the copy would live on: the measure must show it."""
    frozen = Experiment(seed=3, thief=Thief.PASSIVE, rules=Rules(pace=Pace(token_age_ms=10**9)))

    total = simulate((GOOD,), frozen, thefts=20)["good"]

    assert total.thief_alive == total.sessions
