"""Discord: the kit, and its own traps."""

from typing import ClassVar, Final

import pytest

from providers.base import ProviderBroken
from providers.discord import picture, read
from tests.contracts import oauth2_service

HASH: Final = "8342729096ea3675442027381ff50dfe"
AVATARS: Final = "https://cdn.discordapp.com/avatars/80351110224678912"


class TestDiscord(oauth2_service.ServiceContract):
    """Discord's API."""

    KIND = "discord"
    SCOPE = ("https://discord.com", "id")
    CALLS = ("/discord.com/api/v10/oauth2/token", "/discord.com/api/v10/users/@me")
    PROFILE: ClassVar = {"id": "80351110224678912", "username": "ada", "global_name": "Ada", "avatar": HASH, "flags": 0}
    NAME = "global_name"
    HANDLE = "username"
    SUBJECT_OF: ClassVar = {"a number": "12345"}
    # The API is typed: it says true, and nothing else is taken for it.
    VERIFIED_OF: ClassVar = {**oauth2_service.UNVERIFIED, "true": True}


@pytest.mark.parametrize("shown", ["80351110224678912", 80351110224678912], ids=repr)
def test_a_snowflake_is_the_same_as_text_and_as_a_number(shown: object) -> None:
    """Otherwise people become strangers when an API writes ids the other way."""
    assert read({"id": shown}).subject == "80351110224678912"


def test_a_snowflake_that_lost_its_last_digits_is_refused() -> None:
    """Otherwise a number that went through floating point is another person's id."""
    with pytest.raises(ProviderBroken):
        read({"id": 8.0351110224678912e16})


def test_verified_without_an_address_verifies_nothing() -> None:
    """Otherwise a login without the scope `email` has a verified address that is empty."""
    assert read({"id": "1", "verified": True}).email_verified is False


@pytest.mark.parametrize(
    ("avatar", "address"),
    [
        (HASH, f"{AVATARS}/{HASH}.png"),
        (f"a_{HASH}", f"{AVATARS}/a_{HASH}.png"),
        (None, ""),
        ("", ""),
        ("../../../evil", ""),
        (f"{HASH}\n", ""),
        (7, ""),
    ],
)
def test_a_picture_is_made_of_a_hash_only(avatar: object, address: str) -> None:
    """Otherwise what a stranger wrote is part of an address that browsers load."""
    assert picture("80351110224678912", avatar) == address
