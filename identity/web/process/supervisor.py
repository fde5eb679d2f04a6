"""What started this process and watches it, as systemd wants to be told (sd_notify(3)).

Owns the words and the socket they go to. Without a supervisor nothing is said. Invariants: no word holds
anything of a person or a secret; and a supervisor that does not listen holds nothing up, but for a moment
at a start, a reload and a stop.
"""

import asyncio
import logging
import socket
import time
from collections.abc import MutableMapping
from typing import Final, Self

log = logging.getLogger("identity.web.server")

_PATIENCE_S: Final = 1.0
"""How long to wait for room in the supervisor's queue for a word that must not be lost."""
_SECOND_US: Final = 1_000_000


class Supervisor:
    """Who is told how the daemon is.

    Args:
        address: a path, or `@` and an abstract name; empty is no supervisor.
        watchdog_s: within how long it must hear that the event loop turns; 0 is never.
    """

    def __init__(self, address: str = "", *, watchdog_s: float = 0.0) -> None:
        self.address = address
        self.watchdog_s = watchdog_s
        self._told_of_trouble = False

    @classmethod
    def of(cls, environ: MutableMapping[str, str], *, pid: int) -> Self:
        """Return who the environment names; it is named there no longer, so that no other process speaks for us."""
        address, every, owner = (environ.pop(name, "") for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"))
        watched = every.isdecimal() and owner in ("", str(pid))
        return cls(address, watchdog_s=int(every) / _SECOND_US if watched else 0.0)

    def environment(self) -> dict[str, str]:
        """Return the variables with which another process speaks to the same one; whose they are it says itself."""
        watched = {"WATCHDOG_USEC": str(round(self.watchdog_s * _SECOND_US))}
        return ({"NOTIFY_SOCKET": self.address} if self.address else {}) | (watched if self.watchdog_s else {})

    def ready(self, status: str) -> None:
        """Say that the daemon serves, after a start or a reload."""
        self._say("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Say that the configuration is being read again; `ready` says that it was."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def stopping(self, status: str) -> None:
        """Say that the daemon stops."""
        self._say("STOPPING=1", f"STATUS={status}")

    def main_process(self, pid: int) -> None:
        """Say that another process is the daemon from now on; this one has nothing to say any more."""
        self._say(f"MAINPID={pid}")
        self.address = ""

    def watch(self) -> None:
        """Say from the event loop, again and again, that it turns; a loop that is stuck says nothing."""
        if self.watchdog_s:
            self._say("WATCHDOG=1", patience_s=0.0)
            asyncio.get_running_loop().call_later(self.watchdog_s / 2, self.watch)

    def _say(self, *lines: str, patience_s: float = _PATIENCE_S) -> None:
        if not self.address:
            return
        name = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(patience_s)
                sock.sendto("\n".join(lines).encode(), name)
        except OSError as error:
            if not self._told_of_trouble:
                self._told_of_trouble = True
                log.warning("supervisor-unheard: NOTIFY_SOCKET takes nothing: %s", error.strerror or "it is full")
