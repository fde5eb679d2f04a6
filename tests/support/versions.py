"""Versions side by side, a link that leads to one of them, and a daemon that was started through it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tests.support.running import ROOT, Running
from tests.support.waiting import until

_FOLDERS: Final = ("identity", "providers", "options", "lab", "schema")


class Versions:
    """Folders `identityd-1.2.3` of this source, each with its own number and `.venv`, and the link `identityd`."""

    def __init__(self, folder: Path, *names: str) -> None:
        self._folder = folder
        self.program = folder / "identityd" / "identityd.py"
        """As an operator's unit names it."""
        for name in names:
            self._copy(name)
        self.lead_to(names[0])

    def _copy(self, name: str) -> None:
        place = self._folder / f"identityd-{name}"
        for part in _FOLDERS:
            shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "identityd.py", place)
        if sys.prefix != sys.base_prefix:
            (place / ".venv").symlink_to(sys.prefix)
        file = place / "identity" / "__init__.py"
        file.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{name}"', file.read_text()))

    def lead_to(self, name: str) -> None:
        """Set the link, as `ln -sfn` does it."""
        link = self._folder / "identityd"
        link.unlink(missing_ok=True)
        link.symlink_to(f"identityd-{name}")


class Upgradable(Running):
    """A daemon that may be taken over, and its successors; a context manager.

    Args:
        folder, sections, public_url, environ: as of `Running`.
        program: what is started; by the Python that needs a `.venv` beside it, if there is one.
    """

    def __init__(
        self,
        folder: Path,
        sections: Mapping[str, Mapping[str, str]],
        *,
        program: Path | None = None,
        public_url: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(folder, sections, public_url=public_url, environ=environ)
        if program:
            self.program = program
            self.python = str(sys._base_executable)  # type: ignore[attr-defined]

    def says(self) -> dict[str, Any]:
        """Return what the serving process says of itself."""
        said: dict[str, Any] = json.loads(self.ask("GET", "/healthz")[2])
        return said

    def upgrade(self) -> "subprocess.CompletedProcess[str]":
        """Call the command."""
        program, _, *rest = self.command()[1:]
        ports = rest[-4:]
        command = [self.python, program, "upgrade", "--config", str(self.folder / "identityd.ini"), *ports]
        return subprocess.run(command, env=self._environ, capture_output=True, text=True, check=False, timeout=120)

    def stop(self) -> int:
        """Ask whichever process serves to stop, and wait until none of all there were is left."""
        first = self._process
        with suppress(OSError):
            os.kill(self.says()["process"], signal.SIGTERM)
        if first is None:
            return 0
        until(lambda: first.poll() is not None, otherwise=self.log)
        until(lambda: not _alive(first.pid), otherwise=self.log)
        self._process = None
        return first.returncode

    def kill(self) -> None:
        """End all of them at once."""
        first, self._process = self._process, None
        if first:
            with suppress(ProcessLookupError):
                os.killpg(first.pid, signal.SIGKILL)
            first.wait(20)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return any(_group_of(path) == group for path in Path("/proc").glob("[0-9]*/stat"))


def _group_of(stat: Path) -> int:
    """Return the process group of what lives; 0 for what has ended and was not waited for."""
    try:
        state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return 0
    return 0 if state == "Z" else int(group)
