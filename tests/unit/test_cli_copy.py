"""`copy`: what it asks before it begins, how far it says it is, and what it says in the end.

A store in memory stands where the cluster is; tests/stores/ has the real one.
"""

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from identity import opening
from identity.cli import cli
from identity.cli.progress import Progress
from identity.config import AccountStoreKind, Config
from identity.errors import StoreUnavailable
from identity.opening import Accounts
from identity.stores.memory import MemoryAccounts
from identity.stores.sqlite import SqliteAccounts
from identity.types import Clock
from identity.upkeep.copied_tables import CopySide
from identity.upkeep.copying import MOST_REVOCATIONS, CopyProgress, CopyStage
from tests.contracts.accounts import new_revocation
from tests.support.clock import ManualClock
from tests.support.copies import contents, fill, person, side_of

CONFIG = """\
[keys]
file = identityd.keys

[cassandra]
contact_points = 127.0.0.1:1
local_data_centre = DC1
"""
GO = ("--from", "sqlite", "--to", "cassandra", "--daemons-stopped")
BACK = ("--from", "cassandra", "--to", "sqlite", "--daemons-stopped")


@dataclass(frozen=True)
class Move:
    """A folder with a configuration, and what is in the place of the cluster."""

    folder: Path
    cluster: MemoryAccounts

    @property
    def file(self) -> Path:
        """Return the account file."""
        return self.folder / "identityd.sqlite"

    @property
    def there(self) -> CopySide:
        """Return the cluster as a side of a copy."""
        return CopySide("cassandra", self.cluster, self.cluster.audit)

    def fill(self, people: int) -> None:
        """Put people into the account file."""
        store, side = side_of(self.file)
        with closing(store):
            fill(side, range(people))

    def run(self, *options: str) -> Result:
        """Run the command."""
        arguments = ["copy", "--config", str(self.folder / "identityd.ini"), *options]
        return CliRunner().invoke(cli, arguments, catch_exceptions=False)


@pytest.fixture
def move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Move:
    """Give a configuration with both stores and nobody in either."""
    CliRunner().invoke(cli, ["keys", "new", "--file", str(tmp_path / "identityd.keys")], catch_exceptions=False)
    file = tmp_path / "identityd.ini"
    file.write_text(CONFIG)
    file.chmod(0o600)
    cluster = MemoryAccounts(clock=ManualClock())
    real = opening.open_accounts

    def open_accounts(config: Config, clock: Clock, **how: bool) -> Accounts:
        return cluster if config.accounts.store is AccountStoreKind.CASSANDRA else real(config, clock, **how)

    monkeypatch.setattr(opening, "open_accounts", open_accounts)
    return Move(tmp_path, cluster)


@pytest.fixture
def in_use(move: Move) -> Iterator[SqliteAccounts]:
    """Give the account file as a running daemon has it open."""
    move.fill(3)
    with closing(SqliteAccounts(move.file, clock=ManualClock())) as store:
        yield store


def test_a_copy_tells_every_table_and_what_to_do_next(move: Move) -> None:
    """An operator has to believe it, and to know what is left to do."""
    move.fill(3)

    result = move.run(*GO)

    assert result.exit_code == 0
    heads, *rows = result.stdout.splitlines()
    assert " ".join(heads.split()) == "table in sqlite left out written now written before in cassandra equal"
    assert [row.split() for row in rows[:-1]] == [
        ["identities", "4", "0", "4", "0", "4", "4"],
        ["usernames", "3", "0", "3", "0", "3", "3"],
        ["accounts", "3", "0", "3", "0", "3", "3"],
        ["providers", "1", "0", "1", "0", "1", "1"],
        ["upstream_tokens", "1", "0", "1", "0", "1", "1"],
        ["invitations", "1", "0", "1", "0", "1", "1"],
        ["waiting", "1", "0", "1", "0", "1", "1"],
        ["profiles", "3", "0", "3", "0", "3", "3"],
        ["revocations", "1", "0", "1", "0", "1", "1"],
        ["audit", "7", "0", "7", "0", "7", "7"],
    ]
    assert rows[-1].startswith("done: every row was read back from cassandra and is equal. Set [accounts] store")


def test_it_goes_back_too(move: Move) -> None:
    """A cluster nobody wants to run any more must not keep the accounts."""
    fill(move.there, range(3))

    assert move.run(*BACK).exit_code == 0

    store, side = side_of(move.file)
    with closing(store):
        assert contents(side) == contents(move.there)


def test_a_running_daemon_is_noticed(move: Move, in_use: SqliteAccounts) -> None:
    """Whoever signed up during the copy would be lost by it."""
    assert in_use.copy_note.read() is None

    result = move.run(*GO)

    assert result.exit_code == 2
    assert "is in use; stop identityd" in result.stderr
    assert list(move.cluster.accounts.scan()) == []


def test_daemons_that_cannot_be_seen_are_asked_about(move: Move) -> None:
    """From here nobody sees a daemon on another machine."""
    result = move.run("--from", "sqlite", "--to", "cassandra")

    assert result.exit_code == 2
    assert "stop identityd on every machine, then say so with --daemons-stopped" in result.stderr


def test_a_store_is_not_copied_into_itself(move: Move) -> None:
    """It would be marked unfinished, and nobody could log in."""
    result = move.run("--from", "sqlite", "--to", "sqlite")

    assert result.exit_code == 2
    assert "the same store" in result.stderr


def test_an_account_file_that_is_not_there_is_not_made(move: Move) -> None:
    """An empty file would be taken for the accounts at the next start."""
    result = move.run(*GO)

    assert result.exit_code == 2
    assert result.stderr == f"[sqlite] file: {move.file} does not exist; name the one that is in use\n"
    assert not move.file.exists()


def test_options_of_the_store_that_is_not_in_use_are_checked(move: Move) -> None:
    """The first mention of a missing one would be a driver's traceback."""
    (move.folder / "identityd.ini").write_text("[keys]\nfile = identityd.keys\n")
    move.fill(1)

    result = move.run(*GO)

    assert result.exit_code == 2
    assert "[cassandra] contact_points: is missing" in result.stderr


def test_what_is_refused_is_said_with_the_reason(move: Move) -> None:
    """An exit code alone sends the operator to the source code."""
    move.fill(1)

    move.cluster.accounts.insert(person(9).account)
    used = move.run(*GO)
    move.cluster.copy_note.write('{"from": "memory"}')
    foreign = move.run(*GO)
    move.cluster.identities.insert(person(9).identities[0])
    half = move.run(*BACK)

    assert [used.exit_code, foreign.exit_code, half.exit_code] == [2, 2, 2]
    assert "--to: cassandra holds rows already" in used.stderr
    assert "--to: cassandra holds an unfinished copy from another store" in foreign.stderr
    assert "--from: cassandra is itself an unfinished copy" in half.stderr


def test_an_empty_source_and_too_many_ends_of_sessions_are_named(move: Move) -> None:
    """Both look like success if nobody looks."""
    empty = move.run(*BACK)
    fill(move.there, range(1))
    for _ in range(MOST_REVOCATIONS):
        move.cluster.revocations.add(new_revocation())
    many = move.run(*BACK)

    assert [empty.exit_code, many.exit_code] == [2, 2]
    assert "--from: cassandra holds no account" in empty.stderr
    assert "let it reach every node" in many.stderr


def test_rows_that_differ_or_are_too_many_are_named(move: Move) -> None:
    """Told only that something is not equal, nobody can mend it."""
    move.fill(3)
    move.cluster.copy_note.write('{"from": "sqlite"}')
    move.cluster.accounts.insert(person(9).account)
    differs = replace(person(2).profile, email="else@example.org")
    move.cluster.profiles.write(differs)

    result = move.run(*GO)

    assert result.exit_code == 1
    assert "accounts: cassandra holds 1 that are not in the source" in result.stdout
    assert f"profiles: 1 missing or different in cassandra: {differs.account_id}" in result.stdout
    assert "not done: cassandra is not equal to sqlite and is not served" in result.stdout
    assert move.cluster.profiles.read(differs.account_id) == differs


def test_a_source_that_is_still_used_is_named_and_the_target_not_blamed(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told that the copy holds rows too many, an operator would throw it away, and meet the same again."""
    fill(move.there, range(3))

    def sign_up(_: Progress, step: CopyProgress) -> None:
        if step.stage is CopyStage.COPY and step.table == "identities":
            fill(move.there, range(9, 10))

    monkeypatch.setattr(Progress, "__call__", sign_up)

    result = move.run(*BACK)
    monkeypatch.undo()

    assert result.exit_code == 1
    assert "accounts: the source had 3 when they were counted and 4 when they were compared" in result.stdout
    assert "audit: the source had 7 when they were counted" in result.stdout
    assert "not in the source" not in result.stdout


def test_a_store_that_fails_leaves_a_copy_to_go_on_with(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator must know that nothing has to be thrown away."""
    move.fill(1)

    def away(_: str) -> None:
        raise StoreUnavailable(detail="cassandra: no host answered")

    monkeypatch.setattr(move.cluster.copy_note, "write", away)
    monkeypatch.setattr("time.sleep", lambda _: None)

    result = move.run(*GO)

    assert result.exit_code == 1
    assert "cassandra: no host answered; the same command goes on where it was" in result.stderr


def test_ctrl_c_says_that_it_can_go_on(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever had to stop it should not fear for the accounts."""
    move.fill(1)

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(move.cluster.copy_note, "write", interrupt)

    result = move.run(*GO)

    assert result.exit_code == 1
    assert "stopped; the same command goes on where it was" in result.stderr


def test_a_daemon_refuses_an_unfinished_copy(move: Move) -> None:
    """It would offer a sign-up to everybody who is not copied yet."""
    store, side = side_of(move.file)
    with closing(store):
        side.store.copy_note.write("begun")

    result = CliRunner().invoke(cli, ["fsck", "--config", str(move.folder / "identityd.ini")], catch_exceptions=False)

    assert result.exit_code == 2
    assert "[accounts] store: a copy into this store is not finished; run `identityd.py copy` again" in result.stderr


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def steps(progress: Progress, clock: list[float], *, every: float) -> None:
    """Tell a table's steps, with time between them."""
    for done in (250, 500, 1_000):
        clock[0] += every
        progress(CopyProgress(CopyStage.COPY, "accounts", done, 1_000))
    clock[0] += every
    progress(CopyProgress(CopyStage.COUNT_COPY, "accounts", 1_000))
    progress.end()


def test_a_terminal_sees_one_line_that_moves() -> None:
    """An hour without a sign of life gets interrupted."""
    out, clock = Terminal(), [0.0]

    steps(Progress(out, clock=lambda: clock[0]), clock, every=0.5)

    lines = out.getvalue().split("\n")
    assert len(lines) == 3
    assert lines[0].split("\r")[-1] == (
        f"copying           accounts          1,000 of 1,000  [{'#' * 24}] 100%  750/s\x1b[K"
    )


def test_a_journal_gets_a_line_now_and_then_and_the_last_of_each_table() -> None:
    """A line per batch would be thousands."""
    out, clock = io.StringIO(), [0.0]

    steps(Progress(out, clock=lambda: clock[0]), clock, every=6.0)

    assert [line.split()[:5] for line in out.getvalue().splitlines()] == [
        ["copying", "accounts", "1,000", "of", "1,000"],
        ["copying", "accounts", "1,000", "of", "1,000"],
        ["counting", "the", "copy", "accounts", "1,000"],
    ]


def test_the_rate_leaves_out_what_an_earlier_run_did() -> None:
    """Otherwise the operator is told that it will be over in a minute."""
    out, clock = io.StringIO(), [0.0]
    progress = Progress(out, clock=lambda: clock[0])

    progress(CopyProgress(CopyStage.COPY, "accounts", 5_100, 10_000))
    clock[0] += 1
    progress(CopyProgress(CopyStage.COPY, "accounts", 5_200, 10_000))
    progress.end()

    assert out.getvalue().endswith("52%  100/s\n")
