"""Growing from an account file to a real Cassandra and going back, killed on the way."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from identity.cli import cli
from identity.errors import ConfigError
from identity.stores.cassandra.settings import Settings
from identity.stores.sqlite import SqliteAccounts
from identity.upkeep.copied_tables import CopySide
from identity.upkeep.copying import CopyRefused, Done
from tests.support.accounts import Registry
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import migrated, now, opened
from tests.support.clock import NOON
from tests.support.copies import BATCH, contents, copy, fill, killed, side_of, spelt
from tests.support.wholeness import disagreements

PEOPLE: Final = 2 * BATCH + 20
THERE: Final = ("write 1", f"write {BATCH + 7}", f"copying accounts {BATCH}", f"reading back usernames {BATCH}")
"""Where a copy into the cluster is killed, one run after the other."""
BACK: Final = (f"write {BATCH + 7}", f"copying audit {BATCH}")
"""The same on the way back, where the places in the note are places in the order of the cluster's tokens."""
CONFIG: Final = """\
[keys]
file = identityd.keys

[accounts]
store = cassandra

[cassandra]
contact_points = {host}:{port}
local_data_centre = {dc}
keyspace = {keyspace}
"""


@pytest.fixture
def reached(cassandra: CassandraCluster) -> Settings:
    """Give a keyspace of its own, with the tables and nobody in them."""
    return migrated(cassandra)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file full of people."""
    path = tmp_path / "source.sqlite"
    store, side = side_of(path)
    with closing(store):
        fill(side, range(PEOPLE))
    return path


@pytest.fixture
def town(path: Path) -> Iterator[CopySide]:
    """Give that file, opened."""
    store, side = side_of(path)
    with closing(store):
        yield side


def test_everybody_arrives_and_comes_back_however_often_it_is_killed(
    path: Path, town: CopySide, reached: Settings, tmp_path: Path
) -> None:
    """Power failures in the nights of the move would lose people, or show what they did twice.

    Between the runs nobody opens the cluster: a daemon would offer a sign-up to who is not there yet.
    """
    for point in THERE:
        killed(str(path), spelt(reached), point)
        with pytest.raises(ConfigError, match="a copy into this store is not finished"):
            opened(reached)
    with closing(opened(reached, to_copy=True)) as store:
        cluster = CopySide("cassandra", store, store.audit)
        assert isinstance(copy(town, cluster), Done)
        assert contents(cluster) == contents(town)

    for point in BACK:
        killed(spelt(reached), str(tmp_path / "back.sqlite"), point)
    ours, back = side_of(tmp_path / "back.sqlite", to_copy=True)
    with closing(ours), closing(opened(reached)) as store:
        cluster = CopySide("cassandra", store, store.audit)
        assert isinstance(copy(cluster, back), Done)
        assert contents(back) == contents(town)
        assert copy(back, cluster) is CopyRefused.TARGET_IN_USE


def command(folder: Path, *options: str) -> Result:
    """Run `copy` with the folder's configuration."""
    arguments = ["copy", "--config", str(folder / "identityd.ini"), "--daemons-stopped", *options]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


@pytest.fixture
def folder(reached: Settings, tmp_path: Path) -> Path:
    """Give a folder with a configuration of both stores."""
    CliRunner().invoke(cli, ["keys", "new", "--file", str(tmp_path / "identityd.keys")], catch_exceptions=False)
    (host, port), *_ = reached.contact_points
    file = tmp_path / "identityd.ini"
    file.write_text(CONFIG.format(host=host, port=port, dc=reached.local_data_centre, keyspace=reached.keyspace))
    file.chmod(0o600)
    return tmp_path


def test_people_log_in_after_the_command_has_moved_them_there_and_back(reached: Settings, folder: Path) -> None:
    """The whole way, as the operator types it."""
    file = folder / "identityd.sqlite"
    with closing(SqliteAccounts(file, clock=lambda: NOON)) as store:
        alice = Registry(store, audit=store.audit).member("1", "alice", "2")

    there = command(folder, "--from", "sqlite", "--to", "cassandra")

    assert there.exit_code == 0, there.output
    with closing(opened(reached)) as moved:
        registry = Registry(moved, audit=moved.audit, clock=now)
        assert registry.log_in("1") == registry.log_in("2") == alice
        bob = registry.member("3", "bob")
        assert disagreements(moved) == []
    file.rename(folder / "identityd.sqlite.old")

    back = command(folder, "--from", "cassandra", "--to", "sqlite")

    assert back.exit_code == 0, back.output
    with closing(SqliteAccounts(file, clock=now)) as store:
        registry = Registry(store, audit=store.audit, clock=now)
        assert (registry.log_in("2"), registry.log_in("3")) == (alice, bob)
        assert disagreements(store) == []
