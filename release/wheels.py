"""The locked wheels: which a target needs, fetched and checked by pip, and what is in one.

Owns the folder of fetched wheels (`.cache/wheels`), one folder for each target with a copy of the lock it was
filled from, written last. A wheel whose hash is not in the lock never gets there.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final
from zipfile import ZipFile

from packaging.markers import Marker

from release.targets import WheelTarget

LOCK: Final = "lock.txt"
_REQUIREMENT: Final = re.compile(r"^\S+?==\S+(?:\s*;\s*(?P<marker>[^\\\n]+))?", re.MULTILINE)
_LICENCE: Final = re.compile(r"(?i)^(licen[cs]e|copying|notice)")


class UnusableWheelError(Exception):
    """A wheel cannot be part of a release; the message says which and why."""


def needed(lock: str, target: WheelTarget) -> str:
    """Return the lines of a lock that count for a target, without their markers."""
    kept = []
    for block in re.split(r"\n(?=\S)", lock.strip()):
        requirement = _REQUIREMENT.match(block)
        marker = requirement["marker"] if requirement else None
        if requirement and (not marker or Marker(marker.strip()).evaluate(dict(target.environment()))):
            kept.append(block.replace(f"; {marker}", "") if marker else block)
    return "\n".join(kept) + "\n"


def fetched(target: WheelTarget, lock: Path, folder: Path) -> tuple[Path, ...]:
    """Return a target's wheels, sorted; asks the package index only if the lock changed since the last time.

    Raises:
        subprocess.CalledProcessError: pip could not get them, or one is not the locked one; it has said why.
    """
    place, wanted = folder / target.tag, needed(lock.read_text(), target)
    copy = place / LOCK
    if not copy.is_file() or copy.read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        (place / "wanted.txt").write_text(wanted)
        sys.stderr.write(f"Fetching the libraries for {target.tag} (once)\n")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        strict = ["--require-hashes", "--no-deps", "--only-binary=:all:", *target.options()]
        asked = ["--dest", str(place), "--requirement", str(place / "wanted.txt")]
        subprocess.run([*pip, *strict, *asked], check=True)  # noqa: S603 - our own command
        (place / "wanted.txt").rename(copy)
    return tuple(sorted(place.glob("*.whl")))


def unpack(wheel: Path, place: Path) -> None:
    """Put a wheel's files where Python imports them from.

    Raises:
        UnusableWheelError: it has files for elsewhere, which unpacking alone would not put there.
    """
    with ZipFile(wheel) as archive:
        for name in archive.namelist():
            parts = PurePosixPath(name).parts
            if ".." in parts or name.startswith("/") or parts[0].endswith(".data"):
                raise UnusableWheelError(f"{wheel.name} has {name}, which is not a file to import")
        archive.extractall(place)


def licences(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the licence texts in a wheel's metadata, with `PACKAGE-VERSION/FILE` as names.

    Raises:
        UnusableWheelError: it has none.
    """
    found = False
    with ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            folder, *inner = PurePosixPath(name).parts
            text = inner and not name.endswith("/")
            if folder.endswith(".dist-info") and text and (inner[0] == "licenses" or _LICENCE.match(inner[-1])):
                found = True
                yield f"{folder.removesuffix('.dist-info')}/{inner[-1]}", archive.read(name)
    if not found:
        raise UnusableWheelError(f"{wheel.name} has no licence text")
