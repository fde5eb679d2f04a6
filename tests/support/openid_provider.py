"""A real OpenID provider in a process of its own, and a script that logs in there."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.support import needs
from tests.support.certificates import Authority
from tests.support.login_pages import provider_browser, walk, way_back
from tests.support.memcached import free_port

_HERE: Final = Path(__file__).parent / "openid"
MODULES: Final = needs.NPM_FOLDER
TWO_KEYS: Final = {"RS256": "RS256", "ES256": "ES256"}


def node() -> str | None:
    """Return a Node of version 20 or later, if there is one."""
    return needs.find("node")


@dataclass(frozen=True, slots=True)
class OpenIdClient:
    """A client registered with the provider."""

    id: str
    secret: str = field(repr=False)


class OpenIdProvider:
    """The provider, running; `issuer` is its address, `ca_file` what must be trusted to reach it.

    Args:
        folder: for its log.
        authority: signs its certificate.
        options: replaces settings of the npm package `oidc-provider`.
        keys: the algorithm of each signing key, by its id.
    """

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        options: dict[str, Any] | None = None,
        *,
        keys: Mapping[str, str] = TWO_KEYS,
    ) -> None:
        self.port = free_port()
        self.issuer = f"https://127.0.0.1:{self.port}"
        self.ca_file = authority.ca_file
        self._trust = authority.client_context()
        certificate = authority.issue()
        self._log = folder / f"openid-{self.port}.log"
        command = [str(node()), str(_HERE / "provider.mjs"), str(MODULES)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # It calls clients that have certificates of the same authority.
                env={**os.environ, "NODE_EXTRA_CA_CERTS": str(authority.ca_file)},
            )
        configuration = {
            "port": self.port,
            "certificate": certificate.certificate.read_text(),
            "key": certificate.key.read_text(),
            "keys": dict(keys),
            "options": options or {},
        }
        self._tell(configuration)

    def replace_keys(self, keys: Mapping[str, str]) -> None:
        """Make new signing keys, of these algorithms by id; no old one stays, even under its old id."""
        self._tell({"keys": dict(keys)})

    def log(self) -> str:
        """Return what it logged so far."""
        return self._log.read_text(errors="replace")

    def _tell(self, line: dict[str, Any]) -> None:
        pipes = self._process.stdin, self._process.stdout
        if pipes[0] is None or pipes[1] is None:
            raise RuntimeError("the provider's process has no pipes")
        pipes[0].write(json.dumps(line) + "\n")
        pipes[0].flush()
        if pipes[1].readline().strip() != "ready":
            self.stop()
            raise RuntimeError(f"the OpenID provider is not ready: {self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait(timeout=10)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def register(self, redirect_uri: str, **metadata: Any) -> OpenIdClient:  # noqa: ANN401 - RFC 7591 metadata
        """Register a client (RFC 7591) that may be answered at `redirect_uri`."""
        wanted = {"redirect_uris": [redirect_uri], **metadata}
        answer = httpx2.post(f"{self.issuer}/reg", json=wanted, verify=self._trust)
        answer.raise_for_status()
        made = answer.json()
        return OpenIdClient(made["client_id"], made.get("client_secret", ""))

    def open(self, location: str) -> str:
        """Return one of the provider's pages, as a browser with an empty jar sees it."""
        return str(httpx2.get(location, verify=self._trust, follow_redirects=True).text)

    def log_in(self, location: str, name: str, *, choice: str = "allow") -> str:
        """Go through a login as a browser with an empty jar would, and return the callback's URL.

        Args:
            location: where the daemon sent the browser.
            name: what the person types; it becomes the subject.
            choice: `allow`, or `deny` to refuse.
        """
        return way_back(location, {"login": name, "choice": choice}, trust=self._trust)

    def browser(self) -> httpx2.Client:
        """Return a browser with an empty jar; close it."""
        return provider_browser(self._trust)

    def log_in_with(self, browser: httpx2.Client, location: str, name: str) -> str:
        """Go through a login with a browser that may be remembered, typing this name if it is asked; see `log_in`."""
        return walk(browser, location, {"login": name, "choice": "allow"})
