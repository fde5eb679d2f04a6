"""A folder as one archive whose bytes depend on its files alone: sorted, one time, no owner."""

import gzip
import tarfile
from functools import partial
from pathlib import Path


def pack(root: Path, archive: Path, *, time_s: int) -> None:
    """Write the folder with its name into a .tar.gz; the archive appears under its name when it is whole.

    Args:
        root: the folder.
        archive: where.
        time_s: what every file's time is, in seconds since 1970.
    """
    part = archive.with_name(f"{archive.name}.part")
    with (
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=time_s) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in [root, *sorted(root.rglob("*"))]:
            name = (Path(root.name) / path.relative_to(root)).as_posix()
            tar.add(path, name, recursive=False, filter=partial(_plain, time_s=time_s))
    part.rename(archive)


def _plain(member: tarfile.TarInfo, *, time_s: int) -> tarfile.TarInfo:
    member.mtime, member.uid, member.gid = time_s, 0, 0
    member.uname = member.gname = "root"
    return member
