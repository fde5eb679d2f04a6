"""Real memcached nodes on loopback that a test may kill, freeze and bring back."""

import os
import signal
import socket
import subprocess
from typing import Final

from tests.support import needs
from tests.support.waiting import serving

_STARTS_WITHIN_S: Final = 5.0


_given: Final[set[int]] = set()


def free_port() -> int:
    """Return a port nobody listens on at the moment, and none that was returned before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def binary() -> str | None:
    """Return the memcached program, if it is installed; the environment's MEMCACHED names another one."""
    return needs.find("memcached")


class MemcachedNode:
    """One node; keeps its port through kills and restarts, as a real one keeps its address.

    Args:
        options: further command line arguments.
    """

    def __init__(self, *options: str) -> None:
        self.host: Final = "127.0.0.1"
        self.port = free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen = False

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self.host, self.port

    @property
    def name(self) -> str:
        """`host:port`, as the configuration spells a node."""
        return f"{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        """Tell whether the process is there (a frozen one is)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, empty, and wait until it answers. Does nothing if it runs."""
        if self.running:
            return
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        command = [str(binary()), "-l", self.host, "-p", str(self.port), "-U", "0", "-m", "64", "-M", "-t", "2"]
        self._process = subprocess.Popen([*command, *user, *self._options])
        self._frozen = False
        self._wait()

    def _wait(self) -> None:
        serving(
            lambda: self._ask(b"version\r\n"),
            alive=lambda: self.running,
            within_s=_STARTS_WITHIN_S,
            failure=lambda: f"memcached on port {self.port} does not answer",
        )

    def _ask(self, command: bytes) -> bytes:
        with socket.create_connection(self.address, timeout=1) as connection:
            connection.sendall(command)
            return connection.recv(4096)

    def kill(self) -> None:
        """End it at once (SIGKILL), losing everything it held."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self.thaw()
        self._process.send_signal(number)
        self._process.wait(timeout=10)
        self._process = None

    def freeze(self) -> None:
        """Make it hang: connections are accepted by the kernel, nothing is answered."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            # Its threads go on for a moment after the signal was sent.
            os.waitpid(self._process.pid, os.WUNTRACED)
            self._frozen = True

    def thaw(self) -> None:
        """Let it go on after `freeze`, with all it held."""
        if self._process is not None and self._frozen:
            self._process.send_signal(signal.SIGCONT)
            self._frozen = False

    def restart(self) -> None:
        """Kill it and start it again, empty, on the same port."""
        self.kill()
        self.start()

    def reset(self) -> None:
        """Make it running and empty, whatever a test did to it."""
        self.thaw()
        self.start()
        self._ask(b"flush_all\r\n")
