"""No interleaving of messages ends an honest browser; and the search does find planted faults."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest

from identity.sessions.planning import Asked, Jar, Plan, Rules, plan
from identity.sessions.store import Read
from identity.types import Locator
from lab.explore import Production, explore, random_walk

STEPS = 25_000


def test_one_message_in_flight_is_closed_and_never_ends() -> None:
    """The smallest world must be safe in full."""
    found = explore(in_flight=1, most_states=10_000)

    assert found.closed
    assert found.ended is None


@pytest.mark.slow
def test_two_messages_in_flight_never_end_as_far_as_the_suite_goes(capsys: pytest.CaptureFixture[str]) -> None:
    """Two tabs are enough for most traps; `make explore` visits all 1,093,349 states."""
    found = explore(in_flight=2, most_states=30_000)

    with capsys.disabled():
        print(f" {found.states} states")  # noqa: T201 - the number is the point
    assert found.ended is None


@pytest.mark.slow
@pytest.mark.parametrize("in_flight", [3, 4])
def test_deep_walks_with_more_messages_never_end(in_flight: int) -> None:
    """Breadth-first search stays shallow; an hour of a real browser is deep."""
    assert random_walk(in_flight=in_flight, steps=STEPS, random=Random(in_flight)) is None


def mint_anyway(planned: Plan) -> Plan:
    """Treat a write of unknown outcome as applied."""
    return planned


def end_without_bounce(jar: Jar, reads: Mapping[Locator, Read], asked: Asked, rules: Rules) -> Plan:
    """End a stale set at once."""
    return plan(jar, reads, replace(asked, marker=lambda _, __: True), rules)


def keep_the_oldest(jar: Jar, reads: Mapping[Locator, Read], asked: Asked, rules: Rules) -> Plan:
    """Delete the token that should be kept and keep one that should be deleted."""
    made = plan(jar, reads, asked, rules)
    if not made.delete or made.live is None:
        return made
    newest = max(jar.groups[0].tokens, key=lambda t: t.order)
    return replace(made, delete=(newest,), mint_from=None)


@pytest.mark.parametrize(
    "fault",
    [
        Production(unknown=mint_anyway),
        Production(planner=end_without_bounce),
        Production(planner=keep_the_oldest),
    ],
    ids=["mint on an unknown outcome", "no bounce", "delete the maximum"],
)
def test_a_planted_fault_is_found(fault: Production) -> None:
    """A search that finds nothing anywhere proves nothing."""
    assert any(random_walk(in_flight=4, steps=STEPS, random=Random(seed), rules=fault) for seed in range(1, 6))
