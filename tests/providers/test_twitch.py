"""Twitch: the kit, and asking for claims one by one."""

import json
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.contracts import oidc_preset
from tests.support.bench import Bench


class TestTwitch(oidc_preset.OidcPreset):
    """Twitch as it publishes itself."""

    KIND = "twitch"
    DOCUMENT: ClassVar = {
        "issuer": "https://id.twitch.tv/oauth2",
        "authorization_endpoint": "https://id.twitch.tv/oauth2/authorize",
        "token_endpoint": "https://id.twitch.tv/oauth2/token",
        "userinfo_endpoint": "https://id.twitch.tv/oauth2/userinfo",
        "jwks_uri": "https://id.twitch.tv/oauth2/keys",
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }

    def test_the_address_is_asked_for_by_name(self, on: Bench) -> None:
        """Otherwise Twitch's ID tokens hold a number and nothing else."""
        asked = parse_qs(urlsplit(on.begin().begun.location).query)

        assert asked["scope"] == ["openid user:read:email"]
        assert json.loads(asked["claims"][0])["id_token"].keys() >= {"email", "email_verified", "preferred_username"}

    def test_twitch_is_not_asked_for_a_fresh_login(self, on: Bench) -> None:
        """Otherwise a login is refused for a time of login that Twitch never says."""
        login = on.begin(force_login=True)

        assert "prompt" not in login.begun.location
        assert on.finish(login, on.come_back(login)).subject
