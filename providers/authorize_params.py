"""Parameters an operator adds to the address the browser is sent to, such as `display=popup`.

Pure. A kind allows them by name: what belongs to the protocol (`redirect_uri`, `state`, `scope`, `nonce`,
`response_mode` …) must not be changed from a configuration file, because the answer is checked against it.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from options.types import OptionType

AuthorizeParams: TypeAlias = tuple[tuple[str, str], ...]

ADDED: Final = "Parameters added where the browser is sent, `name=value`, separated by spaces; `%20` is a space."
"""What the documentation says of the option."""


def params_of(*allowed: str) -> OptionType[AuthorizeParams]:
    """Return the type of such parameters, of these names only."""

    def read(given: str) -> AuthorizeParams:
        found = tuple(_pairs(given))
        for name, value in found:
            if name not in allowed:
                raise ValueError(f"{name!r} is not one of: {', '.join(allowed)}")
            if not value or not value.isprintable():
                raise ValueError(f"{name!r} needs a value, as in {name}=…")
        if len(dict(found)) != len(found):
            raise ValueError("names something twice; leave one out")
        return found

    return OptionType(f"list of name=value; names: {', '.join(allowed)}", read, write=_write)


def _pairs(given: str) -> Iterator[tuple[str, str]]:
    for word in given.split():
        name, _, value = word.partition("=")
        yield name, unquote(value)


def _write(value: AuthorizeParams) -> str:
    return " ".join(f"{name}={quote(each)}" for name, each in value)
