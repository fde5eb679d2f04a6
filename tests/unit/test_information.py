"""What strangers say about themselves, made fit to be stored."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from identity.accounts.information import label, storable
from identity.accounts.store import Profile
from identity.types import AccountId
from tests.support.clock import NOON


def profile(text: str) -> Profile:
    """Make a profile that says the same everywhere."""
    return Profile(AccountId(UUID(int=1)), text, text, email_verified=True, picture=text, seen_at=NOON)


def test_ordinary_text_is_kept() -> None:
    """People want to be called what they are called."""
    said = profile("Zoë “Z” Groß ✓")

    assert storable(said) == said
    assert label("@zoë") == "@zoë"


@given(st.text(st.characters(), max_size=3_000))
def test_whatever_is_said_can_be_stored_and_shown(text: str) -> None:
    """A name with half a character in it would make each of the person's logins an error."""
    kept = storable(profile(text))

    for said in (kept.display_name, kept.email, kept.picture, label(text)):
        assert said.encode().decode() == said
        assert said.isprintable()
    assert (len(kept.display_name) <= 200, len(kept.email) <= 320, len(label(text)) <= 100) == (True, True, True)


def test_control_and_invisible_characters_are_dropped() -> None:
    """A line end in a name would forge a line in a log or a mail."""
    assert label(" al\r\nice\N{RIGHT-TO-LEFT OVERRIDE}\0 ") == "alice"


def test_half_an_address_of_a_picture_is_none() -> None:
    """A cut address is another address."""
    assert storable(profile("https://example.org/" + "x" * 2_000)).picture == ""
    assert storable(profile("https://example.org/\n")).picture == ""
