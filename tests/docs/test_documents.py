"""The documents point at what is there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from identity.config import parse
from tests.support.sources import CODE, ROOT, files, name

_README_LINES: Final = 200
_LINK: Final = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)(?:#([^)\s]*))?\)")
_ANCHOR: Final = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)")
_MENTION: Final = re.compile(r"docs/[a-z0-9-]+\.md|docs/adr/\d{4}")
_HEADING: Final = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


def _documents() -> tuple[Path, ...]:
    return files("*.md")


def test_the_readme_can_be_read_in_five_minutes() -> None:
    """Otherwise a newcomer gives up before the first command."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= _README_LINES


def test_every_link_leads_to_a_file() -> None:
    """Otherwise a reader who follows the documents ends nowhere."""
    broken = [
        f"{name(page)} -> {target}"
        for page in _documents()
        for target, _ in _LINK.findall(page.read_text())
        if not (page.parent / target).exists()
    ]

    assert broken == []


def test_every_link_leads_to_a_heading() -> None:
    """Otherwise a link into a long page lands at its top and the reader searches."""
    broken = [
        f"{name(page)} -> {target}#{anchor}"
        for page in _documents()
        for target, anchor in _ANCHOR.findall(page.read_text())
        if anchor not in set(_anchors(page.parent / target if target else page))
    ]

    assert broken == []


def _anchors(page: Path) -> Iterator[str]:
    for heading in _HEADING.findall(page.read_text()):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        yield kept.strip().replace(" ", "-")


def test_every_document_the_code_speaks_of_exists() -> None:
    """Otherwise a comment sends its reader to reasons that were never written."""
    broken = [
        f"{name(path)} -> {mention}"
        for path in files("*.py", *CODE, "tests")
        for mention in sorted(set(_MENTION.findall(path.read_text())))
        if not _document(mention)
    ]

    assert broken == []


def _document(mention: str) -> bool:
    return (ROOT / mention).is_file() or any((ROOT / "docs" / "adr").glob(f"{Path(mention).name}-*.md"))


def test_a_decision_has_a_number_of_its_own() -> None:
    """Two that were written at the same time had one, and a mention of it meant either."""
    numbers = [(page.name[:4], page.read_text().split(".", 1)[0]) for page in files("*.md", "docs/adr")]

    assert len({number for number, _ in numbers}) == len(numbers)
    assert all(heading == f"# {int(number)}" for number, heading in numbers)


def test_what_the_tour_says_a_page_says_is_on_a_page() -> None:
    """A newcomer who reads something else than the tour promised takes it for a fault."""
    tour = (ROOT / "README.md").read_text().partition("## A tour")[2].partition("\n## ")[0]
    catalogue = (ROOT / "identity/locale/en.po").read_text()
    quoted = [text for text in re.findall(r"\*([A-Z][^*]{20,})\*", tour) if "→" not in text]

    assert len(quoted) >= 2
    assert [text for text in quoted if f'msgstr "{text}"' not in catalogue] == []


def test_the_readme_configuration_would_start() -> None:
    """It is copied before anything else is read."""
    [example] = re.findall(r"```ini\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    text = re.sub(r"secret_file = \S+", "secret = a secret of more than thirty-two characters", example)

    assert not parse(text, base=ROOT).warnings
