#!/usr/bin/env python3
"""Start identityd. Everything is in `identity.cli`; this file only finds the libraries."""

import os
import sys
from pathlib import Path

# `make` installs into .venv; called as ./identityd.py, the system's Python would not find it.
OWN = Path(__file__).resolve().parent / ".venv" / "bin" / "python"

if __name__ == "__main__":
    if sys.prefix == sys.base_prefix and OWN.exists():
        os.execv(OWN, [str(OWN), *sys.argv])  # noqa: S606 - no shell wanted
    try:
        from identity.cli import main
    except ModuleNotFoundError as missing:
        sys.exit(f"The library {missing.name} is missing. `make run` installs everything into .venv once.")
    main()
