"""A start loads what the configuration names: what it does not name costs neither time nor memory."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from identity.cli import COMMANDS
from providers import REGISTRY
from tests.support.running import ROOT, Running

OIDC: Final = {"kind": "oidc", "issuer": "https://id.example", "client_id": "us", "client_secret": "only-a-test-secret"}
FAMILY: Final = "oauth2"
"""A kind, and the family that all others but those of OAuth 1.0a stand on."""
ELSEWHERE: Final = frozenset(
    {
        "authlib.oauth1",  # OAuth 1.0a
        "cassandra",  # [accounts] store = cassandra
        "identity.admin",
        "identity.operating",
        "identity.upkeep",
        "lab",
    }
)
"""Packages of commands and of other configurations."""


_START: Final = """
import gc, os, signal, sys
from identity.cli import cli, serve

def run(*given, plain=serve.run, **_):
    def ready():
        print(gc.isenabled() and gc.get_freeze_count() > 0, *sys.modules)
        os.kill(os.getpid(), signal.SIGTERM)

    plain(*given, ready=ready)

serve.run = run
cli(sys.argv[1:])
"""


@dataclass(frozen=True, slots=True)
class Started:
    """A daemon when both its listeners accept."""

    modules: frozenset[str]
    frozen: bool
    """Whether garbage is looked for, but not in what the start made."""


def started(folder: Path, provider: dict[str, str], *, demo: bool) -> Started:
    """Start a daemon with this one provider."""
    daemon = Running(folder, {f"provider:{provider['kind']}": provider}, demo=demo)
    how = ("demo", "--data", str(folder)) if demo else ("serve", "--config", str(folder / "identityd.ini"))
    ports = ("--port", str(daemon.port), "--internal-port", str(daemon.internal_port))
    run = subprocess.run(
        [sys.executable, "-c", _START, *how, *ports], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    frozen, *modules = run.stdout.split()
    return Started(frozenset(modules), frozen == "True")


@pytest.mark.parametrize(("provider", "demo"), [({"kind": "demo"}, True), (OIDC, False)], ids=["demo", "oidc"])
def test_a_start_loads_only_the_provider_and_the_command_it_was_given(
    tmp_path: Path, provider: dict[str, str], *, demo: bool
) -> None:
    """Otherwise every restart waits longer, and every daemon holds more, for each kind that is ever added."""
    loaded = started(tmp_path / "daemon", provider, demo=demo).modules
    commands = {name.replace("-", "_") for name in COMMANDS}

    assert {kind for kind in REGISTRY if f"providers.{kind}" in loaded} == {provider["kind"], FAMILY}
    assert {name for name in commands if f"identity.cli.{name}" in loaded} == {"serve", *(["demo"] if demo else [])}
    assert ELSEWHERE & loaded == frozenset()
    assert ("httpx2" in loaded) is not demo  # loaded before the first person waits for it
    assert ("joserfc.jwk" in loaded) is not demo  # keys of ID tokens, and certificates with them


def test_garbage_is_not_looked_for_in_what_a_start_made(tmp_path: Path) -> None:
    """Otherwise the start takes a twentieth longer, and each full look later holds up every answer under way."""
    assert started(tmp_path / "daemon", {"kind": "demo"}, demo=True).frozen
