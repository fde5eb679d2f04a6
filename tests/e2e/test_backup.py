"""`backup` and `restore` as docs/operations.md has them, with a daemon that serves and sessions in a real memcached."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.memcached import MemcachedNode
from tests.support.running import ROOT, Running

SECTION: Final = (
    (ROOT / "docs/operations.md").read_text().partition("\n## Backup and restore\n")[2].partition("\n## ")[0]
)
BACKUP, RESTORE = (block.strip().splitlines() for block in re.findall(r"```\n(.*?)```", SECTION, re.DOTALL))
WHY: Final = ("--reason", "ticket 4711", "--as", "ann")


@pytest.fixture
def daemon(tmp_path: Path, memcached: list[MemcachedNode]) -> Iterator[Running]:
    """Give a serving daemon with its sessions in memcached."""
    nodes = " ".join(f"n{at}={node.name}" for at, node in enumerate(memcached))
    # A busy machine must not look like a memcached that hangs.
    patient = {"nodes": nodes, "timeout_s": "5", "connect_timeout_s": "5"}
    with Running(tmp_path / "run", {"sessions": {"store": "memcached"}, "memcached": patient}) as running:
        yield running


def run(daemon: Running, *words: str) -> subprocess.CompletedProcess[str]:
    """Give a command with the daemon's configuration."""
    return subprocess.run(
        [sys.executable, str(ROOT / "identityd.py"), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
        env={"IDENTITYD_CONFIG": str(daemon.folder / "identityd.ini"), "PATH": "/usr/bin:/bin"},
    )


def follow(daemon: Running, lines: list[str], folder: Path) -> list[str]:
    """Do what the manual says, line by line, each without an error; return what was printed by each."""
    said = []
    for line in lines:
        program, *words = shlex.split(line.replace("/var/backups", str(folder)))
        if program == "systemctl":
            assert daemon.stop() == 0 if words[0] == "stop" else daemon.start() is None
            continue
        done = run(daemon, *words, *(["--yes"] if words[0] == "restore" else []))
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    return said


@pytest.mark.threat(66)
def test_who_existed_at_the_backup_logs_in_after_it_and_who_came_later_signs_up_again(
    daemon: Running, tmp_path: Path
) -> None:
    """The bar: a lost disk costs a login, and what came after the backup; nothing else, and nothing silently."""
    alice, carol = daemon.sign_up("alice"), daemon.sign_up("carol")
    daemon.sign_up("mallory")
    ids = {name: daemon.check(cookie)["user"]["id"] for name, cookie in (("alice", alice), ("carol", carol))}
    follow(daemon, BACKUP, tmp_path)
    # From here on the accounts know more than the backup: a later epoch, an end of access, a person.
    assert run(daemon, "sessions", "end", "alice", "--all", "--yes", *WHY).returncode == 0
    ended, alice = alice, daemon.log_in("alice").cookie
    assert run(daemon, "accounts", "disable", "mallory", "--yes", *WHY).returncode == 0
    bob = daemon.sign_up("bob")
    bobs_id = daemon.check(bob)["user"]["id"]
    assert daemon.check(alice)["verdict"] == "ok"

    restored, checked = follow(daemon, RESTORE, tmp_path)

    assert "left 0" in checked
    for cookie in (ended, alice, bob, carol):
        assert daemon.check(cookie)["verdict"] == "login"
    for name in ("alice", "carol"):
        assert daemon.check(daemon.log_in(name).cookie)["user"]["id"] == ids[name]
    assert daemon.log_in("bob").cookie == ""
    assert daemon.check(daemon.sign_up("bob"))["user"]["id"] != bobs_id
    assert "1 signed up since, and do so again; their names are free: bob." in restored
    assert "disable" in restored
    again = next(line for line in restored.splitlines() if line.startswith("  identityd.py accounts disable"))
    assert run(daemon, *shlex.split(again)[1:]).returncode == 0
    assert "disabled" in daemon.log_in("mallory").text
    assert "Traceback" not in daemon.log()


def test_a_restore_beside_records_from_before_would_keep_people_out(daemon: Running, tmp_path: Path) -> None:
    """Why it empties memcached: put back by hand, the accounts are older than their own session records."""
    daemon.sign_up("alice")
    follow(daemon, BACKUP, tmp_path)
    assert run(daemon, "sessions", "end", "alice", "--all", "--yes", *WHY).returncode == 0
    assert daemon.stop() == 0
    file = daemon.folder / "identityd.sqlite"
    file.write_bytes((tmp_path / "identityd.sqlite").read_bytes())
    daemon.start()
    assert daemon.log_in("alice").cookie == ""

    follow(daemon, RESTORE, tmp_path)

    assert daemon.check(daemon.log_in("alice").cookie)["verdict"] == "ok"


def test_nothing_is_restored_while_a_daemon_serves_or_a_node_is_away(
    daemon: Running, tmp_path: Path, memcached: list[MemcachedNode]
) -> None:
    """A node that comes back with its records would keep their people out, and no operator would know why."""
    alice = daemon.sign_up("alice")
    follow(daemon, BACKUP, tmp_path)
    command = ("restore", str(tmp_path / "identityd.sqlite"), "--yes", *WHY)

    served = run(daemon, *command)

    assert served.returncode == 2
    assert "is in use; stop identityd" in served.stderr
    assert daemon.check(alice)["verdict"] == "ok"
    assert daemon.stop() == 0
    memcached[0].kill()

    away = run(daemon, *command)

    assert away.returncode == 1
    assert "memcached node n0" in away.stderr
    assert "Nothing was changed." in away.stderr
    memcached[0].start()
    assert run(daemon, *command).returncode == 0


def test_programs_read_what_was_backed_up_and_what_is_lost(daemon: Running, tmp_path: Path) -> None:
    """A nightly job has to notice an empty backup; a restore by script has to hand on what it undid."""
    daemon.sign_up("alice")
    made = json.loads(run(daemon, "backup", str(tmp_path / "b"), "--json").stdout)
    daemon.sign_up("bob")
    assert daemon.stop() == 0

    said = json.loads(run(daemon, "restore", str(tmp_path / "b"), "--json", "--yes", *WHY).stdout)

    assert {name: made[name] for name in ("file", "accounts")} == {"file": str(tmp_path / "b"), "accounts": 1}
    assert Path(made["key_ring"]).exists()
    assert [(each["action"], each["facts"]["username"]) for each in said["forgotten"]] == [("sign-up", "bob")]
    assert said["emptied"] == ["n0", "n1", "n2"]
    assert Path(said["kept"]).exists()
    assert said["newest_change"] == made["newest_change"]
