"""The Makefile's own installation, tried on an index that has moved on since the lock was made."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions, requires
from pathlib import Path
from typing import Final
from zipfile import ZipFile, ZipInfo

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.locks import DEV, RUN, environment, pins
from tests.support.sources import ROOT

_BROUGHT_ALONG: Final = {"pip", "setuptools"}
"""What a new virtual environment holds."""
_NEWER: Final = "9999"
_HERE: Final = environment(f"{sys.version_info.major}.{sys.version_info.minor}", sys.platform, os.uname().machine)


def wheel(index: Path, name: str, version: str, asks: list[str], extras: list[str]) -> str:
    """Put an empty package into an index that asks for the same as the real one; return its hash."""
    stem = f"{name.replace('-', '_')}-{version}"
    head = [f"Name: {name}", f"Version: {version}", *(f"Provides-Extra: {extra}" for extra in extras)]
    texts = {
        "METADATA": "\n".join(["Metadata-Version: 2.1", *head, *(f"Requires-Dist: {asked}" for asked in asks), ""]),
        "WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files = {f"{stem}.dist-info/{file}": text for file, text in texts.items()}
    record = [f"{file},sha256={_digest(text)},{len(text)}" for file, text in files.items()]
    path = index / f"{stem}-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(ZipInfo(file), text)  # without today's date, so that the hash is the same twice
        own = f"{stem}.dist-info/RECORD"
        archive.writestr(ZipInfo(own), "\n".join([*record, f"{own},,", ""]))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def lock(index: Path, real: Path, copy: Path) -> None:
    """Write a lock of the same names, versions and markers for the packages of an index, and newer ones beside."""
    lines = []
    for pin in pins(real):
        asks = list(requires(pin.name) or []) if pin.counts(_HERE) else []
        extras = sorted({extra for asked in asks for extra in _named(asked)})
        wheel(index, pin.name, _NEWER, asks, extras)
        digest = wheel(index, pin.name, pin.version, asks, extras)
        marker = f" ; {pin.marker}" if pin.marker else ""
        lines.append(f"{pin.name}=={pin.version}{marker} \\\n    --hash=sha256:{digest}\n")
    copy.write_text("".join(lines))


def _named(asked: str) -> list[str]:
    marker = str(Requirement(asked).marker or "")
    return [part.split('"')[1] for part in marker.split("extra == ")[1:] if '"' in part] if "extra" in marker else []


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Give a clone's Makefile with locks for a small index, in a folder whose name is not plain."""
    place = tmp_path / "a clone of mine, größer"
    (place / "requirements").mkdir(parents=True)
    (place / "index").mkdir()
    shutil.copy(ROOT / "Makefile", place)
    for real in (RUN, DEV):
        lock(place / "index", real, place / "requirements" / real.name)
    return place


def make(place: Path, target: str) -> subprocess.CompletedProcess[str]:
    """Run make as a newcomer does: no cache, no settings, and an index that has everything newer."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE", "VIRTUAL_"))}
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": (place / "index").as_uri(), "PIP_NO_CACHE_DIR": "1"}
    return subprocess.run(
        [str(shutil.which("make")), f"PYTHON={sys.executable}", target],
        cwd=place,
        env={**environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def installed(place: Path) -> dict[str, str]:
    """Return what is in the clone's virtual environment."""
    [site] = (place / ".venv").glob("lib/python3.*/site-packages")
    found = {canonicalize_name(one.name): one.version for one in distributions(path=[str(site)])}
    return {name: version for name, version in found.items() if name not in _BROUGHT_ALONG}


def locked(*locks: Path) -> dict[str, str]:
    """Return what these locks name for this machine."""
    return {pin.name: pin.version for real in locks for pin in pins(real) if pin.counts(_HERE)}


@pytest.mark.slow
def test_an_index_with_newer_versions_of_everything_changes_nothing(clone: Path) -> None:
    """A clone that installed today would fail next month, with nothing in it changed."""
    tests = make(clone, ".venv/dev.stamp")

    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert installed(clone) == locked(RUN, DEV)
    assert _NEWER not in tests.stdout


@pytest.mark.slow
def test_a_package_that_is_not_the_locked_one_is_refused(clone: Path) -> None:
    """An index could hand out anything under a name and version that we trust."""
    [real] = (clone / "index").glob("joserfc-1*.whl")
    real.write_bytes(real.read_bytes() + b"\n")

    daemon = make(clone, ".venv/run.stamp")

    assert daemon.returncode != 0
    assert "HASH" in daemon.stderr.upper()
    assert installed(clone) == {}
    assert not (clone / ".venv" / "run.stamp").exists()
