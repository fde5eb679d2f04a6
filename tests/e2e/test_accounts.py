"""`accounts` beside a daemon that serves: whoever is taken out is out at the next check.

Everything is real: the daemon's process, memcached, the command as a process of its own.
"""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.cassandra_accounts import migrated
from tests.support.memcached import MemcachedNode
from tests.support.operator_commands import Sections, in_cassandra
from tests.support.running import ROOT, Running
from tests.support.waiting import until

PATIENCE_S = 60
"""How long a test waits for what the daemon does every five seconds."""
WHY = ("--reason", "ticket 4711", "--as", "ann")


@pytest.fixture(params=["sqlite", pytest.param("cassandra", marks=pytest.mark.cassandra)])
def accounts(request: pytest.FixtureRequest) -> Sections:
    """Give the sections of an account store, each kind in turn."""
    return in_cassandra(migrated(request.getfixturevalue("cassandra"))) if request.param == "cassandra" else {}


@pytest.fixture
def node(memcached: list[MemcachedNode]) -> MemcachedNode:
    """Give one memcached node, which holds everybody's sessions."""
    return memcached[0]


@pytest.fixture
def daemon(tmp_path: Path, node: MemcachedNode, accounts: Sections) -> Iterator[Running]:
    """Give a serving daemon with its sessions in memcached."""
    # A busy machine must not look like a memcached that hangs.
    sessions = {
        "sessions": {"store": "memcached"},
        "memcached": {"nodes": f"one={node.name}", "timeout_s": "5", "connect_timeout_s": "5"},
    }
    with Running(tmp_path / "run", {**accounts, **sessions}) as running:
        yield running


@pytest.fixture
def alone(tmp_path: Path, accounts: Sections) -> Iterator[Running]:
    """Give a serving daemon with its sessions in its own memory."""
    with Running(tmp_path / "run", accounts) as running:
        yield running


def command(daemon: Running, *arguments: str) -> list[str]:
    """Return a command of `accounts` with the daemon's configuration."""
    program = [sys.executable, str(ROOT / "identityd.py"), "accounts"]
    return [*program, arguments[0], "--config", str(daemon.folder / "identityd.ini"), *arguments[1:]]


def run(daemon: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Give a command where nobody is at a terminal."""
    return subprocess.run(
        command(daemon, *arguments), capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )


def first_decision(daemon: Running, cookie: str) -> dict[str, Any]:
    """Return the first answer that is not "try again"."""
    return answer_other_than("retry", daemon, cookie)


def answer_other_than(verdict: str, daemon: Running, cookie: str) -> dict[str, Any]:
    """Return the first answer with another verdict."""
    answer: dict[str, Any] = {}

    def other() -> bool:
        answer.update(daemon.check(cookie))
        return bool(answer["verdict"] != verdict)

    until(other, within_s=PATIENCE_S, otherwise=lambda: answer)
    return answer


def verdict(answer: Mapping[str, Any]) -> tuple[str, str]:
    """Return verdict and reason."""
    return answer["verdict"], answer["reason"]


@pytest.mark.threat(30)
def test_whoever_is_disabled_is_out_at_the_very_next_check(daemon: Running) -> None:
    """The stolen laptop must not have a minute more."""
    cookie = daemon.sign_up("alice")
    other = daemon.sign_up("bob")
    assert first_decision(daemon, cookie)["verdict"] == "ok"

    done = run(daemon, "disable", "alice", "--yes", *WHY)

    assert (done.returncode, done.stderr) == (0, "")
    assert verdict(first_decision(daemon, cookie)) == ("login", "disabled")
    assert "disabled" in daemon.log_in("alice").text
    assert first_decision(daemon, other)["verdict"] == "ok"
    assert run(daemon, "enable", "alice", *WHY).returncode == 0
    assert first_decision(daemon, daemon.log_in("alice").cookie)["verdict"] == "ok"


@pytest.mark.threat(30)
def test_a_daemon_ends_the_sessions_in_its_own_memory_by_itself(alone: Running) -> None:
    """The command cannot reach them, and says so; what it promises must come true."""
    cookie = alone.sign_up("alice")

    done = run(alone, "disable", "alice", "--yes", *WHY)

    assert done.returncode == 0
    assert "the running daemon ends its open sessions within about 5 seconds" in done.stdout
    assert "disabled" in alone.log_in("alice").text
    assert verdict(answer_other_than("ok", alone, cookie)) == ("login", "disabled")


@pytest.mark.threat(23)
def test_unlinking_ends_the_sessions_opened_through_it_and_no_other(daemon: Running) -> None:
    """The thief goes, the owner notices nothing."""
    owner = daemon.sign_up("alice")
    assert run(daemon, "link", "alice", "demo:mallory", *WHY).returncode == 0
    thief = daemon.log_in("mallory").cookie
    assert first_decision(daemon, thief)["user"]["id"] == first_decision(daemon, owner)["user"]["id"]

    done = run(daemon, "unlink", "alice", "demo:mallory", "--yes", *WHY)

    assert (done.returncode, done.stderr) == (0, "")
    assert verdict(first_decision(daemon, thief)) == ("login", "unlinked")
    assert first_decision(daemon, owner)["verdict"] == "ok"
    assert daemon.log_in("mallory").cookie == ""


@pytest.mark.threat(30)
@pytest.mark.parametrize("how", ["hangs", "restarts empty"])
def test_a_node_that_was_away_serves_nobody_who_was_disabled_meanwhile(
    daemon: Running, node: MemcachedNode, how: str
) -> None:
    """A cable that is pulled at the right moment must not keep anybody in."""
    cookie = daemon.sign_up("alice")
    if how == "hangs":
        node.freeze()
    else:
        node.kill()
    assert daemon.check(cookie)["verdict"] == "retry"

    done = run(daemon, "disable", "alice", "--yes", *WHY)

    assert done.returncode == 3
    assert "every login is refused" in done.stdout
    assert "could not be reached yet (memcached node one: " in done.stderr
    assert "Traceback" not in done.stderr
    assert daemon.check(cookie)["verdict"] == "retry"
    if how == "hangs":
        node.thaw()
    else:
        node.start()
    decided = first_decision(daemon, cookie)
    assert verdict(decided) == ("login", "disabled" if how == "hangs" else "lost")
    assert "none" in next(line for line in run(daemon, "show", "alice").stdout.splitlines() if "ending" in line)
    assert "disabled" in daemon.log_in("alice").text


def at_a_terminal(daemon: Running, *arguments: str, typed: str) -> tuple[int, str]:
    """Give a command at a terminal and type; return exit code and all that was shown."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command(daemon, *arguments), stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        while True:
            try:
                more = os.read(ours, 4_096)
            except OSError:  # the other side is closed: Linux' way to say the end
                break
            shown += more
    os.close(ours)
    return process.returncode, shown.decode()


def test_a_person_at_a_terminal_is_asked_for_the_reason_and_shown_what_will_happen(alone: Running) -> None:
    """A slip is found at the question, and the reason is there without remembering an option."""
    alone.sign_up("alice")

    code, shown = at_a_terminal(alone, "disable", "alice", typed="laptop stolen\nn\n")

    assert code == 1
    assert "Why? (goes into the audit)" in shown
    assert "Every login of alice (" in shown
    assert "Nothing was changed." in shown
    assert "active" in run(alone, "find", "alice").stdout

    code, shown = at_a_terminal(alone, "disable", "alice", typed="laptop stolen\ny\n")

    assert code == 0
    assert "is disabled: every login is refused" in shown
    assert "reason=laptop stolen" in run(alone, "show", "alice").stdout
