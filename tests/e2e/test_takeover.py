"""A running daemon is taken over by another: by `upgrade` and by SIGUSR2, over ports and files, and when it fails."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from identity.web.process import successor
from identity.web.process.inherited import inherited
from identity.web.process.successor import Succession
from identity.web.process.supervisor import Supervisor
from identity.web.state.traffic import Takeover, Traffic
from tests.support.guards import Expectation
from tests.support.memcached import MemcachedNode
from tests.support.systemd import Systemd
from tests.support.versions import Upgradable
from tests.support.waiting import until

ALIVE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def node() -> Iterator[MemcachedNode]:
    """Give an empty memcached: each daemon here has a key ring of its own, and marks its nodes by it."""
    made = MemcachedNode()
    made.start()
    yield made
    made.kill()


@pytest.fixture
def daemon(node: MemcachedNode, tmp_path: Path) -> Iterator[Upgradable]:
    """Give a daemon with its sessions in memcached, serving."""
    with Upgradable(tmp_path / "run", in_memcached(node)) as made:
        yield made


def in_memcached(node: MemcachedNode) -> dict[str, dict[str, str]]:
    """Return sections of a daemon that can be taken over."""
    patient = {"timeout_s": "5", "connect_timeout_s": "5"}
    return {"sessions": {"store": "memcached"}, "memcached": {"nodes": f"one={node.name}", **patient}}


def answer(sock: socket.socket) -> tuple[bytes, int]:
    """Read one answer of `/healthz`; return its head and the process it came from."""
    received = b""
    while not received.endswith(b"}"):
        part = sock.recv(65_536)
        assert part, received
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return head, json.loads(body)["process"]


@pytest.mark.memcached
class TestTakeover:
    """Another process serves, and no client notices."""

    def test_the_command_says_who_serves_and_sessions_go_on(self, daemon: Upgradable) -> None:
        """Otherwise an operator works at night because people are logged out by day."""
        cookie, before = daemon.sign_up("alice"), daemon.says()

        done = daemon.upgrade()

        after = daemon.says()
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (
            f"process {after['process']} serves version {after['version']}; before it was process "
            f"{before['process']} with version {before['version']}\n"
        )
        assert after["process"] != before["process"]
        assert daemon.check(cookie)["verdict"] == "ok"
        assert daemon.stop() == 0

    def test_a_kept_connection_has_its_next_answer_from_the_old_one_and_is_told_that_it_is_the_last(
        self, daemon: Upgradable
    ) -> None:
        """Otherwise a proxy sends a request on a connection that is being closed, and a browser sees 502."""
        with socket.create_connection(("127.0.0.1", daemon.internal_port), timeout=60) as kept:
            kept.sendall(ALIVE)
            _, old = answer(kept)
            daemon.upgrade()
            assert daemon.says()["process"] != old

            kept.sendall(ALIVE)
            head, process = answer(kept)

            assert process == old
            assert b"\r\nConnection: close" in head
            assert kept.recv(1) == b""

    def test_a_request_that_has_arrived_in_part_is_answered(self, daemon: Upgradable) -> None:
        """Otherwise who uploads over a slow line begins again."""
        with socket.create_connection(("127.0.0.1", daemon.internal_port), timeout=60) as slow:
            slow.sendall(ALIVE[:20])
            old = daemon.says()["process"]
            daemon.upgrade()

            slow.sendall(ALIVE[20:])

            assert answer(slow)[1] == old

    def test_the_old_one_ends_when_its_last_client_leaves(self, daemon: Upgradable) -> None:
        """Otherwise each upgrade leaves a process behind."""
        with socket.create_connection(("127.0.0.1", daemon.internal_port), timeout=60) as kept:
            kept.sendall(ALIVE)
            answer(kept)
            daemon.upgrade()
            assert daemon._process
            assert daemon._process.poll() is None

        assert daemon._process.wait(60) == 0

    def test_one_that_is_told_to_stop_besides_does_not_wait_for_its_clients(self, daemon: Upgradable) -> None:
        """Otherwise a machine that shuts down waits two minutes."""
        with socket.create_connection(("127.0.0.1", daemon.internal_port), timeout=60) as kept:
            kept.sendall(ALIVE)
            answer(kept)
            daemon.upgrade()
            assert daemon._process
            daemon._process.terminate()

            assert daemon._process.wait(60) == 0
            assert daemon.ask("GET", "/healthz")[0] == 200

    def test_back_and_forth(self, daemon: Upgradable) -> None:
        """Otherwise a roll-back is another procedure, learnt on a bad night."""
        seen = [daemon.says()["process"]]
        for _ in range(2):
            assert daemon.upgrade().returncode == 0
            seen.append(daemon.says()["process"])

        assert len(set(seen)) == 3

    def test_files_of_sockets_are_handed_on_and_removed_by_the_last(self, node: MemcachedNode, tmp_path: Path) -> None:
        """Otherwise the old daemon takes the socket along, or the last one leaves it."""
        with TemporaryDirectory() as folder, ExitStack() as closing:
            path = Path(folder) / "public.sock"
            server = {"address": f"unix:{path}", "trusted_proxies": "unix: 127.0.0.1/32"}
            daemon = closing.enter_context(Upgradable(tmp_path / "run", {**in_memcached(node), "server": server}))
            inode = path.stat().st_ino
            daemon.upgrade()
            assert daemon._process
            daemon._process.wait(60)
            assert path.stat().st_ino == inode

            daemon.stop()

            assert not path.exists()

    def test_a_supervisor_follows(self, node: MemcachedNode, tmp_path: Path) -> None:
        """Otherwise systemd takes the old process's end for the service's, or ends a successor it never hears."""
        with Systemd() as systemd:
            daemon = _Service(systemd, node, tmp_path)
            for name, port in (("public", daemon.port), ("internal", daemon.internal_port)):
                systemd.listen(name, ("127.0.0.1", port))
            with daemon:
                old = daemon.says()["process"]
                assert daemon.upgrade().returncode == 0
                new = daemon.says()["process"]
                until(lambda: any(word.pid == new and "WATCHDOG" in word.lines for word in systemd.heard()))
                assert daemon._process
                daemon._process.wait(60)
                words = systemd.heard()

        handing = next(at for at, word in enumerate(words) if "MAINPID" in word.lines)
        assert (words[handing].pid, words[handing].lines["MAINPID"]) == (old, str(new))
        assert {word.pid for word in words[:handing]} == {old}
        assert {word.pid for word in words[handing + 1 :]} == {new}
        assert "READY" in words[handing + 1].lines


class _Service(Upgradable):
    def __init__(self, systemd: Systemd, node: MemcachedNode, folder: Path) -> None:
        super().__init__(folder / "run", in_memcached(node), environ={"WATCHDOG_USEC": "200000", "WATCHDOG_PID": ""})
        self._systemd = systemd

    def _launch(self, command):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - as of `Running`
        return self._systemd.launch(command, environ=self._environ, log=self._log, cwd=self.folder)


@pytest.mark.memcached
class TestFailing:
    """A successor does not come up: the daemon goes on, and the operator learns why."""

    def test_a_configuration_that_is_wrong_is_found_before_anything_is_asked(self, daemon: Upgradable) -> None:
        """Otherwise the daemon is asked for what the command could have known."""
        before = daemon.says()
        file = daemon.folder / "identityd.ini"
        good = file.read_text()
        file.write_text("nonsense\n")

        done = daemon.upgrade()
        file.write_text(good)

        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("[file] line 1: ")
        assert daemon.says() == before

    def test_a_successor_that_ends_leaves_the_old_one_and_its_reason_in_the_log(self, daemon: Upgradable) -> None:
        """Otherwise a bad release is an outage."""
        file = daemon.folder / "identityd.ini"
        good, before = file.read_text(), daemon.says()
        file.write_text("nonsense\n")
        os.kill(before["process"], signal.SIGUSR2)
        until(lambda: daemon.says()["takeover"] == "failed", otherwise=daemon.log)
        file.write_text(good)

        assert daemon.says()["process"] == before["process"]
        assert "[file] line 1: " in daemon.log()
        assert "takeover-failed: process " in daemon.log()
        assert daemon.upgrade().returncode == 0

    def test_a_successor_whose_stores_are_away_leaves_the_old_one(
        self, node: MemcachedNode, daemon: Upgradable
    ) -> None:
        """Otherwise a slip in the list of nodes logs every person out at once."""
        file = daemon.folder / "identityd.ini"
        before = daemon.says()
        file.write_text(file.read_text().replace(node.name, "127.0.0.1:1"))

        done = daemon.upgrade()

        assert done.returncode == 1
        assert f"nothing was taken over: process {before['process']} with version" in done.stderr
        assert "its log says why" in done.stderr
        assert "[server] takeover: sessions (one): " in daemon.log()
        assert daemon.says()["process"] == before["process"]

    def test_sessions_in_memory_cannot_be_taken_over(self, tmp_path: Path) -> None:
        """Otherwise an upgrade without a failed request is a logout for all."""
        with Upgradable(tmp_path / "run", {}) as daemon:
            before, done = daemon.says(), daemon.upgrade()
            os.kill(before["process"], signal.SIGUSR2)
            until(lambda: daemon.says()["takeovers"] == 1)

            assert done.returncode == 1
            assert "nothing was done: sessions are in this process's memory" in done.stderr
            assert "takeover-refused: sessions are in this process's memory" in daemon.log()
            assert daemon.says()["process"] == before["process"]

    def test_without_a_daemon_the_command_says_so(self, daemon: Upgradable) -> None:
        """Otherwise an operator waits for what will not come."""
        daemon.kill()

        done = daemon.upgrade()

        assert done.returncode == 1
        assert "nothing was done: no daemon answers on 127.0.0.1 port" in done.stderr

    def test_one_that_is_killed_in_between_leaves_a_successor_that_serves(self, daemon: Upgradable) -> None:
        """Otherwise a power of bad luck ends both."""
        old = daemon.says()["process"]
        os.kill(old, signal.SIGUSR2)
        until(lambda: "takeover: process " in daemon.log(), otherwise=daemon.log)
        os.kill(old, signal.SIGKILL)

        until(lambda: _process(daemon) not in (old, 0), otherwise=daemon.log)

    def test_one_that_is_told_to_stop_in_between_takes_its_successor_along(self, daemon: Upgradable) -> None:
        """Otherwise a daemon that was stopped serves a moment later."""
        os.kill(daemon.says()["process"], signal.SIGUSR2)
        until(lambda: "takeover: process " in daemon.log(), otherwise=daemon.log)

        assert daemon.stop() == 0


def _process(daemon: Upgradable) -> int:
    try:
        return int(daemon.says()["process"])
    except OSError:
        return 0


def hanging(traffic: Traffic, *, within_s: float) -> Succession:
    """Return a succession; who is started by `monkeypatch`ed commands is the test's affair."""
    return Succession(traffic, Supervisor(), within_s=within_s)


def test_a_successor_that_hangs_is_killed(
    monkeypatch: pytest.MonkeyPatch, expect_log: Callable[..., Expectation]
) -> None:
    """Otherwise it wakes up some day, and serves beside the daemon."""
    told = expect_log("identity.web.server", "takeover-failed: process [0-9]+ did not serve in time and was killed")
    monkeypatch.setattr(successor, "command", lambda: [sys.executable, "-c", "import signal; signal.pause()"])
    traffic = Traffic()

    with socket.create_server(("127.0.0.1", 0)) as sock:
        served = asyncio.run(hanging(traffic, within_s=0.3).hand_over({"public": sock}, files=False))

    assert (served, traffic.takeover) == (False, Takeover.FAILED)
    assert len(told.records) == 1


def test_a_second_takeover_during_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, expect_log: Callable[..., Expectation]
) -> None:
    """Otherwise two successors believe that the sockets are theirs."""
    expect_log("identity.web.server", "takeover-failed")
    told = expect_log("identity.web.server", "takeover-refused: this process is being taken over, or ends")
    monkeypatch.setattr(successor, "command", lambda: [sys.executable, "-c", "import signal; signal.pause()"])

    async def twice() -> list[bool]:
        succession = hanging(Traffic(), within_s=0.3)
        return await asyncio.gather(*(succession.hand_over({}, files=False) for _ in range(2)))

    assert asyncio.run(twice()) == [False, False]
    assert len(told.records) == 1


def test_a_program_that_cannot_be_started_is_said(
    monkeypatch: pytest.MonkeyPatch, expect_log: Callable[..., Expectation]
) -> None:
    """Otherwise a Python that was upgraded away ends the daemon with a traceback."""
    expect_log("identity.web.server", "takeover-failed: /no/python cannot be started: No such file or directory")
    monkeypatch.setattr(successor, "interpreter", lambda: "/no/python")

    assert not asyncio.run(hanging(Traffic(), within_s=5).hand_over({}, files=False))


def test_the_command_line_is_the_one_the_process_was_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a link is resolved, and every upgrade starts the version that runs."""
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-I", "/usr/local/identityd/identityd.py", "serve"])

    assert list(successor.command())[1:] == ["-I", "/usr/local/identityd/identityd.py", "serve"]


def test_sockets_that_are_not_there_are_refused() -> None:
    """Otherwise a takeover through a wrapper that closes files ends in a traceback."""
    assert inherited({"LISTEN_FDS": "2", "LISTEN_PID": "1"}, pid=os.getpid()) == {}
