"""A Dex over https, and over plain http for the daemon; people have a password there, and nothing is kept.

It knows its clients from its configuration, so it starts when they are all registered.
"""

import json
from pathlib import Path
from typing import Any, Final

from tests.support import needs
from tests.support.certificates import Authority
from tests.support.login_pages import way_back
from tests.support.memcached import free_port
from tests.support.openid_provider import OpenIdClient
from tests.support.provider_process import ProviderProcess

PASSWORD: Final = "password"
"""Everybody's."""
# That password, from the examples of Dex.
_HASH: Final = "$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W"


class Dex:
    """The provider; `issuer` is its address for browsers, `inside` the one for servers.

    Args:
        folder: for its configuration and log.
        authority: signs its certificate.
        people: names of those who have a password; their addresses are at example.test.
    """

    def __init__(self, folder: Path, authority: Authority, people: tuple[str, ...]) -> None:
        port, inside = free_port(), free_port()
        self.issuer = f"https://127.0.0.1:{port}/dex"
        self.inside = f"http://127.0.0.1:{inside}"
        self.ca_file = authority.ca_file
        self.trust = authority.client_context()
        self._file = folder / f"dex-{port}.json"
        certificate = authority.issue()
        self._configuration: dict[str, Any] = {
            "issuer": self.issuer,
            "storage": {"type": "memory"},
            "web": {
                "https": f"127.0.0.1:{port}",
                "http": f"127.0.0.1:{inside}",
                "tlsCert": str(certificate.certificate),
                "tlsKey": str(certificate.key),
            },
            "staticClients": [],
            "enablePasswordDB": True,
            "staticPasswords": [
                {"email": f"{name}@example.test", "hash": _HASH, "username": name, "userID": f"id-of-{name}"}
                for name in people
            ],
        }
        # JSON is YAML.
        self._process = ProviderProcess(
            [str(needs.find("dex")), "serve", str(self._file)],
            log=folder / f"dex-{port}.log",
            ready=f"{self.issuer}/.well-known/openid-configuration",
            trust=self.trust,
        )

    def register(self, redirect_uri: str, **metadata: Any) -> OpenIdClient:  # noqa: ANN401 - Dex's own words
        """Add a client, before the start."""
        clients = self._configuration["staticClients"]
        client = OpenIdClient(f"client-{len(clients)}", f"secret of client {len(clients)}")
        told = {"id": client.id, "secret": client.secret, "name": client.id, "redirectURIs": [redirect_uri]}
        clients.append({**told, **metadata})
        return client

    def start(self) -> None:
        """Start it, or start it again: it has new keys then, and has forgotten all logins."""
        self.stop()
        self._file.write_text(json.dumps(self._configuration))
        self._process.start()

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def log_in(self, location: str, name: str, *, choice: str = "allow") -> str:
        """Log in with the right password and agree. Return the callback's URL."""
        approval = "approve" if choice == "allow" else choice
        typed = {"login": f"{name}@example.test", "password": PASSWORD, "approval": approval}
        return way_back(location, typed, trust=self.trust)
