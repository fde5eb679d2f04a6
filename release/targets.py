"""For which Pythons and machines libraries are installed."""

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from packaging.markers import default_environment

MACHINE: Final = "linux-x86_64"
"""As the archive's name says it."""
_BASELINE: Final = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""Wheels for these run on every Linux with glibc 2.28 or later: Debian 10, Ubuntu 18.10, RHEL 8."""


@dataclass(frozen=True, slots=True)
class WheelTarget:
    """CPython of one version (`3.12`): on Linux x86_64, or without platforms the one that runs here."""

    python: str
    platforms: tuple[str, ...] = _BASELINE

    @property
    def tag(self) -> str:
        """Return its name in file names: `cp312`."""
        return f"cp{self.python.replace('.', '')}"

    def options(self) -> tuple[str, ...]:
        """Return what makes pip choose wheels for it."""
        if not self.platforms:
            return ()
        platforms = tuple(word for name in self.platforms for word in ("--platform", name))
        return ("--implementation", "cp", "--python-version", self.python, *platforms)

    def environment(self) -> Mapping[str, str]:
        """Return what a lock's markers are evaluated against; pip would take those of the Python it runs in."""
        if not self.platforms:
            return {name: str(value) for name, value in default_environment().items()}
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }


BUNDLED: Final = (WheelTarget("3.11"), WheelTarget("3.12"), WheelTarget("3.13"))
"""What a bundle holds libraries for: the Pythons that the locks are tested for."""


def installable() -> tuple[WheelTarget, ...]:
    """Return what an installation on this machine holds libraries for: as a bundle where one would run."""
    if sys.platform == "linux" and platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc":
        return BUNDLED
    return (WheelTarget(f"{sys.version_info.major}.{sys.version_info.minor}", platforms=()),)
