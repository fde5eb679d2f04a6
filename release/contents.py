"""What a release holds: one folder that runs wherever it is put, under whatever name.

| in it | what |
|---|---|
| identityd.py, identity/, providers/, options/, lab/, schema/ | the daemon |
| lib/ | libraries that are the same for every target |
| lib/cp312/ … | those that differ, for each target |
| licences/ | the licence texts of the libraries, and of those compiled into them |
| sbom/cp312.cdx.json … | the bill of materials, CycloneDX, for each target |
| share/ | completions for bash, zsh and fish |
| docs/, examples/, config.example.ini, README.md … | the manual |
| SHA256SUMS | every other file, for `sha256sum -c` |

No file names the place it was made at, and nothing depends on the day.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from identity import __version__
from release.targets import WheelTarget
from release.wheels import fetched, licences, unpack

NOTICES: Final = Path(__file__).parent / "notices"
"""Texts that wheels owe: of libraries in them that are not Python's."""
SUMS: Final = "SHA256SUMS"
_FOLDERS: Final = ("identity", "providers", "options", "lab", "schema", "docs", "examples", "requirements")
_FILES: Final = ("identityd.py", "config.example.ini", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md")
_MADE_AGAIN: Final = shutil.ignore_patterns("__pycache__", "*.pyc", "node_modules")
_COMPLETE: Final = """
import json, sys
sys.path[:0] = sys.argv[1:]
from identity.cli import completion
json.dump({place: completion.script(shell) for shell, place in completion.FILES.items()}, sys.stdout)
"""
_EXECUTABLE: Final = ("identityd.py",)


def write(root: Path, targets: Sequence[WheelTarget], *, source: Path, wheels: Path) -> None:
    """Write a release into an empty folder.

    Raises:
        UnusableWheelError: a wheel cannot be part of it.
        subprocess.CalledProcessError: pip or cyclonedx-py failed, and has said why.
    """
    for name in _FOLDERS:
        shutil.copytree(source / name, root / name, ignore=_MADE_AGAIN)
    for name in _FILES:
        shutil.copyfile(source / name, root / name)
    chosen = {target: fetched(target, source / "requirements" / "run.txt", wheels) for target in targets}
    _libraries(root, chosen)
    for target in targets:
        _bill(root, target)
    _completions(root)
    _modes(root)
    _sums(root)


def _completions(root: Path) -> None:
    """Write what makes shells complete commands, as the release itself says it: what makes one has no click."""
    command = [sys.executable, "-IB", "-c", _COMPLETE, str(root), str(root / "lib")]
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603 - what was just written
    for place, script in json.loads(made).items():
        (root / place).parent.mkdir(parents=True)
        (root / place).write_text(script)


def _libraries(root: Path, chosen: dict[WheelTarget, tuple[Path, ...]]) -> None:
    names = [{wheel.name for wheel in wheels} for wheels in chosen.values()]
    shutil.copytree(NOTICES, root / "licences" / "compiled-in")
    shared = set.intersection(*names)
    seen: set[str] = set()
    for target, wheels in chosen.items():
        (root / "lib" / target.tag).mkdir(parents=True)
        for wheel in wheels:
            if wheel.name not in seen:
                unpack(wheel, root / "lib" / ("" if wheel.name in shared else target.tag))
                for name, text in licences(wheel):
                    path = root / "licences" / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(text)
            seen.add(wheel.name)


def _bill(root: Path, target: WheelTarget) -> None:
    """Let cyclonedx-py read what a Python of this target would find, and nothing of the Python that runs here."""
    bill = root / "sbom" / f"{target.tag}.cdx.json"
    bill.parent.mkdir(exist_ok=True)
    paths = os.pathsep.join(str(path) for path in (root / "lib", root / "lib" / target.tag))
    tool = [sys.executable, "-I", "-W", "ignore", "-m", "cyclonedx_py", "environment", "-S", "--output-reproducible"]
    about = root / "pyproject.toml"
    command = [*tool, "--pyproject", str(about), "--output-file", str(bill), sys.executable]
    # The bill is of identityd in this version, which the project's own file leaves to the code.
    told = (Path(__file__).parents[1] / about.name).read_text()
    about.write_text(told.replace('dynamic = ["version", "dependencies"]', f'version = "{__version__}"'))
    subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=True)  # noqa: S603 - our own command
    about.unlink()


def _modes(root: Path) -> None:
    """Let every user read and the owner write, whatever this shell's umask is."""
    for path in [root, *root.rglob("*")]:
        executable = path.is_dir() or path.relative_to(root).as_posix() in _EXECUTABLE
        path.chmod(0o755 if executable else 0o644)


def _sums(root: Path) -> None:
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root).as_posix()}\n"
        for path in sorted(root.rglob("*"))
        if path.is_file()
    ]
    (root / SUMS).write_text("".join(lines))
    (root / SUMS).chmod(0o644)
