"""Every statement that is ever sent to Cassandra, looked at: no query but by key, no row written two ways."""

import ast
import re
from typing import Final

import pytest

from identity.stores.cassandra import statements
from identity.stores.cassandra.migrations import FOLDER, Migrations
from identity.stores.cassandra.statements import ALL, CONDITIONAL_TABLES, Statement, StatementKind
from tests.support.sources import ROOT, tree

CONDITIONAL: Final = {table.name for table in CONDITIONAL_TABLES} | {"schema_migrations", "schema_locks"}
SCANNERS: Final = {
    "identity/accounts/inviting.py",
    "identity/admin/listing.py",
    "identity/admin/members.py",
    "identity/upkeep/fsck.py",
    "identity/upkeep/copying.py",
    "identity/upkeep/copied_tables.py",
}

every_statement = pytest.mark.parametrize(
    "statement", ALL, ids=[f"{each.table}-{each.kind.value}-{number}" for number, each in enumerate(ALL)]
)


def keys() -> dict[str, set[str]]:
    """Return the columns of each table's partition key, from the files of schema/."""
    text = re.sub(r"--[^\n]*", "", "".join(path.read_text() for path in FOLDER.glob("0*.cql")))
    found = {}
    for name, body in re.findall(r"CREATE TABLE IF NOT EXISTS (\w+) \((.*?)\n\)", text, re.DOTALL):
        alone = re.search(r"(\w+) \w+ PRIMARY KEY", body)
        several = re.search(r"PRIMARY KEY \(\(?([\w, ]+?)[),]", body)
        part = alone[1] if alone else several[1] if several else ""
        inner = re.search(r"PRIMARY KEY \(\(([^)]+)\)", body)
        found[name] = {each.strip() for each in (inner[1] if inner else part.split(",")[0]).split(",")}
    return found


@every_statement
def test_no_statement_filters(statement: Statement) -> None:
    """A filter reads every node: a login would cost more with each account there is."""
    assert "ALLOW FILTERING" not in statement.cql.upper()
    assert " LIKE " not in statement.cql.upper()


@every_statement
def test_only_scans_read_without_the_whole_key(statement: Statement) -> None:
    """You get by key: anything else grows with the number of people."""
    if statement.kind is StatementKind.SCAN or statement.cql.startswith("INSERT"):
        return
    where = statement.cql.partition(" WHERE ")[2].partition(" IF ")[0]

    compared = set(re.findall(r"(\w+) = ", where))

    assert keys()[statement.table] <= compared


@every_statement
def test_a_table_is_written_conditionally_or_plainly_and_never_both(statement: Statement) -> None:
    """A plain write with a later timestamp hides a transaction that was reported as applied."""
    writes = not statement.cql.startswith("SELECT")
    if writes:
        assert (
            (" IF " in statement.cql)
            == (statement.kind is StatementKind.CONDITIONAL)
            == (statement.table in CONDITIONAL)
        )


@every_statement
def test_a_statement_names_its_keyspace_and_columns(statement: Statement) -> None:
    """A newer schema may have more columns, and a prepared statement must not depend on a USE."""
    assert f"@{statement.table}" in statement.cql
    assert "SELECT *" not in statement.cql
    assert "@" not in statement.text("k")


@pytest.mark.parametrize("table", CONDITIONAL_TABLES, ids=lambda table: table.name)
def test_a_conditional_write_rewrites_every_column_and_its_life(table: statements.ConditionalTable) -> None:
    """A column that kept its old time to live would vanish from a confirmed row a quarter of an hour later."""
    assigned = re.findall(r"(\w+) = \?", table.write.cql.partition(" SET ")[2].partition(" WHERE ")[0])

    assert tuple(assigned) == table.values
    assert "USING TTL ?" in table.write.cql
    assert not any("INSERT" in each.cql for each in table.all)


def test_every_statement_of_the_module_is_in_its_list() -> None:
    """A statement outside the list would be inspected by nobody."""
    alone = {each for each in vars(statements).values() if isinstance(each, Statement)}

    assert alone <= set(ALL)
    assert {each.table for each in ALL} <= set(keys())


def test_nothing_else_sends_cql_to_the_tables_of_the_identity_map() -> None:
    """One list is worth nothing beside a statement that was written somewhere else."""
    texts = {
        str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "identity/stores/cassandra").glob("*.py")
    }

    rows = r"@?(identities|usernames|accounts)\b"
    writing = {name for name, text in texts.items() if re.search(rf"(INTO|UPDATE|DELETE FROM) {rows}", text)}
    reading = {name for name, text in texts.items() if re.search(rf"FROM {rows}", text)}

    assert writing <= {"identity/stores/cassandra/statements.py"}
    # check-config asks whether a claim could be made, of a name nobody can have.
    assert reading - writing <= {"identity/stores/cassandra/inspection.py"}
    for name, text in texts.items():
        assert all(prepared.startswith("statement") for prepared in text.split(".prepare(")[1:]), name


def test_only_fsck_copy_and_the_list_of_a_group_scan() -> None:
    """Who scans reads everything there is, and a login must never wait for that."""
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "identity").rglob("*.py")
        if "stores" not in path.parts
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "scan"
    }

    assert found <= SCANNERS


def test_each_statement_of_a_migration_can_be_repeated() -> None:
    """A migration that was cut off is begun again."""
    for migration in Migrations().all:
        for statement in migration.statements:
            assert "IF NOT EXISTS" in statement or "IF EXISTS" in statement, statement


def test_each_table_says_who_reads_and_writes_it() -> None:
    """A tired operator looks here first."""
    for path in FOLDER.glob("0*.cql"):
        for comment in re.findall(r"((?:--[^\n]*\n)+)CREATE TABLE", path.read_text()):
            assert "key:" in comment, path
            assert "reader" in comment, path
            assert "writer" in comment, path
