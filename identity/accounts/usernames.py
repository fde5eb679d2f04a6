"""Usernames: what may be one, when two are the same, and what to offer a newcomer.

Pure. Invariant: text is normalised first and judged afterwards, so nothing that passes the
rules can turn into something else later (docs/threats.md, 18). Accepted names are plain ASCII,
for which the fold below is UsernameCaseMapped of RFC 8265.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from identity.accounts.reserved import RESERVED
from identity.types import Username, UsernameKey

LONGEST_INPUT: Final = 256
"""Characters looked at; normalising grows text, and no person types more."""

_FORBIDDEN: Final = re.compile(r"[^A-Za-z0-9_.-]")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})
"""Unicode categories of what a person cannot see, or a page cannot show."""
_WORDS: Final = re.compile(r"[A-Za-z0-9]+")
_TRIMMED: Final = "_.-"

_LETTERS: Final = str.maketrans(
    {
        "ß": "ss",
        "ẞ": "SS",
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
        "ø": "o",
        "Ø": "O",
        "đ": "d",
        "Đ": "D",
        "ð": "d",
        "Ð": "D",
        "þ": "th",
        "Þ": "Th",
        "ł": "l",
        "Ł": "L",
        "ħ": "h",
        "Ħ": "H",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
        "ŋ": "n",
        "Ŋ": "N",
        "ŧ": "t",
        "Ŧ": "T",
        "'": "",
        "\N{RIGHT SINGLE QUOTATION MARK}": "",
    }
)
"""Latin letters that do not decompose into a base letter and a mark; apostrophes vanish (O'Hara)."""


class NameProblem(Enum):
    """Why a name cannot be chosen; the value is stable and documented."""

    EMPTY = "name-empty"
    TOO_SHORT = "name-too-short"
    TOO_LONG = "name-too-long"
    INVISIBLE = "name-invisible-character"
    CHARACTER = "name-character"
    EDGE = "name-edge"
    DOTS = "name-dots"
    RESERVED = "name-reserved"


@dataclass(frozen=True, slots=True)
class NameRefused:
    """A name that cannot be chosen, and the sentence that says what to change."""

    problem: NameProblem
    sentence: str


@dataclass(frozen=True, slots=True)
class NamePolicy:
    """What the operator allows. `reserved` is added to the built-in list, in any spelling."""

    min_length: int = 3
    max_length: int = 32
    reserved: frozenset[str] = frozenset()
    _folded: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", RESERVED | {fold(name) for name in self.reserved})

    def reserves(self, key: UsernameKey) -> bool:
        """Tell whether a folded name is kept back."""
        return key in self._folded


def shown(text: str) -> str:
    """Return the text as it would be stored: full-width and other compatibility forms made plain, case kept."""
    return unicodedata.normalize("NFKC", text[:LONGEST_INPUT].strip())


def fold(username: str) -> UsernameKey:
    """Return what must be unique: the spelling without width and case. Idempotent for accepted names."""
    return UsernameKey(shown(username).lower())


def check(text: str, policy: NamePolicy) -> Username | NameRefused:
    """Judge a name that a person typed.

    First match wins, on the normalised text:

    | the name                                         | problem                  |
    |--------------------------------------------------|--------------------------|
    | is empty                                         | name-empty               |
    | is longer than allowed                           | name-too-long            |
    | holds a control, zero-width or other format sign | name-invisible-character |
    | holds anything but A-Z a-z 0-9 _ . -             | name-character           |
    | is shorter than allowed                          | name-too-short           |
    | begins or ends with _ . -                        | name-edge                |
    | holds two dots in a row                          | name-dots                |
    | is reserved                                      | name-reserved            |
    """
    name = shown(text)
    problem = _problem(name, policy, whole=len(text) <= LONGEST_INPUT)
    return NameRefused(problem, _sentence(problem, name, policy)) if problem else Username(name)


def _problem(name: str, policy: NamePolicy, *, whole: bool) -> NameProblem | None:
    rules = (
        (NameProblem.EMPTY, not name),
        (NameProblem.TOO_LONG, not whole or len(name) > policy.max_length),
        (NameProblem.INVISIBLE, any(unicodedata.category(c) in _INVISIBLE for c in name)),
        (NameProblem.CHARACTER, _FORBIDDEN.search(name) is not None),
        (NameProblem.TOO_SHORT, len(name) < policy.min_length),
        (NameProblem.EDGE, name.strip(_TRIMMED) != name),
        (NameProblem.DOTS, ".." in name),
        (NameProblem.RESERVED, policy.reserves(fold(name))),
    )
    return next((problem for problem, holds in rules if holds), None)


_SENTENCES: Final = {
    NameProblem.EMPTY: "Type a username.",
    NameProblem.TOO_SHORT: "Use at least {policy.min_length} characters.",
    NameProblem.TOO_LONG: "Use at most {policy.max_length} characters.",
    NameProblem.INVISIBLE: "The name holds a character that cannot be seen. Type it instead of pasting it.",
    NameProblem.CHARACTER: "Use letters from a to z, digits, and _ . - only; {wrong} cannot be used.",
    NameProblem.EDGE: "Begin and end the name with a letter or a digit.",
    NameProblem.DOTS: "Put no two dots next to each other.",
    NameProblem.RESERVED: "This name is reserved. Choose another one.",
}


def _sentence(problem: NameProblem, name: str, policy: NamePolicy) -> str:
    wrong = "".join(_FORBIDDEN.findall(name)[:1])
    return _SENTENCES[problem].format(policy=policy, wrong="a space" if wrong.isspace() else f"“{wrong}”")


def suggestions(handle: str, name: str, policy: NamePolicy) -> Iterator[Username]:
    """Yield names to offer a person, best first, from what the provider calls them; none is made up.

    Whether they are free is for the caller to find out.
    """
    words = _WORDS.findall(_latin(name))
    seen: set[UsernameKey] = set()
    for text in (_joined(handle), ".".join(words), "".join(words[:1])):
        found = check(text[: policy.max_length].strip(_TRIMMED), policy)
        if isinstance(found, str) and fold(found) not in seen:
            seen.add(fold(found))
            yield found


def alternatives(taken: Username, seed: int, policy: NamePolicy) -> Iterator[Username]:
    """Yield like names with a number behind: small ones first, then some picked by `seed`."""
    numbers = ("2", "3", "4", str(10 + seed % 90), str(100 + seed // 90 % 900), str(1_000 + seed // 81_000 % 9_000))
    for number in numbers:
        name = check(_numbered(taken, number, policy), policy)
        if isinstance(name, str):
            yield name


def _numbered(stem: Username, number: str, policy: NamePolicy) -> Username:
    """Put a number behind, shortening the name where both would be too long."""
    return Username(stem[: max(0, policy.max_length - len(number))].rstrip(_TRIMMED) + number)


def _latin(text: str) -> str:
    """Return the text in plain letters as far as it can be written so: é is e, ß is ss, ø is o."""
    plain = unicodedata.normalize("NFKD", text[:LONGEST_INPUT].translate(_LETTERS))
    return "".join(c for c in plain if not unicodedata.combining(c))


def _joined(handle: str) -> str:
    """Make one name of a handle: what stands before an @, everything unusable a single hyphen."""
    local = _latin(handle).lstrip("@").partition("@")[0]
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", local)
    return re.sub(r"\.{2,}", ".", plain).strip(_TRIMMED)
