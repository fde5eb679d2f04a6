"""One option: its name, type, default and sentence, written once, as a field of its section's class.

Owns `option()` and `required()`, how the options of a class are listed, and how they are read from
text. Parsing, `config.example.ini` and the tables of the manual are all made from these lists, so
none of them can differ from the code. A default is the value itself, so that a constant of the
domain stands nowhere else. A field that ends in `_ms` is an option that ends in `_s`: people write seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Final, TypeVar, cast

from options.secret import Secret
from options.types import OptionType

T = TypeVar("T")

_KEY: Final = "option"


class BadOptions(Exception):
    """Options that cannot be used; every problem at once, never with a secret's value."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        """Pairs of option name and reason."""
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in self.problems))


@dataclass(frozen=True, slots=True)
class Option:
    """One option as a reader of the configuration file meets it."""

    name: str
    type: OptionType[Any]
    default: str | None
    """As it would be written; None if it must be given."""
    sentence: str
    field: str
    """The attribute that holds it."""
    initial: object
    """The default itself."""
    live: bool | None = None
    """Whether a running daemon takes a new value; None where that is said of the whole section."""

    @property
    def secret(self) -> bool:
        """Whether it may also come from a file or the environment, and is never shown."""
        return self.type.secret

    def value(self, text: str | None) -> object:
        """Return what it is worth, given this text or none. Raises ValueError with a reason for people."""
        if text is not None:
            return self.type.read(text)
        if self.default is not None:
            return self.initial
        if self.secret:
            raise ValueError(
                f"is missing; give it here, in {self.name}_file, or in the environment (docs/configuration.md)"
            )
        raise ValueError("is missing")


def option(kind: OptionType[T], default: T, sentence: str, *, live: bool | None = None) -> T:
    """Describe an option with a default, in the place of a dataclass field's default; `live` as in `Option`."""
    described: T = field(default=default, metadata={_KEY: (kind, sentence, live)})
    return described


def required(kind: OptionType[T], sentence: str) -> T:
    """Describe an option that has no default and must be given."""
    return cast("T", field(metadata={_KEY: (kind, sentence, None)}))


def options_of(section: type) -> tuple[Option, ...]:
    """List the options of a section's class, in the order they are written there."""
    return tuple(_described(each) for each in fields(section) if _KEY in each.metadata)


def values_of(options: Iterable[Option], texts: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read options; return values by field, and by option the reason why it has none.

    What is left out takes its default. Texts of other names are passed over.
    """
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for each in options:
        try:
            values[each.field] = each.value(texts.get(each.name))
        except ValueError as error:
            faults[each.name] = str(error)
    return values, faults


def secrets_of(section: object) -> Iterator[Secret]:
    """Yield the secrets that a section's object holds."""
    for each in options_of(type(section)):
        if each.secret and (value := getattr(section, each.field)):
            yield value


def _described(each: "Field[Any]") -> Option:
    kind, sentence, live = each.metadata[_KEY]
    name = each.name.removesuffix("_ms") + "_s" if each.name.endswith("_ms") else each.name
    default = None if each.default is MISSING else kind.write(each.default)
    return Option(name, kind, default, sentence, each.name, each.default, live)
