"""How each durable store spells a kind of value, and records packed into columns by it.

Pure. A store has one entry for each kind: the type of its columns, and what turns a value into
the stored one and back where the driver takes and gives another one than the record has. A value
that this daemon cannot have written is StoreCorrupt. Which columns need a change is found out
once, when a packing is made: packing is on every login's path.

| kind      | SQLite                           | Cassandra                                     |
|-----------|----------------------------------|-----------------------------------------------|
| TEXT      | TEXT                             | text                                          |
| UUID      | TEXT, so that people can read it | uuid                                          |
| LONG      | INTEGER                          | bigint                                        |
| INT       | INTEGER                          | int                                           |
| BOOL      | INTEGER                          | boolean                                       |
| BYTES     | BLOB                             | blob                                          |
| ENUM      | TEXT                             | text                                          |
| LINKED    | TEXT: JSON                       | one frozen map: rewriting leaves no tombstone |
| SUSPENDED | TEXT: JSON                       | text: JSON                                    |
| FACTS     | TEXT: JSON                       | text: JSON                                    |
| NAMES     | TEXT: with spaces between them   | text: the same                                |
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import partial
from operator import attrgetter
from typing import Any, Final, Generic, TypeAlias, TypeVar
from uuid import UUID

from identity.accounts.store import LinkedIdentity, Suspension
from identity.accounts.tables import ColumnKind, DurableTable
from identity.errors import StoreCorrupt

Change: TypeAlias = Callable[[Any], Any]
RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class ValueSpelling:
    """How one store spells one kind; without a change the value is kept as it is."""

    type: str
    store: Change | None = None
    load: Change | None = None


def _linked_json(linked: Mapping[str, LinkedIdentity]) -> str:
    return json.dumps({key: [each.linked_at, each.label] for key, each in linked.items()})


def _linked_map(linked: Mapping[str, LinkedIdentity]) -> dict[str, tuple[int, str]]:
    return {key: (each.linked_at, each.label) for key, each in linked.items()}


def _linked(found: Mapping[str, Sequence[Any]] | None) -> dict[str, LinkedIdentity]:
    return {key: LinkedIdentity(*each) for key, each in (found or {}).items()}


def _suspended_json(suspended: Mapping[str, Suspension]) -> str:
    return json.dumps({key: [each.at, each.reason] for key, each in suspended.items()})


def _suspended(text: str | None) -> dict[str, Suspension]:
    return {key: Suspension(*each) for key, each in json.loads(text or "{}").items()}


def _facts_json(facts: Mapping[str, str]) -> str:
    return json.dumps(dict(facts))


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_VALUE: Final = attrgetter("value")

SQLITE: Final[Mapping[ColumnKind, ValueSpelling]] = {
    ColumnKind.TEXT: ValueSpelling("TEXT"),
    ColumnKind.UUID: ValueSpelling("TEXT", str, UUID),
    ColumnKind.LONG: ValueSpelling("INTEGER"),
    ColumnKind.INT: ValueSpelling("INTEGER"),
    ColumnKind.BOOL: ValueSpelling("INTEGER", load=bool),
    ColumnKind.BYTES: ValueSpelling("BLOB"),
    ColumnKind.ENUM: ValueSpelling("TEXT", _VALUE),
    ColumnKind.LINKED: ValueSpelling("TEXT", _linked_json, lambda text: _linked(json.loads(text))),
    ColumnKind.SUSPENDED: ValueSpelling("TEXT", _suspended_json, _suspended),
    ColumnKind.FACTS: ValueSpelling("TEXT", _facts_json, json.loads),
    ColumnKind.NAMES: ValueSpelling("TEXT", " ".join, _names),
}
CASSANDRA: Final[Mapping[ColumnKind, ValueSpelling]] = {
    ColumnKind.TEXT: ValueSpelling("text"),
    ColumnKind.UUID: ValueSpelling("uuid"),
    ColumnKind.LONG: ValueSpelling("bigint"),
    ColumnKind.INT: ValueSpelling("int"),
    ColumnKind.BOOL: ValueSpelling("boolean"),
    ColumnKind.BYTES: ValueSpelling("blob"),
    ColumnKind.ENUM: ValueSpelling("text", _VALUE),
    ColumnKind.LINKED: ValueSpelling("frozen<map<text, frozen<tuple<bigint, text>>>>", _linked_map, _linked),
    ColumnKind.SUSPENDED: ValueSpelling("text", _suspended_json, _suspended),
    ColumnKind.FACTS: ValueSpelling("text", _facts_json, json.loads),
    ColumnKind.NAMES: ValueSpelling("text", " ".join, _names),
}


class RowPacking(Generic[RowT]):
    """Turns records of a table into the values of its columns, and back.

    Args:
        table: the columns.
        spellings: the store's.
        store: its name, for the operator who reads that a row is corrupt.
    """

    def __init__(self, table: DurableTable[RowT], spellings: Mapping[ColumnKind, ValueSpelling], *, store: str) -> None:
        self._name = f"{store}: {table.name}"
        self._record = table.record
        self._fields = table.fields
        self._values: Callable[[RowT], tuple[Any, ...]] = attrgetter(*table.fields)
        defaults = {each.name: each.default for each in fields(table.record)}  # type: ignore[arg-type] # a dataclass
        self._stored = _changes(
            (spellings[each.kind].store, None if each.nullable else MISSING) for each in table.columns
        )
        self._loaded = _changes(
            (each.choices or spellings[each.kind].load, None if each.nullable else defaults[field])
            for each, field in zip(table.columns, table.fields, strict=True)
        )

    def pack(self, row: RowT) -> list[Any]:
        """Return the values of a record's columns, key first."""
        values = list(self._values(row))
        for at, change in self._stored:
            values[at] = change(values[at])
        return values

    def unpack(self, found: Sequence[Any]) -> RowT:
        """Return the record of what was selected. Raises StoreCorrupt, which names table and key alone."""
        values = list(found)
        try:
            for at, change in self._loaded:
                values[at] = change(values[at])
            return self._record(**dict(zip(self._fields, values, strict=True)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # An error's own words may quote what the row says about a person, and this goes to the log.
            raise StoreCorrupt(detail=f"{self._name}, key {found[0]!r}: {type(error).__name__}") from error


def _changes(changes: Iterable[tuple[Change | None, object]]) -> tuple[tuple[int, Change], ...]:
    """Return the places of the columns whose values are changed, and how.

    Beside each change stands what a null becomes: None, or a field's default; MISSING where none may be.
    """
    return tuple(
        (at, change if change and absent is MISSING else partial(_changed, change, absent))
        for at, (change, absent) in enumerate(changes)
        if change or absent not in {None, MISSING}
    )


def _changed(change: Change | None, absent: object, value: Any) -> Any:  # noqa: ANN401 - any kind
    if value is None:
        return absent
    return change(value) if change else value
