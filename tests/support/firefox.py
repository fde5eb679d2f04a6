"""A headless Firefox, driven over WebDriver BiDi: the W3C's protocol, spoken by Firefox itself.

Playwright drives only a Firefox of its own making, and geckodriver is not in Debian 12. Owns the
process, the connection and the few commands the tests need. Each `Tab` has a jar of its own.
"""

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.support import needs
from tests.support.memcached import free_port
from tests.support.waiting import serving

_STARTS_WITHIN_S: Final = 60
_ANSWERS_WITHIN_S: Final = 60
_PREFERENCES: Final[Mapping[str, object]] = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.prefetch-next": False,
    "services.settings.server": "data:,#nobody",
    "toolkit.telemetry.enabled": False,
    # Names are asked of nobody: tests talk to loopback only.
    "network.proxy.type": 0,
    "network.trr.mode": 5,
}


def binary() -> str | None:
    """Return the Firefox program, if it is installed; the environment's FIREFOX names another one."""
    return needs.find("firefox")


class Firefox:
    """One running Firefox; a context manager."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="identityd-firefox-"))
        self._loop = asyncio.new_event_loop()
        self._numbers = 0
        self._socket: WebSocketClientConnection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.events: list[dict[str, Any]] = []
        """What the browser said unasked, oldest first."""

    def __enter__(self) -> "Firefox":
        port = free_port()
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items())
        (self._folder / "user.js").write_text("\n".join(lines))
        command = [str(binary()), "--headless", "--no-remote", "--profile", str(self._folder)]
        environ = {**os.environ, "HOME": str(self._folder)}
        self._process = subprocess.Popen(
            [*command, "--remote-debugging-port", str(port), "about:blank"],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process = self._process
            serving(
                lambda: self._loop.run_until_complete(self._connect(port)),
                alive=lambda: process.poll() is None,
                within_s=_STARTS_WITHIN_S,
                failure=lambda: "Firefox did not start",
            )
            self.ask("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _connect(self, port: int) -> None:
        self._socket = await websocket_connect(f"ws://127.0.0.1:{port}/session", max_message_size=1 << 27)

    def ask(self, command: str, **parameters: object) -> dict[str, Any]:
        """Give a command and return its result. Raises RuntimeError with what the browser objects to."""
        number = self.tell(command, **parameters)
        while True:
            said = self.hear()
            if said.get("id") == number:
                if said["type"] != "success":
                    raise RuntimeError(f"{command}: {said.get('message')}")
                result: dict[str, Any] = said["result"]
                return result
            self.events.append(said)

    def tell(self, command: str, **parameters: object) -> int:
        """Give a command and do not wait; return its number."""
        if self._socket is None:
            raise RuntimeError("Firefox is not running")
        self._numbers += 1
        message = json.dumps({"id": self._numbers, "method": command, "params": parameters})
        self._loop.run_until_complete(_sent(self._socket, message))
        return self._numbers

    def hear(self) -> dict[str, Any]:
        """Return the next thing the browser says."""
        if self._socket is None:
            raise RuntimeError("Firefox is not running")
        text = self._loop.run_until_complete(asyncio.wait_for(_next(self._socket), _ANSWERS_WITHIN_S))
        if text is None:
            raise RuntimeError("Firefox ended")
        said: dict[str, Any] = json.loads(text)
        return said

    def tab(self) -> "Tab":
        """Return a tab with an empty jar of its own."""
        jar = self.ask("browser.createUserContext")["userContext"]
        return Tab(self, self.ask("browsingContext.create", type="tab", userContext=jar)["context"], jar)


async def _sent(socket: WebSocketClientConnection, message: str) -> None:
    await socket.write_message(message)


async def _next(socket: WebSocketClientConnection) -> str | bytes | None:
    return await socket.read_message()


class Tab:
    """One tab."""

    def __init__(self, firefox: Firefox, context: str, jar: str) -> None:
        self.firefox = firefox
        self.context = context
        self.jar: Final = {"type": "storageKey", "userContext": jar}

    @property
    def url(self) -> str:
        """Where it is."""
        return str(self.firefox.ask("browsingContext.getTree", root=self.context)["contexts"][0]["url"])

    def go(self, url: str) -> None:
        """Load a page and wait for it."""
        self.firefox.ask("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def evaluate(self, script: str) -> Any:  # noqa: ANN401 - whatever the script says
        """Return a script's value; it must be one that JSON knows."""
        done = self.firefox.ask(
            "script.evaluate",
            expression=f"Promise.resolve({script}).then(JSON.stringify)",
            target={"context": self.context},
            awaitPromise=True,
        )
        if done["type"] != "success":
            raise RuntimeError(done["exceptionDetails"]["text"])
        return json.loads(done["result"]["value"])

    def begin(self, script: str) -> None:
        """Begin a script whose outcome it keeps in `window.outcome`."""
        self.evaluate(f"(window.outcome = ({script}), null)")

    def cookies(self) -> dict[str, str]:
        """Return the jar."""
        found = self.firefox.ask("storage.getCookies", partition=self.jar)
        return {cookie["name"]: cookie["value"]["value"] for cookie in found["cookies"]}

    def show(self, jar: Mapping[str, str], *, host: str = "localhost") -> None:
        """Put cookies into the jar, as identityd sets them."""
        for name, value in jar.items():
            cookie = {
                "name": name,
                "value": {"type": "string", "value": value},
                "domain": host,
                "path": "/",
                "httpOnly": True,
                "secure": True,
                "sameSite": "lax",
            }
            self.firefox.ask("storage.setCookie", cookie=cookie, partition=self.jar)
