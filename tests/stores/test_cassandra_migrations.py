"""Bringing a keyspace to a release's tables: once, together, interrupted, and beside the release before."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from identity.errors import ConfigError, StoreUnavailable
from identity.stores.cassandra.migrating import LOCK_S, STATEMENT_S, MigrationStep, Migrator
from identity.stores.cassandra.migrations import FOLDER, AppliedMigration, Migrations
from identity.stores.cassandra.settings import Settings
from tests.contracts.account_kinds import changed_identity, new_identity
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import migrated, now, opened, settings
from tests.support.guards import Expectation
from tests.support.racing import race
from tests.support.sources import ROOT

ExpectLog = Callable[..., Expectation]
CHECKPOINTS = ("migrate.ground-laid", "migrate.locked", "migrate.statement-done", "migrate.recorded")
TIMEOUT_S = 60

LATEST = Migrations().latest


def migrator(reached: Settings, migrations: Migrations | None = None, *, who: str = "a test") -> Migrator:
    """Make a run of its own."""
    return Migrator(reached, migrations or Migrations(), clock=now, owner=uuid4(), who=who)


def quiet(_: MigrationStep) -> None:
    """Watch nothing."""


def next_release(folder: Path, *, serves_from: int, statement: str) -> Migrations:
    """Return the migrations of a release that comes after this one."""
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    number = Migrations().latest + 1
    text = f"-- serves-from: {serves_from}\n-- A later release.\n{statement};\n"
    (folder / f"{number:04d}_later.cql").write_text(text)
    return Migrations(folder)


@pytest.fixture
def fresh(cassandra: CassandraCluster) -> Settings:
    """Give an empty keyspace."""
    return settings(cassandra, cassandra.fresh_keyspace())


@pytest.mark.parametrize(
    ("version", "serves_from", "problem"),
    [
        (None, 0, "no tables yet"),
        (0, 0, "this release needs"),
        (LATEST - 1, 1, "this release needs"),
        (LATEST, 1, ""),
        (LATEST + 1, LATEST, ""),
        (LATEST + 1, LATEST + 1, "made by a newer release"),
        (LATEST + 8, LATEST + 1, "made by a newer release"),
    ],
)
def test_a_daemon_serves_on_its_own_tables_and_on_newer_ones_that_say_so(
    version: int | None, serves_from: int, problem: str
) -> None:
    """The table of the module, a case a row."""
    there = () if version is None else (AppliedMigration(version, serves_from, ""),)

    said = Migrations().problem_of(there, keyspace="k")

    assert (problem in said) if problem else said == ""
    assert said == "" or "run `identityd.py migrate`" in said or "start the newer release" in said


def test_a_run_applies_everything_and_the_next_has_nothing_to_do(fresh: Settings) -> None:
    """An operator runs it twice to be sure."""
    steps: list[MigrationStep] = []

    first = migrator(fresh).migrate(steps.append)
    second = migrator(fresh).migrate(quiet)

    assert (first, second) == (Migrations().latest, 0)
    assert steps[-1].done == steps[-1].of == sum(len(each.statements) for each in Migrations().all)
    opened(fresh).close()


def test_of_two_runs_at_the_same_time_one_waits_and_both_succeed(fresh: Settings) -> None:
    """Two machines are upgraded by one script at once."""
    steps: list[list[MigrationStep]] = [[], []]

    counts = race(2, lambda me: migrator(fresh, who=f"machine {me}").migrate(steps[me].append))

    assert sorted(counts) == [0, Migrations().latest]
    opened(fresh).close()


def test_a_keyspace_without_tables_is_refused_with_what_to_do(fresh: Settings) -> None:
    """The first start of a newcomer."""
    with pytest.raises(ConfigError, match=r"run `identityd\.py migrate`"):
        opened(fresh)


def test_a_missing_keyspace_is_named_and_can_be_made(cassandra: CassandraCluster) -> None:
    """The very first start of a newcomer."""
    reached = settings(cassandra, f"made_{uuid4().hex[:12]}")

    with pytest.raises(ConfigError, match=f"no keyspace {reached.keyspace}"):
        migrator(reached).migrate(quiet)
    with pytest.raises(ConfigError, match=f"no keyspace {reached.keyspace}"):
        opened(reached)
    migrator(reached).create_keyspace({cassandra.local_dc: 1})

    assert migrator(reached).migrate(quiet) == Migrations().latest


def test_a_data_centre_the_cluster_does_not_have_is_named_beside_those_it_has(cassandra: CassandraCluster) -> None:
    """Told to run it again when the cluster answers, an operator who wrote dc1 for DC1 would wait for ever."""
    reached = settings(cassandra, f"made_{uuid4().hex[:12]}")

    with pytest.raises(ConfigError, match=rf"no data centre elsewhere; the cluster has {cassandra.local_dc} "):
        migrator(reached).create_keyspace({cassandra.local_dc: 1, "elsewhere": 1})

    with pytest.raises(ConfigError, match="no keyspace"):
        migrator(reached).migrate(quiet)


def test_a_file_that_was_changed_after_it_was_applied_is_refused(fresh: Settings, tmp_path: Path) -> None:
    """Tables that look alike and are not would be found out by the first lost column."""
    migrator(fresh).migrate(quiet)
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    first = next(tmp_path.glob("0001_*.cql"))
    first.write_text(first.read_text() + "-- a change\n")

    with pytest.raises(ConfigError, match="is not the file that was applied"):
        migrator(fresh, Migrations(tmp_path)).migrate(quiet)


def test_a_daemon_of_this_release_works_beside_one_of_the_next(cassandra: CassandraCluster, tmp_path: Path) -> None:
    """A cluster is upgraded one daemon after the other, while people log in."""
    reached = migrated(cassandra)
    later = next_release(
        tmp_path, serves_from=Migrations().latest, statement="ALTER TABLE identities ADD IF NOT EXISTS note text"
    )
    running, before = opened(reached), new_identity()
    running.identities.insert(before)

    migrator(reached, later).migrate(quiet)
    session = cassandra.session()
    session.set_keyspace(reached.keyspace)
    session.execute("UPDATE identities SET note = 'x' WHERE identity_key = %s", [before.key])
    restarted, after = opened(reached), changed_identity(before)

    assert running.identities.read_settled(before.key) == before
    assert restarted.identities.replace(after, expected=before)
    assert running.identities.read_settled(before.key) == after
    running.close()
    restarted.close()


def test_a_daemon_refuses_tables_that_no_longer_serve_it(cassandra: CassandraCluster, tmp_path: Path) -> None:
    """It would write rows that the newer release cannot use."""
    reached = migrated(cassandra)
    number = Migrations().latest + 1
    later = next_release(tmp_path, serves_from=number, statement="CREATE TABLE IF NOT EXISTS more (k text PRIMARY KEY)")
    migrator(reached, later).migrate(quiet)

    with pytest.raises(ConfigError, match="start the newer release"):
        opened(reached)


def test_a_daemon_of_the_next_release_asks_for_its_tables_first(cassandra: CassandraCluster, tmp_path: Path) -> None:
    """Started before migrate, it would fail at the first person who logs in."""
    reached = migrated(cassandra)
    later = next_release(tmp_path, serves_from=1, statement="CREATE TABLE IF NOT EXISTS more (k text PRIMARY KEY)")

    with pytest.raises(ConfigError, match=r"run `identityd\.py migrate`"):
        later_check(reached, later)


def later_check(reached: Settings, migrations: Migrations) -> None:
    """Open the keyspace as a daemon of another release does."""
    from identity.stores.cassandra.store import CassandraAccounts  # noqa: PLC0415 - beside its only use

    CassandraAccounts(reached, migrations=migrations, clock=now, chance=lambda: 0.0)


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_a_run_that_was_killed_is_completed_by_the_next(fresh: Settings, checkpoint: str) -> None:
    """A migration that dies halfway must not leave a cluster that can be neither used nor mended."""
    (host, port), *_ = fresh.contact_points
    command = [sys.executable, "-m", "tests.stores.test_cassandra_migrations"]
    child = subprocess.run(
        [*command, host, str(port), fresh.local_data_centre, fresh.keyspace, checkpoint],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()

    migrator(fresh).migrate(quiet)

    store = opened(fresh)
    store.probe()
    store.close()


def holder(cassandra: CassandraCluster, reached: Settings) -> str | None:
    """Return who holds the lock, if anybody does."""
    session = cassandra.session()
    session.set_keyspace(reached.keyspace)
    row = session.execute("SELECT held_by FROM schema_locks").one()
    return row[0] if row else None


def test_the_lock_outlives_the_slowest_statement() -> None:
    """A run that only waits for slow nodes must not have a second one make the same table beside it."""
    renewal = answer = agreement = STATEMENT_S

    assert renewal + answer + agreement < LOCK_S


def test_a_run_that_was_cut_off_keeps_the_next_one_waiting(fresh: Settings, cassandra: CassandraCluster) -> None:
    """Its last statement may still be at work: made by two at once, a table has two ids and its nodes disagree."""

    def cut_off(reached: str) -> None:
        if reached == "migrate.statement-done":
            raise StoreUnavailable(detail="cassandra: no answer in time")

    first = Migrator(fresh, Migrations(), clock=now, owner=uuid4(), who="the first", lock_s=3, checkpoint=cut_off)
    with pytest.raises(StoreUnavailable, match="no answer in time"):
        first.migrate(quiet)
    left = holder(cassandra, fresh)

    assert migrator(fresh).migrate(quiet) == Migrations().latest
    assert left == "the first"


def test_a_run_whose_statement_is_refused_lets_go_at_once(
    fresh: Settings, cassandra: CassandraCluster, tmp_path: Path
) -> None:
    """Whoever lacked a right and was granted it should not wait for a lock that protects nothing."""
    migrator(fresh).migrate(quiet)
    refused = next_release(
        tmp_path, serves_from=1, statement="CREATE TABLE IF NOT EXISTS more (k nonsense PRIMARY KEY)"
    )

    with pytest.raises(StoreUnavailable, match="nonsense"):
        migrator(fresh, refused).migrate(quiet)

    assert holder(cassandra, fresh) is None


def test_a_file_without_its_head_or_number_is_refused(tmp_path: Path) -> None:
    """A release made in a hurry must fail at its makers', not at its users'."""
    (tmp_path / "0000_ground.cql").write_text("")
    (tmp_path / "0002_gap.cql").write_text("-- serves-from: 1\n")
    with pytest.raises(ValueError, match="0, 1, 2"):
        Migrations(tmp_path)

    (tmp_path / "0002_gap.cql").rename(tmp_path / "0001_headless.cql").write_text("-- nothing\n")
    with pytest.raises(ValueError, match="serves-from"):
        Migrations(tmp_path)


def test_a_cluster_that_does_not_answer_is_said(expect_log: ExpectLog) -> None:
    """The operator should look at the cluster, not at the migration."""
    expect_log("cassandra", "Error connecting|Control connection failed")
    nowhere = Settings(contact_points=(("127.0.0.1", 9),), local_data_centre="DC1", keyspace="k")

    with pytest.raises(StoreUnavailable, match="cassandra: "):
        migrator(nowhere).migrate(quiet)


def _die(host: str, port: str, local_dc: str, keyspace: str, checkpoint: str) -> None:
    """Migrate, and die on the way; the lock lives ten seconds."""

    def kill_at(reached: str) -> None:
        if reached == checkpoint:
            os.kill(os.getpid(), signal.SIGKILL)

    reached = Settings(contact_points=((host, int(port)),), local_data_centre=local_dc, keyspace=keyspace)
    dying = Migrator(reached, Migrations(), clock=now, owner=uuid4(), who="who dies", lock_s=10, checkpoint=kill_at)
    sys.exit(f"{dying.migrate(quiet)} were applied without reaching {checkpoint}")


if __name__ == "__main__":
    _die(*sys.argv[1:])
