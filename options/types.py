"""The types an option can have: how each is read from text, written as text, and what documentation calls it.

Owns reading one value alone. Must not look at other options, files or the environment. A reader
raises ValueError with a sentence that completes "[section] option: …" and says what to write; the
sentence of a secret never quotes it. What a value means to one program only is a type of its own there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Generic, TypeVar

from options.secret import Secret

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")
_SECOND_MS: Final = 1_000
_FRACTION: Final = re.compile(r"0(\.[0-9]{1,6})?|1(\.0{1,6})?")
_YES: Final = frozenset({"yes", "true", "on", "1"})
_NO: Final = frozenset({"no", "false", "off", "0"})
_LONGEST: Final = 4_096
_FEWEST_CHARACTERS: Final = 8
"""A secret of fewer different characters is a placeholder (`xxxxxxxx…`), whatever its length."""


def _write(value: object) -> str:
    """Write a value as people would; none at all is empty."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(map(_write, value))
    if isinstance(value, Enum):
        return str(value.value)
    return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class OptionType(Generic[T]):
    """One type of option. `name` is what the documentation calls it."""

    name: str
    read: Callable[[str], T]
    secret: bool = False
    """May also come from a file (`…_file`) and from the environment; is never shown."""
    write: Callable[[T], str] = _write


def text(what: str = "text", *, pattern: str = ".*", instead: str = "", empty: bool = False) -> OptionType[str]:
    """Return the type of one line of text that matches `pattern` as a whole."""
    compiled = re.compile(pattern)

    def read(given: str) -> str:
        if not given and empty:
            return ""
        if not given or len(given) > _LONGEST or not compiled.fullmatch(given):
            raise ValueError(instead or f"needs {what}, on one line")
        return given

    return OptionType(what, read)


def whole(lowest: int, highest: int) -> OptionType[int]:
    """Return the type of a whole number within both limits."""

    def read(given: str) -> int:
        if not _WHOLE.fullmatch(given) or not lowest <= int(given) <= highest:
            raise ValueError(f"{given!r} is not a whole number from {lowest} to {highest}")
        return int(given)

    return OptionType(f"whole number, {lowest} to {highest}", read)


def seconds(lowest: float, highest: int) -> OptionType[int]:
    """Return the type of a duration: seconds in the file, milliseconds in the code."""

    def read(given: str) -> int:
        if not _SECONDS.fullmatch(given) or not lowest <= float(given) <= highest:
            raise ValueError(f"{given!r} is not a number of seconds from {lowest:g} to {highest}")
        return round(float(given) * _SECOND_MS)

    def write(value: int) -> str:
        return str(value / _SECOND_MS).removesuffix(".0")

    return OptionType(f"seconds, {lowest:g} to {highest}", read, write=write)


def _read_fraction(given: str) -> float:
    if not _FRACTION.fullmatch(given):
        raise ValueError(f"{given!r} is not a number from 0 to 1, like 0.25")
    return float(given)


def _read_flag(given: str) -> bool:
    folded = given.lower()
    if folded not in _YES | _NO:
        raise ValueError(f"{given!r} is not yes or no")
    return folded in _YES


def _read_path(given: str) -> Path:
    if not given or given.startswith("~"):
        raise ValueError("needs the path of a file, absolute or relative to the configuration file, without ~")
    return Path(given)


def _read_optional_path(given: str) -> Path | None:
    return _read_path(given) if given else None


def word(*allowed: str) -> OptionType[str]:
    """Return the type of one of these words."""

    def read(given: str) -> str:
        if given not in allowed:
            raise ValueError(f"{given!r} is not one of: {', '.join(allowed)}")
        return given

    return OptionType(" | ".join(allowed), read)


def choice(words: type[E]) -> OptionType[E]:
    """Return the type of one of an enumeration's values."""
    text_of = word(*(str(each.value) for each in words))
    return OptionType(text_of.name, lambda given: words(text_of.read(given)))


def many(name: str, one: Callable[[str], T]) -> OptionType[tuple[T, ...]]:
    """Return the type of a list, separated by spaces, commas or new lines; doubles are refused."""

    def read(given: str) -> tuple[T, ...]:
        found = tuple(one(each) for each in _divided(given))
        if len(set(found)) != len(found):
            raise ValueError("names something twice; leave one out")
        return found

    return OptionType(f"list of {name}", read)


def _divided(given: str) -> tuple[str, ...]:
    return tuple(given.replace(",", " ").split())


def secret(shortest: int, *, theirs: bool = False) -> OptionType[Secret]:
    """Return the type of a secret of at least so many characters; `theirs` is one that the provider makes."""
    remedy = (
        "copy the whole of what the provider shows" if theirs else "made at random; `openssl rand -hex 32` makes one"
    )

    def read(given: str) -> Secret:
        given = given.strip(" ") if theirs else given
        if not given:
            raise ValueError("is empty; nobody may be let in by an empty secret")
        if len(given) < shortest or len(set(given)) < min(shortest, _FEWEST_CHARACTERS):
            raise ValueError(
                f"is too short or too simple to be a secret: it needs at least {shortest} characters"
                f"{'; ' if theirs else ', '}{remedy}"
            )
        if len(given) > _LONGEST or not given.isascii() or not given.isprintable():
            raise ValueError(f"must be printable ASCII of at most {_LONGEST} characters")
        return Secret(given)

    return OptionType(f"secret, at least {shortest} characters", read, secret=True)


def optional_secret(shortest: int) -> OptionType[Secret | None]:
    """Return the type of a secret that may be left out; left out, no caller can show it."""
    given = secret(shortest)
    return OptionType(given.name, lambda text: given.read(text) if text else None, secret=True)


def or_empty(kind: OptionType[Secret]) -> OptionType[Secret]:
    """Return the type of a secret that other options may make needless; left out, it is an empty one."""
    return OptionType(kind.name, lambda text: kind.read(text) if text else Secret(""), secret=True, write=lambda _: "")


def _read_password(given: str) -> Secret | None:
    """Read a password another system has set; how strong it is was decided there."""
    if len(given) > _LONGEST or not given.isprintable():
        raise ValueError(f"must be printable text of at most {_LONGEST} characters")
    return Secret(given) if given else None


flag: Final = OptionType("yes | no", _read_flag)
fraction: Final = OptionType("number, 0 to 1", _read_fraction)
path: Final = OptionType("path", _read_path)
optional_path: Final = OptionType("path", _read_optional_path)
optional_password: Final = OptionType("secret", _read_password, secret=True)
words: Final = OptionType("list of words", _divided)
"""Any number of words; what is written twice stands twice."""
