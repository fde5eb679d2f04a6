"""What the tests of the account commands share: a desk over every kind of account store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from identity.stores.cassandra.settings import Settings
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import emptied, migrated
from tests.support.operator_commands import OperatorCommands, in_cassandra


@pytest.fixture(scope="module")
def desk_keyspace(cassandra: CassandraCluster) -> Settings:
    """Give a keyspace with the tables in it."""
    return migrated(cassandra)


@pytest.fixture(params=["sqlite", pytest.param("cassandra", marks=pytest.mark.cassandra)])
def commands(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OperatorCommands]:
    """Give an operator's desk with nobody in the store, over each kind of store in turn."""
    sections = None
    if request.param == "cassandra":
        reached = request.getfixturevalue("desk_keyspace")
        sections = in_cassandra(emptied(request.getfixturevalue("cassandra"), reached))
    made = OperatorCommands(tmp_path, sections)
    yield made
    made.close()
