"""A restore that is killed at any step: no daemon serves what it left, and run again it comes to its end."""

import ast
import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from identity.cli import cli
from identity.cli.files import new_ring_file
from identity.errors import ConfigError
from identity.stores.sqlite import SqliteAccounts
from identity.stores.sqlite_backup import back_up
from tests.support.clock import NOON
from tests.support.copies import fill, side_of
from tests.support.dying_restore import CHECKPOINTS, killed
from tests.support.sources import ROOT, tree

WHY: Final = ("--reason", "disk lost", "--as", "ann", "--yes")
AT_THE_BACKUP: Final = 5
BY_NOW: Final = 9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a configuration, a backup of five people, and an account file in which there are nine by now."""
    new_ring_file(tmp_path / "identityd.keys")
    (tmp_path / "identityd.ini").write_text("[keys]\nfile = identityd.keys\n")
    (tmp_path / "identityd.ini").chmod(0o600)
    store, side = side_of(tmp_path / "identityd.sqlite")
    with closing(store):
        fill(side, range(AT_THE_BACKUP))
        back_up(tmp_path / "identityd.sqlite", tmp_path / "backup", told=lambda *_: None)
        fill(side, range(AT_THE_BACKUP, BY_NOW))
    return tmp_path


def people(folder: Path) -> int:
    """Count the accounts, as a daemon that starts would find them."""
    with closing(SqliteAccounts(folder / "identityd.sqlite", clock=lambda: NOON)) as store:
        return len(list(store.accounts.scan()))


def damage(folder: Path) -> None:
    """Leave the account file unreadable, with a log of changes that belongs to it beside it."""
    file = folder / "identityd.sqlite"
    file.write_bytes(b"\xff" * 8192)
    (folder / "identityd.sqlite-wal").write_bytes(b"\xff" * 4096)


@pytest.mark.parametrize(
    ("checkpoint", "damaged"),
    [
        (each, damaged)
        for each in CHECKPOINTS
        for damaged in (False, True)
        if (each, damaged) != ("restore.log-moved", True)
    ],
)
def test_a_killed_restore_keeps_daemons_away_until_it_is_done(folder: Path, checkpoint: str, *, damaged: bool) -> None:
    """A daemon on half a restore would have every person sign up anew, or play a log into accounts it does not fit."""
    if damaged:
        damage(folder)
    file = folder / "identityd.sqlite"
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as shell:
        # An operator looks at the accounts meanwhile, so that SQLite leaves the log beside its file.
        if checkpoint == "restore.log-moved":
            shell.execute("SELECT count(*) FROM accounts").fetchone()
        died = killed(folder / "identityd.ini", folder / "backup", checkpoint)
    assert died == -signal.SIGKILL

    if checkpoint != "restore.done":
        with pytest.raises(ConfigError, match=r"a restore of .* was begun and not finished"):
            people(folder)
        command = ["restore", "--config", str(folder / "identityd.ini"), str(folder / "backup"), *WHY]
        done = CliRunner().invoke(cli, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        undone = "is not known" if damaged else "4 signed up since"
        assert undone in done.output

    assert people(folder) == AT_THE_BACKUP
    beside = [each.name for each in folder.iterdir() if ".restoring" in each.name]
    assert beside == []
    (kept,) = (each for each in folder.iterdir() if re.search(r"\.replaced-[0-9]+$", each.name))
    assert kept.stat().st_mode & 0o777 == 0o600
    if not damaged:
        with closing(sqlite3.connect(kept)) as old:
            assert old.execute("SELECT count(*) FROM accounts").fetchone() == (BY_NOW,)


def test_the_checkpoints_of_a_restore_are_those_that_are_killed() -> None:
    """A new step must not be added without a kill at it."""
    called = {
        node.args[0].value
        for name in ("identity/restoring.py", "identity/stores/sqlite_backup.py")
        for node in ast.walk(tree(ROOT / name))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "checkpoint"
        and isinstance(node.args[0], ast.Constant)
    }

    assert called == set(CHECKPOINTS)
