"""LinkedIn: the kit, but for what LinkedIn does not have: a nonce in its tokens, and PKCE."""

from typing import ClassVar

import pytest

from providers.base import ProviderBroken
from tests.contracts import oidc_preset
from tests.support.bench import Bench


class TestLinkedIn(oidc_preset.OidcPreset):
    """LinkedIn as it publishes itself; its ID tokens have no nonce."""

    KIND = "linkedin"
    DOCUMENT: ClassVar = {
        "issuer": "https://www.linkedin.com/oauth",
        "authorization_endpoint": "https://www.linkedin.com/oauth/v2/authorization",
        "token_endpoint": "https://www.linkedin.com/oauth/v2/accessToken",
        "userinfo_endpoint": "https://api.linkedin.com/v2/userinfo",
        "jwks_uri": "https://www.linkedin.com/oauth/openid/jwks",
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }
    INAPPLICABLE: ClassVar = {
        **oidc_preset.without_challenge("LinkedIn refuses an exchange that carries a verifier"),
        "test_a_code_of_another_browsers_login_is_refused_even_with_the_right_state": (
            "LinkedIn binds a code neither by a challenge nor by a nonce, so the state alone does"
        ),
    }

    def prepare(self, made: Bench) -> None:
        """Leave the nonce out, as LinkedIn does."""
        super().prepare(made)
        made.upstream.edit_claims = lambda claims: claims.pop("nonce")

    def test_no_challenge_is_sent(self, on: Bench) -> None:
        """Otherwise LinkedIn answers the exchange with `invalid_client`, and nobody can log in."""
        assert "code_challenge" not in on.begin().begun.location

    @pytest.mark.parametrize("nonce", ["another", 7, ["x"]])
    def test_a_wrong_nonce_is_refused_although_none_is_not(self, on: Bench, nonce: object) -> None:
        """Otherwise a token made for another login counts here, on the day LinkedIn sends nonces."""
        on.upstream.edit_claims = lambda claims: claims.update(nonce=nonce)

        with pytest.raises(ProviderBroken, match="nonce"):
            on.log_in()

    def test_keys_without_a_use_verify(self, on: Bench) -> None:
        """Otherwise none of LinkedIn's keys counts, because they do not say what they are for."""
        path = self.CALLS[-1]
        on.upstream.edits = {
            path: lambda value: {"keys": [{k: v for k, v in key.items() if k != "use"} for key in value["keys"]]}
        }

        assert on.log_in().subject
