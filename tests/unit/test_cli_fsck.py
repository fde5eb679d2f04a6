"""`fsck` on the command line: its lines, its exit codes, and that looking changes nothing."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from identity.cli import cli
from identity.stores.sqlite import SqliteAccounts
from identity.upkeep.diagnosis import REST_MS
from identity.upkeep.fsck import Checked, Fsck
from tests.support.accounts import Registry
from tests.support.clock import ManualClock
from tests.support.disorder import LEFT, MENDED, WAITING
from tests.support.sources import ROOT
from tests.support.wholeness import disagreements


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a key ring and a configuration."""
    CliRunner().invoke(cli, ["keys", "new", "--file", str(tmp_path / "identityd.keys")], catch_exceptions=False)
    file = tmp_path / "identityd.ini"
    file.write_text("[keys]\nfile = identityd.keys\n")
    file.chmod(0o600)
    return tmp_path


@pytest.fixture
def registry(folder: Path) -> Iterator[Registry]:
    """Give a service over the folder's account file, an hour ago."""
    clock = ManualClock(time.time_ns() // 1_000_000 - 2 * REST_MS)
    store = SqliteAccounts(folder / "identityd.sqlite", clock=clock)
    yield Registry(store, audit=store.audit, clock=clock)
    store.close()


def fsck(folder: Path, *options: str) -> Result:
    """Run the command."""
    arguments = ["fsck", "--config", str(folder / "identityd.ini"), *options]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_rows_in_order_are_said_in_two_lines(folder: Path, registry: Registry) -> None:
    """A nightly run whose mail is long is not read."""
    registry.member("1", "alice", "2")

    result = fsck(folder)

    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first.startswith("Looked at identities 2, usernames 1, accounts 1 in ")
    assert second == "found 0, mended 0, left 0, waits 0."
    assert result.stderr == ""


def test_a_finding_is_a_line_and_exit_code_1_until_it_is_mended(folder: Path, registry: Registry) -> None:
    """A script has to tell what is left from what is done."""
    MENDED["an unlink cut short"][0](registry)
    account = registry.log_in("1")

    looked, mended, again = fsck(folder), fsck(folder, "--repair"), fsck(folder)

    line = f"leftover-identity    remove   identity p:2 account {account}"
    assert (looked.exit_code, looked.stdout.splitlines()[0]) == (1, f"found   {line}")
    assert "Nothing was changed." in looked.stdout
    assert (mended.exit_code, mended.stdout.splitlines()[0]) == (0, f"mended  {line}")
    assert "Nothing was changed." not in mended.stdout
    assert (again.exit_code, len(again.stdout.splitlines())) == (0, 2)
    assert disagreements(registry.store) == []


def test_what_an_operator_has_to_look_at_stays_exit_code_1(folder: Path, registry: Registry) -> None:
    """An account nobody can reach must not be called done."""
    LEFT["an account that lists nothing"][0](registry)

    result = fsck(folder, "--repair")

    assert result.exit_code == 1
    assert result.stdout.startswith("left    unreachable          ask      account ")


def test_what_only_waits_is_exit_code_0(folder: Path, registry: Registry) -> None:
    """Nobody is called at night for it."""
    WAITING["somebody to choose a name"][0](registry)

    result = fsck(folder, "--repair")

    assert result.exit_code == 0
    assert result.stdout.startswith("waits   needs-name           wait     identity p:1 account ")


def test_programs_read_lines_of_json(folder: Path, registry: Registry) -> None:
    """Columns made for eyes break the first script that cuts them."""
    MENDED["a name without its row"][0](registry)

    finding, summary = map(json.loads, fsck(folder, "--json").stdout.splitlines())

    assert finding == {
        "outcome": "found",
        "code": "name-lost",
        "step": "own",
        "account": str(registry.log_in("1")),
        "username": "alice",
    }
    assert (summary["found"], summary["checked"]) == (1, {"identities": 1, "accounts": 1})


def test_an_account_file_that_is_not_there_is_not_made(folder: Path) -> None:
    """A wrong path would be found in perfect order, every night."""
    result = fsck(folder, "--repair")

    assert result.exit_code == 2
    assert result.stderr.startswith(f"[sqlite] file: {folder}/identityd.sqlite is not there; ")
    assert not (folder / "identityd.sqlite").exists()


def test_a_file_that_is_no_database_is_a_sentence(folder: Path) -> None:
    """No traceback for a damaged disk."""
    (folder / "identityd.sqlite").write_text("dear diary" * 100)

    result = fsck(folder)

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the account store cannot be used: ")
    assert "diary" not in result.output


def test_an_interrupted_run_says_that_everything_is_whole(
    folder: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever presses Ctrl-C wonders what was broken by it."""
    registry.member("1", "alice")
    walk = Fsck.run

    def interrupted(self: Fsck) -> Iterator[Checked]:
        yield next(walk(self))
        raise KeyboardInterrupt

    monkeypatch.setattr(Fsck, "run", interrupted)

    result = fsck(folder, "--repair")

    assert result.exit_code == 1
    assert "Interrupted. What was mended is whole; run it again for the rest." in result.stderr
    assert result.stdout.startswith("Looked at identities 1 in ")


def test_a_terminal_shows_how_far_it_is(folder: Path, registry: Registry) -> None:
    """A million rows take minutes; silence looks like a hang."""
    MENDED["an unlink cut short"][0](registry)
    ours, theirs = pty.openpty()
    command = [sys.executable, ROOT / "identityd.py", "fsck", "--config", folder / "identityd.ini"]

    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=30, check=False)

    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "rows/s" in shown
    assert done.stdout.startswith("found   leftover-identity ")
