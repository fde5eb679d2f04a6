"""The daemon as a process of its own, as an operator runs it: started, killed, started again."""

import base64
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from identity.cli.files import new_ring_file
from tests.support.browser import Browser
from tests.support.loopback import Loopback
from tests.support.memcached import free_port
from tests.support.waiting import serving, until

ROOT: Final = Path(__file__).parents[2]
APP: Final = "app"
APP_SECRET: Final = "a secret of the test application, 32 characters"
_STARTS_WITHIN_S: Final = 30
_ANSWERS_WITHIN_S: Final = 30
"""A daemon with patient time-outs may wait for a store three times within one answer."""
_SESSION: Final = re.compile(r"(__Host-)?idd[0-9]*-")


@dataclass(frozen=True, slots=True)
class Login:
    """What a browser has at the end of a login: session cookies, none if it was refused, and the page."""

    cookie: str
    text: str


class Running:
    """A daemon process on free ports; a context manager.

    Args:
        folder: its configuration, key ring and accounts; reuse it to start again with the same.
        sections: further configuration, text by section and option.
        public_url: what browsers use, if that is not the daemon's own port.
        demo: run `demo`, which allows the built-in provider.
        environ: further environment variables.
    """

    def __init__(
        self,
        folder: Path,
        sections: Mapping[str, Mapping[str, str]],
        *,
        public_url: str = "",
        demo: bool = True,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.port, self.internal_port = free_port(), free_port()
        self.url = public_url or f"http://localhost:{self.port}"
        self.internal_socket: Path | None = None
        """Where the internal listener is a Unix socket."""
        self.python = sys.executable
        self.program = ROOT / "identityd.py"
        """What is started; a test may name another copy, or a link to one."""
        self._demo = demo
        self._environ = {**os.environ, **(environ or {})}
        self._log = folder / "daemon.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / "identityd.keys").exists():
            new_ring_file(folder / "identityd.keys")
        self.write(sections)

    def write(self, sections: Mapping[str, Mapping[str, str]]) -> None:
        """Write its configuration anew; a running daemon hears of it with `hang_up`."""
        base: dict[str, dict[str, str]] = {
            "server": {"public_url": self.url, "trusted_proxies": "127.0.0.1/32", "log_format": "json"},
            "keys": {"file": "identityd.keys"},
            f"app:{APP}": {"secret": APP_SECRET},
        }
        if self._demo:
            base["provider:demo"] = {"kind": "demo"}
        for name, options in sections.items():
            base.setdefault(name, {}).update(options)
        lines = []
        for name, options in base.items():
            lines += [f"[{name}]", *(f"{option} = {value}" for option, value in options.items()), ""]
        path = self.folder / "identityd.new"
        path.write_text("\n".join(lines))
        path.chmod(0o600)
        path.rename(self.folder / "identityd.ini")  # never half of it for one who reads it now

    def start(self) -> None:
        """Start and wait until both listeners answer."""
        process = self._process = self.launch()
        serving(
            lambda: self.ask("GET", "/healthz"),
            alive=lambda: process.poll() is None,
            within_s=_STARTS_WITHIN_S,
            failure=lambda: f"the daemon did not start:\n{self.log()[-3000:]}",
        )

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start it and do not wait; the process is the caller's."""
        return self._launch(self.command())

    def command(self) -> list[str]:
        """Return the command line."""
        how = ["demo", "--data", str(self.folder)] if self._demo else ["serve", "--config", "identityd.ini"]
        ports = ["--port", str(self.port), "--internal-port", str(self.internal_port)]
        return [self.python, str(self.program), *how, *ports]

    def _launch(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, env=self._environ, start_new_session=True
            )

    def migrate(self, *options: str) -> None:
        """Run `identityd.py migrate` over its configuration."""
        command = [sys.executable, str(ROOT / "identityd.py"), "migrate", "--config", "identityd.ini", *options]
        done = subprocess.run(
            command, cwd=self.folder, env=self._environ, capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode:
            raise RuntimeError(f"migrate ended with {done.returncode}:\n{done.stderr}")

    def kill(self) -> None:
        """End it without warning, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        return process.wait(20)

    def log(self) -> str:
        """Return what it logged so far."""
        return self._log.read_text(errors="replace")

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Make one request of the internal listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.internal_port, timeout=_ANSWERS_WITHIN_S)
        if self.internal_socket:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(_ANSWERS_WITHIN_S)
        try:
            if self.internal_socket:
                connection.sock.connect(str(self.internal_socket))
            connection.request(method, path, body or None, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.msg, answer.read()
        finally:
            connection.close()

    def page(self, path: str) -> str:
        """Return a page of the public listener, for a visitor without cookies."""
        return Browser(Loopback(), self.url).go(path).text

    def check(self, cookie: str, **fields: object) -> dict[str, Any]:
        """Ask whose session a Cookie header is, as the test application."""
        basic = base64.b64encode(f"{APP}:{APP_SECRET}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        asked = {"cookie": cookie, "url": f"{self.url}/", "navigation": True, **fields}
        body = json.dumps(asked).encode()
        status, _, answer = self.ask("POST", "/session/check", headers=headers, body=body)
        return {"status": status, **json.loads(answer)}

    @property
    def pid(self) -> int:
        """Process id of the running daemon."""
        if self._process is None:
            raise RuntimeError("the daemon is not running")
        return self._process.pid

    def sign_up(self, username: str) -> str:
        """Sign up through the demonstration provider as a browser without scripts; return its Cookie header."""
        return self._through_demo(username, {"username": username}).cookie

    def log_in(self, person: str) -> "Login":
        """Go through the demonstration provider in a new browser, as somebody who has an account or had one."""
        return self._through_demo(person)

    def _through_demo(self, person: str, *forms: Mapping[str, str]) -> "Login":
        browser = Browser(Loopback(), self.url)
        page = browser.go("/login/demo")
        for fields in ({"person": person}, *forms):
            page = browser.submit(page, fields)
        sent = [f"{name}={value}" for name, value in browser.jar.items() if _SESSION.match(name)]
        return Login("; ".join(sent), page.text)

    def hang_up(self) -> None:
        """Send SIGHUP, and wait until the daemon has read its configuration again, or refused it."""
        reloads = "identityd_config_reloads_total"
        before = self.metric(reloads)
        os.kill(self.pid, signal.SIGHUP)
        until(lambda: self.metric(reloads) > before, within_s=20, otherwise=self.log)

    def metric(self, line_start: str) -> float:
        """Return the sum of the series whose line begins so."""
        _, _, text = self.ask("GET", "/metrics")
        lines = [line for line in text.decode().splitlines() if line.startswith(line_start)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def __enter__(self) -> "Running":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
