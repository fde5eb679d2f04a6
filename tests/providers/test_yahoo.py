"""Yahoo: the kit. What binds a code to its browser there is the nonce."""

from typing import ClassVar

import pytest

from providers.base import ProviderBroken
from tests.contracts import oidc_preset
from tests.support.bench import Bench


class TestYahoo(oidc_preset.OidcPreset):
    """Yahoo as it publishes itself."""

    KIND = "yahoo"
    PROVES_FRESH_LOGIN = True
    DOCUMENT: ClassVar = {
        "issuer": "https://api.login.yahoo.com",
        "authorization_endpoint": "https://api.login.yahoo.com/oauth2/request_auth",
        "token_endpoint": "https://api.login.yahoo.com/oauth2/get_token",
        "userinfo_endpoint": "https://api.login.yahoo.com/openid/v1/userinfo",
        "jwks_uri": "https://api.login.yahoo.com/openid/v1/certs",
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }
    INAPPLICABLE: ClassVar = oidc_preset.without_challenge("Yahoo refuses a challenge of a client with a secret")

    def test_no_challenge_is_sent(self, on: Bench) -> None:
        """Otherwise Yahoo calls the client unknown, and nobody can log in."""
        assert "code_challenge" not in on.begin().begun.location

    def test_every_request_has_a_nonce_and_every_token_repeats_it(self, on: Bench) -> None:
        """Otherwise nothing binds a code to the browser it was made for."""
        login = on.begin()
        assert f"nonce={login.start.nonce}" in login.begun.location

        on.upstream.edit_claims = lambda claims: claims.pop("nonce")
        with pytest.raises(ProviderBroken, match="nonce"):
            on.finish(login, on.come_back(login))
