"""The list of columns against the records, the migrations of both stores, and rows nobody could have written."""

import sqlite3
from dataclasses import fields
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from identity.accounts.store import AccountRow, AccountStatus, ProfileRow
from identity.accounts.tables import DURABLE_TABLES, ColumnKind, DurableTable
from identity.errors import StoreCorrupt
from identity.stores.spelling import CASSANDRA, SQLITE, RowPacking
from identity.stores.sqlite import SqliteAccounts
from identity.types import AccountId, Username
from identity.upkeep.copied_tables import TABLES
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import migrated

CONDITIONAL: Final = ("identities", "usernames", "accounts", "providers", "upstream_tokens", "invitations", "waiting")
ACCOUNT: Final = AccountId(UUID(int=1))
CASSANDRA_OWN: Final = {
    "identities": ("identities", {}),
    "usernames": ("usernames", {}),
    "accounts": ("accounts", {}),
    "providers": ("providers", {}),
    "upstream_tokens": ("upstream_tokens", {}),
    "invitations": ("invitations", {}),
    "waiting": ("waiting", {}),
    "profiles": ("profiles", {}),
    "revocations": ("revocations", {"bucket": "int"}),
    "audit_of_accounts": ("audit", {"month": "int"}),
    "audit_of_days": ("audit", {"day": "int", "bucket": "int"}),
}
"""Cassandra's tables: whose records they hold, and what each has beside their columns."""

every_table = pytest.mark.parametrize("table", DURABLE_TABLES, ids=lambda table: table.name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that has this release's tables."""
    path = tmp_path / "accounts.db"
    SqliteAccounts(path, clock=lambda: 1).close()
    return path


@every_table
def test_every_field_of_a_record_has_its_column(table: DurableTable[Any]) -> None:
    """A field without one comes back as its default after every restart; a table's first column is its key."""
    assert sorted(table.fields) == sorted(each.name for each in fields(table.record))
    assert table.fields[0] in {"key", "id", "account_id"}


@every_table
def test_sqlites_migrations_result_in_the_columns_that_are_named(table: DurableTable[Any], file: Path) -> None:
    """A column without its migration fails at the first login after an upgrade."""
    connection = sqlite3.connect(file)
    found = {name: (type_, bool(must)) for _, name, type_, must, *_ in _columns(connection, table.name)}
    connection.close()

    named = {column.name: (SQLITE[column.kind].type, not column.nullable) for column in table.columns}

    assert found == named | ({"expires_at": ("INTEGER", False)} if table.name in CONDITIONAL else {})


def _columns(connection: sqlite3.Connection, table: str) -> list[Any]:
    return connection.execute(f"PRAGMA table_info({table})").fetchall()


def test_cassandras_migrations_result_in_the_columns_that_are_named(cassandra: CassandraCluster) -> None:
    """A column without its migration keeps every daemon of the release from preparing its statements."""
    question = "SELECT table_name, column_name, type FROM system_schema.columns WHERE keyspace_name = %s"
    found: dict[str, dict[str, str]] = {}
    for table, column, type_ in cassandra.session().execute(question, (migrated(cassandra).keyspace,)):
        found.setdefault(table, {})[column] = type_

    named = {table.name: {each.name: CASSANDRA[each.kind].type for each in table.columns} for table in DURABLE_TABLES}

    assert found.keys() - {"audit_months", "notes", "schema_migrations", "schema_locks"} == CASSANDRA_OWN.keys()
    for name, (table, own) in CASSANDRA_OWN.items():
        assert found[name] == named[table] | own


def test_a_copy_carries_every_durable_table_in_their_order() -> None:
    """A table that a copy leaves behind is lost with the old store; identities last would ask people to sign up."""
    assert [table.name for table in TABLES] == [table.name for table in DURABLE_TABLES]


def test_a_row_from_before_a_column_has_its_fields_default() -> None:
    """After an upgrade of a cluster whoever logged in before it would have no account page."""
    profiles = next(each for each in DURABLE_TABLES if each.name == "profiles")
    known = {"account_id": ACCOUNT, "email_verified": False, "seen_at": 1}

    read = RowPacking(profiles, CASSANDRA, store="cassandra").unpack([known.get(name) for name in profiles.names])

    assert read == ProfileRow(ACCOUNT, 1, email_verified=False)


def test_an_account_from_before_providers_said_anything_has_no_suspension() -> None:
    """After an upgrade of a cluster nobody from before it would log in."""
    accounts = next(each for each in DURABLE_TABLES if each.name == "accounts")
    before = AccountRow(ACCOUNT, Username("alice"), AccountStatus.ACTIVE, 1, 1, UUID(int=2), 1)
    packing = RowPacking(accounts, CASSANDRA, store="cassandra")
    stored = dict(zip(accounts.names, packing.pack(before), strict=True))

    assert packing.unpack([*({**stored, "suspensions": None}).values()]) == before


@pytest.mark.parametrize("spellings", [SQLITE, CASSANDRA], ids=["sqlite", "cassandra"])
def test_every_kind_is_spelt_by_every_store(spellings: dict[ColumnKind, object]) -> None:
    """A kind that one store cannot spell keeps the daemon on that store from starting."""
    assert set(spellings) == set(ColumnKind)


@pytest.mark.parametrize(
    ("table", "store", "column", "value"),
    [
        ("identities", "sqlite", "claim", "not a uuid"),
        ("identities", "cassandra", "state", "not a state"),
        ("usernames", "sqlite", "state", "not a state"),
        ("accounts", "sqlite", "identities", "[1]"),
        ("accounts", "sqlite", "merged_into", 5),
        ("accounts", "cassandra", "identities", {"a:1": (1,)}),
        ("accounts", "sqlite", "suspensions", "[1]"),
        ("accounts", "cassandra", "suspensions", "not JSON"),
        ("profiles", "sqlite", "account_id", "not a uuid"),
        ("revocations", "sqlite", "account_id", "not a uuid"),
        ("audit", "sqlite", "facts", "not JSON"),
        ("audit", "cassandra", "facts", "not JSON"),
    ],
)
def test_a_value_this_daemon_cannot_have_written_names_its_table_and_key(
    table: str, store: str, column: str, value: object
) -> None:
    """Whoever repairs the store by hand needs to know which row it is; what it says belongs in no log."""
    described = next(each for each in DURABLE_TABLES if each.name == table)
    spellings = {"sqlite": SQLITE, "cassandra": CASSANDRA}[store]
    row: list[Any] = ["a key", *(str(ACCOUNT) for _ in described.columns[1:])]
    row[described.names.index(column)] = value

    with pytest.raises(StoreCorrupt) as caught:
        RowPacking(described, spellings, store=store).unpack(row)

    assert f"{store}: {table}, key {row[0]!r}" in caught.value.detail
    assert "not a" not in caught.value.detail.replace(str(row[0]), "")


def test_a_corrupt_revocation_in_the_file_names_its_row(file: Path) -> None:
    """Sessions that are never ended for its sake must lead an operator to the row."""
    store = SqliteAccounts(file, clock=lambda: 1)
    connection = sqlite3.connect(file)
    connection.execute(
        "INSERT INTO revocations (id, account_id, epoch, reason, created_at) VALUES ('torn', ?, 1, 1, 1)",
        (str(ACCOUNT),),
    )
    connection.commit()
    connection.close()

    with pytest.raises(StoreCorrupt) as caught:
        store.revocations.open()

    store.close()
    assert "sqlite: revocations, key 'torn'" in caught.value.detail
