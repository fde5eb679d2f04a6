"""When a provider is left alone: the circuit, step by step."""

from functools import reduce
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.outbound.circuit import IN_VAIN, REST_MS, WORTH_A_WORD, CallEnd, Circuit

pytestmark = pytest.mark.threat(59)


def after(*ends: CallEnd, now: int = 0) -> Circuit:
    """Return the circuit after calls that ended like this, one after the other."""
    return reduce(lambda circuit, how: circuit.ended(how, now, trial=False), ends, Circuit())


OPEN: Final = after(*[CallEnd.IN_VAIN] * IN_VAIN)


def test_a_call_or_two_in_vain_change_nothing() -> None:
    """Otherwise one lost packet closes a way to log in."""
    assert after(*[CallEnd.IN_VAIN] * (IN_VAIN - 1)).passes(0)


def test_calls_in_vain_one_after_the_other_open_it() -> None:
    """Otherwise everybody waits the full time at a provider that is not there."""
    assert not OPEN.passes(0)
    assert not OPEN.passes(REST_MS - 1)


@pytest.mark.parametrize("answer", [CallEnd.ANSWERED, CallEnd.FAULTY])
def test_an_answer_in_between_starts_the_count_again(answer: CallEnd) -> None:
    """Otherwise a provider that is slow now and then is closed sooner or later."""
    vain = [CallEnd.IN_VAIN] * (IN_VAIN - 1)

    assert after(*vain, answer, *vain).passes(0)


@pytest.mark.parametrize("how", [CallEnd.ANSWERED, CallEnd.FAULTY, CallEnd.BROKEN_OFF, CallEnd.UNTOLD])
def test_what_a_stranger_can_bring_about_never_opens_it(how: CallEnd) -> None:
    """Otherwise a hundred junk codes close a provider for everybody."""
    assert after(*[how] * 100).passes(0)


def test_after_its_rest_one_call_is_a_trial() -> None:
    """Otherwise it never opens again, or a crowd runs into a provider that is still down."""
    assert OPEN.passes(REST_MS)

    assert not OPEN.begun().passes(REST_MS)
    assert not OPEN.begun().passes(100 * REST_MS)


def test_a_trial_in_vain_is_followed_by_another_rest() -> None:
    """Otherwise somebody waits in vain at every moment."""
    failed = OPEN.begun().ended(CallEnd.IN_VAIN, 2 * REST_MS, trial=True)

    assert not failed.passes(3 * REST_MS - 1)
    assert failed.passes(3 * REST_MS)


@pytest.mark.parametrize("how", [CallEnd.UNTOLD, CallEnd.BROKEN_OFF])
def test_a_trial_that_tells_nothing_makes_room_for_the_next(how: CallEnd) -> None:
    """Otherwise a browser that goes away during the trial closes the provider for ever."""
    assert OPEN.begun().ended(how, REST_MS, trial=True).passes(REST_MS)


@pytest.mark.parametrize("trial", [True, False])
@pytest.mark.parametrize("circuit", [OPEN, OPEN.begun()])
def test_any_answer_closes_it(circuit: Circuit, trial: bool) -> None:  # noqa: FBT001 - parametrized
    """Otherwise a provider that is back is kept closed by what was before."""
    assert circuit.ended(CallEnd.ANSWERED, 0, trial=trial) == Circuit()


def test_stragglers_do_not_make_the_rest_longer() -> None:
    """Otherwise sixty calls that hung when it opened keep it closed for ten seconds more each."""
    assert OPEN.ended(CallEnd.IN_VAIN, REST_MS - 1, trial=False).passes(REST_MS)


def test_a_straggler_does_not_end_the_trial() -> None:
    """Otherwise two trials run at once, then three."""
    assert not OPEN.begun().ended(CallEnd.UNTOLD, REST_MS, trial=False).passes(REST_MS)


def test_a_clock_that_was_set_back_does_not_keep_it_closed() -> None:
    """Otherwise a provider is closed for as long as the clock was wrong."""
    assert OPEN.passes(-1)


def test_a_provider_that_answers_nonsense_is_reported_and_asked_on() -> None:
    """Otherwise the operator hears nothing of a provider that answers 503 to everybody."""
    faulty = after(*[CallEnd.FAULTY] * WORTH_A_WORD)

    assert faulty.troubled
    assert faulty.passes(0)
    assert not after(*[CallEnd.FAULTY] * WORTH_A_WORD, CallEnd.ANSWERED).troubled


STEPS: Final = st.lists(st.tuples(st.sampled_from(CallEnd), st.integers(0, 3 * REST_MS)), max_size=40)


@given(STEPS)
def test_whatever_happened_somebody_may_call_after_the_rest(steps: list[tuple[CallEnd, int]]) -> None:
    """Otherwise some order of events closes a provider until a restart."""
    circuit, now = Circuit(), 0
    for how, waited in steps:
        now += waited
        if circuit.passes(now):
            trial = not circuit.closed
            circuit = circuit.begun().ended(how, now, trial=trial)

    assert circuit.passes(now + REST_MS)
