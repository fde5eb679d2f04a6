"""Backups of the account file: made while daemons write to it, looked through, and put in its place.

Owns the copy and the exchange of files; what a restore means for sessions is `identity/restoring.py`.
Invariants: a backup appears under its name only whole and looked through, and never over another file. From
`put_in_place` on a file beside the account file (`RESTORING`) keeps every daemon away until the accounts of the
backup are where they belong, whichever step the process dies at; the same restore, run again, goes on.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from identity.audit import Event
from identity.errors import ConfigError
from identity.stores.sqlite_connections import RESTORING, beside, unavailable
from identity.stores.sqlite_schema import APPLICATION_ID, MIGRATIONS
from identity.stores.sqlite_tables import AUDIT
from identity.types import Millis

_PAGES: Final = 1_000
"""Copied between two reports of how far it is."""
_TOO_MANY: Final = 5
"""Most faults of a damaged file that are named."""
_REPLACED: Final = ".replaced-"
_SIDES: Final = ("-wal", "-shm", "-journal")

Told = Callable[[int, int], None]
"""Hears how many pages are copied, and of how many."""


@dataclass(frozen=True, slots=True)
class BackupContents:
    """What is in a backup that was found to be whole."""

    accounts: int
    tables: int
    """Version of its tables."""
    newest_change: Millis | None
    """Of its newest audit row; None if it has none."""
    size: int
    """In bytes."""


def back_up(source: Path, target: Path, *, told: Told) -> BackupContents:
    """Copy the account file as it is at one moment, look the copy through, and give it its name.

    Daemons go on writing meanwhile; the copy has nothing of what came after it began.

    Raises:
        ConfigError: there is a file of that name, another backup is being written there, or the copy is not whole.
        StoreUnavailable: the account file cannot be read, or the copy cannot be written.
    """
    with _errors(), _part(target) as part:
        _copy(source, part, told)
        contents = examine(part)
        _sync(part)
        _publish(part, target)
    return contents


def examine(path: Path) -> BackupContents:
    """Look a copy through: every page, whose tables they are, whether this release can serve them.

    Raises:
        ConfigError: it is damaged, another program's, a newer identityd's, or an unfinished copy.
        StoreUnavailable: it cannot be read.
    """
    with _errors(), _damage(path), closing(_reading(path)) as connection:
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        if owner != APPLICATION_ID:
            raise ConfigError((f"{path}: is not a backup of an account file",))
        _require_whole(connection, path)
        version = connection.execute("SELECT max(version) FROM schema_migrations").fetchone()[0]
        if version > len(MIGRATIONS):
            problem = f"was written by a newer identityd (its tables are version {version}, this one knows"
            raise ConfigError((f"{path}: {problem} {len(MIGRATIONS)}); use that version",))
        if connection.execute("SELECT note FROM copy_note").fetchone():
            raise ConfigError((f"{path}: is an unfinished copy of another store; finish `identityd.py copy` first",))
        accounts = connection.execute("SELECT count(*) FROM accounts").fetchone()[0]
        newest = connection.execute("SELECT max(at) FROM audit").fetchone()[0]
    return BackupContents(accounts, version, newest, path.stat().st_size)


def events_missing_in(backup: Path, current: Path, *, actions: Collection[str]) -> tuple[Event, ...] | None:
    """Return the audited events of these actions that the account file has and a backup does not, oldest first.

    None if the account file is not there or cannot be read. If it is in no other use, SQLite brings the log of
    changes into the file on the way: then one file is moved by a restore, and not three.
    """
    if not current.exists():
        return None
    marks = ", ".join("?" * len(actions))
    newer = f"{AUDIT.all} WHERE action IN ({marks}) AND id NOT IN (SELECT id FROM kept.audit) ORDER BY at, id"  # noqa: S608
    try:
        with closing(_reading(current, mode="rw")) as connection:
            connection.execute("ATTACH ? AS kept", (f"{backup.absolute().as_uri()}?mode=ro",))
            return tuple(AUDIT.unpack(row) for row in connection.execute(newer, tuple(actions)))
    except (sqlite3.Error, ValueError, OSError):
        return None


def left_by_a_restore(current: Path) -> Path:
    """Return where the accounts are that a restore replaces: another place if an earlier run moved them and died."""
    if current.exists() or not beside(current, RESTORING).exists():
        return current
    moved = current.parent.glob(f"{current.name}{_REPLACED}*[0-9]")
    return max(moved, key=lambda each: each.stat().st_mtime, default=current)


def copy_for_restore(backup: Path, current: Path, *, told: Told) -> Path:
    """Copy a backup to beside the account file, where it is no obstacle yet. Raises as `back_up` does."""
    part = beside(current, f"{RESTORING}.part")
    with _errors():
        for each in (part, *_sides(part)):
            each.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy(backup, part, told)
        examine(part)
    return part


def begin_restore(part: Path, current: Path) -> Path:
    """Keep every daemon away from the account file until `finish_restore`. Raises StoreUnavailable."""
    restoring = beside(current, RESTORING)
    with _errors():
        owner = (current if current.exists() else current.parent).stat()
        if (owner.st_uid, owner.st_gid) != (part.stat().st_uid, part.stat().st_gid):
            os.chown(part, owner.st_uid, owner.st_gid)
        _sync(part)
        part.replace(restoring)
        _sync(current.parent)
    return restoring


def finish_restore(current: Path, *, stamp: str, checkpoint: Callable[[str], None]) -> Path | None:
    """Put what is being restored in the account file's place; return where the account file is now.

    It is kept, with what SQLite left beside it: without it nothing could be looked up any more. None if there
    was none, or an earlier run moved it.

    Raises:
        StoreUnavailable: a file cannot be moved; run the restore again.
    """
    kept = beside(current, f"{_REPLACED}{stamp}")
    with _errors():
        # The log of changes first: beside the restored file SQLite would play it into a database it does not fit.
        for side in _SIDES:
            with suppress(FileNotFoundError):
                beside(current, side).rename(beside(kept, side))
                checkpoint("restore.log-moved")
        moved = False
        with suppress(FileNotFoundError):
            current.rename(kept)
            moved = True
        checkpoint("restore.old-moved")
        beside(current, RESTORING).rename(current)
        _sync(current.parent)
    checkpoint("restore.done")
    return kept if moved else None


def _copy(source: Path, target: Path, told: Told) -> None:
    with closing(_reading(source)) as reading, closing(sqlite3.connect(target, isolation_level=None)) as writing:
        # A read that is open holds the moment: without it each commit of a daemon would begin the copy anew.
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reading.backup(writing, pages=_PAGES, progress=lambda _, left, total: told(total - left, total))
        reading.execute("COMMIT")
        # One file, not three: what is carried away must be complete.
        writing.execute("PRAGMA journal_mode = DELETE")


def _require_whole(connection: sqlite3.Connection, path: Path) -> None:
    found = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_TOO_MANY})")]
    if found != ["ok"]:
        raise ConfigError(tuple(f"{path}: is damaged: {fault}" for fault in found))


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Raise ConfigError where SQLite cannot make out what is there."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            raise
        raise ConfigError((f"{path}: is damaged, or no backup of an account file: {error}",)) from error


def _reading(path: Path, *, mode: str = "ro") -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    """Give an empty file beside the target, for its owner alone and for one process; it is gone afterwards."""
    if target.exists():
        raise ConfigError((f"{target}: is there already; nothing was written over it. Name another file",))
    part = target.with_name(f".{target.name}.part")
    with os.fdopen(os.open(part, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError((f"{target}: another backup is being written there",)) from error
        try:
            file.truncate()  # of a run that was killed
            yield part
        finally:
            for each in (part, *_sides(part)):
                each.unlink(missing_ok=True)


def _publish(part: Path, target: Path) -> None:
    try:
        # A link is refused where a file of that name came to be meanwhile; a rename would write over it.
        target.hardlink_to(part)
    except FileExistsError as error:
        raise ConfigError((f"{target}: is there already; nothing was written over it. Name another file",)) from error
    except OSError:  # a file system without links
        part.rename(target)
    _sync(target.parent)


def _sides(path: Path) -> tuple[Path, ...]:
    return tuple(beside(path, side) for side in _SIDES)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise unavailable(error) from error
