"""Files the command line makes and exchanges: secret ones.

Invariants: a new file is never written over another, and an exchanged one is there whole, the old
or the new, whenever it is read and whenever the power fails.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from identity import keyring
from identity.clock import require
from identity.types import Millis
from options.secret import Secret

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000


def write_new(path: Path, text: str) -> None:
    """Write a file that only its owner can read, on the disk for good. Raises FileExistsError, OSError."""
    with os.fdopen(os.open(path, _NEW, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Keep other commands from exchanging files of this folder meanwhile; the kernel lets go of it. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def exchange(path: Path, text: str) -> None:
    """Put a text in the place of a file's, with its mode and owner, at once and on the disk for good.

    Raises:
        OSError: it was not exchanged. Also when the owner cannot be kept: a daemon could not read the file.
    """
    path = path.resolve(strict=True)
    before = path.stat()
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        fresh.unlink()  # of a process of this number that was killed here
    write_new(fresh, text)
    try:
        if (before.st_uid, before.st_gid) != (fresh.stat().st_uid, fresh.stat().st_gid):
            os.chown(fresh, before.st_uid, before.st_gid)
        fresh.chmod(before.st_mode & 0o7777)
        fresh.replace(path)
    except OSError:
        fresh.unlink()
        raise
    _settle(path.parent)


def _settle(folder: Path) -> None:
    """Bring a change of names to the disk."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def new_ring_file(path: Path) -> None:
    """Make a key ring of one key, which signs at once. Raises FileExistsError, OSError, ConfigError."""
    at = require(now())
    secret, locator = (Secret(os.urandom(keyring.SECRET_BYTES)) for _ in range(2))
    write_new(path, keyring.new_ring(secret=secret, locator=locator, now=at).render())


def now() -> Millis:
    """Return the time."""
    return time.time_ns() // _NANOSECONDS_PER_MILLISECOND
