"""One option: its name, type, default and sentence, written once, as a field of its section's class.

Owns `option()` and how the options of a section are listed. Parsing, `config.example.ini` and
docs/configuration.md are all made from these lists, so none of them can differ from the code.
A field that ends in `_ms` is an option that ends in `_s`: people write seconds.
"""

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final, TypeVar, cast

from identity.config.kinds import Kind

T = TypeVar("T")

_KEY: Final = "option"


@dataclass(frozen=True, slots=True)
class Option:
    """One option as a reader of the configuration file meets it."""

    name: str
    type_name: str
    default: str | None
    """As it would be written; None if it must be given."""
    sentence: str
    secret: bool
    read: Callable[[str], Any]
    field: str = ""
    """The attribute that holds it."""


def option(kind: Kind[T], default: str, sentence: str) -> T:
    """Describe an option with a default, in the place of a dataclass field's default."""
    described: T = field(default=kind.read(default), metadata={_KEY: (kind, default, sentence)})
    return described


def required(kind: Kind[T], sentence: str) -> T:
    """Describe an option that has no default and must be given."""
    return cast("T", field(metadata={_KEY: (kind, None, sentence)}))


def options_of(section: type) -> tuple[Option, ...]:
    """List the options of a section's class, in the order they are written there."""
    return tuple(_described(each) for each in fields(section) if _KEY in each.metadata)


def _described(each: "Field[Any]") -> Option:
    kind, default, sentence = each.metadata[_KEY]
    name = each.name.removesuffix("_ms") + "_s" if each.name.endswith("_ms") else each.name
    return Option(name, kind.name, default, sentence, kind.secret, kind.read, each.name)
