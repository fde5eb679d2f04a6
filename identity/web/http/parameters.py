"""Strict reading of what a request carries: parameters and JSON. Cookies are read by `identity.cookies`.

Pure. Every parameter that is used may come once, is UTF-8 and has a size; anything else is a
`BadInput` with a stable code, so that nothing downstream sees a list, bytes, or a surprise of 60 KB.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from identity.errors import BadInput
from identity.web.http.refusals import WrongMediaType

LIMIT: Final = 2_048
ADDRESS_CHARS: Final = 16_384
"""Of an address that is a parameter."""
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_SHOWN_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")


def one(values: Mapping[str, Sequence[bytes]], name: str, *, limit: int = LIMIT) -> str | None:
    """Return the parameter, or None if it was not sent. Raises BadInput if it is repeated or unreadable."""
    found = values.get(name, ())
    if not found:
        return None
    if len(found) > 1:
        raise BadInput("parameter-repeated", public=f"The parameter {_shown(name)} was sent more than once.")
    if len(found[0]) > limit:
        raise BadInput("parameter-too-long", public=f"The parameter {_shown(name)} is longer than {limit} bytes.")
    try:
        text = found[0].decode()
    except UnicodeDecodeError:
        raise BadInput("parameter-encoding", public=f"The parameter {_shown(name)} is not UTF-8 text.") from None
    if _CONTROL.search(text):
        raise BadInput("parameter-encoding", public=f"The parameter {_shown(name)} holds control characters.")
    return text


def required(values: Mapping[str, Sequence[bytes]], name: str, *, limit: int = LIMIT) -> str:
    """Return the parameter. Raises BadInput if it is missing, repeated or unreadable."""
    text = one(values, name, limit=limit)
    if text is None:
        raise BadInput("parameter-missing", public=f"The parameter {_shown(name)} is missing.")
    return text


def seconds(values: Mapping[str, Sequence[bytes]], name: str) -> int | None:
    """Return a number of seconds from 0 to 999,999,999, or None if it was not sent. Raises BadInput.

    An empty one is refused, too: a demand that was garbled must not pass as none.
    """
    text = one(values, name)
    if text is None or _SECONDS.fullmatch(text):
        return None if text is None else int(text)
    raise BadInput("parameter-value", public=f"The parameter {_shown(name)} is no number of seconds.")


class Sent(Mapping[str, str]):
    """All parameters of a request. Reading one raises BadInput if it is repeated or unreadable.

    Those that are not read may be anything: a provider sends what it likes beside what we asked for.
    """

    __slots__ = ("_limit", "_values")

    def __init__(self, values: Mapping[str, Sequence[bytes]], *, limit: int = LIMIT) -> None:
        self._values = values
        self._limit = limit

    def __getitem__(self, name: str) -> str:
        text = one(self._values, name, limit=self._limit)
        if text is None:
            raise KeyError(name)
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Sent({len(self)} parameters)"


def json_object(content_type: str, body: bytes) -> dict[str, object]:
    """Read a JSON object strictly: RFC 8259, UTF-8, no name twice, no NaN. Raises BadInput, WrongMediaType."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise WrongMediaType(public="Send the body as application/json.")
    try:
        value = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput("json", detail=type(error).__name__, public="The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise BadInput("json", public="The body must be a JSON object.")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name occurs twice")
    return value


def _no_constant(_: str) -> object:
    raise ValueError("not a JSON number")


def _shown(name: str) -> str:
    return f"“{name}”" if _SHOWN_NAME.fullmatch(name) else "in the request"
