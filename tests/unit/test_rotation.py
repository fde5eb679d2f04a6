"""The decision table of `identity.sessions.rotation`, one case per row and per exception to it."""

import pytest

from identity.sessions.record import Lineage
from identity.sessions.rotation import Advance, Current, Moment, RotationPace, Stale, Straggler, decide
from identity.types import Millis
from tests.support.jars import NOW, lineage, tid, token

OLD: Millis = 12_000
PACE = RotationPace()


def moment(*, navigation: bool = True, chance: float = 0.9, may_mint: bool = True) -> Moment:
    return Moment(NOW, navigation, may_mint, chance)


def test_a_fresh_child_of_the_base_is_accepted_and_nothing_is_made() -> None:
    """A mint at every request would fill the jar of anybody who clicks fast."""
    assert decide(lineage(1), [token(2, 1, 0, age_ms=OLD - 1)], moment(), PACE) == Current()


def test_an_old_child_of_the_base_mints_on_a_navigation() -> None:
    """Without this the token would never change and a copy would live for ever."""
    shown = token(2, 1, 0, age_ms=OLD)

    assert decide(lineage(1), [shown], moment(), PACE) == Current(mint_from=shown)


@pytest.mark.parametrize(("chance", "mints"), [(0.139, True), (0.14, False)], ids=["below", "at"])
def test_a_call_by_a_script_mints_by_chance_only(chance: float, mints: bool) -> None:  # noqa: FBT001 - a table
    """Forty parallel calls would otherwise each bring a cookie."""
    decided = decide(lineage(1), [token(2, 1, 0, age_ms=OLD)], moment(navigation=False, chance=chance), PACE)

    assert isinstance(decided, Current)
    assert (decided.mint_from is not None) is mints


@pytest.mark.parametrize(("chance", "mints"), [(0.069, True), (0.07, False)], ids=["below", "at"])
def test_two_shown_tokens_halve_the_chance(chance: float, mints: bool) -> None:  # noqa: FBT001 - a table
    """A jar that already grew must not grow at the same speed."""
    shown = [token(2, 1, 0, age_ms=OLD), token(3, 1, 0, age_ms=OLD)]

    decided = decide(lineage(1), shown, moment(navigation=False, chance=chance), PACE)

    assert isinstance(decided, Current)
    assert (decided.mint_from is not None) is mints


def test_a_token_dated_far_ahead_counts_as_old() -> None:
    """A server whose clock was wrong would otherwise stop the rotation for as long as it was wrong."""
    shown = token(2, 1, 0, age_ms=-60_001)

    assert decide(lineage(1), [shown], moment(), PACE) == Current(mint_from=shown)


def test_four_shown_tokens_mint_no_fifth() -> None:
    """A jar that only grows ends in a request header no server accepts."""
    shown = [token(10 + n, 1, 0, age_ms=OLD) for n in range(4)]

    decided = decide(lineage(1), shown, moment(), PACE)

    assert isinstance(decided, Current)
    assert decided.mint_from is None


def test_three_shown_tokens_still_mint() -> None:
    """The cap must not come so early that parallel requests stop the rotation."""
    shown = [token(10 + n, 1, 0, age_ms=OLD) for n in range(3)]

    decided = decide(lineage(1), shown, moment(), PACE)

    assert isinstance(decided, Current)
    assert decided.mint_from == shown[-1]


def test_a_static_path_never_mints() -> None:
    """Its answer may come from a cache, which loses the token or hands it to somebody else."""
    decided = decide(lineage(1), [token(2, 1, 0, age_ms=OLD)], moment(may_mint=False), PACE)

    assert decided == Current()


def test_of_several_current_tokens_the_latest_is_kept_and_mints() -> None:
    """If servers kept different ones, two answers could delete both."""
    older, newer = token(2, 1, 0, age_ms=OLD + 1), token(3, 1, 0, age_ms=OLD)

    assert decide(lineage(1), [newer, older], moment(), PACE) == Current(mint_from=newer, surplus=(older,))


def test_tokens_of_the_same_millisecond_are_ordered_by_id() -> None:
    """The order must be total, or two servers keep different tokens."""
    low, high = token(2, 1, 0, age_ms=OLD), token(3, 1, 0, age_ms=OLD)

    assert decide(lineage(1), [high, low], moment(), PACE) == Current(mint_from=high, surplus=(low,))


def test_a_grandchild_of_the_base_advances_the_line_to_its_parent() -> None:
    """The line moves only to a token that was used and whose child was seen, so it cannot fall off the jar."""
    parent, child = token(2, 1, 0, age_ms=40_000), token(3, 2, 1, age_ms=1_000)

    decided = decide(lineage(1), [parent, child], moment(), PACE)

    assert decided == Advance(Lineage(tid(2), tid(1), NOW), mint_from=None, surplus=(parent,))


def test_an_old_grandchild_mints_whatever_the_chance() -> None:
    """An advance costs a write anyway; minting with it makes the next one possible at once."""
    child = token(3, 2, 1, age_ms=OLD)

    decided = decide(lineage(1), [child], moment(navigation=False, chance=0.99), PACE)

    assert isinstance(decided, Advance)
    assert decided.mint_from == child


def test_of_two_grandchildren_the_latest_decides_where_the_line_goes() -> None:
    """Two servers that saw both must move the line to the same place."""
    first, second = token(4, 2, 1, age_ms=2_000), token(5, 3, 1, age_ms=1_000)

    decided = decide(lineage(1), [second, first], moment(), PACE)

    assert decided == Advance(Lineage(tid(3), tid(1), NOW), mint_from=None, surplus=(first,))


@pytest.mark.parametrize(
    "shown",
    [token(1, 9, 8), token(7, 5, 4), token(7, 6, 5)],
    ids=["is the base", "child of the previous base", "grandchild of the previous base"],
)
def test_a_request_sent_before_the_advance_is_served_within_the_grace(shown: object) -> None:
    """Parallel requests of one page are on their way when the first of them moves the line."""
    assert decide(lineage(1, 5, ago_ms=10_000), [shown], moment(), PACE) == Straggler()  # type: ignore[list-item]


@pytest.mark.parametrize("ago_ms", [10_001, -1], ids=["too late", "before it, by this clock"])
def test_the_grace_ends(ago_ms: Millis) -> None:
    """A grace without end would serve a thief for ever; a negative one has no meaning."""
    assert decide(lineage(1, 5, ago_ms=ago_ms), [token(7, 5, 4)], moment(), PACE) == Stale()


def test_an_absent_previous_base_matches_nothing() -> None:
    """Right after a login an unrelated token must not pass for a straggler."""
    assert decide(lineage(1, None), [token(7, 5, 4)], moment(), PACE) == Stale()


def test_a_token_two_generations_back_is_stale_at_once() -> None:
    """This is what unmasks a copy: the line went on without it."""
    assert decide(lineage(1, 5), [token(9, 8, 7)], moment(), PACE) == Stale()


SETTLING = RotationPace(settle_ms=20_000)


def test_a_young_child_neither_advances_nor_lets_its_parent_mint() -> None:
    """The browser may lose it in a crash; the line must not depend on it yet."""
    parent, child = token(2, 1, 0, age_ms=40_000), token(3, 2, 1, age_ms=19_999)

    assert decide(lineage(1), [parent, child], moment(), SETTLING) == Current()


def test_a_settled_child_advances_and_a_young_sibling_is_left_alone() -> None:
    """Deleting the young one would delete what another server may be about to keep."""
    settled, young = token(3, 2, 1, age_ms=20_000), token(4, 2, 1, age_ms=1_000)

    decided = decide(lineage(1), [settled, young], moment(), SETTLING)

    assert decided == Advance(Lineage(tid(2), tid(1), NOW), mint_from=settled, surplus=())


def test_only_young_current_tokens_are_accepted_without_effect() -> None:
    """Right after a login nothing is on the disk yet."""
    assert decide(lineage(1), [token(2, 1, 0, age_ms=19_999)], moment(), SETTLING) == Current()


def test_a_child_dated_far_ahead_counts_as_settled() -> None:
    """Otherwise a fast clock stops the rotation for as long as it is fast."""
    child = token(3, 2, 1, age_ms=-60_001)

    assert isinstance(decide(lineage(1), [child], moment(), SETTLING), Advance)
