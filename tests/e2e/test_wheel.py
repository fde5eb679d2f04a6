"""The wheel as an operator meets it: made, installed into an environment of its own without a network, started."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final
from zipfile import ZipFile

import pytest

from identity import __version__
from tests.support import needs
from tests.support.running import Running
from tests.support.sources import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.wheels, pytest.mark.hatchling]

_TAG: Final = f"cp{sys.version_info.major}{sys.version_info.minor}"


def made(folder: Path) -> Path:
    """Make the wheel; return it."""
    command = [
        str(needs.find("hatchling")),
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        str(folder),
    ]
    environ = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=True)
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel."""
    return made(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the program that pip installs, in an environment of its own."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    libraries = ROOT / ".cache" / "wheels" / _TAG
    pip = [str(place / "bin" / "pip"), "--quiet", "--disable-pip-version-check", "install", "--no-index"]
    subprocess.run([*pip, "--find-links", str(libraries), str(wheel)], check=True)
    return place / "bin" / "identityd"


def test_it_logs_a_person_in_where_nothing_else_is(program: Path, tmp_path: Path) -> None:
    """Whoever installs with pip gets a program that lacks a page, a sentence or a table, and finds out at a login."""
    daemon = Running(tmp_path / "run", {})
    daemon.python, daemon.program = str(program.with_name("python")), program
    with daemon:
        told = daemon.check(daemon.sign_up("alice"))
        stopped = daemon.stop()

    assert (told["verdict"], told["user"]["name"], stopped) == ("ok", "alice", 0)


def test_its_commands_are_those_of_the_source_tree(program: Path, tmp_path: Path) -> None:
    """A command that needs a part which was left out would fail on the machine where it is needed."""
    daemon = Running(tmp_path / "run", {}, demo=False)
    version, checked = (
        subprocess.run([program, *words], cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
        for words in (
            ("--version",),
            ("check-config", "--config", str(daemon.folder / "identityd.ini")),
        )
    )

    assert version.stdout == f"identityd, version {__version__}\n"
    assert (checked.returncode, "ok       configuration" in checked.stdout) == (0, True), checked.stderr


def test_it_claims_one_name_and_asks_for_what_was_tested(wheel: Path) -> None:
    """`options` or `schema` of another library would be overwritten, or ours by it; and other versions would run."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        about = archive.read(f"identityd-{__version__}.dist-info/METADATA").decode()
    asked = {word.partition(";")[0] for word in re.findall(r"(?m)^Requires-Dist: (.*)$", about)}
    locked = set(re.findall(r"(?m)^\S+==\S+", (ROOT / "requirements" / "run.txt").read_text()))

    assert {name.partition("/")[0] for name in names} == {"identityd", f"identityd-{__version__}.dist-info"}
    assert asked == locked
    assert {"identityd/lab/run.py", "identityd/schema/0000_migrations.cql", "identityd/identity/locale/en.mo"} - {
        *names
    } == set()
    assert [name for name in names if "__pycache__" in name or "test" in name.split("/")[1]] == []


def test_two_wheels_of_the_same_source_are_the_same(wheel: Path, tmp_path: Path) -> None:
    """Who builds it again to see that it was not tampered with would find differences and learn nothing."""
    assert hashlib.sha256(made(tmp_path).read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()
