"""LINE: the kit, and the algorithm LINE signs with."""

from typing import ClassVar

import pytest

from providers.base import ProviderBroken
from tests.contracts import oidc_preset
from tests.support.bench import Bench
from tests.support.signing import signed_with_text
from tests.support.upstream import CLIENT_SECRET


class TestLine(oidc_preset.OidcPreset):
    """LINE as it publishes itself; it signs with the channel secret unless it is asked for its key."""

    KIND = "line"
    PROVES_FRESH_LOGIN = True
    DOCUMENT: ClassVar = {
        "issuer": "https://access.line.me",
        "authorization_endpoint": "https://access.line.me/oauth2/v2.1/authorize",
        "token_endpoint": "https://api.line.me/oauth2/v2.1/token",
        "userinfo_endpoint": "https://api.line.me/oauth2/v2.1/userinfo",
        "jwks_uri": "https://api.line.me/oauth2/v2.1/certs",
        "id_token_signing_alg_values_supported": ["ES256"],
    }

    def prepare(self, made: Bench) -> None:
        """Sign as LINE does."""
        super().prepare(made)
        made.upstream.client_auth = "post"
        made.upstream.edit_token = lambda token: (
            token if b"id_token_key_type=JWK" in made.upstream.seen[-1].body else _by_secret()
        )

    def test_a_token_signed_with_the_channel_secret_is_refused(self, on: Bench) -> None:
        """Otherwise whoever reads the secret, or guesses that a public key is taken for one, signs as LINE."""
        on.upstream.edit_token = lambda _: _by_secret()

        with pytest.raises(ProviderBroken, match="HS256 is not one of those agreed on"):
            on.log_in()


def _by_secret() -> str:
    return signed_with_text({"alg": "HS256", "typ": "JWT"}, {"sub": "a"}, CLIENT_SECRET.encode())
