"""One node that dies, hangs and comes back under a store that stays open."""

import logging
from collections.abc import Callable, Iterator
from threading import Event, Thread
from uuid import uuid4

import pytest

from identity.accounts.results import SignedUp
from identity.errors import StoreUnavailable
from identity.stores.cassandra.settings import Settings
from identity.stores.cassandra.store import CassandraAccounts
from identity.types import AccountId
from tests.support.accounts import Registry
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import answers, migrated, now, opened
from tests.support.steady import arriving
from tests.support.waiting import until

pytestmark = pytest.mark.cassandra

ExpectLog = Callable[..., object]
A_SECOND = 20
"""Sign-ups."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, _driver_may_warn: None) -> Iterator[CassandraCluster]:
    """Give a durable node for this module; each test leaves it running."""
    cluster = CassandraCluster(tmp_path_factory.mktemp("cassandra"), durable=True)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def reached(node: CassandraCluster) -> Settings:
    """Give a keyspace with the tables in it."""
    return migrated(node)


@pytest.fixture
def store(reached: Settings) -> Iterator[CassandraAccounts]:
    """Give an open store."""
    made = opened(reached)
    yield made
    made.close()


def test_a_killed_node_is_unavailable_in_plain_words_and_used_again_when_it_is_back(
    store: CassandraAccounts, node: CassandraCluster
) -> None:
    """Whoever is called at night must see what it is, and need not start the daemon again."""
    registry = Registry(store, audit=store.audit, clock=now)
    alice = registry.member("alice", "alice")

    node.kill()
    with pytest.raises(StoreUnavailable) as refused:
        store.accounts.read(alice)
    assert refused.value.detail.startswith("cassandra: ")
    assert "Traceback" not in refused.value.detail

    node.restart()
    until(lambda: answers(store))
    assert registry.log_in("alice") == alice


def test_a_node_that_hangs_keeps_nobody_for_ever_and_is_used_again_when_it_goes_on(
    store: CassandraAccounts, node: CassandraCluster
) -> None:
    """Every thread of the daemon would be waiting for it."""
    registry = Registry(store, audit=store.audit, clock=now)
    ben = registry.member("ben", "benjamin")

    node.freeze()
    try:
        with pytest.raises(StoreUnavailable):
            store.accounts.read(ben)
        with pytest.raises(StoreUnavailable):
            registry.sign_up("cem", "cemile")
    finally:
        node.thaw()

    until(lambda: answers(store))
    assert registry.log_in("ben") == ben
    assert isinstance(registry.sign_up("cem", "cemile"), SignedUp)


def test_a_store_opened_without_its_node_is_reached_when_it_comes(
    reached: Settings, node: CassandraCluster, expect_log: ExpectLog
) -> None:
    """A driver that failed to connect once is dead for good, and the daemon with it."""
    expect_log("identity.stores.cassandra", "cassandra-not-reached.*connection refused")
    expect_log("cassandra", "Control connection failed", required=False)  # the guard sees it, the log does not
    node.kill()
    store = opened(reached)
    try:
        with pytest.raises(StoreUnavailable, match="cassandra: "):
            store.probe()

        node.restart()

        until(lambda: answers(store))
    finally:
        store.close()


def test_a_store_that_is_closed_lets_those_who_wait_go(reached: Settings) -> None:
    """A daemon that stops would wait for the pauses between the tries of everybody."""
    store = opened(reached)
    pausing, let_go = Event(), Event()

    def wait_long(tries: int) -> None:
        pausing.set()
        try:
            for _ in range(1_000):
                pause(tries)
        except StoreUnavailable:
            let_go.set()

    pause = store._connection.pause
    waiting = Thread(target=wait_long, args=(2,))
    waiting.start()
    assert pausing.wait(10)

    store.close()

    waiting.join(30)
    assert let_go.is_set()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.accounts.read(AccountId(uuid4()))


def test_a_returning_login_costs_two_reads_and_a_sign_up_six_transactions(reached: Settings) -> None:
    """It is what the cluster is measured for; one more of either and docs/cassandra.md is wrong."""
    sent: list[str] = []
    store = opened(reached, count=lambda kind: sent.append(kind.value))
    try:
        registry = Registry(store, audit=store.audit, clock=now)
        dee = registry.member("dee", "deedee")
        assert sent == ["conditional"] * 6
        sent.clear()
        assert registry.log_in("dee") == dee
        assert sent == ["read"] * 2
    finally:
        store.close()


def test_every_sign_up_that_was_answered_outlives_the_kill_of_the_only_node(
    store: CassandraAccounts, node: CassandraCluster
) -> None:
    """Somebody would log in to an account that is not there any more, and be asked to sign up again."""
    registry = Registry(store, audit=store.audit, clock=now)
    made: dict[int, AccountId] = {}

    def sign_up(number: int) -> None:
        outcome = registry.sign_up(f"kill{number}", f"killed{number}")
        assert isinstance(outcome, SignedUp)
        made[number] = outcome.account_id

    with arriving(sign_up, a_second=A_SECOND) as calls:
        until(lambda: len(made) >= 2 * A_SECOND)
        node.kill()
        until(lambda: bool(calls.failed()))
        answered = dict(made)
    node.restart()
    until(lambda: answers(store))

    assert {number: registry.log_in(f"kill{number}") for number in answered} == answered
    assert len(answered) >= 2 * A_SECOND


def test_the_driver_does_not_repeat_itself_in_the_log(store: CassandraAccounts) -> None:
    """A traceback every two seconds of an outage would bury the line that says what to do."""
    assert answers(store)
    driver = logging.getLogger("cassandra.cluster")

    def passes(message: str) -> bool:
        return bool(driver.filter(logging.makeLogRecord({"name": driver.name, "levelno": 40, "msg": message})))

    assert not passes("Control connection failed to connect, shutting down Cluster:")
    assert passes("what nobody else would say")
