"""One Cassandra process: its files, and what may be done to it."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

from tests.support.cassandra import installation
from tests.support.cassandra.settings import JAVA_OPTIONS, LOG, PROPERTIES, Plan, server_settings

_LOG_END: Final = 3000
_ENDS_WITHIN_S: Final = 60
# Ends the node when the test process is gone, however that ended: its end of the pipe closes then.
_LEASH: Final = 'read -r _; kill -KILL "$1"'


class Node:
    """Node number `index` of a plan; keeps its address and its data through kills and restarts.

    Args:
        plan: the cluster it belongs to.
        index: from 0.
        folder: for its configuration, its log and its data.
        java_options: further ones.
    """

    def __init__(self, plan: Plan, index: int, *, folder: Path, java_options: tuple[str, ...] = ()) -> None:
        self.host = plan.hosts[index]
        self.frozen = False
        self._plan = plan
        self._index = index
        self._folder = folder
        self._options = java_options
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Tell whether the process is there (a frozen one is)."""
        return self._process is not None and self._process.poll() is None

    @property
    def answering(self) -> bool:
        """Tell whether it runs and is not frozen."""
        return self.running and not self.frozen

    @property
    def process_id(self) -> int:
        """The process's number, for who wants to measure it."""
        assert self._process is not None
        return self._process.pid

    def spawn(self) -> None:
        """Start the process; does not wait until it serves. Does nothing if it runs."""
        if self.running:
            return
        self._write()
        with self._log.open("ab") as log:
            # A session of its own: an interrupt at the terminal is for pytest, which then ends the node.
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._leash = subprocess.Popen(
            ["/bin/sh", "-c", _LEASH, "leash", str(self._process.pid)], stdin=subprocess.PIPE, start_new_session=True
        )

    @property
    def _log(self) -> Path:
        return self._folder / "system.log"

    def _write(self) -> None:
        (self._folder / "tmp").mkdir(parents=True, exist_ok=True)
        # JSON is YAML.
        (self._folder / "cassandra.yaml").write_text(json.dumps(server_settings(self._plan, self._index), indent=1))
        (self._folder / "logback.xml").write_text(LOG)
        (self._folder / "rackdc.properties").write_text(f"dc={self._plan.data_centres[self._index]}\nrack=r1\n")

    def _command(self) -> list[str]:
        nodes = len(self._plan.data_centres)
        properties = {
            **PROPERTIES,
            "cassandra.system_auth.default_rf": nodes,
            "cassandra.system_distributed.default_rf": nodes,
            "cassandra.config": (self._folder / "cassandra.yaml").as_uri(),
            "cassandra-rackdc.properties": (self._folder / "rackdc.properties").as_uri(),
            "cassandra.storagedir": self._folder / "storage",
            "cassandra.logdir": self._folder,
            "java.io.tmpdir": self._folder / "tmp",
            "logback.configurationFile": self._folder / "logback.xml",
        }
        return [
            str(installation.java()),
            *JAVA_OPTIONS,
            *(self._options or _archive()),
            *(f"-D{name}={value}" for name, value in properties.items()),
            *("-cp", installation.class_path()),
            "org.apache.cassandra.service.CassandraDaemon",
        ]

    def log_end(self) -> str:
        """Return the end of its log."""
        return self._log.read_bytes()[-_LOG_END:].decode(errors="replace")

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order; takes two seconds or more."""
        self.thaw()
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        if number != signal.SIGKILL:
            self._process.wait(timeout=_ENDS_WITHIN_S)
        # The leash ends before the process is reaped, so it can never kill another one of that number.
        self._unleash()
        self._process.wait(timeout=_ENDS_WITHIN_S)
        self._process = None
        self.frozen = False

    def _unleash(self) -> None:
        if self._leash is not None and self._leash.stdin is not None:
            self._leash.kill()
            self._leash.wait(timeout=_ENDS_WITHIN_S)
            self._leash.stdin.close()
        self._leash = None

    def freeze(self) -> None:
        """Make it hang: connections are accepted by the kernel, nothing is answered."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            # Its threads go on for a moment after the signal was sent.
            os.waitpid(self._process.pid, os.WUNTRACED)
            self.frozen = True

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        if self._process is not None and self.frozen:
            self._process.send_signal(signal.SIGCONT)
            self.frozen = False

    def forget(self) -> None:
        """Remove its data, of which it must be the last use."""
        shutil.rmtree(self._folder / "storage", ignore_errors=True)


def _archive() -> tuple[str, ...]:
    return (f"-XX:SharedArchiveFile={installation.ARCHIVE}",) if installation.ARCHIVE.is_file() else ()
