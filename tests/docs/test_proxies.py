"""docs/proxies.md, the examples, and the tests through real proxies say the same."""

import re
from typing import Final

from tests.proxies.matrix import DOCUMENT, ROWS, in_document, table
from tests.support.proxies import KINDS, NAMES
from tests.support.sources import ROOT, cases, files

OTHERS: Final = {"python", "node", "systemd"}
"""Examples that are no proxies; docs/clients.md and tests/examples are about the clients, and
docs/installing.md and tests/e2e/test_systemd.py about the units."""
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")


def test_the_matrix_is_what_the_tests_assert() -> None:
    """Otherwise an operator chooses a proxy by a table nobody checked."""
    stands = in_document(DOCUMENT.read_text())
    head = stands.splitlines()[0]

    versions = dict(zip(NAMES, _VERSION.findall(head), strict=True))

    assert stands == table(versions)


def test_every_row_names_tests_that_exist() -> None:
    """Otherwise a row outlives the test that proved it."""
    known = {case.name for path in files("test_*.py", "tests/proxies") for case in cases(path)}

    assert {test for row in ROWS for test in row.tests} - known == set()


def test_every_example_is_tested_and_documented() -> None:
    """Otherwise an example stands there that nobody ever started."""
    page = DOCUMENT.read_text()

    found = {path.name for path in (ROOT / "examples").iterdir() if path.is_dir()}
    assert found == set(KINDS) | OTHERS
    for name in KINDS:
        for path in (ROOT / "examples" / name).iterdir():
            assert f"../examples/{name}/{path.name}" in page
