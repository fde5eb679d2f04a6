"""The in-process session store is for one daemon."""

from pathlib import Path

import pytest

from identity.errors import ConfigError
from identity.stores.single import hold
from tests.support.running import Running


def test_a_second_holder_is_refused_and_told_what_to_do(tmp_path: Path) -> None:
    """Two daemons with sessions of their own would log people out at every other request."""
    file = tmp_path / "keys"
    file.write_bytes(b"")

    with hold(file), pytest.raises(ConfigError) as refused:
        hold(file)

    assert "store = memcached" in refused.value.problems[0]


def test_the_lock_is_free_after_its_holder(tmp_path: Path) -> None:
    """A restart must not meet its own lock."""
    file = tmp_path / "keys"
    file.write_bytes(b"")

    with hold(file):
        pass

    hold(file).close()


def test_a_second_daemon_with_the_same_key_ring_does_not_start(tmp_path: Path) -> None:
    """An operator who starts it twice must read why, not hunt for vanishing sessions."""
    with Running(tmp_path / "run", {}):
        second = Running(tmp_path / "run", {})

        with pytest.raises(RuntimeError, match="memory is for one daemon"):
            second.start()


def test_a_killed_daemon_leaves_no_lock(tmp_path: Path) -> None:
    """After a power cut the daemon must start by itself."""
    with Running(tmp_path / "run", {}) as daemon:
        daemon.kill()

        daemon.start()
