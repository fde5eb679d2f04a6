"""Who can write and read a file: may its content be believed, and can no other user have read it?

Owns one rule for every file that decides who a person is: the configuration, the key ring, secrets,
certificates and their keys, the account file and what SQLite puts beside it (THREATS 53).

    who            may write the file   may write a folder on its way      may read the file
    -------------  -------------------  ---------------------------------  -----------------------
    every user     never                never; a sticky one, such as /tmp, only what is public
                                        if what lies in it is ours or
                                        root's, and no account file
    the group      yes: who is in it    yes                                yes
                   is the operator's
                   decision

A folder counts because a user who can write it can put another file in the place of ours; the way is
followed through every link. Symbolic links, such as those of a Kubernetes secret, are fine. Reading
never waits: what is no file (a pipe, a device, a folder) is refused, and so is what is too long.
Must not print or quote what a file holds.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Final

LARGEST: Final = 1_048_576
"""Bytes of a file that is read whole."""
_LINKS: Final = 40
"""Symbolic links on one way, as many as Linux follows."""
_ROOT: Final = 0
_NO_WAITING: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Unreadable(ValueError):
    """A file that is not there, or that the system does not let us read; `why` is its word for it."""

    def __init__(self, path: Path, why: str) -> None:
        self.why = why
        super().__init__(f"{path} cannot be read: {why}")


def read(path: Path, *, secret: bool) -> bytes:
    """Return what a file holds.

    Raises ValueError, Unreadable among it, with a sentence that completes "[section] option: …". Mode
    and kind are looked at on the open file, so that it cannot be exchanged in between.
    """
    try:
        opened = os.open(path, _NO_WAITING)
    except (OSError, ValueError) as error:
        raise Unreadable(path, reason(error)) from None
    try:
        _require(path, os.fstat(opened), secret=secret)
        with os.fdopen(opened, "rb", closefd=False) as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise Unreadable(path, reason(error)) from None
    finally:
        os.close(opened)
    if len(content) > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST >> 20} MB; name the right file")
    return content


def problem_of_place(path: Path, *, beside: bool = False) -> str:
    """Return why nothing that is found at this path can be believed; empty if it can.

    Args:
        path: of a file, there or not.
        beside: whether files beside it are believed too, so that even a sticky folder is not enough.
    """
    try:
        steps = list(_way(path.absolute()))
    except OSError:
        return ""  # it cannot be reached, and opening it will say so
    for at, (folder, name) in enumerate(steps):
        mode = mode_of(folder) or 0
        if not mode & stat.S_IWOTH:
            continue
        if mode & stat.S_ISVTX and _is_ours(folder / name) and not (beside and at == len(steps) - 1):
            continue
        return (
            f"the folder {folder} can be written by everybody on this machine (mode {stat.S_IMODE(mode):04o}), so "
            f"{path.name} can be exchanged; run `chmod o-w {quote(str(folder))}`, or keep the file elsewhere"
        )
    return ""


def problem_of_writing(path: Path) -> str:
    """Return why a file that is there cannot be believed because every user can write it; empty if they cannot."""
    mode = mode_of(path) or 0
    if not (mode & stat.S_IWOTH and stat.S_ISREG(mode)):
        return ""
    return (
        f"{path} can be changed by everybody on this machine (mode {stat.S_IMODE(mode):04o}), so nothing in it can "
        f"be believed; look what is in it, then run `chmod o-w {quote(str(path))}`"
    )


def mode_of(path: Path) -> int | None:
    """Return a file's mode; None if it is not there, or cannot be looked at."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None


def kind_of(mode: int) -> str:
    """Name what is no file."""
    names = {
        stat.S_IFIFO: "a pipe",
        stat.S_IFDIR: "a directory",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return names.get(stat.S_IFMT(mode), "something else")


def reason(error: OSError | ValueError) -> str:
    """Say why a file could not be opened."""
    return (getattr(error, "strerror", None) or type(error).__name__).lower()


def _require(path: Path, found: os.stat_result, *, secret: bool) -> None:
    mode = found.st_mode
    if stat.S_ISDIR(mode):
        raise Unreadable(path, "is a directory")
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is {kind_of(mode)}, not a file; write what it says into a file")
    others = mode & (stat.S_IROTH | stat.S_IWOTH if secret else stat.S_IWOTH)
    if others:
        what, chmod = ("read or changed", "chmod 600") if secret else ("changed", "chmod o-w")
        raise ValueError(
            f"{path} can be {what} by everybody on this machine (mode {stat.S_IMODE(mode):04o}); "
            f"run `{chmod} {quote(str(path))}`"
        )
    if problem := problem_of_place(path):
        raise ValueError(problem)


def _way(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each folder and the name that is looked up in it, until the path is followed to its end."""
    folder, names, links = Path("/"), list(path.parts[1:]), 0
    while names:
        name = names.pop(0)
        if name == "..":
            folder = folder.parent
            continue
        yield folder, name
        here = folder / name
        if here.is_symlink() and links < _LINKS:
            links += 1
            target = here.readlink()
            folder, names = (
                (Path("/"), [*target.parts[1:], *names])
                if target.is_absolute()
                else (
                    folder,
                    [*target.parts, *names],
                )
            )
        else:
            folder = here


def _is_ours(path: Path) -> bool:
    try:
        return path.lstat().st_uid in (_ROOT, os.geteuid())
    except OSError:
        return True  # not there yet: the daemon makes it, and owns it then
