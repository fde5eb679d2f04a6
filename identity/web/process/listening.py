"""Sockets to listen on: made here, or handed down.

Owns a TCP or Unix socket from its address to the moment connections queue on it, and the file of a
Unix socket: its mode and group before the first connection, and its end. Invariants: a socket file on
which a program answers is never replaced, of two daemons that start at once one gets the path, and only
the file that was made here is removed.
"""

import fcntl
import grp
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from identity.errors import ConfigError

BACKLOG: Final = 1_024
_ANSWERS_WITHIN_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixSocket:
    """Where a Unix socket is, and who may connect to it."""

    path: Path
    mode: int = 0o660
    group: str = ""
    """Name or number; empty is this process's own."""

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """One listener. `unix`, if given, stands for address and port; `sock` is what was handed down for either."""

    address: str
    port: int
    unix: UnixSocket | None = None
    certificate: Path | None = None
    key: Path | None = None
    sock: socket.socket | None = None
    idle_s: float = 75.0
    """How long a connection may take to send a request's headers, waiting between requests included."""
    body_s: float = 30.0
    """How long a body may take."""

    @property
    def place(self) -> str:
        """Where it listens, in words."""
        return str(self.unix) if self.unix else f"{self.address} port {self.port}"


@dataclass(frozen=True, slots=True)
class SocketFile:
    """The file of a Unix socket that was made here."""

    path: Path
    device: int
    inode: int

    def remove(self) -> None:
        """Remove it, unless another has taken its place."""
        try:
            found = self.path.lstat()
        except OSError:
            return
        if (found.st_dev, found.st_ino) == (self.device, self.inode):
            self.path.unlink(missing_ok=True)


def socket_file(sock: socket.socket) -> SocketFile | None:
    """Return the file under which a socket is reached; None if it has none."""
    if sock.family != socket.AF_UNIX:
        return None
    path = Path(os.fsdecode(sock.getsockname()))
    try:
        found = path.lstat()
    except OSError:
        return None
    return SocketFile(path, found.st_dev, found.st_ino)


def listen(listening: Listening) -> socket.socket:
    """Return a socket on which connections queue. Raises ConfigError."""
    try:
        sock = _unix(listening.unix) if listening.unix else _tcp(listening.address, listening.port)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        option, remedy = (
            ("address", "the folder must be there, and this user must be able to write it")
            if listening.unix
            else ("port", "stop what uses it, or give another port")
        )
        problem = f"[server] {option}: cannot listen on {listening.place}: {reason}; {remedy}"
        raise ConfigError((problem,)) from error
    sock.setblocking(False)
    return sock


def group_id(name: str) -> int:
    """Return a group's number. Raises ConfigError for a name that this machine does not know."""
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        problem = f"[server] socket_group: this machine has no group {name}; make it, or give its number"
        raise ConfigError((problem,)) from None


def _tcp(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=BACKLOG)


def _unix(unix: UnixSocket) -> socket.socket:
    group = group_id(unix.group) if unix.group else -1
    folder = os.open(unix.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Of two daemons that start at once, one looks and binds after the other: else both would find the
        # file of a dead one, and the second remove the first's.
        fcntl.flock(folder, fcntl.LOCK_EX)
        _make_room(unix.path)
        sock.bind(str(unix.path))
        made = socket_file(sock)
        try:
            os.chown(unix.path, -1, group)
            unix.path.chmod(unix.mode)
            sock.listen(BACKLOG)  # last: until then every connection is refused, whatever the mode
        except BaseException:
            if made:
                made.remove()
            raise
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(folder)
    return sock


def _make_room(path: Path) -> None:
    """Remove the socket of a daemon that is gone. Raises ConfigError for anything else that is there."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigError((f"[server] address: {path} is there and is no socket; move it away, or name another path",))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ANSWERS_WITHIN_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError:
            pass  # a full queue, or no right to ask: a program listens there
    raise ConfigError((f"[server] address: a program answers on {path} already; stop it, or name another path",))
