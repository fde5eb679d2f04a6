"""Every test says what it needs, and where that is missing it is skipped with the way to get it."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import pytest

from tests.support import needs
from tests.support.sources import ROOT

_KINDS: Final = {"threat(n)", "slow", "nightly"}
"""Markers that need nothing."""
_TRIES: Final = """
    import json, os, pathlib
    import pytest
    from tests.support import needs

    told = {"lacking": [part for part in needs.PARTS if needs.find(part) is None]}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(session):
        for part in needs.PARTS:
            os.environ[needs.HIDDEN] = part
            markers = [marker for marker, parts in needs.MARKERS.items() if part in parts]
            for item in session.items:
                if any(item.get_closest_marker(marker) for marker in markers):
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return True

    def pytest_runtest_logreport(report):
        if report.when == "setup" or report.failed:
            reason = report.longrepr[2] if report.skipped else "" if report.passed else str(report.longrepr)
            outcomes = told.setdefault(os.environ[needs.HIDDEN], {}).setdefault(report.outcome, {})
            outcomes.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)

    def pytest_sessionfinish():
        pathlib.Path(os.environ["TOLD"]).write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def tries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give what became of the suite's tests with each part missing in turn: outcome, reason, tests."""
    folder = tmp_path_factory.mktemp("tries")
    (folder / "tries.py").write_text(dedent(_TRIES))
    told = folder / "told.json"
    options = ("-p", "tries", "-p", "no:xdist", "-p", "no:cov", "-p", "no:cacheprovider", "-q")
    marked = ("-m", " or ".join(needs.MARKERS))
    environ = {**os.environ, "PYTHONPATH": str(folder), "TOLD": str(told)}
    command = [sys.executable, "-m", "pytest", *options, *marked, str(ROOT / "tests")]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert told.exists(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(told.read_text())
    return found


@pytest.mark.parametrize("part", needs.PARTS)
def test_without_a_part_what_needs_it_is_skipped_and_nothing_breaks(tries: dict[str, Any], part: str) -> None:
    """Otherwise a newcomer's first `make test` is red for want of something that nobody named."""
    [(outcome, reasons)] = tries[part].items()

    assert outcome == "skipped"
    # What this machine lacks besides is said with it, or instead of it.
    others = [needs.PARTS[name].title for name in tries["lacking"] if name != part]
    title, get = needs.PARTS[part].title, needs.PARTS[part].get
    alone = [reason for reason in reasons if not any(other in reason for other in others)]
    if alone or not others:
        assert alone == [f"{title} is not installed; get it with: {get}"]


def test_the_markers_are_those_that_stand_for_parts() -> None:
    """Otherwise a marker promises a skip that never comes."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    known = {marker.partition(":")[0] for marker in settings["tool"]["pytest"]["markers"]}

    assert known - _KINDS == set(needs.MARKERS)
    assert {part for parts in needs.MARKERS.values() for part in parts} == set(needs.PARTS)


def test_several_missing_parts_are_said_with_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise somebody installs one thing after the other, and finds the next one missing."""
    monkeypatch.setenv(needs.HIDDEN, "curl, openssl java cassandra")

    assert needs.missing("curl") == (
        "curl and openssl are not installed; get them with: apt-get install curl && apt-get install openssl"
    )
    assert needs.missing("cassandra") == "Java 17 and Cassandra are not installed; get them with: make services"


def test_a_part_that_does_not_exist_cannot_be_hidden() -> None:
    """Otherwise a misspelt trial proves nothing, in green."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "tests/unit/test_needs.py"]
    environ = {**os.environ, needs.HIDDEN: "memcache"}

    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{needs.HIDDEN} names memcache; there are memcached, " in done.stderr


@pytest.mark.parametrize(
    ("program", "markers"),
    [
        ("/usr/bin/memcached", {"memcached"}),
        ("/opt/jdk-17/bin/java", {"cassandra", "keycloak"}),
        ("google-chrome", {"chromium"}),
        ("/usr/sbin/apache2", {"apache"}),
        ("openssl", {"curl"}),
        ("/usr/bin/node", {"node", "openid"}),
        ("/x/site-packages/playwright/driver/node", {"chromium"}),
        ("/x/.cache/oidc-provider-mock/bin/python", {"oidc_provider_mock"}),
        ("/x/.cache/dex/dex", {"dex"}),
        ("/x/.cache/traefik/traefik", {"traefik"}),
        ("/bin/sh", set()),
        (sys.executable, set()),
    ],
)
def test_a_program_is_known_by_its_name_wherever_it_lies(program: str, markers: set[str]) -> None:
    """Otherwise a test could start one that is not everywhere, and nobody would notice."""
    assert needs.markers_of(program) == markers


def test_a_program_that_the_environment_names_is_the_only_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Otherwise a build under test would silently be replaced by the installed one."""
    own = tmp_path / "nginx"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.delenv(needs.HIDDEN, raising=False)
    monkeypatch.setenv("NGINX", str(own))
    assert needs.find("nginx") == str(own)

    own.unlink()
    assert needs.find("nginx") is None
