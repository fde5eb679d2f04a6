"""The OpenID provider `oidc-provider-mock` of PyPI: plain http, no PKCE, and a `state` that it forgets when refused."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from tests.support import needs
from tests.support.login_pages import way_back
from tests.support.memcached import free_port
from tests.support.openid_provider import OpenIdClient
from tests.support.provider_process import ProviderProcess


class OidcProviderMock:
    """The provider, running until `stop`; `issuer` is its address. Clients have to register.

    Args:
        folder: for its log.
    """

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.issuer = f"http://127.0.0.1:{port}"
        self.ca_file = None
        command = [str(needs.find("oidc-provider-mock")), "-m", "oidc_provider_mock", "--port", str(port)]
        self._process = ProviderProcess(
            [*command, "--require-registration", "--require-nonce"],
            log=folder / f"oidc-provider-mock-{port}.log",
            ready=f"{self.issuer}/.well-known/openid-configuration",
        )
        self._process.start()

    def register(self, redirect_uri: str, **metadata: Any) -> OpenIdClient:  # noqa: ANN401 - RFC 7591 metadata
        """Register a client (RFC 7591) that may be answered at `redirect_uri`."""
        wanted = {"redirect_uris": [redirect_uri], **metadata}
        made = httpx2.post(f"{self.issuer}/oauth2/clients", json=wanted).raise_for_status().json()
        return OpenIdClient(made["client_id"], made["client_secret"])

    def tell(self, subject: str, **claims: Any) -> None:  # noqa: ANN401 - claims are any JSON
        """Say what the provider knows of a person; of others it says that their address is their subject."""
        httpx2.put(f"{self.issuer}/users/{quote(subject)}", json=claims).raise_for_status()

    def log_in(self, location: str, name: str, *, choice: str = "allow") -> str:
        """Go through a login; `name` is the subject, `deny` the other choice. Return the callback's URL."""
        return way_back(location, {"sub": name} if choice == "allow" else {"action": choice})

    def stop(self) -> None:
        """End it."""
        self._process.stop()
