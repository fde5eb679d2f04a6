"""`python -m release`: what `make bundle`, `make install` and `make wheels` call."""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from identity import __version__
from release.archive import pack
from release.contents import write
from release.targets import BUNDLED, MACHINE, installable
from release.wheels import UnusableWheelError, fetched

SOURCE: Final = Path(__file__).parents[1]
LOCK: Final = SOURCE / "requirements" / "run.txt"
_NAME: Final = f"identityd-{__version__}"
_TIME: Final = "SOURCE_DATE_EPOCH"


def _bundle(folder: Path, wheels: Path) -> None:
    """Write the archive and its sum into a folder, and say what they are."""
    tags = "-".join(target.tag for target in BUNDLED)
    archive = folder / f"{_NAME}-{tags}-{MACHINE}.tar.gz"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        root = Path(work) / _NAME
        root.mkdir()
        write(root, BUNDLED, source=SOURCE, wheels=wheels)
        unpacked = sum(path.stat().st_size for path in root.rglob("*"))
        pack(root, archive, time_s=int(os.environ.get(_TIME) or 0))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n")
    size = archive.stat().st_size
    sys.stdout.write(f"{archive}: {size / 1e6:.0f} MB, unpacked {unpacked / 1e6:.0f} MB\nsha256 {digest}\n")


def _install(prefix: Path, wheels: Path) -> None:
    """Put a release at a place that must be free; it appears there whole or not at all."""
    if prefix.exists() and (not prefix.is_dir() or any(prefix.iterdir())):
        sys.exit(f"{prefix} is there already, and a running daemon may use it: install each version under its own name")
    prefix.parent.mkdir(parents=True, exist_ok=True)
    part = prefix.with_name(f"{prefix.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    write(part, installable(), source=SOURCE, wheels=wheels)
    part.rename(prefix)
    sys.stdout.write(f"{prefix}/identityd.py is installed\n")


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="release")
    parser.add_argument(
        "--wheels", type=Path, default=SOURCE / ".cache" / "wheels", help="where fetched wheels are kept"
    )
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("bundle").add_argument("folder", type=Path)
    commands.add_parser("wheels")
    commands.add_parser("install").add_argument("prefix", type=Path)
    asked = parser.parse_args()
    try:
        if asked.command == "bundle":
            _bundle(asked.folder, asked.wheels)
        elif asked.command == "wheels":
            for target in BUNDLED:
                fetched(target, LOCK, asked.wheels)
            shutil.copyfile(LOCK, asked.wheels / LOCK.name)  # the sign that all are there; the tests compare it
        else:
            _install(asked.prefix.absolute(), asked.wheels)
    except UnusableWheelError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()
