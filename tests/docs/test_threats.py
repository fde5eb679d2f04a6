"""docs/threats.md and the tests marked `threat(n)` say the same.

The test files are read, not run, so the comparison holds on any selection of tests.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.sources import ROOT, cases, files, name, tree

_PAGE: Final = ROOT / "docs" / "threats.md"
_ROW: Final = re.compile(r"^\| *(\d+) *\|(.+)\|([^|]+)\|$")
_TESTED: Final = "test"
_ROWS: Final = 71


@dataclass(frozen=True, slots=True)
class Row:
    """One attack of the page; `status` is `test`, `test; …` where a part is open, or why there is none."""

    number: int
    status: str

    @property
    def tested(self) -> bool:
        """Tell whether the page claims a test."""
        return self.status.partition(";")[0] == _TESTED


def _rows() -> list[Row]:
    matches = (_ROW.match(line) for line in _PAGE.read_text().splitlines())
    return [Row(int(match[1]), match[3].strip()) for match in matches if match]


def _marked(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the row and the place of every `pytest.mark.threat(n)` on a test, its class or its module."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Call(func=ast.Attribute(attr="threat"), args=[*arguments]):
                for argument in arguments:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, int):
                        yield argument.value, f"{name(path)}:{node.lineno}"


def _marks() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for path in files("test_*.py", "tests"):
        if any(True for _ in cases(path)):
            for number, place in _marked(path):
                found.setdefault(number, []).append(place)
    return found


def test_the_page_lists_every_attack_once() -> None:
    """Otherwise an attack can drop out of the page and its test out of the suite, unseen."""
    assert [row.number for row in _rows()] == list(range(1, _ROWS + 1))


def test_every_row_that_claims_a_test_has_one() -> None:
    """Otherwise an operator would trust a defence that nothing checks."""
    claimed = {row.number for row in _rows() if row.tested}

    assert sorted(claimed - set(_marks())) == []


def test_every_marked_test_is_on_the_page() -> None:
    """Otherwise the page would call something open that is defended, or the mark has a typing error."""
    claimed = {row.number for row in _rows() if row.tested}

    assert {number: places for number, places in _marks().items() if number not in claimed} == {}


def test_every_row_without_a_test_says_why() -> None:
    """Otherwise nobody could tell a gap from an oversight."""
    reasons = {row.number: row.status for row in _rows() if not row.tested}

    assert [number for number, reason in reasons.items() if len(reason.split()) < 3] == []
