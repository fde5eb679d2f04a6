"""Which kind of copy an end by reuse was: a case for every row of the table in `copies.py`."""

from collections.abc import Sequence

import pytest

from identity.sessions.cookie import Token
from identity.sessions.copies import kind_of
from identity.sessions.record import Copied
from tests.support.jars import lineage, session, token

AGENT, ADDRESS = "Firefox on Linux", "192.0.2.0/24"
HERE = session(lineage=lineage(5, 4), agent=AGENT, address=ADDRESS)
"""The line went 2, 3, 4, 5; children of 5 are current."""


def kind(tokens: Sequence[Token], *, agent: str = AGENT, address: str = ADDRESS) -> Copied:
    return kind_of(HERE, tokens, agent=agent, address=address)


@pytest.mark.parametrize(
    "tokens",
    [[token(91, 4, 3)], [token(4, 3, 2), token(91, 4, 3)], [token(92, 91, 4)]],
    ids=["a sibling of the base", "with its parent", "a child of the sibling"],
)
@pytest.mark.parametrize("agent", [AGENT, "curl"])
def test_a_line_that_parted_is_a_reuse_wherever_it_was_shown(tokens: list[Token], agent: str) -> None:
    """Both went on with it, so no crash explains it and the person must not be told so."""
    assert kind(tokens, agent=agent) is Copied.REUSE


@pytest.mark.parametrize(
    "tokens",
    [[token(5, 4, 3)], [token(4, 3, 2)], [token(5, 4, 3), token(91, 4, 3)]],
    ids=["the base", "the base before", "the base with a sibling"],
)
def test_what_the_same_browser_held_a_moment_ago_is_suspected_to_be_a_crash(tokens: list[Token]) -> None:
    """Somebody whose computer lost power must not be sent looking for a thief."""
    assert kind(tokens) is Copied.CRASH_ROLLBACK


@pytest.mark.parametrize(
    ("agent", "address"), [("curl", ADDRESS), (AGENT, "198.51.100.x"), ("", ""), (AGENT, ""), ("", ADDRESS)]
)
def test_the_same_set_from_elsewhere_or_nobody_knows_where_is_a_copy(agent: str, address: str) -> None:
    """A thief must not be excused because an application does not say where it is asked from."""
    assert kind([token(5, 4, 3)], agent=agent, address=address) is Copied.STALE_COPY


def test_two_unknown_places_are_not_the_same_place() -> None:
    """An application that tells neither browser nor network would turn every theft into a crash."""
    nowhere = session(lineage=lineage(5, 4), agent="", address="")

    assert kind_of(nowhere, [token(5, 4, 3)], agent="", address="") is Copied.STALE_COPY


def test_a_set_from_long_ago_is_a_copy_even_here() -> None:
    """A crash loses seconds, not minutes."""
    assert kind([token(2, 1, 0)]) is Copied.STALE_COPY


def test_at_the_first_generation_nothing_parted_yet() -> None:
    """There is no base before the first; a missing one must match nothing."""
    first = session(lineage=lineage(5), agent=AGENT, address=ADDRESS)

    assert kind_of(first, [token(91, 90, 89)], agent=AGENT, address=ADDRESS) is Copied.STALE_COPY
