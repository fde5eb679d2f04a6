"""The account file: who may read it, what is refused, and what trouble looks like."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from identity.accounts.store import Applied, Held
from identity.errors import ConfigError, StoreCorrupt, StoreUnavailable
from identity.stores.sqlite import PAGE, SqliteAccounts
from identity.stores.sqlite_schema import MIGRATIONS
from tests.contracts.account_kinds import new_account, new_identity, with_op
from tests.support.clock import ManualClock
from tests.support.racing import race


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "accounts.sqlite"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[..., SqliteAccounts]]:
    """Give a function that opens the file; what it opened is closed when the test ends."""
    stores: list[SqliteAccounts] = []

    def open_(**options: int) -> SqliteAccounts:
        stores.append(SqliteAccounts(path, clock=ManualClock(), **options))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


def edit(path: Path, *statements: str) -> None:
    """Change the file behind the store's back."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_only_the_owner_may_read_the_file_and_what_is_beside_it(
    path: Path, opened: Callable[..., SqliteAccounts]
) -> None:
    """Everybody with a shell on the machine could read who is who."""
    store = opened()
    store.identities.insert(new_identity())

    modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}

    assert modes == {"accounts.sqlite": 0o600, "accounts.sqlite-wal": 0o600, "accounts.sqlite-shm": 0o600}


def test_a_file_that_others_may_read_is_taken_from_them(path: Path, opened: Callable[..., SqliteAccounts]) -> None:
    """A backup restored by hand is readable by everybody."""
    opened().close()
    path.chmod(0o664)

    opened()

    assert path.stat().st_mode & 0o777 == 0o600


def test_commits_survive_a_power_failure(opened: Callable[..., SqliteAccounts]) -> None:
    """With less than FULL the last sign-ups before a power failure are gone after it."""
    connection = opened()._writer._connection

    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_rows_are_still_there_after_a_restart(opened: Callable[..., SqliteAccounts]) -> None:
    """Restarting the daemon would make everybody a newcomer."""
    row = new_identity()
    first = opened()
    first.identities.insert(row)
    first.close()

    assert opened().identities.read(row.key) == row


def test_two_stores_may_share_the_file(opened: Callable[..., SqliteAccounts]) -> None:
    """During a restart two daemons run for a moment; both must see one truth."""
    stores, row = [opened(), opened()], new_identity()
    wanted = [with_op(row) for _ in range(8)]

    outcomes = race(8, lambda me: stores[me % 2].identities.insert(wanted[me]))

    assert outcomes.count(Applied.APPLIED) == 1
    winner = wanted[outcomes.index(Applied.APPLIED)]
    assert outcomes.count(Held(winner)) == 7
    assert [store.identities.read(row.key) for store in stores] == [winner, winner]


def test_a_file_in_use_is_not_had_alone(path: Path, opened: Callable[..., SqliteAccounts]) -> None:
    """A copy made while the daemon serves would lack whoever signed up meanwhile."""
    opened()

    with pytest.raises(ConfigError) as caught:
        opened(to_copy=True)

    assert caught.value.problems == (
        f"[sqlite] file: {path} is in use; stop identityd, and whatever else of it runs, first",
    )


def test_a_file_had_alone_is_used_by_nobody_else_until_it_is_closed(opened: Callable[..., SqliteAccounts]) -> None:
    """A daemon that systemd starts in the middle of a copy would serve what is being left behind."""
    alone = opened(to_copy=True)
    for options in ({}, {"to_copy": True}):
        with pytest.raises(ConfigError, match=r"\[sqlite\] file"):
            opened(**options)

    row = new_identity()
    alone.identities.insert(row)
    alone.close()

    assert opened().identities.read(row.key) == row


def test_a_file_of_a_newer_version_is_refused(path: Path, opened: Callable[..., SqliteAccounts]) -> None:
    """An older daemon would drop what the newer one added to every row."""
    opened().close()
    edit(path, "INSERT INTO schema_migrations SELECT max(version) + 1, 0 FROM schema_migrations")

    with pytest.raises(ConfigError) as caught:
        opened()

    assert f"newer identityd (its tables are version {len(MIGRATIONS) + 1}" in caught.value.problems[0]


def test_another_program_s_database_is_refused_and_left_alone(
    path: Path, opened: Callable[..., SqliteAccounts]
) -> None:
    """A wrong path in the configuration must not put tables into somebody's bookkeeping."""
    edit(path, "CREATE TABLE invoices (n)")

    with pytest.raises(ConfigError, match="another program"):
        opened()

    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("invoices",)]
    connection.close()


def test_an_empty_database_of_another_program_is_refused(path: Path, opened: Callable[..., SqliteAccounts]) -> None:
    """Its header says whose it will be."""
    edit(path, "PRAGMA application_id = 7")

    with pytest.raises(ConfigError, match="another program"):
        opened()


def test_a_file_that_is_no_database_is_refused(path: Path, opened: Callable[..., SqliteAccounts]) -> None:
    """A wrong path must not overwrite a file."""
    path.write_text("the minutes of a meeting\n" * 100)

    with pytest.raises(StoreUnavailable) as caught:
        opened()

    assert "SQLITE_NOTADB" in caught.value.detail
    assert path.read_text().startswith("the minutes")


def test_a_folder_that_is_missing_is_named(path: Path) -> None:
    """The operator must read which folder to make."""
    with pytest.raises(StoreUnavailable) as caught:
        SqliteAccounts(path / "deeper" / "accounts.sqlite", clock=ManualClock())

    assert str(path) in caught.value.detail


def test_a_migration_that_fails_leaves_nothing_behind(
    path: Path, opened: Callable[..., SqliteAccounts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a schema would be refused by every later start."""
    broken = (*MIGRATIONS, ("CREATE TABLE half (n)", "CREATE NONSENSE"))
    monkeypatch.setattr("identity.stores.sqlite_schema.MIGRATIONS", broken)
    with pytest.raises(StoreUnavailable, match="NONSENSE"):
        opened()
    monkeypatch.undo()

    opened().probe()

    connection = sqlite3.connect(path)
    assert connection.execute("SELECT max(version) FROM schema_migrations").fetchone() == (len(MIGRATIONS),)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    connection.close()


def test_a_file_that_somebody_else_writes_for_too_long_is_unavailable(
    path: Path, opened: Callable[..., SqliteAccounts]
) -> None:
    """A backup tool that holds the lock must not hang the daemon; readers go on."""
    store, row = opened(busy_ms=1), new_identity()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable) as caught:
        store.identities.insert(row)

    assert "SQLITE_BUSY" in caught.value.detail
    assert store.identities.read(row.key) is None
    other.execute("ROLLBACK")
    other.close()
    assert store.identities.insert(row) is Applied.APPLIED


def test_a_file_that_cannot_be_written_is_unavailable(opened: Callable[..., SqliteAccounts]) -> None:
    """A disk that went read-only: people who are known can still log in."""
    store, row = opened(), new_identity()
    store.identities.insert(row)
    store._writer._connection.execute("PRAGMA query_only = ON")

    with pytest.raises(StoreUnavailable) as caught:
        store.identities.delete(row)

    assert "SQLITE_READONLY" in caught.value.detail
    assert store.identities.read(row.key) == row


def test_a_full_disk_is_unavailable(opened: Callable[..., SqliteAccounts]) -> None:
    """A sign-up on a full disk must be refused, not half done; existing accounts must work."""
    store, row = opened(), new_identity()
    store.identities.insert(row)
    connection = store._writer._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StoreUnavailable) as caught:
        list(map(store.identities.insert, (new_identity() for _ in range(1_000))))

    assert "SQLITE_FULL" in caught.value.detail
    assert store.identities.read(row.key) == row


def test_a_damaged_file_is_unavailable(path: Path, opened: Callable[..., SqliteAccounts]) -> None:
    """Nobody must be taken for a newcomer because a page of the file is unreadable."""
    row = new_identity()
    first = opened()
    first.identities.insert(row)
    first.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xff" * (size - 4_096))

    with pytest.raises(StoreUnavailable, match="SQLITE_CORRUPT"):
        opened().identities.read(row.key)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE accounts SET status = 'nonsense'",
        "UPDATE accounts SET op = 'no uuid'",
        "UPDATE accounts SET identities = '{'",
        "UPDATE accounts SET identities = '{\"p:1\": 7}'",
    ],
)
def test_a_value_that_nobody_wrote_is_corrupt(path: Path, opened: Callable[..., SqliteAccounts], damage: str) -> None:
    """A status that cannot be read must not pass for an active account."""
    store, row = opened(), new_account()
    store.accounts.insert(row)
    edit(path, damage)

    with pytest.raises(StoreCorrupt) as caught:
        store.accounts.read(row.key)

    assert str(row.key) in caught.value.detail


def test_a_corrupt_row_is_not_written_over(path: Path, opened: Callable[..., SqliteAccounts]) -> None:
    """It may be the only trace of somebody's account."""
    store, row = opened(), new_account()
    store.accounts.insert(row)
    edit(path, "UPDATE accounts SET status = 'nonsense'")

    with pytest.raises(StoreCorrupt):
        store.accounts.insert(with_op(row))

    assert store.accounts.delete(row) is Applied.APPLIED


def test_a_scan_of_many_pages_is_complete(opened: Callable[..., SqliteAccounts]) -> None:
    """A copy to another store would lose everybody after the first page."""
    store, rows = opened(), [new_identity() for _ in range(2 * PAGE + 1)]
    race(16, lambda me: [store.identities.insert(row) for row in rows[me::16]])

    found = [row.key for row in store.identities.scan()]

    assert len(found) == len(rows)
    assert set(found) == {row.key for row in rows}


def test_a_closed_store_refuses(opened: Callable[..., SqliteAccounts]) -> None:
    """A late request during a restart must get "try again", not an internal error."""
    store = opened()
    store.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        store.identities.read(new_identity().key)
    with pytest.raises(StoreUnavailable, match="closed"):
        store.identities.insert(new_identity())


def test_a_connection_lent_while_the_store_closes_is_closed_when_it_comes_back(
    opened: Callable[..., SqliteAccounts],
) -> None:
    """The last reader would keep the file and its log open."""
    store = opened()
    with store._readers.reading() as connection:
        store.close()

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_a_file_that_was_replaced_fails_the_probe(path: Path, opened: Callable[..., SqliteAccounts]) -> None:
    """After restoring a backup under a running daemon, every sign-up would go into a deleted file."""
    store = opened()
    store.probe()
    path.unlink()
    with pytest.raises(StoreUnavailable, match="No such file"):
        store.probe()
    path.touch()

    with pytest.raises(StoreUnavailable, match="replaced while in use"):
        store.probe()


def test_reading_needs_no_lock_of_the_writer(path: Path, opened: Callable[..., SqliteAccounts]) -> None:
    """A login would wait for every sign-up."""
    store, row = opened(busy_ms=0), new_identity()
    store.identities.insert(row)
    edit(path, "PRAGMA wal_checkpoint(PASSIVE)")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert store.identities.read(row.key) == row

    other.close()


def test_a_file_that_was_deleted_is_unavailable_and_not_made_anew(
    path: Path, opened: Callable[..., SqliteAccounts]
) -> None:
    """An empty file in its place would make everybody a newcomer."""
    store = opened()
    path.unlink()

    with pytest.raises(StoreUnavailable, match="SQLITE_CANTOPEN"):
        store.identities.read(new_identity().key)

    assert not path.exists()


@pytest.mark.parametrize("name", ["a b.sqlite", "a?mode=memory", "a#b", "a%20b", "ä.sqlite"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    """A question mark in a path must not change how the file is opened."""
    store = SqliteAccounts(tmp_path / name, clock=ManualClock())
    store.identities.insert(new_identity())
    store.close()

    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).stat().st_size > 0


def test_a_read_that_fails_is_unavailable(path: Path, opened: Callable[..., SqliteAccounts]) -> None:
    """A driver's exception would reach the person as an internal error."""
    store = opened()
    edit(path, "DROP TABLE identities")

    with pytest.raises(StoreUnavailable, match="no such table"):
        store.identities.read(new_identity().key)
