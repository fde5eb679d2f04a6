"""A jar that holds more than its session: rotation goes on, and so does finding a thief."""

from typing import Final
from uuid import UUID

import pytest

from identity.sessions.cookie import Token
from identity.sessions.record import Lineage, Record
from identity.types import AccountId, Locator, SessionId, TokenId, Username
from lab.experiment import Baggage, Experiment
from lab.networks import GOOD, Thief
from lab.run import Job, play
from lab.tally import Total
from lab.world import AT, BEGINS, HOST, first_session

LONG: Final = BEGINS + 10**10
EARLIER: Final = BEGINS - 3_600_000
ELSEWHERE: Final = Locator(b"m" * 12)
SECOND: Final = SessionId(b"t" * 16)


def token(number: int, session: SessionId, locator: Locator = AT, *, parent: int = 0) -> Token:
    """A token of another session, an hour old."""
    return Token(session, _id(number), _id(parent), _id(parent + 1), EARLIER + number, locator)


def _id(number: int) -> TokenId:
    return TokenId(b"old" + number.to_bytes(5, "big"))


JUNK = Baggage(junk=tuple(f"__Host-idd-junk{n}" for n in range(8)))
LEFT = Baggage(
    tokens=tuple(token(n, SessionId(n.to_bytes(16, "big")), AT if n % 2 else ELSEWHERE) for n in range(30)),
    records=((ELSEWHERE, Record(AccountId(UUID(int=2)), Username("bob"), 1, EARLIER)),),
)
_SECOND_SESSION = first_session(Lineage(_id(0), None, EARLIER), EARLIER, ends_at=LONG, sid=SECOND)
SAME_ACCOUNT = Baggage(tokens=(token(50, SECOND),), sessions=(_SECOND_SESSION,))
OTHER_ACCOUNT = Baggage(
    tokens=(token(50, SECOND, ELSEWHERE),),
    records=((ELSEWHERE, Record(AccountId(UUID(int=2)), Username("bob"), 1, EARLIER, (_SECOND_SESSION,))),),
)
BAGGAGE = {
    "eight junk names, planted again and again": JUNK,
    "thirty names of old sessions": LEFT,
    "a second live session of the account": SAME_ACCOUNT,
    "a live session of another account": OTHER_ACCOUNT,
}


def played(baggage: Baggage, thief: Thief | None = None, *, sessions: int = 12) -> Total:
    """Play half hours with this in the jar."""
    return play(Job(GOOD, Experiment(seed=4, baggage=baggage, thief=thief, seconds=1_500), 0, sessions))


@pytest.mark.parametrize("baggage", BAGGAGE.values(), ids=BAGGAGE)
def test_rotation_goes_on_beside(baggage: Baggage) -> None:
    """Whoever can plant names, or comes back after years, must neither lose the session nor freeze it."""
    plain, laden = played(Baggage()), played(baggage)

    assert laden.false_logouts == 0
    assert laden.writes >= 0.9 * plain.writes


@pytest.mark.slow
@pytest.mark.parametrize("thief", [Thief.PASSIVE, Thief.BROWSER], ids=["passive", "with a jar"])
@pytest.mark.parametrize("baggage", BAGGAGE.values(), ids=BAGGAGE)
def test_a_thief_is_unmasked_beside(baggage: Baggage, thief: Thief) -> None:
    """Otherwise planting junk first would be the way to steal a session for good."""
    total = played(baggage, thief)

    assert total.thief_alive == 0
    assert total.ended == (total.sessions if thief.keeps_jar else 0)


def test_old_names_leave_the_jar() -> None:
    """Thirty dead names are 4 KB of every request for ever, unless answers delete them."""
    assert _SECOND_SESSION.host == HOST
    total = played(LEFT, sessions=1)

    assert total.largest_jar >= 31  # at first
    assert total.minted > 0
