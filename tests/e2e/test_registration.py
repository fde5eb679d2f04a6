"""`providers register` at an OpenID provider that was written elsewhere (RFC 7591), and a login with the outcome."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.openid_person import people
from tests.support.openid_provider import OpenIdProvider
from tests.support.running import Running
from tests.support.sources import ROOT

pytestmark = pytest.mark.openid
TOKEN: Final = "an-initial-access-token"
QUIET: Final = {"devInteractions": {"enabled": False}}

Start = Callable[..., OpenIdProvider]


class Newcomer:
    """A daemon whose section names an issuer that knows nothing of it."""

    def __init__(self, folder: Path, provider: OpenIdProvider, **options: str) -> None:
        self.daemon = Running(folder, {}, demo=False, environ={"SSL_CERT_FILE": str(provider.ca_file)})
        self.provider = provider
        self.options = {"kind": "oidc", "issuer": provider.issuer, "client_secret_file": "op.secret", **options}
        self.secret = folder / "op.secret"
        self.write()

    def write(self, **more: str) -> None:
        """Write the configuration."""
        self.options |= more
        self.daemon.write({"outbound": {"allow_networks": "127.0.0.0/8"}, "provider:op": self.options})

    def register(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the command."""
        command = [sys.executable, str(ROOT / "identityd.py"), "providers", "register", "op", *words]
        folder, environ = self.daemon.folder, self.daemon._environ
        return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60)

    def take_over(self, *words: str) -> None:
        """Register, and write what is printed into the section."""
        done = self.register(*words)
        assert done.returncode == 0, done.stderr
        self.write(**dict(line.split(" = ", 1) for line in done.stdout.splitlines()))


def sign_up(newcomer: Newcomer) -> None:
    """Sign up at the provider with the registered client."""
    with newcomer.daemon as daemon, people(daemon, newcomer.provider) as make:
        person = make()
        answer = person.choose(person.log_in("grace"), "grace")
        assert str(answer.url).endswith("/account"), answer.text


def registering(**how: Any) -> dict[str, Any]:  # noqa: ANN401 - settings of npm's
    """Return features of the provider's with a registration of this sort."""
    return {**QUIET, "registration": {"enabled": True, **how}}


def test_a_registered_client_logs_people_in(tmp_path: Path, openid_provider: OpenIdProvider) -> None:
    """The one thing it is for: an issuer's address, and no console."""
    newcomer = Newcomer(tmp_path / "run", openid_provider)

    newcomer.take_over()

    assert newcomer.secret.stat().st_mode & 0o777 == 0o600
    sign_up(newcomer)


def test_the_way_the_secret_is_shown_is_what_the_provider_offers(tmp_path: Path, start_openid_provider: Start) -> None:
    """Otherwise the client is registered for a way that its provider does not know."""
    newcomer = Newcomer(tmp_path / "run", start_openid_provider(clientAuthMethods=["client_secret_post"]))

    newcomer.take_over()

    sign_up(newcomer)


def test_the_addresses_of_logging_out_are_registered_with_it(tmp_path: Path, start_openid_provider: Start) -> None:
    """Otherwise an operator switches the option on, and the provider tells nothing."""
    provider = start_openid_provider(features={**registering(), "backchannelLogout": {"enabled": True}})
    newcomer = Newcomer(tmp_path / "run", provider, backchannel_logout="yes", logout_at_provider="offer")

    newcomer.take_over()

    with newcomer.daemon as daemon, people(daemon, provider) as make:
        person = make()
        person.choose(person.log_in("grace"), "grace")
        there = person.get("/login/op/logout")
        assert there.is_redirect
        page = provider.open(there.headers["location"])
    assert "not registered" not in page
    assert "/session/end/confirm" in page


def test_a_provider_that_registers_no_stranger_wants_a_token(tmp_path: Path, start_openid_provider: Start) -> None:
    """Keycloak and most others do so; the command must say what is missing, and take it from a file."""
    newcomer = Newcomer(tmp_path / "run", start_openid_provider(features=registering(initialAccessToken=TOKEN)))
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)

    refused = newcomer.register()

    assert refused.returncode == 1
    assert "get an initial access token there. Nothing was stored." in refused.stderr
    assert not newcomer.secret.exists()
    newcomer.take_over("--initial-token-file", str(token))
    sign_up(newcomer)


def test_a_provider_without_registration_says_so(tmp_path: Path, start_openid_provider: Start) -> None:
    """Otherwise an operator looks for a fault where there is none."""
    newcomer = Newcomer(tmp_path / "run", start_openid_provider(features=QUIET))

    refused = newcomer.register()

    assert refused.returncode == 1
    assert "names no registration_endpoint; register a client by hand" in refused.stderr


def test_what_the_provider_says_is_wrong_is_told(tmp_path: Path, openid_provider: OpenIdProvider) -> None:
    """Otherwise an operator is left with a number."""
    newcomer = Newcomer(tmp_path / "run", openid_provider, scope="openid no-such-scope")

    refused = newcomer.register()

    assert refused.returncode == 1
    assert "it refuses the registration: 400, invalid_client_metadata: scope" in refused.stderr


def test_a_client_that_proves_itself_with_a_key_is_registered_by_hand(
    tmp_path: Path, openid_provider: OpenIdProvider
) -> None:
    """Otherwise a secret is made that is never shown to anything."""
    newcomer = Newcomer(tmp_path / "run", openid_provider, client_auth="private_key_jwt", key_file="key.pem")

    refused = newcomer.register()

    assert refused.returncode == 1
    assert "proves itself with a key; register it by hand" in refused.stderr
