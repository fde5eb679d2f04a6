"""Connections to the account file, and what their errors mean.

Owns how a connection is set up: write-ahead log, synchronous FULL (NORMAL can lose the last
commits at a power failure), no implicit transactions, no user but the owner reads the file.
Invariant: no driver exception leaves `identity.stores`.

A process that uses the file holds a lock on it: shared, or alone where nothing may change meanwhile. The
kernel lets go of it when the process ends, however it ends. SQLite's own locks are of another kind
and not touched by it.
"""

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from threading import Lock
from typing import IO, Final

from identity.errors import ConfigError, StoreUnavailable
from identity.types import SECOND, Millis

_OTHERS = 0o077
RESTORING: Final = ".restoring"
"""Behind the account file's name: a backup that is being put in its place."""


def unavailable(error: sqlite3.Error | OSError) -> StoreUnavailable:
    """Return what the caller may know of an error: that the store is away, with the cause for the log."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return StoreUnavailable(detail=f"sqlite: {name}: {error}")


def beside(path: Path, suffix: str) -> Path:
    """Return the file whose name is that of another with something behind it."""
    return path.with_name(path.name + suffix)


def require_restored(path: Path) -> None:
    """Refuse an account file whose place a backup is to take. Raises ConfigError."""
    if beside(path, RESTORING).exists():
        problem = f"[sqlite] file: a restore of {path} was begun and not finished"
        raise ConfigError((f"{problem}; run the same `identityd.py restore` again",))


def hold(path: Path, *, alone: bool = False) -> IO[bytes]:
    """Make the file if there is none, for its owner alone (0600), and lock it until the result is closed.

    SQLite gives the files it puts beside it the same permissions. Close it after all connections
    to the file: closing lets go of this process's SQLite locks too.

    Raises:
        ConfigError: another process uses the file, or uses it alone; or every user can write it.
    """
    file = os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600), "rb")
    try:
        mode = path.stat().st_mode
        _require_untouched(path, mode)
        if mode & _OTHERS:
            path.chmod(mode & ~_OTHERS)
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        problem = (
            f"[sqlite] file: {path} is in use; stop identityd, and whatever else of it runs, first"
            if alone
            else f"[sqlite] file: {path} is being copied or restored; start again when that command is done"
        )
        raise ConfigError((problem,)) from error
    except BaseException:
        file.close()
        raise
    return file


def _require_untouched(path: Path, mode: int) -> None:
    if mode & stat.S_IWOTH:
        # Changing the mode now would only hide what another user may have written.
        problem = (
            f"[sqlite] file: {path} can be changed by everybody on this machine; run `chmod o-w {quote(str(path))}`"
        )
        raise ConfigError((problem,))


def connect(path: Path, *, busy_ms: Millis) -> sqlite3.Connection:
    """Open a connection that any one thread at a time may use. The file must be there."""
    address = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        address, uri=True, timeout=busy_ms / SECOND, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class Readers:
    """Idle connections for reading; a thread takes one, reads, and puts it back.

    There are never more than threads that ever read at the same moment, and none is left behind by
    a thread that ends.

    Args:
        path: the account file.
        busy_ms: how long a read waits for a lock.
    """

    def __init__(self, path: Path, *, busy_ms: Millis) -> None:
        self._path = path
        self._busy_ms = busy_ms
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._lock = Lock()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that cannot write; any driver error in the block becomes StoreUnavailable."""
        try:
            connection = self._take()
        except sqlite3.Error as error:
            raise unavailable(error) from error
        try:
            yield connection
        except sqlite3.Error as error:
            raise unavailable(error) from error
        finally:
            self._put_back(connection)

    def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreUnavailable(detail="sqlite: the store is closed")
            if self._idle:
                return self._idle.pop()
        connection = connect(self._path, busy_ms=self._busy_ms)
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _put_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()
