"""docs/layout.md: every folder and file of the code with the first sentence of its docstring.

`make layout` writes it; a test compares it with the tree, so that it cannot rot.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.sources import ROOT, files, name, tree

PAGE: Final = ROOT / "docs" / "layout.md"
PACKAGES: Final = ("identity", "providers", "options", "lab", "release")
_HEAD: Final = (
    "# Layout\n\n"
    "Where things are: each folder and file with the first sentence of its docstring. Written by `make layout` from "
    "the code, and compared with it by a test. What may import what stands in [architecture](architecture.md).\n"
)


def page() -> str:
    """Return the page as the code has it now."""
    folders = sorted({path.parent for path in files("*.py", *PACKAGES)})
    return "\n".join([_HEAD, *(line for folder in folders for line in _section(folder))])


def _section(folder: Path) -> Iterator[str]:
    yield f"## {name(folder)}/"
    yield ""
    about = _first_sentence(folder / "__init__.py")
    if about:
        yield from (about, "")
    yield "| file | what it is |"
    yield "|---|---|"
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            yield f"| `{path.name}` | {_first_sentence(path)} |"
    yield ""


def _first_sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring, in one line."""
    paragraph = (ast.get_docstring(tree(path)) or "").partition("\n\n")[0]
    said = " ".join(paragraph.split())
    end = re.search(r"[.?!](?= [A-Z`]|$)", said)
    return (said[: end.end()] if end else said).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
