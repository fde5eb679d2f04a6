"""The page that takes a newcomer through a provider of their own, done as it says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documented_provider import INSTEAD, PAGE, SPOILT, block
from tests.support.sources import ROOT

FEWEST = 100
"""Checks that a provider has to pass: the conformance kit, and those of the documents."""


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


def follow(tree: Path) -> None:
    """Do what the page says, in a copy of the project, as far as it is not done: its reader runs this test too."""
    hidden = shutil.ignore_patterns(".*", "__pycache__")
    shutil.copytree(ROOT, tree, ignore=hidden)
    for file in ("providers/acme.py", "tests/providers/test_acme.py"):
        (tree / file).write_text(block(file))
    row, section = re.findall(r"^(`{3,4})markdown\n(.*?)^\1$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    drawing = '"parcel": ("acme", "amazon"),'
    assert f"`{drawing}`" in PAGE.read_text()
    for file, before, new in (
        ("providers/__init__.py", '    "amazon",', '    "acme",\n'),
        ("docs/providers.md", "| `amazon` |", row[1]),
        ("docs/providers.md", "## amazon\n", section[1] + "\n"),
    ):
        text = (tree / file).read_text()
        assert text.count(before) == 1, (file, before)
        if new not in text:
            (tree / file).write_text(text.replace(before, new + before))
    icons = tree / "identity/web/pages/icons.py"
    icons.write_text(icons.read_text().replace('"parcel": ("amazon",),', drawing))
    for module in ("identity.config", "tests.support.layout"):
        subprocess.run([sys.executable, "-m", module], cwd=tree, check=True, capture_output=True)


def test_who_does_what_the_page_says_ends_with_green_tests(tmp_path: Path) -> None:
    """A newcomer who copies the page and gets a red test gives up, or switches the test off."""
    tree = tmp_path / "tree"
    follow(tree)
    tests = ("providers/test_acme.py", "providers/test_registry.py", "docs/test_providers.py", "docs/test_layout.py")
    tests += ("web/test_pages.py::test_every_kind_of_a_service_has_a_drawing_of_its_own_making",)

    style = [sys.executable, "-m", "ruff", "check", "providers/acme.py", "tests/providers/test_acme.py"]
    looked = subprocess.run(style, cwd=tree, capture_output=True, text=True, timeout=300, check=False)
    assert looked.returncode == 0, looked.stdout + looked.stderr

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/{name}" for name in tests)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=600, check=False)

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
