"""Two daemons in processes of their own, one memcached, and a key added while somebody is logged in."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from identity.config import load_ring
from identity.errors import ConfigError
from identity.stores.single import hold
from tests.support.memcached import MemcachedNode
from tests.support.running import ROOT, Running
from tests.support.waiting import until


def reload(daemon: Running, *, newest: int) -> None:
    """Send SIGHUP and wait until the daemon says that it knows the key."""
    os.kill(daemon.pid, signal.SIGHUP)
    until(lambda: daemon.metric("identityd_key_newest ") == newest, within_s=10, otherwise=daemon.log)


def keys(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Give a command of `keys` in a folder."""
    command = [sys.executable, str(ROOT / "identityd.py"), "keys", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)


def test_a_key_is_added_and_signs_while_people_are_logged_in(tmp_path: Path, memcached: list[MemcachedNode]) -> None:
    """The whole routine as the manual has it, with the program, the signal and two daemons."""
    sections = {"sessions": {"store": "memcached"}, "memcached": {"nodes": f"a={memcached[0].name}"}}
    first = Running(tmp_path / "1", sections)
    second = Running(tmp_path / "2", sections, public_url=first.url)
    ring = first.folder / "identityd.keys"
    shutil.copy2(ring, second.folder)
    with first, second:
        cookie = first.sign_up("alice")
        keys(first.folder, "add")
        # Ten minutes pass: the key's date is all that tells.
        ring.write_text(ring.read_text().replace("key 2 2", "key 2 1"))
        assert load_ring(ring).newest == 2
        reload(first, newest=2)
        told = [first.check(cookie), second.check(cookie)]
        bob = first.sign_up("bob")
        late = second.check(bob)
        shutil.copy2(ring, second.folder)
        reload(second, newest=2)
        told += [second.check(cookie), second.check(bob)]

    assert [each["verdict"] for each in told] == ["ok"] * 4
    assert late["verdict"] == "retry"


def test_a_daemon_with_its_sessions_inside_stays_the_only_one_after_a_key_was_added(tmp_path: Path) -> None:
    """The ring is another file then; a second daemon that could lock it would log people out."""
    with Running(tmp_path / "run", {}) as daemon:
        keys(daemon.folder, "add")
        reload(daemon, newest=2)

        with pytest.raises(ConfigError):
            hold(daemon.folder / "identityd.keys")
