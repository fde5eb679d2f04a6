"""Strict reading of JSON fields: a wrong type, a missing or an unknown name is a 400 that says which.

Pure. Codes: `field-missing`, `field-type`, `field-value`, `field-unknown`.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeVar

from identity.errors import BadInput

T = TypeVar("T")
TEXT_LIMIT: Final = 2_048
# A lone surrogate, `\ud800` in JSON, is no character and would fail wherever it is written.
_NO_TEXT: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_KIND: Final = {str: "text", bool: "true or false", list: "a list", dict: "an object"}


class Fields:
    """A JSON object whose fields are read one by one.

    Args:
        value: the object; anything else is refused.
        known: every name it may have.
        at: where it stands in the body, for the message.
    """

    __slots__ = ("_at", "_values")

    def __init__(self, value: object, *, known: Collection[str], at: str = "") -> None:
        self._at = at
        if not isinstance(value, Mapping):
            raise self._wrong("field-type", "", "must be an object")
        self._values: Mapping[str, object] = value
        if unknown := sorted(set(value) - set(known)):
            raise self._wrong("field-unknown", unknown[0][:40], "is not a field of this request")

    def has(self, name: str) -> bool:
        """Tell whether the field was sent; `null` counts as not sent."""
        return self._values.get(name) is not None

    def text(self, name: str, *, limit: int = TEXT_LIMIT, default: str | None = None) -> str:
        """Return a text that UTF-8 can carry and that has no control characters; the default if it was not sent."""
        if default is not None and not self.has(name):
            return default
        return self._clean(name, self._of(name, str), limit)

    def flag(self, name: str) -> bool:
        """Return a boolean."""
        return self._of(name, bool)

    def items(self, name: str, *, most: int) -> Sequence[object]:
        """Return a list."""
        values: list[object] = self._of(name, list)
        if len(values) > most:
            raise self._wrong("field-value", name, f"has more than {most} entries")
        return values

    def lines(self, name: str, *, most: int, limit: int) -> tuple[str, ...]:
        """Return one text or a list of them, whatever characters they hold; none if it was not sent."""
        if not self.has(name):
            return ()
        value = self._values[name]
        found = value if isinstance(value, list) else [value]
        lines = tuple(self._as(name, each, str) for each in found)
        if len(lines) > most or sum(map(len, lines)) > limit:
            raise self._wrong("field-value", name, f"has more than {most} lines or {limit} characters")
        return lines

    def choice(self, name: str, choices: Mapping[str, T], default: str) -> T:
        """Return what one of the words stands for."""
        word = self.text(name, default=default)
        if word not in choices:
            raise self._wrong("field-value", name, f"must be one of: {', '.join(choices)}")
        return choices[word]

    def wrong(self, name: str, why: str) -> BadInput:
        """Return the error for a value only the caller can judge."""
        return self._wrong("field-value", name, why)

    def _of(self, name: str, kind: type[T]) -> T:
        if not self.has(name):
            raise self._wrong("field-missing", name, "is missing")
        return self._as(name, self._values[name], kind)

    def _as(self, name: str, value: object, kind: type[T]) -> T:
        if not isinstance(value, kind):
            raise self._wrong("field-type", name, f"must be {_KIND[kind]}")
        return value

    def _clean(self, name: str, text: str, limit: int) -> str:
        if len(text) > limit:
            raise self._wrong("field-value", name, f"is longer than {limit} characters")
        if _NO_TEXT.search(text):
            raise self._wrong("field-value", name, "holds characters that are not allowed")
        return text

    def _wrong(self, code: str, name: str, why: str) -> BadInput:
        place = ".".join(part for part in (self._at, name) if part) or "The body"
        shown = place if place.isprintable() else "A field"
        return BadInput(code, detail=code, public=f"{shown} {why}.")
