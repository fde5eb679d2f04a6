"""Clusters of three nodes that lose one: whom it concerns, and for how long.

What happens in which arrangement is the table of docs/cassandra.md, "Life in a cluster". The counts
are printed (`pytest -s`), because the document quotes them.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import pytest

from identity.accounts.results import EndingOutcome, NotEverywhereYet, SignedUp
from identity.errors import StoreUnavailable
from identity.stores.cassandra.settings import Settings
from identity.stores.cassandra.store import CassandraAccounts
from identity.types import AccountId
from providers.base import Profile
from tests.support.accounts import Registry
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import migrated, now, opened
from tests.support.services import StartCassandra
from tests.support.steady import Calls, arriving
from tests.support.waiting import RealClock, elapse, until

pytestmark = pytest.mark.nightly

MEMBERS: Final = 20
LOGINS_A_SECOND: Final = 20
SIGN_UPS_A_SECOND: Final = 2
BEFORE_S: Final = 5
AFTER_S: Final = 60
THAWED_S: Final = 15
FORGIVEN_S: Final = 3
"""How long after a node is lost a returning login may fail."""


@pytest.fixture(autouse=True)
def _a_profile_may_be_lost(expect_log: Callable[..., object]) -> None:
    # No login fails for it, and the next one brings it again.
    expect_log("identity.accounts", "profile-lost", required=False)


class Population:
    """People of one store: some with accounts, who log in, and some who come to sign up."""

    def __init__(self, store: CassandraAccounts) -> None:
        self.registry = Registry(store, audit=store.audit, clock=now)
        self.made: dict[int, AccountId] = {}
        self.members = [self.registry.member(f"m{n}", f"member{n}") for n in range(MEMBERS)]

    def log_in(self, number: int) -> None:
        """Let a member log in; wrong answers are an error."""
        which = number % MEMBERS
        account_id = self.members[which]
        assert self.registry.log_in(f"m{which}") == account_id
        self.registry.service.record_profile(account_id, Profile(email_verified=False))

    def sign_up(self, number: int) -> None:
        """Let somebody new sign up."""
        outcome = self.registry.sign_up(f"s{number}", f"somebody{number}")
        assert isinstance(outcome, SignedUp)
        self.made[number] = outcome.account_id

    def all_there(self) -> bool:
        """Tell whether everybody who was told to have an account can log in."""
        found = {number: self.registry.log_in(f"s{number}") for number in self.made}
        return found == self.made


@contextmanager
def store_of(settings: Settings) -> Iterator[CassandraAccounts]:
    """Give an open store."""
    store = opened(settings)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def busy(people: Population) -> Iterator[tuple[Calls, Calls]]:
    """Let people come; give how logins and sign-ups fared."""
    with (
        arriving(people.log_in, a_second=LOGINS_A_SECOND) as logins,
        arriving(people.sign_up, a_second=SIGN_UPS_A_SECOND) as sign_ups,
    ):
        elapse(BEFORE_S, RealClock.ARRIVALS)
        yield logins, sign_ups


def test_of_three_nodes_one_is_killed_and_comes_back_and_no_login_fails(start_cassandra: StartCassandra) -> None:
    """It is what an operator pays three machines for."""
    cluster = start_cassandra(dcs=["DC1"] * 3, durable=True)
    with store_of(migrated(cluster)) as store:
        people = Population(store)
        with busy(people) as (logins, sign_ups):
            killed = time.monotonic()
            cluster.kill(2)
            elapse(AFTER_S, RealClock.ARRIVALS)
            back = time.monotonic()
            cluster.restart(2)
            elapse(THAWED_S, RealClock.ARRIVALS)
        report("killed", killed, logins, sign_ups)
        report("back", back, logins, sign_ups)

        assert logins.failed(end=killed) == logins.failed(killed + FORGIVEN_S) == []
        assert sign_ups.failed(killed + FORGIVEN_S) == []
        assert people.all_there()


def test_of_three_nodes_one_hangs_and_goes_on_and_no_login_fails(start_cassandra: StartCassandra) -> None:
    """A machine that swaps itself to death is worse than a dead one: it looks alive."""
    cluster = start_cassandra(dcs=["DC1"] * 3, durable=True)
    with store_of(migrated(cluster)) as store:
        people = Population(store)
        with busy(people) as (logins, sign_ups):
            frozen = time.monotonic()
            cluster.freeze(1)
            elapse(AFTER_S, RealClock.ARRIVALS)
            thawed = time.monotonic()
            cluster.thaw(1)
            elapse(THAWED_S, RealClock.ARRIVALS)
        report("frozen", frozen, logins, sign_ups)
        report("thawed", thawed, logins, sign_ups)

        assert logins.failed(end=frozen) == logins.failed(frozen + FORGIVEN_S) == []
        assert people.all_there()


def report(what: str, begin: float, logins: Calls, sign_ups: Calls) -> None:
    """Print what the document quotes."""
    print(f"\n{what}: {logins.report('logins', begin)}\n{what}: {sign_ups.report('sign-ups', begin)}")  # noqa: T201


def test_of_three_data_centres_one_is_lost_and_nobody_notices(start_cassandra: StartCassandra) -> None:
    """Three are the smallest number of which any one may burn."""
    cluster = start_cassandra(dcs=["DC1", "DC2", "DC3"], durable=True)
    with store_of(migrated(cluster)) as store:
        people = Population(store)
        with busy(people) as (logins, sign_ups):
            killed = time.monotonic()
            cluster.kill(2)
            elapse(AFTER_S, RealClock.ARRIVALS)
        report("data centre killed", killed, logins, sign_ups)

        assert logins.failed() == []
        assert sign_ups.failed(killed + FORGIVEN_S) == []
        assert people.all_there()


def test_of_two_data_centres_one_is_lost_and_only_those_who_have_an_account_log_in(
    start_cassandra: StartCassandra,
) -> None:
    """A name is given by a majority of all copies: better none than the same name twice."""
    cluster = start_cassandra(dcs=["DC1", "DC2", "DC2"], durable=True)
    with store_of(migrated(cluster)) as store:
        people = Population(store)
        cluster.kill(1)
        cluster.kill(2)

        people.log_in(0)
        with pytest.raises(StoreUnavailable) as refused:
            people.sign_up(0)
        until(lambda: "not enough replicas are up (1 of 2 for SERIAL)" in sign_up_trouble(people))
        assert refused.value.status == 503
        for member in range(MEMBERS):
            people.log_in(member)
        with pytest.raises(StoreUnavailable):
            people.registry.service.disable(people.registry.change(people.members[0]))

        cluster.restart(1)
        until(lambda: sign_up_trouble(people) == "")


def sign_up_trouble(people: Population) -> str:
    """Return why nobody can sign up, "" if somebody can."""
    try:
        people.sign_up(time.monotonic_ns())
    except StoreUnavailable as error:
        return error.detail
    return ""


def _disable(people: Population) -> EndingOutcome:
    return people.registry.service.disable(people.registry.change(people.members[0]))


def _unlink(people: Population) -> EndingOutcome:
    people.registry.link(people.members[0], "another")
    return people.registry.unlink(people.members[0], "m0")


@pytest.mark.parametrize("change", [_disable, _unlink])
def test_what_takes_access_away_is_known_in_a_data_centre_that_was_away_before_it_counts_as_done(
    start_cassandra: StartCassandra, change: Callable[[Population], EndingOutcome]
) -> None:
    """The thief would log in over there, for as long as it takes the cluster to repair itself."""
    cluster = start_cassandra(dcs=["DC1", "DC1", "DC2"], durable=True, hints=False)
    settings = migrated(cluster)
    with store_of(settings) as store:
        people = Population(store)
        cluster.kill(2)
        assert change(people) == NotEverywhereYet(people.members[0], "")
        assert people.registry.service.retry_revocations() == 0
        assert len(store.revocations.open()) == 1

        cluster.restart(2)
        with store_of(elsewhere(settings, cluster, 2)) as other:
            there = Registry(other, audit=other.audit, clock=now)
            assert there.log_in("m0") == people.members[0]
            until(lambda: not people.registry.service.retry_revocations() and store.revocations.open() == ())
            assert there.log_in("m0") is None


def elsewhere(settings: Settings, cluster: CassandraCluster, index: int) -> Settings:
    """Return how a daemon in the data centre of that node is told to reach the keyspace."""
    point, centre = cluster.contact_points[index], cluster.plan.data_centres[index]
    return replace(settings, contact_points=(point,), local_data_centre=centre)
