"""docs/clients.md: its curl lines are run against a daemon, and its Python rows in front of plain applications."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from identityd_guard import AsgiGuard, WsgiGuard

from tests.support.browser import Browser
from tests.support.demo_sign_up import sign_up_from
from tests.support.loopback import Loopback
from tests.support.running import Running
from tests.support.sources import ROOT
from tests.support.waiting import RealClock, elapse

PAGE: Final = ROOT / "docs" / "clients.md"
_BLOCK: Final = re.compile(r"```(sh|answer)\n(.*?)```", re.DOTALL)
_ROW: Final = re.compile(r"### (Flask|Django|FastAPI)\n.*?```python\n(.*?)```", re.DOTALL)
WIKI_SECRET: Final = "a secret of your own, 32 characters or more"
SECTIONS: Final = {
    "sessions": {"token_age_s": "1", "grace_s": "1"},
    "app:demo": {"secret_file": "app-demo.secret"},
    "app:wiki": {"secret": WIKI_SECRET, "hosts": "wiki.localhost:8000"},
}


def steps() -> list[tuple[str, str]]:
    """Return each block of commands with the answer that the page shows for it."""
    blocks = [(match[1], match[2]) for match in _BLOCK.finditer(PAGE.read_text())]
    found = []
    for (kind, text), (following, answer) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "sh":
            found.append((text, answer if following == "answer" else ""))
    return found


def cookie_of(browser: Browser) -> str:
    """Return what this browser would send to the login host."""
    return "; ".join(f"{name}={value}" for name, value in browser.jars["localhost"].items())


def run(commands: str, before: str, **variables: str) -> str:
    """Run a block as a reader's shell does, after the block that sets the shell up."""
    given = "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
    done = subprocess.run(
        ["/bin/bash", "-euc", f"{before}\n{given}\n{commands}"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\r", "")


def pattern(answer: str) -> str:
    """Return what an answer on the page stands for: an ellipsis is anything."""
    lines = [".*" if line == "…" else re.escape(line).replace("…", "[^\\n]*") for line in answer.strip().splitlines()]
    return "\n".join(lines)


@pytest.mark.curl
def test_every_line_of_curl_is_answered_as_the_page_says(tmp_path: Path) -> None:
    """Otherwise whoever writes a client by the page finds out at three in the morning what has changed."""
    with Running(tmp_path / ".run", SECTIONS) as daemon:
        browser = Browser(Loopback())
        sign_up_from(browser, browser.go(f"{daemon.url}/login"), "ada")
        old = browser.copy()
        elapse(1.1, RealClock.DAEMON)
        for _ in range(2):
            browser.load("GET", f"{daemon.url}/account")
            elapse(1.1, RealClock.DAEMON)

        def local(text: str) -> str:
            """Put this daemon's places where the page has the usual ones."""
            text = text.replace("8888", str(daemon.internal_port)).replace("8887", str(daemon.port))
            return text.replace(".run/", f"{daemon.folder}/")

        (setting, _), *others = steps()
        setting = re.sub("COOKIE=.*", "", local(setting))
        variables = {"COOKIE": cookie_of(browser), "OLD": cookie_of(old), "WIKI_SECRET": WIKI_SECRET, "MARKER": ""}
        # The copy is found out last, because the session ends with it.
        for commands, answer in sorted(others, key=lambda step: "$MARKER" in step[0]):
            said = run(local(commands), setting, **variables)
            assert re.fullmatch(local(pattern(answer)), said.strip(), re.DOTALL), (
                f"{commands}\nsaid: {said}\npage: {answer}"
            )
            if '"verdict":"bounce"' in said:
                variables["MARKER"] = re.findall(r'"(idd\d+m=[^;]+)', said)[0]
        assert variables["MARKER"]


def test_every_block_of_commands_has_its_answer() -> None:
    """Otherwise a line stands there that the test above runs and nobody compares."""
    (_, nothing), *others = steps()

    assert nothing == ""
    assert [commands for commands, answer in others if not answer] == []
    assert len(others) >= 8


@pytest.mark.parametrize(("framework", "code"), _ROW.findall(PAGE.read_text()))
def test_the_python_rows_wrap_an_application(framework: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the first thing a newcomer copies is a TypeError."""
    monkeypatch.setenv("IDENTITYD_SECRET", WIKI_SECRET)

    class Framework:
        """What Flask, Django and FastAPI have in common here: something to call."""

        def wsgi_app(self, *_: object) -> list[bytes]:
            """Be wrapped."""
            return []

        def __call__(self, *_: object) -> list[bytes]:
            return []

    app = Framework()
    names: dict[str, Any] = {"app": app, "application": app}
    lines = [line for line in code.partition("\n@app")[0].splitlines() if "flask" not in line.lower()]
    exec("\n".join(lines), names)  # noqa: S102 - our own page

    guard = {"Flask": lambda: app.wsgi_app, "Django": lambda: names["application"], "FastAPI": lambda: names["guarded"]}
    assert isinstance(guard[framework](), AsgiGuard if framework == "FastAPI" else WsgiGuard)
