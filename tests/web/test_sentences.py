"""The catalogue: every sentence exists, is used, and is only text; times are put into words."""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Final

import pytest

from identity.types import DAY, HOUR, MINUTE, SECOND, Millis
from identity.web.pages import moments
from identity.web.pages.english import ENGLISH
from identity.web.pages.rendering import TEMPLATES
from tests.support.clock import NOON

SENTENCE_CALL: Final = re.compile(r"\b(?:t|count|has)\(\s*\"([^\"]+)\"\s*(~?)")


def sources() -> Mapping[str, str]:
    """Return the templates."""
    return {path.name: path.read_text() for path in sorted(TEMPLATES.glob("*.html"))}


def used_keys() -> tuple[set[str], set[str]]:
    """Return the sentences templates and code name in full, and the beginnings of those they put together."""
    calls = [call for source in sources().values() for call in SENTENCE_CALL.findall(source)]
    code = (Path(TEMPLATES).parent / "rendering.py").read_text()
    said = re.findall(r"(?:say|count|has)\((?:f?)\"([^\"{]+)", code) + re.findall(r"else \"(place\.[a-z-]+)\"", code)
    whole = {key for key, joined in calls if not joined} | {key for key in said if not key.endswith(".")}
    return whole, {key for key, joined in calls if joined} | {key for key in said if key.endswith(".")}


def test_every_sentence_named_exists() -> None:
    """A page with a misspelt sentence would be a 500."""
    whole, _ = used_keys()

    for key in whole:
        assert ENGLISH.has(key) or ENGLISH.has(f"{key}.one"), key


def test_every_sentence_is_used() -> None:
    """Translators would work on sentences nobody ever reads."""
    whole, beginnings = used_keys()
    beginnings |= {"notice.", "error.", *(f"{key}." for key in whole)}

    unused = [k for k in ENGLISH.sentences if k not in whole and not k.startswith(tuple(beginnings))]

    assert unused == []


@pytest.mark.parametrize("name", sorted(sources()))
def test_templates_hold_no_words_of_their_own(name: str) -> None:
    """A sentence outside the catalogue would stay English in every language."""
    worded = re.sub(r"\{% block width %\}[a-z]+", "", sources()[name])
    without_code = re.sub(r"\{[{%#].*?[}%#]\}", "", worded, flags=re.DOTALL)
    without_tags = re.sub(r"<[^>]*>", "", without_code)
    labels = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', without_code)

    assert not re.search(r"[A-Za-z]", without_tags)
    assert not [label for label in labels if label]


@pytest.mark.parametrize("key", sorted(ENGLISH.sentences))
def test_sentences_are_text_with_named_places(key: str) -> None:
    """Markup or a bare `{}` in a sentence would reach the page, or break it, in some language."""
    sentence = ENGLISH.sentences[key]

    assert not re.search(r"[<>&]", sentence)
    assert all(name for _, name, _, _ in Formatter().parse(sentence) if name is not None)


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (-5 * MINUTE, ("now", 0)),
        (59 * SECOND, ("now", 0)),
        (MINUTE, ("minutes", 1)),
        (59 * MINUTE + 59 * SECOND, ("minutes", 59)),
        (HOUR, ("hours", 1)),
        (47 * HOUR, ("days", 1)),
        (29 * DAY, ("days", 29)),
        (30 * DAY, ("months", 1)),
        (365 * DAY, ("years", 1)),
    ],
)
def test_how_long_ago_is_said_in_one_unit(age: Millis, said: tuple[str, int]) -> None:
    """A session used yesterday would look as if it were used now, or in the future."""
    assert said == moments.ago(NOON - age, now=NOON)
