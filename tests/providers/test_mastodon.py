"""Mastodon: the kit, and its own traps."""

from typing import ClassVar, Final

import pytest

from providers import scope_of
from providers.mastodon import read
from tests.contracts import oauth2_service
from tests.support.bench import Bench
from tests.support.configuration import provider_options

FACE: Final = "https://files.example/avatars/a.png"


class TestMastodon(oauth2_service.ServiceContract):
    """One instance, on loopback."""

    KIND = "mastodon"
    SCOPE = ("{url}", "id")
    CALLS = ("/oauth/token", "/api/v1/accounts/verify_credentials")
    PROFILE: ClassVar = {"id": "14715", "username": "ada", "acct": "ada", "display_name": "Ada", "avatar": FACE}
    NAME = "display_name"
    HANDLE = "username"
    FORCED: ClassVar = {"force_login": "true"}
    SUBJECT_OF: ClassVar = oauth2_service.TEXT
    VERIFIED_OF: ClassVar = oauth2_service.UNVERIFIED

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options of this instance."""
        return {**super().options(on), "url": f"{on.upstream.url}/"}


def scope(url: str) -> object:
    """Return within what ids are unique at an instance."""
    values = {"client_id": "us", "client_secret": "canary-secret", "url": url}
    return scope_of("mastodon", provider_options("mastodon", values))


def test_another_instance_is_another_issuer() -> None:
    """Otherwise a section that is pointed at another instance lets its people into the accounts of the first."""
    assert scope("https://one.example") != scope("https://two.example")
    assert scope("https://one.example") == scope("https://one.example/")


@pytest.mark.parametrize("shown", ["14715", "01H8XKZ4S3R4YQ0N6T", "9nYcBRm3pLs4Qk"])
def test_ids_of_other_servers_are_ids_too(shown: str) -> None:
    """Otherwise GoToSocial, Pleroma and Akkoma, which speak the same API, cannot be used."""
    assert read({"id": shown}).subject == shown
