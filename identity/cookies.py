"""Cookie header lines to names and values, as browsers write them. The one reader of the code.

Owns where a name ends and a value begins. Pure. RFC 6265bis 5.7.3: pairs are joined by `;` and a
blank, the name ends at the first `=`, and nothing else has a meaning. Whatever else were read into
a line, a sibling host could write into the value, or the name, of a cookie of its own with
`Domain=`, and walk past `__Host-` (THREATS 47):

    in a line              browsers                       here
    ---------------------  -----------------------------  -------------------------------------
    `,`                    keep it inside a value         part of the value
    U+00A0, U+0085 …       keep it inside a name          part of the name, so another name
    `"`                    keep it                        part of the value
    no `=`                 a cookie without a name        no pair: nothing of ours is nameless
    space, tab             never at an end of a name      trimmed, as browsers do
    several lines          one per cookie over HTTP/2     each read by itself

Invariant: a name is compared exactly, in every character, and the time is linear.
"""

from collections.abc import Iterable, Iterator
from typing import Final

_BLANK: Final = " \t"
"""What RFC 6265 calls white space. `str.strip()` alone also takes U+0085, U+00A0 and controls away."""


def pairs(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Return name and value of every cookie, in order; a name may come more than once."""
    for line in lines:
        for pair in line.split(";"):
            name, equals, value = pair.partition("=")
            if equals:
                yield name.strip(_BLANK), value.strip(_BLANK)


def values_of(lines: Iterable[str], name: str) -> tuple[str, ...]:
    """Return the different values of a name, in order."""
    return tuple(dict.fromkeys(value for each, value in pairs(lines) if each == name))


def value_of(lines: Iterable[str], name: str) -> str | None:
    """Return the value of a name; None if it is absent or was sent with two different ones."""
    found = values_of(lines, name)
    return found[0] if len(found) == 1 else None
