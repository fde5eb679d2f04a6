"""Spotify: the kit, and its own traps."""

from typing import ClassVar, Final

import pytest

from providers.spotify import read
from tests.contracts import oauth2_service
from tests.contracts.provider_cases import SHAPES

FACE: Final = "https://i.scdn.co/image/ab67"


class TestSpotify(oauth2_service.ServiceContract):
    """Spotify's Web API, which wants Basic."""

    KIND = "spotify"
    SCOPE = ("https://accounts.spotify.com", "id")
    CALLS = ("/accounts.spotify.com/api/token", "/api.spotify.com/v1/me")
    METHOD = "basic"
    PROFILE: ClassVar = {"id": "31abc", "display_name": "Ada", "images": [{"url": FACE, "height": 64}], "type": "user"}
    NAME = "display_name"
    SUBJECT_OF: ClassVar = oauth2_service.TEXT
    VERIFIED_OF: ClassVar = oauth2_service.UNVERIFIED


def test_an_address_is_never_called_verified() -> None:
    """Otherwise an address that a person typed, and Spotify calls unproven, counts as theirs."""
    profile = read({"id": "a", "email": "ada@example.org", "verified": True, "email_verified": True})

    assert (profile.email, profile.email_verified) == ("ada@example.org", False)


@pytest.mark.parametrize("name", SHAPES)
def test_odd_pictures_are_none(name: str) -> None:
    """Otherwise a person whose list of pictures is empty, or null, cannot log in."""
    assert read({"id": "a", "images": SHAPES[name]}).picture == ""


@pytest.mark.parametrize(("images", "face"), [([], ""), ([{"url": FACE}, {"url": "https://other.example/"}], FACE)])
def test_the_first_picture_is_shown(images: list[object], face: str) -> None:
    """Otherwise account pages have no pictures."""
    assert read({"id": "a", "images": images}).picture == face
