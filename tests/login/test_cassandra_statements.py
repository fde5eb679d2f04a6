"""How often a login asks Cassandra: each question is a round trip, to another machine in real life."""

from collections import Counter
from collections.abc import Iterator

import pytest

from identity.login.results import LoggedIn
from identity.stores.cassandra.statements import StatementKind
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import migrated, opened
from tests.support.login_services import LoginServices

READS = (StatementKind.READ, StatementKind.SETTLED, StatementKind.EVERYWHERE, StatementKind.SCAN)


@pytest.fixture(scope="module")
def counted(cassandra: CassandraCluster) -> Iterator[tuple[LoginServices, Counter[StatementKind]]]:
    """Give a town whose accounts are in Cassandra, and what was sent there."""
    sent: Counter[StatementKind] = Counter()
    keyspace = migrated(cassandra)
    login_services = LoginServices(lambda clock: opened(keyspace, clock=clock, count=lambda kind: sent.update([kind])))
    yield login_services, sent
    login_services.store.close()


def test_a_returning_login_reads_two_rows_and_writes_the_profile(
    counted: tuple[LoginServices, Counter[StatementKind]],
) -> None:
    """With a third read, a cluster of the same size would carry a third fewer logins."""
    login_services, sent = counted
    login_services.member("returning")
    sent.clear()

    assert isinstance(login_services.log_in("returning"), LoggedIn)

    assert sum(sent[kind] for kind in READS) <= 2
    assert sent == {StatementKind.READ: 2, StatementKind.PLAIN: 1}


def test_a_sign_up_is_six_transactions_and_no_read(counted: tuple[LoginServices, Counter[StatementKind]]) -> None:
    """A transaction is four messages between replicas; a seventh would be paid by every newcomer."""
    login_services, sent = counted
    sent.clear()

    login_services.member("newcomer")

    assert sent == {StatementKind.CONDITIONAL: 6}


def test_what_is_sent_together_is_counted_too(counted: tuple[LoginServices, Counter[StatementKind]]) -> None:
    """An audited change would look cheaper than it is: each of its two events is three writes."""
    login_services, sent = counted
    account_id = login_services.member("changing")
    account = login_services.store.accounts.read_settled(account_id)
    assert account is not None
    sent.clear()

    login_services.link(account_id, "changing-too")

    assert sent[StatementKind.PLAIN] == 2 * 3
