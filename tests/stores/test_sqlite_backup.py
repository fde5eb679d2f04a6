"""Backups of the account file: of one moment, whole, for their owner alone, and never over anything."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from identity.audit import Event
from identity.errors import ConfigError, StoreUnavailable
from identity.stores import sqlite_schema
from identity.stores.sqlite import SqliteAccounts
from identity.stores.sqlite_backup import back_up, copy_for_restore, events_missing_in, examine
from identity.stores.sqlite_schema import MIGRATIONS
from identity.upkeep.copied_tables import CopySide
from tests.contracts.account_kinds import new_account
from tests.support.clock import NOON, ManualClock
from tests.support.copies import contents, fill, side_of

PEOPLE = 8


def silent(*_: int) -> None:
    """Hear how far a copy is, and say nothing."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteAccounts]:
    """Give an account file with people in it, open as a daemon has it."""
    opened, side = side_of(tmp_path / "accounts.sqlite")
    fill(side, range(PEOPLE))
    yield opened
    opened.close()


def event(text: str, action: str = "disable") -> Event:
    """Make an event."""
    return Event(uuid4(), NOON, action, None, "system", facts={"reason": text})


def change(path: Path, *statements: str) -> None:
    """Change a file that is not in use."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_backup_holds_every_row_for_its_owner_alone_in_one_file(store: SqliteAccounts, tmp_path: Path) -> None:
    """What is carried away has to be everything, and no other user of the machine may read who is who."""
    made = back_up(tmp_path / "accounts.sqlite", tmp_path / "backup", told=silent)

    beside = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir() if "backup" in each.name}
    assert beside == {"backup": 0o600}
    assert (made.accounts, made.tables, made.newest_change) == (PEOPLE, len(MIGRATIONS), NOON + 2)
    assert made.size == (tmp_path / "backup").stat().st_size
    copied, side = side_of(tmp_path / "backup")
    with closing(copied):
        assert contents(side) == contents(CopySide("sqlite", store, store.audit))


def test_what_is_written_meanwhile_neither_gets_in_nor_begins_the_copy_anew(
    store: SqliteAccounts, tmp_path: Path
) -> None:
    """A busy daemon would keep a backup from ever ending, or leave half a sign-up in it."""
    for _ in range(40):
        store.audit.append(event("x" * 200_000, "login"))
    steps: list[tuple[int, int]] = []

    def told(done: int, total: int) -> None:
        steps.append((done, total))
        store.accounts.insert(replace(new_account(), key=uuid4()))

    made = back_up(tmp_path / "accounts.sqlite", tmp_path / "backup", told=told)

    assert made.accounts == PEOPLE
    assert len(steps) > 1
    assert steps == sorted(steps)
    assert len(list(store.accounts.scan())) == PEOPLE + len(steps)


@pytest.mark.usefixtures("store")
def test_nothing_is_written_over_and_nothing_is_left_of_what_failed(tmp_path: Path) -> None:
    """Yesterday's backup is what is left if today's is of a damaged file."""
    (tmp_path / "backup").write_text("yesterday")

    with pytest.raises(ConfigError, match="is there already; nothing was written over it"):
        back_up(tmp_path / "accounts.sqlite", tmp_path / "backup", told=silent)

    def appears(*_: int) -> None:
        (tmp_path / "other").write_text("of another process")

    with pytest.raises(ConfigError, match="is there already"):
        back_up(tmp_path / "accounts.sqlite", tmp_path / "other", told=appears)
    assert (tmp_path / "backup").read_text() == "yesterday"
    assert (tmp_path / "other").read_text() == "of another process"
    assert not [each for each in tmp_path.iterdir() if ".part" in each.name]


@pytest.mark.usefixtures("store")
def test_two_backups_to_one_name_are_not_mixed(tmp_path: Path) -> None:
    """A slow nightly job meets the next one."""

    def second(*_: int) -> None:
        with pytest.raises(ConfigError, match="another backup is being written there"):
            back_up(tmp_path / "accounts.sqlite", tmp_path / "backup", told=silent)

    assert back_up(tmp_path / "accounts.sqlite", tmp_path / "backup", told=second).accounts == PEOPLE


@pytest.mark.usefixtures("store")
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A disk that is not mounted must not look like a backup."""
    with pytest.raises(StoreUnavailable, match="unavailable"):
        back_up(tmp_path / "accounts.sqlite", tmp_path / "nowhere" / "backup", told=silent)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("PRAGMA application_id = 7", "is not a backup of an account file"),
        ("INSERT INTO schema_migrations SELECT max(version) + 1, 0 FROM schema_migrations", "newer identityd"),
        ("INSERT INTO copy_note (id, note) VALUES (1, '')", "is an unfinished copy of another store"),
    ],
)
def test_what_is_no_whole_backup_of_ours_is_refused(tmp_path: Path, spoil: str, said: str) -> None:
    """The wrong file in the place of the accounts would make every person a newcomer."""
    back_up(tmp_path / "accounts.sqlite", tmp_path / "backup", told=silent)
    change(tmp_path / "backup", spoil)

    with pytest.raises(ConfigError, match=said):
        examine(tmp_path / "backup")


@pytest.mark.usefixtures("store")
def test_a_damaged_backup_is_refused_with_its_faults(tmp_path: Path) -> None:
    """Found when it is needed it would be too late, and served it would lose people one by one."""
    back_up(tmp_path / "accounts.sqlite", tmp_path / "backup", told=silent)
    content = bytearray((tmp_path / "backup").read_bytes())
    content[3 * 4096 : 6 * 4096] = b"\xff" * (3 * 4096)
    (tmp_path / "backup").write_bytes(content)

    with pytest.raises(ConfigError, match="is damaged"):
        examine(tmp_path / "backup")


def test_a_text_file_is_no_backup(tmp_path: Path) -> None:
    """A slip in the command line."""
    (tmp_path / "backup").write_text("these are notes\n" * 300)

    with pytest.raises(ConfigError, match="is damaged, or no backup of an account file"):
        examine(tmp_path / "backup")


def test_what_a_backup_does_not_know_is_found_by_the_events_it_lacks(store: SqliteAccounts, tmp_path: Path) -> None:
    """Times of two machines are no measure; a disable in the same second must not be missed."""
    store.audit.append(event("known"))
    back_up(tmp_path / "accounts.sqlite", tmp_path / "backup", told=silent)
    store.audit.append(event("later"))
    store.audit.append(event("not asked for", "login"))

    found = events_missing_in(tmp_path / "backup", tmp_path / "accounts.sqlite", actions={"disable"})

    assert found is not None
    assert [each.facts["reason"] for each in found] == ["later"]
    assert events_missing_in(tmp_path / "backup", tmp_path / "gone", actions={"disable"}) is None


def test_an_older_release_s_backup_is_brought_to_this_release_s_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest backup may be from before the upgrade that went wrong."""
    old = tmp_path / "old"
    with monkeypatch.context() as before:
        before.setattr(sqlite_schema, "MIGRATIONS", MIGRATIONS[:-1])
        SqliteAccounts(old, clock=ManualClock()).close()
    assert examine(old).tables == len(MIGRATIONS) - 1

    part = copy_for_restore(old, tmp_path / "accounts.sqlite", told=silent)

    SqliteAccounts(part, clock=ManualClock()).close()
    assert examine(part).tables == len(MIGRATIONS)
