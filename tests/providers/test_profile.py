"""What strangers say about themselves, made fit to be stored."""

from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providers.base import Profile, ProviderProfile, fit, plain


def profile(text: str) -> Profile:
    """Make a profile that says the same everywhere."""
    said: dict[str, Any] = {each.name: text for each in fields(Profile) if each.type is str}
    return Profile(**said, email_verified=True)


def test_ordinary_text_is_kept() -> None:
    """People want to be called what they are called."""
    said = profile("Zoë “Z” Groß ✓")

    assert fit(said) == said


@given(st.text(st.characters(), max_size=3_000))
def test_whatever_is_said_can_be_stored_and_shown(text: str) -> None:
    """A name with half a character in it would make each of the person's logins an error."""
    kept = fit(profile(text))

    for each in fields(Profile):
        if each.type is str:
            said = getattr(kept, each.name)
            assert said.encode().decode() == said
            assert said.isprintable()
            assert len(said) <= each.metadata["longest"]
    assert fit(kept) == kept


def test_control_and_invisible_characters_are_dropped() -> None:
    """A line end in a name would forge a line in a log or a mail."""
    assert plain(" al\r\nice\N{RIGHT-TO-LEFT OVERRIDE}\0 ", 100) == "alice"


def test_half_an_address_of_a_picture_is_none() -> None:
    """A cut address is another address."""
    assert fit(profile("https://example.org/" + "x" * 2_000)).picture == ""
    assert fit(profile("https://example.org/\n")).picture == ""


def test_who_a_person_is_stays_out_of_what_is_said() -> None:
    """A subject kept as information could be taken for a key."""
    told = ProviderProfile("1", email_verified=False, tenant="t", handle="ada", name="Ada")

    assert fit(told) == Profile(name="Ada", email_verified=False)
