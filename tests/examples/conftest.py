"""A daemon with an application of each example on a host of its own, as its documentation says to start them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from tests.support.browser import Browser
from tests.support.demo_sign_up import sign_up_from
from tests.support.loopback import Loopback
from tests.support.memcached import MemcachedNode, free_port
from tests.support.openid_provider import node
from tests.support.running import Running
from tests.support.sources import ROOT
from tests.support.waiting import RealClock, elapse, serving

EXAMPLES: Final = ROOT / "examples"
SECRET: Final = "a secret of the wiki, 32 characters long"
TOKEN_AGE_S: Final = 1
GRACE_S: Final = 1
_STARTS_WITHIN_S: Final = 30
_NUMBERS: Final = count(1)
COMMANDS: Final = {
    "python": (sys.executable, str(EXAMPLES / "python" / "app.py")),
    "node": (str(node() or "node"), str(EXAMPLES / "node" / "app.mjs")),
    "echo": (str(node() or "node"), str(ROOT / "tests" / "examples" / "echo.mjs")),
}


@dataclass
class Process:
    """A program that listens on a port; a context manager."""

    command: tuple[str, ...]
    environ: dict[str, str]
    log: Path
    port: int = field(default_factory=free_port)

    def __enter__(self) -> "Process":
        environ = {**os.environ, "PORT": str(self.port), "IDENTITYD_SECRET": SECRET, **self.environ}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log, env=environ)
        serving(
            lambda: socket.create_connection(("127.0.0.1", self.port), timeout=1).close(),
            alive=lambda: self._process.poll() is None,
            within_s=_STARTS_WITHIN_S,
            failure=lambda: f"{self.command} did not start:\n{self.log.read_text()[-3000:]}",
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)


@dataclass
class Place:
    """A daemon and one application behind its guard."""

    daemon: Running
    url: str

    @property
    def prefix(self) -> str:
        """What the names of identityd's cookies begin with."""
        return f"idd{self.daemon.port}"

    def tokens(self, visitor: Browser) -> dict[str, str]:
        """Return the tokens of the application's session in a jar."""
        jar = visitor.jars["wiki.localhost"]
        return {name: value for name, value in jar.items() if name.startswith(f"{self.prefix}-")}

    def member(self) -> Browser:
        """Return somebody who just signed up on the way to the application."""
        visitor = Browser(Loopback())
        sign_up_from(visitor, visitor.go(f"{self.url}/"), f"member{next(_NUMBERS)}")
        return visitor

    def parted(self) -> tuple[Browser, Browser]:
        """Return one browser's jars as they were before a rotation, and as they are long after."""
        before = self.member()
        elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
        after = before.copy()
        for _ in range(2):
            after.load("GET", f"{self.url}/")
        elapse(GRACE_S + 0.1, RealClock.DAEMON)
        return before, after


@pytest.fixture(scope="module", params=["python", pytest.param("node", marks=pytest.mark.node)])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give each example in turn, to all tests of a file; a test makes a member of its own and starts what it stops."""
    node = MemcachedNode()
    node.start()
    try:
        yield from running(request.param, tmp_path_factory.mktemp(request.param), node)
    finally:
        node.stop()


def running(name: str, tmp_path: Path, node: MemcachedNode) -> Iterator[Place]:
    """Run the daemon and one program behind it."""
    port = free_port()
    sections = {
        "sessions": {"store": "memcached", "token_age_s": str(TOKEN_AGE_S), "grace_s": str(GRACE_S)},
        # On a busy machine a slow memcached must not look like a dead one.
        "memcached": {"nodes": f"n0={node.name}", "timeout_s": "10", "connect_timeout_s": "10"},
        "app:wiki": {"secret": SECRET, "hosts": f"wiki.localhost:{port}"},
    }
    with Running(tmp_path / "run", sections) as daemon:
        listeners = {
            "IDENTITYD": f"http://127.0.0.1:{daemon.internal_port}",
            "IDENTITYD_PUBLIC": f"http://127.0.0.1:{daemon.port}",
        }
        with Process(COMMANDS[name], listeners, tmp_path / "app.log", port):
            yield Place(daemon, f"http://wiki.localhost:{port}")
