"""The text of an INI file to sections and options, with every problem found and its line.

Owns the syntax only; meaning is `load.py`'s. The standard library's reader stops at the first
problem, silently merges `[DEFAULT]` into every section and expands `%` in secrets; a file that
decides who may log in is read literally and to its end.

    # comment            ; comment            (whole lines only: a secret may hold # and ;)
    [section]
    option = value
        more of the value, on an indented line
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_HEADER: Final = re.compile(r"\[([^\[\]]+)\]")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SECTION_LENGTH: Final = 128


@dataclass(slots=True)
class Section:
    """One `[section]`; values are stripped, lines of a longer value are joined by a new line."""

    name: str
    values: dict[str, str] = field(default_factory=dict)


def read(text: str) -> tuple[tuple[Section, ...], tuple[str, ...]]:
    """Return the sections in order, and a sentence for every line that cannot be read."""
    reader = _IniReader()
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        reader.take(number, line.rstrip("\r"))
    return tuple(reader.sections.values()), tuple(reader.problems)


class _IniReader:
    """Where reading stands: the section and option the next indented line would belong to."""

    def __init__(self) -> None:
        self.sections: dict[str, Section] = {}
        self.problems: list[str] = []
        self._section: Section | None = None
        self._option: str | None = None

    def take(self, number: int, line: str) -> None:
        """Read one line."""
        content = line.strip()
        if not content or content[0] in "#;":
            return
        indented = line[0] in " \t"
        for problem in self._read(content, indented=indented):
            where = self._section.name if self._section else "file"
            self.problems.append(f"[{where}] line {number}: {problem}")

    def _read(self, content: str, *, indented: bool) -> Iterator[str]:
        if not content.replace("\t", " ").isprintable():
            yield "holds a control character; remove it"
        elif content.startswith("["):
            yield from self._header(content)
        elif indented and self._section and self._option:
            self._section.values[self._option] = f"{self._section.values[self._option]}\n{content}".lstrip("\n")
        else:
            yield from self._assignment(content)

    def _header(self, content: str) -> Iterator[str]:
        match = _HEADER.fullmatch(content)
        self._option = None
        if not match or len(match[1]) > _SECTION_LENGTH:
            # What follows belongs to no section; its lines must not be read as the previous one's.
            self._section = Section("file")
            yield "is not a section; write it like [server]"
            return
        name = match[1].strip()
        self._section = Section(name)
        if name in self.sections:
            yield "the section stands twice; put its options together"
        else:
            self.sections[name] = self._section

    def _assignment(self, content: str) -> Iterator[str]:
        # The line is not quoted in any problem: it may be a secret.
        name, equals, value = (part.strip() for part in content.partition("="))
        self._option = None
        if self._section is None:
            yield "stands before any section; begin with one, like [server]"
        elif not equals or not _NAME.fullmatch(name):
            yield "cannot be read; write it like option = value"
        elif name in self._section.values:
            yield f"{name} is given a second time; keep one"
        else:
            self._option = name
            self._section.values[name] = value
