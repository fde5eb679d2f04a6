"""The account contract over a real Cassandra."""

from collections.abc import Iterator

import pytest

from identity.errors import StoreUnavailable
from identity.stores.cassandra.settings import Settings
from tests.contracts.account_kinds import Subject
from tests.contracts.accounts import AccountStoreContract
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import migrated, now, opened
from tests.support.waiting import RealClock, elapse

ROUNDING_S = 1.1
"""Cassandra counts whole seconds, and a row never goes before its moment."""


@pytest.fixture(scope="module")
def reached(cassandra: CassandraCluster) -> Settings:
    """Give a keyspace with the tables in it."""
    return migrated(cassandra)


class TestCassandraAccounts(AccountStoreContract):
    """What every installation of more than one machine rests on."""

    @pytest.fixture
    def subject(self, reached: Settings) -> Iterator[Subject]:
        """Give a store on the shared keyspace, whose time is real."""
        store = opened(reached)

        def advance(by_ms: int) -> None:
            elapse(by_ms / 1_000 + ROUNDING_S, RealClock.CASSANDRA)

        yield Subject(store, store.audit, now, advance)
        store.close()

    def test_a_closed_store_is_unavailable(self, reached: Settings) -> None:
        """A daemon that stops must not hang on what is under way."""
        store = opened(reached)

        store.close()

        with pytest.raises(StoreUnavailable):
            store.probe()
