"""The locks hold all of what is needed and nothing else, so that the installer has nothing to decide."""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.support.locks import ALL, DEV, PLATFORMS, PYTHONS, RUN, Pin, account, environment, pins


@pytest.mark.parametrize(("platform", "machine"), PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("locks", [(RUN,), ALL], ids=["run", "dev"])
def test_every_requirement_is_met_by_the_lock_and_none_is_idle(
    locks: tuple[Path, ...], python: str, platform: str, machine: str
) -> None:
    """The installer looks at no requirement: what the lock lacks would be missing when it is imported."""
    found = account(locks, environment(python, platform, machine))

    assert found.unmet == ()
    assert found.superfluous == ()
    assert found.doubled == ()


@pytest.mark.parametrize("python", PYTHONS)
def test_everything_locked_runs_on_every_python_we_promise(python: str) -> None:
    """Otherwise a newcomer with another Python than ours gets an error of the installer."""
    here = environment(python, "linux", "x86_64")
    locked = [pin for lock in ALL for pin in pins(lock) if pin.counts(here)]
    # A version for another Python than this one is not installed, and says nothing here.
    demands = {pin.name: metadata(pin.name).get("Requires-Python") or "" for pin in locked if _installed(pin)}

    assert len(demands) > 40
    assert [name for name, demand in demands.items() if f"{python}.0" not in SpecifierSet(demand)] == []


def test_what_is_installed_here_is_what_is_locked() -> None:
    """Otherwise the tests speak of other packages than the lock."""
    here = environment(f"{sys.version_info.major}.{sys.version_info.minor}", sys.platform, "x86_64")
    locked = {pin.name: pin.version for lock in ALL for pin in pins(lock) if pin.counts(here)}

    assert {name: version(name) for name in locked} == locked


def test_a_lock_that_lacks_something_is_noticed(tmp_path: Path) -> None:
    """Otherwise the tests above could be green for a lock that is empty."""
    here = environment("3.11", "linux", "x86_64")
    (tmp_path / "run.in").write_text("# three faults\njoserfc\ncoverage[nonsense]\npytest-cov\nclick<1\n")
    lock = tmp_path / "run.txt"
    lines = [
        line for line in DEV.read_text().splitlines() if line.startswith(("click==", "coverage==", "pytest-cov=="))
    ]
    lock.write_text("\n".join([*lines, "joserfc==1.0 ; sys_platform == 'linux' \\", "rich==1.0 \\"]))

    found = account((lock,), here)

    assert found.superfluous == ("click", "rich")
    assert [re.sub(r" [0-9.]+:|, locked is .*", "", text) for text in found.unmet] == [
        "asked for: click<1",
        "asked for: coverage[nonsense], which has no nonsense",
        "joserfc cryptography>=45.0.1",
        "pytest-cov pluggy>=1.2",
        "pytest-cov pytest>=7",
    ]


def _installed(pin: Pin) -> bool:
    try:
        return version(pin.name) == pin.version
    except PackageNotFoundError:
        return False
