"""The catalogue: every sentence exists, is used, and is only text; times are put into words."""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Final

import pytest

from identity.types import DAY, HOUR, MINUTE, SECOND, Millis
from identity.web.pages import times
from identity.web.pages.catalogue import ENGLISH
from identity.web.pages.rendering import TEMPLATES
from tests.support.clock import NOON
from tests.support.sentences import LANGUAGES, made, sentences, written

ALL: Final = sentences(written("en"))
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
        assert key in ALL, key


def test_every_sentence_is_used() -> None:
    """Translators would work on sentences nobody ever reads."""
    whole, beginnings = used_keys()
    beginnings |= {"notice.", "error."}

    unused = [k for k in ALL if k not in whole and not k.startswith(tuple(beginnings))]

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


@pytest.mark.parametrize("key", sorted(ALL))
def test_sentences_are_text_with_named_places(key: str) -> None:
    """Markup or a bare `{}` in a sentence would reach the page, or break it, in some language."""
    for sentence in ALL[key]:
        assert not re.search(r"[<>&]", sentence)
        assert all(name for _, name, _, _ in Formatter().parse(sentence) if name is not None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_daemon_reads_what_was_written(language: str) -> None:
    """A mended sentence would not be shown, because nobody ran `make catalogues`."""
    assert sentences(made(language)) == sentences(written(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_sentence_and_no_other(language: str) -> None:
    """A page would be a 500 in that language, or a translator's work would never be seen."""
    catalogue = written(language)
    found = sentences(catalogue)

    assert found.keys() == ALL.keys()
    assert all(all(each) for each in found.values())
    assert {key for key in found if len(found[key]) != 1} == {key for key in ALL if len(ALL[key]) != 1}
    assert not any(message.fuzzy for message in catalogue if message.id)
    assert {key: _places(found[key][-1]) for key in found} == {key: _places(ALL[key][-1]) for key in ALL}


def _places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_a_key_without_a_sentence_is_an_error_and_not_a_word_on_the_page() -> None:
    """A person would read `login.titel` where a sentence should be."""
    with pytest.raises(KeyError):
        ENGLISH.say("login.titel")
    with pytest.raises(KeyError):
        ENGLISH.count("time.fortnights", 2)
    assert not ENGLISH.has("login.titel")


@pytest.mark.parametrize(("n", "said"), [(0, "0 minutes ago"), (1, "1 minute ago"), (2, "2 minutes ago")])
def test_things_are_counted_as_english_counts(n: int, said: str) -> None:
    """A page would say "1 minutes"."""
    assert ENGLISH.count("time.minutes", n) == said


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
    assert said == times.ago(NOON - age, now=NOON)
