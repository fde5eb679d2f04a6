"""An operator's colour as an accessible pair: each row of the table, and every colour there is in steps."""

import re
from itertools import product
from typing import Final

import pytest

from identity.web.pages import colour
from identity.web.pages.colour import DARK, ENOUGH, LIGHT, Rgb, Scheme
from identity.web.pages.style import STYLESHEET, in_colour

SCHEMES: Final = pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
EVERY: Final = [f"#{red}{green}{blue}" for red, green, blue in product(("00", "33", "66", "99", "cc", "ff"), repeat=3)]


def rgb(spelt: str) -> Rgb:
    """Return a colour's parts."""
    red, green, blue = bytes.fromhex(spelt.removeprefix("#"))
    return red, green, blue


def of_stylesheet(name: str, scheme: Scheme) -> Rgb:
    """Return a colour of the stylesheet."""
    light, dark = re.findall(rf"--{name}: (#[0-9a-f]{{6}});", STYLESHEET.body.decode())
    return rgb(light if scheme is LIGHT else dark)


@pytest.mark.parametrize(
    ("given", "scheme", "accent", "ink"),
    [
        ("#1f4e8c", LIGHT, "#1f4e8c", "#ffffff"),
        ("#1F4E8C", LIGHT, "#1f4e8c", "#ffffff"),
        ("#8fb8f2", DARK, "#8fb8f2", "#14161a"),
        ("#000000", LIGHT, "#000000", "#ffffff"),
        ("#ffffff", DARK, "#ffffff", "#14161a"),
    ],
)
def test_a_colour_that_can_be_read_stays_as_it_is(given: str, scheme: Scheme, accent: str, ink: str) -> None:
    """The operator would see another colour than the one that was asked for."""
    made = colour.accent(given, scheme)

    assert (made.accent, made.ink) == (accent, ink)


@pytest.mark.parametrize(("given", "scheme"), [("#ffe600", LIGHT), ("#ffffff", LIGHT), ("#000000", DARK)])
def test_a_colour_that_cannot_be_read_is_moved(given: str, scheme: Scheme) -> None:
    """Yellow letters on white, or black ones at night, would be the button to log in with."""
    assert colour.accent(given, scheme).accent != given


@SCHEMES
def test_every_colour_becomes_one_that_can_be_read(scheme: Scheme) -> None:
    """A person with weak eyes could not read the one button, because of the colour of a brand."""
    soft, ink = of_stylesheet("soft", scheme), of_stylesheet("ink", scheme)
    for given in EVERY:
        made = colour.accent(given, scheme)
        accent, wash = rgb(made.accent), rgb(made.wash)
        on_each_other = [(accent, scheme.ground), (accent, scheme.sheet), (accent, wash), (rgb(made.ink), accent)]
        for one, other in (*on_each_other, (soft, wash), (ink, wash)):
            assert colour.contrast(one, other) >= ENOUGH, (given, one, other)


@SCHEMES
def test_the_grounds_are_those_of_the_stylesheet(scheme: Scheme) -> None:
    """Contrast would be reckoned with a page that is not shown."""
    assert (scheme.ground, scheme.sheet) == (of_stylesheet("ground", scheme), of_stylesheet("sheet", scheme))


def test_contrast_is_what_wcag_says() -> None:
    """A slip in the formula would pass every other test here."""
    assert colour.contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert colour.contrast((0x77, 0x77, 0x77), (255, 255, 255)) == pytest.approx(4.478, abs=0.001)


@pytest.mark.parametrize("text", ["blue", "#fff", "#1f4e8", "1f4e8c", "#1f4e8g", "#1f4e8c;", "rgb(1, 2, 3)"])
def test_anything_but_six_digits_is_refused(text: str) -> None:
    """What is pasted would end up in the stylesheet."""
    with pytest.raises(ValueError, match="like #1f4e8c"):
        colour.read(text)


def test_the_stylesheet_ends_with_the_colours_of_both_schemes() -> None:
    """Before ours, they would be overruled by ours; under the old address, the browser keeps the old one."""
    sheet = in_colour("#b00020")

    ours, light, dark = sheet.body.decode().partition(STYLESHEET.body.decode())[2].partition("@media")
    assert "--accent: #b00020" in ours
    assert light == "@media"
    assert "prefers-color-scheme: dark" in dark
    assert sheet.url != STYLESHEET.url
