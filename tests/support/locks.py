"""The locks as pip reads them, and what the packages in them ask for.

What a package asks for is read from the installed one. Where a lock names another version for another
Python, which is not installed here, the installed one speaks for it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution, requires
from pathlib import Path
from typing import Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.sources import ROOT

FOLDER: Final = ROOT / "requirements"
RUN: Final = FOLDER / "run.txt"
DEV: Final = FOLDER / "dev.txt"
ALL: Final = (RUN, DEV)
PYTHONS: Final = ("3.11", "3.12", "3.13")
PLATFORMS: Final = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
"""Where every locked package has a wheel; for a Mac with an Intel processor cryptography has none any more."""
_PIN: Final = re.compile(r"^([a-zA-Z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\\n]+?))?\s*(?:\\|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a lock."""

    name: str
    version: str
    marker: Marker | None

    def counts(self, environment: Mapping[str, str]) -> bool:
        """Tell whether pip installs it there."""
        return self.marker is None or self.marker.evaluate(dict(environment))


def pins(lock: Path) -> tuple[Pin, ...]:
    """Return the lines of a lock."""
    return tuple(
        Pin(canonicalize_name(name), version, Marker(marker) if marker else None)
        for name, version, marker in _PIN.findall(lock.read_text())
    )


def asked(lock: Path) -> tuple[Requirement, ...]:
    """Return what the people who keep a lock asked for (`run.in` for `run.txt`)."""
    lines = lock.with_suffix(".in").read_text().splitlines()
    return tuple(Requirement(line) for line in lines if line and not line.startswith(("#", "-")))


def environment(python: str, platform: str, machine: str) -> dict[str, str]:
    """Return what markers are evaluated against on a machine of this kind, with CPython."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[platform],
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": platform,
        "extra": "",
    }


@cache
def _requirements(name: str) -> tuple[Requirement, ...]:
    return tuple(map(Requirement, requires(name) or ()))


@cache
def _extras(name: str) -> frozenset[str]:
    return frozenset(map(canonicalize_name, distribution(name).metadata.get_all("Provides-Extra") or ()))


def _of(requirement: Requirement, environment: Mapping[str, str]) -> Iterator[Requirement]:
    """Yield what a package asks for where it is wanted with these extras."""
    extras = ("", *map(canonicalize_name, requirement.extras))
    for further in _requirements(requirement.name):
        if further.marker is None or any(further.marker.evaluate({**environment, "extra": extra}) for extra in extras):
            yield further


@dataclass(frozen=True, slots=True)
class Account:
    """What a machine of one kind installs, beside what it should."""

    unmet: tuple[str, ...]
    superfluous: tuple[str, ...]
    doubled: tuple[str, ...]


def account(locks: tuple[Path, ...], environment: Mapping[str, str]) -> Account:
    """Follow every requirement from what was asked for to its end."""
    there = [pin for lock in locks for pin in pins(lock) if pin.counts(environment)]
    locked = {pin.name: pin.version for pin in there}
    seen: set[tuple[str, frozenset[str]]] = set()
    unmet: list[str] = []
    waiting = [("asked for", requirement) for lock in locks for requirement in asked(lock)]
    while waiting:
        by, requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in locked or not requirement.specifier.contains(locked[name], prereleases=True):
            unmet.append(f"{by}: {requirement}, locked is {locked.get(name, 'nothing')}")
            continue
        if unknown := set(map(canonicalize_name, requirement.extras)) - _extras(name):
            unmet.append(f"{by}: {requirement}, which has no {', '.join(sorted(unknown))}")
        if (name, frozenset(requirement.extras)) not in seen:
            seen.add((name, frozenset(requirement.extras)))
            waiting += [(f"{name} {locked[name]}", further) for further in _of(requirement, environment)]
    pairs = {(pin.name, pin.version) for pin in there}
    return Account(
        unmet=tuple(sorted(unmet)),
        superfluous=tuple(sorted(locked.keys() - {name for name, _ in seen})),
        doubled=tuple(sorted({name for name, _ in pairs if sum(other == name for other, _ in pairs) > 1})),
    )
