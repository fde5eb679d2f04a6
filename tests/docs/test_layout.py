"""The map of the code is the code's: docs/layout.md is written from it, docs/architecture.md names its folders."""

import re

from tests.support.layout import PACKAGES, PAGE, page
from tests.support.sources import ROOT, files, name


def test_the_map_says_what_the_files_say() -> None:
    """A newcomer would look for a file that was moved, and not find one that came."""
    assert PAGE.read_text() == page(), "run `make layout`"


def test_the_architecture_names_every_folder_and_no_other() -> None:
    """The page people read first would describe a house that nobody lives in."""
    block = re.search(r"## Layout\n.*?```\n(.*?)```", (ROOT / "docs" / "architecture.md").read_text(), re.DOTALL)
    assert block
    named, parents = set(), [""]
    for line in block[1].splitlines():
        found = re.match(r"( *)([a-z_]+)/(?: |$)", line)
        if found:
            depth = len(found[1]) // 2
            parents[depth + 1 :] = [f"{parents[depth]}{found[2]}/"]
            named.add(parents[depth + 1])

    there = {f"{name(path.parent)}/" for path in files("__init__.py", *PACKAGES)}
    there.add("identity/locale/")
    assert {each for each in named if each.startswith(tuple(f"{package}/" for package in PACKAGES))} == there
