"""Plays systemd: starts a daemon with listening sockets and hears what it says of itself.

What is played is the protocol (sd_listen_fds(3), sd_notify(3)) with real sockets; systemd itself needs a
machine of its own. As systemd does, it goes by the process that a word comes from.
"""

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Final

from tests.support.running import Running

_START: Final = """
import fcntl, os, sys
given = [int(number) for number in sys.argv[1].split(",") if number]
for at, number in enumerate([fcntl.fcntl(number, fcntl.F_DUPFD, 100) for number in given]):
    os.dup2(number, 3 + at)
for name in ("LISTEN_PID", "WATCHDOG_PID"):
    if os.environ.get(name) == "":
        os.environ[name] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""
_LOOKS_EVERY_S: Final = 0.1
_CREDENTIALS: Final = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Word:
    """One message, and the process it came from."""

    pid: int
    lines: dict[str, str]


class Systemd:
    """A supervisor's ear and hands; a context manager. Its folder's path is short, as sockets need.

    Args:
        abstract: listen under an abstract name instead of a path.
    """

    def __init__(self, *, abstract: bool = False) -> None:
        self.folder = Path(mkdtemp())
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._ear.settimeout(_LOOKS_EVERY_S)
        self.address = f"@identityd-test-{os.getpid()}-{id(self)}" if abstract else str(self.folder / "notify")
        self._ear.bind(self.address.replace("@", "\0", 1) if abstract else self.address)
        self._words: list[Word] = []
        self._over = threading.Event()
        # It reads all the time, as systemd does: few words fit into the queue.
        self._thread = threading.Thread(target=self._listen)
        self.files: dict[str, socket.socket | IO[str]] = {}
        """What is handed down, by name and in this order."""

    def __enter__(self) -> "Systemd":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._ear.close()
        for file in self.files.values():
            file.close()

    def listen(self, name: str, place: tuple[str, int] | Path) -> None:
        """Open a socket that will be handed down under a name."""
        if isinstance(place, Path):
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(str(place))
            sock.listen(256)
        else:
            sock = socket.create_server(place, backlog=256)
        self.files[name] = sock

    def launch(
        self, command: Sequence[str], *, environ: Mapping[str, str], log: Path, cwd: Path
    ) -> "subprocess.Popen[bytes]":
        """Start a program with the sockets, in their order, from file 3 on."""
        numbers = [file.fileno() for file in self.files.values()]
        names = {"LISTEN_FDS": str(len(numbers)), "LISTEN_PID": "", "LISTEN_FDNAMES": ":".join(self.files)}
        full = {"NOTIFY_SOCKET": self.address, **(names if numbers else {}), **environ}
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-c", _START, ",".join(map(str, numbers)), *command],
                cwd=cwd,
                env=full,
                pass_fds=numbers,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                data, extra, _, _ = self._ear.recvmsg(4_096, socket.CMSG_SPACE(_CREDENTIALS.size))
            except TimeoutError:
                continue
            pids = [_CREDENTIALS.unpack(found)[0] for _, kind, found in extra if kind == socket.SCM_CREDENTIALS]
            lines = dict(line.partition("=")[::2] for line in data.decode().splitlines())
            self._words.append(Word(pids[0] if pids else 0, lines))

    def heard(self) -> list[Word]:
        """Return every word so far."""
        return list(self._words)

    def said(self, line: str) -> bool:
        """Tell whether a line such as `READY=1` came."""
        name, _, value = line.partition("=")
        return any(word.lines.get(name) == value for word in self.heard())


class Unit(Running):
    """A daemon as a service of it.

    Args:
        systemd: who starts it.
        folder, sections, demo: as of `Running`.
        environ: further variables; an empty LISTEN_PID or WATCHDOG_PID becomes the process's own.
    """

    def __init__(
        self,
        systemd: Systemd,
        folder: Path,
        sections: Mapping[str, Mapping[str, str]],
        *,
        environ: Mapping[str, str] | None = None,
        demo: bool = False,
    ) -> None:
        super().__init__(folder, sections, demo=demo, environ=environ)
        self._systemd = systemd

    def _launch(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        return self._systemd.launch(command, environ=self._environ, log=self._log, cwd=self.folder)
