"""One daemon only: what the in-process session store needs, because two would each have sessions of their own.

Owns a lock on the key ring's file, which every daemon of an installation shares. The kernel lets
go of it when the process ends, however it ends. `keys add` puts another file in its place, so the
lock is taken anew when the ring is read again. Daemons on several machines cannot be seen from
here; docs/operations.md says so.
"""

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from identity.errors import ConfigError


def hold(path: Path) -> IO[bytes]:
    """Lock the file for this process until it ends or the result is closed.

    Raises:
        ConfigError: another daemon of this machine has it.
    """
    file = path.open("rb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        problem = (
            "[sessions] store: memory is for one daemon, and another one uses this key ring already; "
            "stop it, or set store = memcached"
        )
        raise ConfigError((problem,)) from error
    return file


class Alone:
    """The lock of a daemon that may be the only one. Its maker closes it."""

    def __init__(self, path: Path, closing: ExitStack) -> None:
        self._path = path
        self._closing = closing
        self._file = closing.enter_context(hold(path))

    def renew(self) -> None:
        """Lock the file that is there now. Raises ConfigError if another daemon has it."""
        if not os.path.samestat(os.fstat(self._file.fileno()), self._path.stat()):
            self._file = self._closing.enter_context(hold(self._path))
