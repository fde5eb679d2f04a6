"""What was sent before a login in the same browser: the row `replaced` of `identity.sessions.planning`."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from identity.sessions.check import Mode, Outcome
from identity.sessions.gathering import group
from identity.sessions.record import Ended, Tombstone
from identity.sessions.store import Read
from identity.types import Locator
from tests.support.jars import AT, NOW, OTHER_SID, SID, record, session, token
from tests.unit.test_planning import CURRENT, decide, fits, found


def over(reason: Ended) -> Mapping[Locator, Read]:
    """Return a record whose one session has ended."""
    return {AT: found(replace(record(session()), sessions=(), tombstones=(Tombstone(SID, reason, NOW),)))}


def test_a_request_from_before_a_login_comes_again_with_its_tokens() -> None:
    """It was sent before the answer of the login arrived; the jar holds the new session by now."""
    made = decide(CURRENT, reads=over(Ended.REPLACED))

    assert (made.outcome, made.reason, made.flag_bounce, made.delete) == (Outcome.BOUNCE, "replaced", True, ())
    assert made.set_marker == group([CURRENT])[0]
    assert (made.write, made.aside, made.live, made.mint_from) == (None, (), None, None)


@pytest.mark.parametrize("reason", [each for each in Ended if each is not Ended.REPLACED])
def test_a_session_that_ended_otherwise_has_no_successor(reason: Ended) -> None:
    """Each of them would cost one more redirect, and bring nothing."""
    assert decide(CURRENT, reads=over(reason)).outcome is Outcome.LOGIN


def test_who_comes_again_with_the_same_tokens_is_told() -> None:
    """A thief, or another browser in the single-session mode: once is enough."""
    made = decide(CURRENT, reads=over(Ended.REPLACED), marker=fits(2), bounced=True)

    assert (made.outcome, made.reason) == (Outcome.LOGIN, "replaced")
    assert made.delete == (CURRENT,)


def test_a_marker_of_another_set_comes_again_once_more() -> None:
    """It is of an earlier bounce, and says nothing of this request."""
    assert decide(CURRENT, reads=over(Ended.REPLACED), marker=fits(3)).outcome is Outcome.BOUNCE


@pytest.mark.parametrize("marker", [None, fits(3)], ids=["none", "another's"])
def test_where_markers_are_lost_a_replaced_session_is_said_at_once(marker: object) -> None:
    """The session is over in any case: nothing has to be decided, so nothing has to wait."""
    assert decide(CURRENT, reads=over(Ended.REPLACED), marker=marker, bounced=True).outcome is Outcome.LOGIN


@pytest.mark.parametrize("mode", [Mode.WEBSOCKET, Mode.READ_ONLY, Mode.NO_MINT])
def test_what_cannot_come_again_is_told_at_once(mode: Mode) -> None:
    """A handshake follows no redirect; a program and a proxy without cookies bring no marker."""
    made = decide(CURRENT, reads=over(Ended.REPLACED), mode=mode)

    assert (made.outcome, made.reason, made.delete) == (Outcome.LOGIN, "replaced", ())


def test_the_most_recent_session_shown_decides_whether_there_is_a_successor() -> None:
    """Who logged out after the login is logged out."""
    later = token(5, 4, 3, sid=OTHER_SID)
    earlier = token(2, 1, 0, age_ms=60_000)
    tombstones = (Tombstone(SID, Ended.REPLACED, NOW), Tombstone(OTHER_SID, Ended.LOGOUT, NOW))
    reads = {AT: found(replace(record(session()), sessions=(), tombstones=tombstones))}

    assert decide(later, earlier, reads=reads).reason == "logout"
    assert decide(later, earlier, reads=reads).outcome is Outcome.LOGIN
