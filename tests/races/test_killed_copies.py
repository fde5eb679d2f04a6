"""A copy that is killed at any moment: nobody is served from it, and run again it is whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from identity.upkeep.copied_tables import TABLES, CopySide
from identity.upkeep.copy_position import CopyPosition
from identity.upkeep.copying import Done
from tests.support.copies import BATCH, contents, copy, fill, killed, side_of

PEOPLE: Final = 2 * BATCH + 20
POINTS: Final = (
    f"counting audit {BATCH}",
    "write 1",
    f"write {BATCH // 2}",
    f"copying identities {BATCH}",
    f"write {BATCH + 7}",
    f"write {2 * PEOPLE}",
    f"copying accounts {BATCH}",
    "copying revocations 1",
    f"copying audit {2 * BATCH}",
    f"reading back identities {BATCH}",
    f"reading back audit {2 * PEOPLE + 1}",
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, CopySide]]:
    """Give a file full of people, which no copy changes."""
    path = tmp_path_factory.mktemp("town") / "source.sqlite"
    store, side = side_of(path)
    fill(side, range(PEOPLE))
    yield path, side
    store.close()


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_copy_is_marked_and_finished_by_the_next_run(
    town: tuple[Path, CopySide], tmp_path: Path, point: str
) -> None:
    """A power failure in the night of the move would lose people, or show what they did twice."""
    path, source = town
    killed(str(path), str(tmp_path / "target.sqlite"), point)
    store, target = side_of(tmp_path / "target.sqlite", to_copy=True)

    note = store.copy_note.read()
    assert note is not None
    places = CopyPosition.read(note, source="sqlite")
    for table in TABLES:
        assert places.done(table.name) <= len(list(table.scan(target, None)))

    outcome = copy(source, target)

    assert isinstance(outcome, Done)
    assert contents(target) == contents(source)
    assert store.copy_note.read() is None
    store.close()


def test_a_copy_that_is_killed_again_and_again_comes_to_its_end(town: tuple[Path, CopySide], tmp_path: Path) -> None:
    """A machine that restarts every few minutes that night must still get there."""
    path, source = town
    for point in POINTS[1:]:
        if not point.startswith("write"):
            killed(str(path), str(tmp_path / "target.sqlite"), point)
    store, target = side_of(tmp_path / "target.sqlite", to_copy=True)

    assert isinstance(copy(source, target), Done)

    assert contents(target) == contents(source)
    store.close()
