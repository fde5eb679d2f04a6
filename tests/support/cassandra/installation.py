"""What `make services` put on this machine for Cassandra: a Java of the right version, the jars, an archive.

Owns where these lie and whether they are complete; installs nothing. Standard library only, since
`.ci/services` uses it before there is a virtual environment.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from tests.support.programs import major_version

_HERE: Final = Path(__file__).parent
_CACHE: Final = (Path(__file__).parents[3] / ".cache" / "cassandra").resolve()
JARS: Final = _CACHE / "lib"
ARCHIVE: Final = _CACHE / "classes.jsa"
"""Classes as the Java machine wants them in memory (AppCDS); nodes start without it, a second later."""
JAVA_VERSION: Final = 17
"""The newest Java that Cassandra 5.0 runs on: it needs the SecurityManager, which later ones took away."""


def java() -> str | None:
    """Return a Java 17, if there is one, whatever `java` on the PATH is; the environment's JAVA17 names another."""
    installed = sorted(str(path) for path in Path("/usr/lib/jvm").glob("*17*/bin/java"))
    candidates = (os.environ.get("JAVA17"), shutil.which("java"), *installed)
    return next(
        (path for path in candidates if path and major_version(path, "-version", r'version "(\d+)') == JAVA_VERSION),
        None,
    )


def jars() -> str | None:
    """Return where exactly the jars lie that pom.xml names, if they do."""
    copy = _CACHE / "pom.xml"
    current = copy.is_file() and copy.read_bytes() == (_HERE / "pom.xml").read_bytes()
    return str(JARS) if current and JARS.is_dir() else None


def installed() -> bool:
    """Tell whether there is a Java 17, and the jars."""
    return jars() is not None and java() is not None


def class_path() -> str:
    """Return all jars as Java wants them; nothing but jars, or the archive would not apply."""
    return ":".join(sorted(str(path) for path in JARS.glob("*.jar")))
