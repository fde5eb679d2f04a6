#!/usr/bin/env python3
"""Start identityd. Everything is in `identity.cli`; this file only finds it, and the libraries.

In the wheel it is a package's `__init__.py`, with what stands beside it here beside it there.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# `make` installs into .venv; called as ./identityd.py, the system's Python would not find it.
OWN = HERE / ".venv" / "bin" / "python"
# What was installed or unpacked has its libraries beside it: those for every Python, and those for one.
LIBRARIES = HERE / "lib"


def find_libraries() -> None:
    """Let Python import what came along; exits with a sentence if that is for other Pythons."""
    major, minor = sys.version_info[:2]
    own = LIBRARIES / f"cp{major}{minor}"
    if not own.is_dir():
        known = sorted(int(path.name[3:]) for path in LIBRARIES.glob("cp3[0-9]*"))
        names = ", ".join(f"3.{number}" for number in known) or "no Python at all"
        sys.exit(
            f"The libraries in {LIBRARIES} are for Python {names}; this is {sys.executable}, Python {major}.{minor}."
        )
    # Ours come first, whatever else this machine has, and also for `python3 -I`.
    sys.path[:0] = [str(HERE), str(LIBRARIES), str(own)]


def complaint(error: ImportError) -> str:
    """Return one sentence about a library that is not there, or is for another machine."""
    if not isinstance(error, ModuleNotFoundError):
        return f"The library {error.path or error.name} cannot be used on this machine: {error}"
    if LIBRARIES.is_dir():
        return f"The library {error.name} is missing from {HERE}. Unpack or install this version again."
    if __name__ != "__main__":
        return f"The library {error.name} is missing from {sys.prefix}. Install identityd there again, with pip."
    if not os.access(HERE, os.R_OK | os.X_OK) or (os.path.lexists(OWN) and not os.access(OWN, os.X_OK)):
        return (
            f"This user may not use {OWN}: let it read the folder, or install for all users (`make install PREFIX=…`)."
        )
    return f"The library {error.name} is missing. `make run` installs everything into .venv once."


def main() -> None:
    """Run the command line and exit."""
    if LIBRARIES.is_dir():
        find_libraries()
    elif str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    try:
        from identity.cli import main as run  # noqa: PLC0415 - not before it can be found

        run()  # a command imports what it needs when it runs
    except ImportError as missing:
        sys.exit(complaint(missing))


if __name__ == "__main__":
    if not LIBRARIES.is_dir() and sys.prefix == sys.base_prefix and os.access(OWN, os.X_OK):
        os.execv(OWN, [str(OWN), *sys.argv])  # noqa: S606 - no shell wanted
    main()
