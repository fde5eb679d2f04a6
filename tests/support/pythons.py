"""The Pythons of this machine, of the versions that a bundle has libraries for."""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path


def found(tags: Iterable[str]) -> list[Path]:
    """Return a Python for each of the tags (`cp312`) that this machine has; the one that runs the tests always."""
    own = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return [path for tag in tags if (path := Path(os.path.realpath(sys.executable)) if tag == own else _of(tag))]


def _of(tag: str) -> Path | None:
    """Look where distributions and pyenv put it; pyenv's shims are no Pythons, they say which one is not chosen."""
    name = f"python{tag[2]}.{tag[3:]}"
    kept = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/*/bin/{name}"))
    known = shutil.which(name, path=os.pathsep.join(("/usr/bin", "/usr/local/bin")))
    return kept[-1] if kept else Path(known) if known else None
