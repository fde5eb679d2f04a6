"""A takeover, as the daemon that goes sees it: a successor is started, waited for, and given the sockets.

The successor is started by the command line this process was started with: if that names a link, by
whatever version the link leads to now. It gets the listening sockets as systemd hands them down, and a
channel. Invariant: this daemon goes on serving until the successor says that it serves, so whatever goes
wrong before that costs no request.

    the successor                             this daemon
    ----------------------------------------  ------------------------------------------------------
    says that it serves                       tells the supervisor and the successor, then retires
    ends, or says nothing within `WITHIN_S`   goes on, and says so in the log; one that hangs is killed
    cannot be had (memory), or is under way   goes on, and says why in the log
"""

import asyncio
import fcntl
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from identity.web.process.inherited import FIRST
from identity.web.process.supervisor import Supervisor
from identity.web.state.traffic import Takeover, Traffic

log = logging.getLogger("identity.web.server")

WITHIN_S: Final = 60.0
CHANNEL: Final = "IDENTITYD_PREDECESSOR"
"""The variable that names the successor's end of the channel, a number of an open file."""
SERVES: Final = b"serves"
YOURS: Final = b"yours"
YOURS_WITH_FILES: Final = b"yours, with the files of the sockets"
_OUT_OF_THE_WAY: Final = 64
_LEAVES_WITHIN_S: Final = 1.0
_LOOK_EVERY_S: Final = 0.02
# The protocol names the process a socket is for, and a process learns its number when it runs. Until the
# successor listens to the signal itself, another takeover must not end it.
_BECOME: Final = """
import os, signal, sys
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
os.environ["LISTEN_PID"] = str(os.getpid())
if "WATCHDOG_USEC" in os.environ:
    os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execv(sys.argv[1], sys.argv[1:])
"""


class Succession:
    """Makes a successor when it is asked for one.

    Args:
        traffic: is told how a takeover goes, for those who ask how the daemon is.
        supervisor: is told which process is the daemon.
        hindrance: why there cannot be a successor; empty if there can.
        within_s: how long one may take until it serves.
    """

    def __init__(
        self, traffic: Traffic, supervisor: Supervisor, *, hindrance: str = "", within_s: float = WITHIN_S
    ) -> None:
        self._traffic = traffic
        self._supervisor = supervisor
        self._hindrance = hindrance
        self._within_s = within_s

    async def hand_over(self, sockets: Mapping[str, socket.socket], *, files: bool) -> bool:
        """Start a successor and give it the sockets, and their files; tell whether it serves."""
        if self._traffic.takeover is Takeover.UNDER_WAY or self._traffic.draining:
            log.warning("takeover-refused: this process is being taken over, or ends")
            return False
        self._traffic.takeovers += 1
        if self._hindrance:
            return self._failed(f"takeover-refused: {self._hindrance}")
        self._traffic.takeover = Takeover.UNDER_WAY
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            with theirs:
                try:
                    pid = self._start(sockets, theirs)
                except OSError as error:
                    return self._failed(f"takeover-failed: {command()[0]} cannot be started: {error.strerror}")
            log.info("takeover: process %d begins: %s", pid, " ".join(command()))
            try:
                serves = await self._serves(ours)
            except asyncio.CancelledError:  # this daemon was told to stop: so is who would go on for it
                os.kill(pid, signal.SIGKILL)
                raise
            if not serves:
                return self._failed(await asyncio.to_thread(_end, pid))
            self._supervisor.main_process(pid)
            await asyncio.get_running_loop().sock_sendall(ours, YOURS_WITH_FILES if files else YOURS)
        self._traffic.takeover = Takeover.DONE
        log.info("takeover: process %d serves; this one answers what is open, and ends", pid)
        return True

    def _failed(self, why: str) -> bool:
        self._traffic.takeover = Takeover.FAILED
        log.warning("%s; this process goes on", why)
        return False

    async def _serves(self, channel: socket.socket) -> bool:
        try:
            async with asyncio.timeout(self._within_s):
                return await asyncio.get_running_loop().sock_recv(channel, len(SERVES)) == SERVES
        except (TimeoutError, ConnectionError):
            return False

    def _start(self, sockets: Mapping[str, socket.socket], channel: socket.socket) -> int:
        files = [*(sock.fileno() for sock in sockets.values()), channel.fileno()]
        # First out of the way: the numbers they are to have may be those of others among them.
        copies = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY) for number in files]
        given = {
            "LISTEN_FDS": str(len(sockets)),
            "LISTEN_FDNAMES": ":".join(sockets),
            CHANNEL: str(FIRST + len(sockets)),
        }
        program = interpreter()
        try:
            return os.posix_spawn(
                program,
                [program, "-I", "-S", "-c", _BECOME, *command()],
                {**os.environ, **given, **self._supervisor.environment()},
                file_actions=[(os.POSIX_SPAWN_DUP2, number, FIRST + at) for at, number in enumerate(copies)],
            )
        finally:
            for number in copies:
                os.close(number)


def command() -> Sequence[str]:
    """Return the command line with which this process was started, links as they were given."""
    return [interpreter(), *sys.orig_argv[1:]]


def interpreter() -> str:
    """Return the Python that starts a successor: never that of one version's own environment.

    `identityd.py` finds that by itself, in the folder of the version it then is.
    """
    own = Path(__file__).parents[3] / ".venv"
    if own.exists() and Path(sys.prefix).resolve() == own.resolve():
        return str(sys._base_executable)  # type: ignore[attr-defined] # noqa: SLF001 - it has no other name
    return sys.executable or sys.orig_argv[0]


def _end(pid: int) -> str:
    """Let a successor that does not serve end, by force if it hangs; return what became of it."""
    deadline = time.monotonic() + _LEAVES_WITHIN_S
    ended = status = 0
    while not ended and time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        time.sleep(_LOOK_EVERY_S)
    if not ended:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return f"takeover-failed: process {pid} did not serve in time and was killed"
    code = os.waitstatus_to_exitcode(status)
    return f"takeover-failed: process {pid} ended with exit code {code}; what it said is above"
