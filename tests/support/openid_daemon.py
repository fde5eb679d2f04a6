"""A daemon process with clients of a real OpenID provider: one `[provider:…]` section for each way to be set up."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from tests.support.certificates import Certificate
from tests.support.openid_provider import OpenIdClient
from tests.support.running import ROOT, Running

Ways = Mapping[str, tuple[Mapping[str, Any], Mapping[str, str]]]
"""By name: what the client is registered with there, and what the daemon's configuration says besides."""


class ClientRegistry(Protocol):
    """A provider that takes new clients."""

    @property
    def issuer(self) -> str:
        """Its issuer."""

    @property
    def ca_file(self) -> Path | None:
        """What must be trusted to reach it, besides the system's authorities."""

    def register(self, redirect_uri: str, **metadata: Any) -> OpenIdClient:  # noqa: ANN401 - the provider's own words
        """Register a client that may be answered at `redirect_uri`."""


def daemon_with(
    folder: Path, provider: ClientRegistry, ways: Ways, *, trusting: bool = True, own: Certificate | None = None
) -> Running:
    """Return a daemon, not started, with a client of the provider's for each of these ways.

    Args:
        folder: its configuration, key ring and accounts.
        provider: where the clients are registered.
        ways: how.
        trusting: whether the daemon trusts the authority of the provider's certificate.
        own: the daemon's certificate, for browsers that come over https.
    """
    environ = {"SSL_CERT_FILE": str(provider.ca_file)} if trusting and provider.ca_file else {}
    running = Running(folder, {}, demo=False, environ=environ)
    sections = {"outbound": {"allow_networks": "127.0.0.0/8"}}
    if own:
        running.url = running.url.replace("http:", "https:")
        tls = {"tls_certificate": str(own.certificate), "tls_key": str(own.key)}
        sections["server"] = {"public_url": running.url, "trusted_proxies": "", **tls}
    for name, (metadata, options) in ways.items():
        client = provider.register(f"{running.url}/login/{name}/callback", **metadata)
        secret = {"client_secret": client.secret} if client.secret else {}
        told = {"kind": "oidc", "issuer": provider.issuer, "client_id": client.id, **secret}
        sections[f"provider:{name}"] = {**told, **options}
    running.write(sections)
    return running


def trial(daemon: Running, name: str) -> list[str]:
    """Return the lines of `identityd.py providers test` with this daemon's configuration."""
    command = [sys.executable, str(ROOT / "identityd.py"), "providers", "test", name, "--config", "identityd.ini"]
    done = subprocess.run(
        command, cwd=daemon.folder, env=daemon._environ, capture_output=True, text=True, check=False, timeout=120
    )
    return [line for line in (done.stdout + done.stderr).splitlines() if line]
