"""What is installed is what was locked, from whichever registry the installer is set up for."""

import json
import re
from typing import Final

from tests.support.sources import ROOT

_SHARED: Final = ("requirements/run.txt", "requirements/dev.txt")
_OWN: Final = ("uv", "oidc-provider-mock", "cyclonedx-bom")
_REQUIREMENTS: Final = (*_SHARED, *(f"requirements/{name}.txt" for name in _OWN))
_NPM: Final = "tests/support/openid/package-lock.json"
_PIN: Final = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
_FIRST: Final = re.compile(r"^[a-zA-Z0-9-]+", re.MULTILINE)


def test_every_requirement_is_pinned_with_its_hashes() -> None:
    """Otherwise a registry could hand out something that nobody here has tested."""
    for file in _REQUIREMENTS:
        blocks = re.split(r"\n(?=\S)", (ROOT / file).read_text().strip())

        assert [block for block in blocks if not (_PIN.match(block) and "--hash=sha256:" in block)] == []


def test_everything_that_is_asked_for_is_locked() -> None:
    """Otherwise `make run` would work only where something was installed by hand."""
    for file in _REQUIREMENTS:
        locked = {pin[0] for pin in _PIN.findall((ROOT / file).read_text())}
        asked = (ROOT / file).with_suffix(".in").read_text()

        assert sorted(set(_FIRST.findall(asked)) - {"-c"} - locked) == []


def test_both_locks_agree() -> None:
    """Otherwise the tests would run on other versions than the daemon."""
    run, dev = (dict(_PIN.findall((ROOT / file).read_text())) for file in _SHARED)

    assert {
        package: (run[package], dev[package]) for package in run.keys() & dev.keys() if run[package] != dev[package]
    } == {}


def test_no_lock_holds_a_download_address() -> None:
    """Otherwise a clone would install from one registry only, or from somebody else's."""
    for file in (*_REQUIREMENTS, _NPM):
        assert "://" not in re.sub(r'"url": "[^"]*"', "", (ROOT / file).read_text()), file


def test_every_npm_package_is_locked_with_its_hash() -> None:
    """Otherwise the OpenID provider of the tests could be replaced on the way."""
    packages = json.loads((ROOT / _NPM).read_text())["packages"]

    assert [name for name, package in packages.items() if name and "integrity" not in package] == []
