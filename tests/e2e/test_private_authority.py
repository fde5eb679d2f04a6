"""A provider behind an authority that no system knows, where there are no other certificates either."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support.openid_daemon import trial
from tests.support.openid_person import people
from tests.support.openid_provider import OpenIdProvider
from tests.support.running import ROOT, Running

pytestmark = [pytest.mark.openid]

REMEDY: Final = "name it in [outbound] ca_file"


@pytest.fixture
def told(openid_provider: OpenIdProvider, tmp_path: Path) -> Iterator[tuple[Running, Mapping[str, Mapping[str, str]]]]:
    """Give a daemon that trusts no authority at all, and the sections of its configuration."""
    environ = {"SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/dev/null"}
    running = Running(tmp_path / "run", {}, demo=False, environ=environ)
    client = openid_provider.register(f"{running.url}/login/op/callback")
    known = {"issuer": openid_provider.issuer, "client_id": client.id, "client_secret": client.secret}
    sections = {"outbound": {"allow_networks": "127.0.0.0/8"}, "provider:op": {"kind": "oidc", **known}}
    running.write(sections)
    with running:
        yield running, sections


def checked(daemon: Running) -> str:
    """Return what `check-config` says."""
    command = [sys.executable, str(ROOT / "identityd.py"), "check-config", "--config", "identityd.ini"]
    done = subprocess.run(
        command, cwd=daemon.folder, env=daemon._environ, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


def test_it_is_trusted_once_it_is_named_and_what_refuses_it_before_says_so(
    told: tuple[Running, dict[str, dict[str, str]]], openid_provider: OpenIdProvider
) -> None:
    """An operator in a company's network reads OpenSSL's words and turns verification off, or gives up."""
    daemon, sections = told
    with people(daemon, openid_provider) as make:
        assert make().get("/login/op").status_code >= 500
        refused = daemon.log(), checked(daemon), "\n".join(trial(daemon, "op"))
        daemon.write({**sections, "outbound": {**sections["outbound"], "ca_file": str(openid_provider.ca_file)}})
        daemon.hang_up()
        person = make()
        person.choose(person.log_in("ada"), "ada")
        entered = person.account

    assert [REMEDY in each for each in refused] == [True] * 3, refused
    assert "[outbound] ca_file changed" in daemon.log()
    assert entered
    assert "problem" not in checked(daemon)
    assert "ok       op: a login can begin" in trial(daemon, "op")


def test_a_file_without_a_certificate_is_refused_before_anything_relies_on_it(
    told: tuple[Running, dict[str, dict[str, str]]], tmp_path: Path
) -> None:
    """Every login fails later, and the words are about the provider."""
    daemon, sections = told
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    for path, said in (
        (tmp_path / "key.pem", "holds no certificate of an authority"),
        (tmp_path / "no.pem", "no such"),
    ):
        daemon.write({**sections, "outbound": {"ca_file": str(path)}})
        daemon.hang_up()

        [line] = [each for each in daemon.log().splitlines() if "nothing was reloaded" in each and str(path) in each]
        assert "[outbound] ca_file: " in line
        assert said in line
        assert "[outbound] ca_file: " in checked(daemon)
