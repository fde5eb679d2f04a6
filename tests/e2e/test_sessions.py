"""`sessions end` beside a serving daemon."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.memcached import MemcachedNode
from tests.support.running import ROOT, Running


def sessions(daemon: Running, *words: str) -> str:
    """Give a command of `sessions` with the daemon's configuration; return what it printed."""
    command = [sys.executable, str(ROOT / "identityd.py"), "sessions", *words, "--config", "identityd.ini"]
    done = subprocess.run(command, cwd=daemon.folder, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_a_session_ended_on_the_command_line_is_refused_at_its_next_request(
    tmp_path: Path, memcached: list[MemcachedNode]
) -> None:
    """An operator who says "it is ended" must be right."""
    sections = {"sessions": {"store": "memcached"}, "memcached": {"nodes": f"one={memcached[0].name}"}}
    with Running(tmp_path / "run", sections) as daemon:
        cookie = daemon.sign_up("alice")
        before = daemon.check(cookie)
        [there] = json.loads(sessions(daemon, "list", "alice", "--json"))["sessions"]
        sessions(daemon, "end", "alice", there["session"][:8], "--yes", "--reason", "ticket 4711")
        after = daemon.check(cookie)

    assert (before["verdict"], after["verdict"], after["reason"]) == ("ok", "login", "revoked")
