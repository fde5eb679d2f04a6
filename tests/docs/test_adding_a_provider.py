"""The page that takes a newcomer through a provider of their own, done as it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documented_provider import INSTEAD, PAGE, SPOILT, block
from tests.support.sources import ROOT

FEWEST = 40
"""Checks of the conformance kit that a provider has to pass."""


def run_kit(folder: Path, *more: str, spoilt: tuple[str, str] = ("", "")) -> "subprocess.CompletedProcess[str]":
    """Run the page's tests with the page's provider in the registry, a piece of it exchanged."""
    file = folder / "test_acme.py"
    file.write_text(block("tests/providers/test_acme.py"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    command += [
        "--rootdir",
        str(ROOT),
        "-p",
        "tests.conftest",
        "-p",
        "tests.support.documented_provider",
        str(file),
        *more,
    ]
    environ = os.environ | dict(zip((SPOILT, INSTEAD), spoilt, strict=True))
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, env=environ)


def test_the_pages_provider_passes_the_whole_kit(tmp_path: Path) -> None:
    """A newcomer who copies the page and gets a red test gives up, or switches the test off."""
    done = run_kit(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= FEWEST
    assert "skipped" not in done.stdout


@pytest.mark.parametrize(
    ("piece", "instead", "case"),
    [
        ('numeric_subject(user.get("id"))', 'subject(user.get("nick"))', "what_changes_hands_is_never_the_subject"),
        ('untrusted.truth(user.get("email_confirmed"))', "True", "verified_only_if_the_provider_says_so"),
    ],
)
def test_the_kit_finds_what_the_page_warns_of(tmp_path: Path, piece: str, instead: str, case: str) -> None:
    """If a careless copy stayed green, following the page would protect nobody."""
    done = run_kit(tmp_path, "-k", case, spoilt=(piece, instead))

    assert done.returncode == 1, done.stdout
    assert "FAILED" in done.stdout


def test_every_file_the_page_names_is_there() -> None:
    """A path that was moved sends a newcomer looking for it."""
    named = set(re.findall(r"`((?:providers|tests|options|docs)/[a-z_0-9/]+\.(?:py|md))`", PAGE.read_text()))

    assert len(named) > 8
    assert [path for path in sorted(named) if "acme" not in path and not (ROOT / path).exists()] == []
