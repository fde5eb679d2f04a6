"""Files the command line makes: secret ones, never over another; and times as they are shown."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from identity import keyring
from identity.types import Millis, Secret

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000


def write_new(path: Path, text: str) -> None:
    """Write a file that only its owner can read, on the disk for good. Raises FileExistsError, OSError."""
    with os.fdopen(os.open(path, _NEW, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def new_ring_file(path: Path) -> None:
    """Make a key ring of one key, which signs at once. Raises FileExistsError, OSError."""
    secret, locator = (Secret(os.urandom(keyring.SECRET_BYTES)) for _ in range(2))
    write_new(path, keyring.new_ring(secret=secret, locator=locator, now=now()).render())


def now() -> Millis:
    """Return the time."""
    return time.time_ns() // _NANOSECONDS_PER_MILLISECOND


def moment(at: Millis) -> str:
    """Return a time as people and programs read it: UTC, to the second."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
