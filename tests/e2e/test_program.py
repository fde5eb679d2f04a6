"""The daemon as an operator meets it: its output, its signals, its exit codes, its log."""

import json
import os
import platform
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from identity import __version__
from tests.support.memcached import free_port
from tests.support.running import ROOT, Running
from tests.support.waiting import until

CANARY = "cNrY7f3a91c2e5-d4b60817aa"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Running]:
    """Give a serving daemon that logs everything and knows a secret worth stealing."""
    provider = {"kind": "github", "client_id": "me", "client_secret": CANARY}
    sections = {"server": {"log_level": "debug"}, "provider:github": provider}
    running = Running(tmp_path / "run", sections, demo=False)
    running.start()
    yield running
    running.kill()


def process_of(running: Running) -> "subprocess.Popen[bytes]":
    """Return the daemon's process."""
    assert running._process is not None
    return running._process


def wait_for(text: str, daemon: Running) -> None:
    """Wait until the daemon has logged something; a signal has no answer."""
    until(lambda: text in daemon.log(), within_s=10, otherwise=daemon.log)


def test_the_demonstration_prints_one_line_with_an_address_that_answers(tmp_path: Path) -> None:
    """A newcomer opens it at once; an address printed too early is a browser's error page."""
    port, internal = free_port(), free_port()
    command = [sys.executable, str(ROOT / "identityd.py"), "demo", "--data", str(tmp_path / "run")]
    command += ["--port", str(port), "--internal-port", str(internal)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == f"identityd demonstration: open http://localhost:{port}\n"
        with urllib.request.urlopen(f"http://localhost:{port}/login", timeout=10) as answer:
            assert b"Demo" in answer.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_daemon_that_is_asked_to_stop_ends_with_code_0(daemon: Running) -> None:
    """A service manager takes any other code for a crash."""
    assert daemon.stop() == 0


def test_the_log_says_which_version_serves(daemon: Running) -> None:
    """Who reads a log of last week must know what ran."""
    wait_for(
        f"identityd {__version__} on Python {platform.python_version()} serves {daemon.url}: public 127.0.0.1 port ",
        daemon,
    )


def test_a_port_in_use_is_said_with_a_remedy_and_code_2(daemon: Running, tmp_path: Path) -> None:
    """The most common failure of a start."""
    command = [sys.executable, str(ROOT / "identityd.py"), "demo", "--data", str(tmp_path / "other")]
    done = subprocess.run(
        [*command, "--port", str(daemon.port)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"cannot listen on 127.0.0.1 port {daemon.port}: address already in use; " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_key_ring_is_refused_on_sighup_and_the_daemon_goes_on(daemon: Running) -> None:
    """A slip while editing must not end every session; the log says what was wrong."""
    ring = daemon.folder / "identityd.keys"
    good = ring.read_text()
    ring.write_text("nonsense\n")
    process_of(daemon).send_signal(signal.SIGHUP)
    wait_for("nothing was reloaded: [keys] file: line 1", daemon)
    ring.write_text(good)
    process_of(daemon).send_signal(signal.SIGHUP)
    wait_for('"message": "reloaded"', daemon)
    assert daemon.ask("GET", "/healthz")[0] == 200


def test_every_line_of_the_log_is_json_with_the_same_first_fields(daemon: Running) -> None:
    """One line of another kind stops the collector at every operator's."""
    daemon.ask("GET", "/readyz")
    assert daemon.stop() == 0
    lines = [json.loads(line) for line in daemon.log().splitlines()]
    assert lines
    for line in lines:
        assert list(line)[:4] == ["time", "level", "logger", "message"]


def test_a_line_about_a_request_carries_the_id_the_answer_had(daemon: Running) -> None:
    """It is what a person reads out to support."""
    connection = HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    connection.request("GET", "/nothing-here", headers={"Host": f"localhost:{daemon.port}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    found = [json.loads(line) for line in daemon.log().splitlines() if "/nothing-here" in line]
    assert found
    assert {line["request_id"] for line in found} == {answer.headers["X-Request-Id"]}


def test_nothing_secret_is_in_the_log_of_a_daemon_that_logs_everything(daemon: Running) -> None:
    """Logs are copied, mailed and kept for years; here canaries stand wherever a client may put something."""
    connection = HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    headers = {
        "Host": f"localhost:{daemon.port}",
        "Cookie": f"idd{daemon.port}-AAAAAAAAAAA={CANARY}; iddf{daemon.port}-12345678={CANARY}",
        "Authorization": f"Bearer {CANARY}",
    }
    for path in ("/login/github", f"/login/github/callback?code={CANARY}&state={CANARY}", f"/account?x={CANARY}"):
        connection.request("GET", path, headers=headers)
        connection.getresponse().read()
    connection.close()
    daemon.ask("POST", "/session/check", headers={"Authorization": f"Basic {CANARY}"}, body=CANARY.encode())
    assert daemon.stop() == 0
    log = daemon.log()
    assert "/login/github/callback" in log
    assert CANARY not in log
    secrets = [word for word in (daemon.folder / "identityd.keys").read_text().split() if len(word) > 30]
    assert secrets
    assert not [secret for secret in secrets if secret in log]


def test_a_damaged_account_file_is_said_with_code_1_and_no_traceback(tmp_path: Path) -> None:
    """It is not the configuration, and a service manager may try again."""
    command = [sys.executable, str(ROOT / "identityd.py"), "demo", "--data", str(tmp_path)]
    (tmp_path / "identityd.sqlite").write_bytes(b"SQLite format 3\0" + b"nonsense" * 1_000)
    command += ["--port", str(free_port()), "--internal-port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "identityd.sqlite" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_configuration_prints_problems_and_no_traceback(tmp_path: Path) -> None:
    """As a process, with nothing but what an operator sees."""
    file = tmp_path / "my.ini"
    file.write_text("[server]\nport = x\npublic_url = http://login.example.com\n[app:wiki]\nsecret =\n")
    command = [sys.executable, str(ROOT / "identityd.py"), "serve"]
    environ = {**os.environ, "IDENTITYD_CONFIG": str(file)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == [
        "[server] public_url",
        "[server] port",
        "[app:wiki] secret",
        "[keys] file",
    ]
