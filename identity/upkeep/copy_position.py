"""How far a copy has come, as the note in its target says it.

Owns the spelling. A note that cannot be read means "from the beginning": every write of a copy may
be repeated, so that is slow and never wrong. Pure: text in, text out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class TablePosition:
    """The last row of a table that is in the target for sure, and how many are."""

    last: str | None
    done: int


@dataclass(frozen=True, slots=True)
class CopyPosition:
    """For each table, how far it is copied; for a table that is not named, nothing is."""

    source: str
    """The kind of store that is copied from: a place is one in its order."""
    tables: Mapping[str, TablePosition] = field(default_factory=dict)

    @staticmethod
    def source_of(note: str) -> str | None:
        """Return what kind of store the noted copy is from; None if the note cannot be read."""
        source = _read(note).get("from")
        return source if isinstance(source, str) else None

    @classmethod
    def read(cls, note: str | None, *, source: str) -> "CopyPosition":
        """Return what the note says of a copy from this kind of store; without a note, that it begins."""
        found = _read(note or "")
        tables = found.get("tables") if found.get("from") == source else None
        if not isinstance(tables, dict):
            return cls(source)
        return cls(source, {name: place for name, each in tables.items() if (place := _place(each))})

    def text(self) -> str:
        """Return the note."""
        tables = {name: [place.last, place.done] for name, place in self.tables.items()}
        return json.dumps({"from": self.source, "tables": tables})

    def of(self, table: str) -> str | None:
        """Return the last row's place, None for the beginning."""
        place = self.tables.get(table)
        return place.last if place else None

    def done(self, table: str) -> int:
        """Return how many rows are in the target up to that place."""
        place = self.tables.get(table)
        return place.done if place and place.last is not None else 0

    def reached(self, table: str, last: str | None, done: int) -> "CopyPosition":
        """Return the places with this table's moved on."""
        return replace(self, tables={**self.tables, table: TablePosition(last, done)})


def _read(note: str) -> dict[str, Any]:
    try:
        found = json.loads(note)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _place(each: object) -> TablePosition | None:
    match each:
        case [str() as last, int() as done]:
            return TablePosition(last, done)
        case _:
            return None
