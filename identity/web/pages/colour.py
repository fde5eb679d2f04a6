"""An accessible pair of accents, light and dark, from the one colour an operator gives. Pure.

    scheme | what is made of the colour                        | so that
    -------+---------------------------------------------------+------------------------------------------
    light  | mixed with black, by as little as is enough       | as text it has 4.5:1 on the page, the sheet
           |                                                   | and the wash; white on it has 4.5:1
    dark   | mixed with white, by as little as is enough       | the same, with the page's colour on it
    both   | the wash is the sheet with a little of the accent | our text and quiet text stay readable on it

A colour that is enough as it is stays as it is. Contrast is WCAG 2.2's (relative luminance); 4.5:1 is its AA for text,
and more than the 3:1 that the edges of buttons and rings around the focus need.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

Rgb: TypeAlias = tuple[int, int, int]

ENOUGH: Final = 4.5
_HEX: Final = re.compile(r"#[0-9a-f]{6}")
_BLACK: Final = (0, 0, 0)
_WHITE: Final = (255, 255, 255)
_LINEAR_BELOW: Final = 0.04045
_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class Scheme:
    """What of the stylesheet an accent stands beside: as in `style.css`, which a test compares."""

    ground: Rgb
    sheet: Rgb
    towards: Rgb
    """What makes the accent stand out more."""
    on_accent: Rgb
    wash: float
    """How much of the accent is in the wash."""


LIGHT: Final = Scheme((0xF5, 0xF5, 0xF2), _WHITE, _BLACK, _WHITE, 0.08)
DARK: Final = Scheme((0x14, 0x16, 0x1A), (0x1C, 0x1F, 0x25), _WHITE, (0x14, 0x16, 0x1A), 0.12)


@dataclass(frozen=True, slots=True)
class Accent:
    """One scheme's colours, as the stylesheet writes them."""

    accent: str
    ink: str
    """What is written on it."""
    wash: str


def read(text: str) -> str:
    """Return a colour as `#rrggbb`. Raises ValueError."""
    folded = text.lower()
    if not _HEX.fullmatch(folded):
        raise ValueError(f"{text!r} is not a colour like #1f4e8c")
    return folded


def accent(colour: str, scheme: Scheme) -> Accent:
    """Return the accent for a scheme, by the table above."""
    given = _rgb(colour)
    found = next(each for each in _nearer(given, scheme.towards) if _suffices(each, scheme))
    return Accent(_spelt(found), _spelt(scheme.on_accent), _spelt(mixed(scheme.sheet, found, scheme.wash)))


def contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(one: Rgb, other: Rgb, share: float) -> Rgb:
    """Return the colour with a share of the other in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _nearer(given: Rgb, end: Rgb) -> Iterator[Rgb]:
    return (mixed(given, end, step / _STEPS) for step in range(_STEPS + 1))


def _suffices(found: Rgb, scheme: Scheme) -> bool:
    beside = (scheme.ground, scheme.sheet, mixed(scheme.sheet, found, scheme.wash), scheme.on_accent)
    return all(contrast(found, each) >= ENOUGH for each in beside)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= _LINEAR_BELOW else ((part + 0.055) / 1.055) ** 2.4


def _rgb(colour: str) -> Rgb:
    red, green, blue = bytes.fromhex(read(colour)[1:])
    return red, green, blue


def _spelt(colour: Rgb) -> str:
    return f"#{bytes(colour).hex()}"
