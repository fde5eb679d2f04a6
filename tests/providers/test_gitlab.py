"""GitLab: the kit, on gitlab.com and on a GitLab of one's own."""

from typing import Any, ClassVar

from tests.contracts import oidc_preset
from tests.support.bench import Bench


def document(url: str) -> dict[str, Any]:
    """Return what the GitLab at an address publishes."""
    return {
        "issuer": url,
        "authorization_endpoint": f"{url}/oauth/authorize",
        "token_endpoint": f"{url}/oauth/token",
        "userinfo_endpoint": f"{url}/oauth/userinfo",
        "jwks_uri": f"{url}/oauth/discovery/keys",
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }


class TestGitLab(oidc_preset.OidcPreset):
    """gitlab.com."""

    KIND = "gitlab"
    PROVES_FRESH_LOGIN = True
    DOCUMENT: ClassVar = document("https://gitlab.com")


class TestOwnGitLab(TestGitLab):
    """A GitLab below a path, named with a slash at its end."""

    DOCUMENT: ClassVar = document("https://code.example/gitlab")
    DISCOVERY_URL = "https://code.example/gitlab/.well-known/openid-configuration"

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options, with the address."""
        return {**super().options(on), "url": "https://code.example/gitlab/"}
