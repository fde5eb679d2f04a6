"""`fsck` over a real Cassandra: the same findings, the same repairs.

Its rows expire by the server's clock while the test's clock jumps, so claims outlive their time
here, as the remnants do that `fsck` is there for.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from identity.accounts.results import Linked, Reached, SignedUp
from identity.stores.cassandra.settings import Settings
from identity.stores.cassandra.store import CassandraAccounts
from identity.upkeep.diagnosis import REST_MS, Remedy
from identity.upkeep.mending import Mended
from tests.support.accounts import Registry
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import emptied, migrated, opened
from tests.support.clock import ManualClock
from tests.support.disorder import LEFT, MENDED, everything, long_after, run
from tests.support.racing import race
from tests.support.wholeness import disagreements

RACES = 5


@pytest.fixture(scope="module")
def reached(cassandra: CassandraCluster) -> Settings:
    """Return how to reach a keyspace with the tables."""
    return migrated(cassandra)


@pytest.fixture(scope="module")
def opened_once(reached: Settings) -> Iterator[tuple[CassandraAccounts, ManualClock]]:
    """Give the store, and the clock it goes by."""
    clock = ManualClock()
    store = opened(reached, clock=clock)
    yield store, clock
    store.close()


@pytest.fixture
def registry(
    cassandra: CassandraCluster, reached: Settings, opened_once: tuple[CassandraAccounts, ManualClock]
) -> Registry:
    """Give a service over empty tables."""
    emptied(cassandra, reached)
    store, clock = opened_once
    for revocation in store.revocations.open():
        store.revocations.done(revocation)
    return Registry(store, audit=store.audit, clock=clock)


@pytest.mark.parametrize("what", list(MENDED))
def test_with_repair_it_is_mended_once_and_for_all(registry: Registry, what: str) -> None:
    """A way, a name or a person would stay locked by a crash."""
    plant, fault, _ = MENDED[what]
    plant(registry)
    long_after(registry)

    found = run(registry, repair=True)

    assert {each.diagnosis.fault for each in found} == {fault}
    assert {each.outcome for each in found} == {Mended.DONE}
    assert disagreements(registry.store) == []
    assert [each for each in run(registry) if each.diagnosis.remedy is not Remedy.WAIT] == []


@pytest.mark.parametrize("what", list(LEFT))
def test_what_the_rows_do_not_tell_is_left_to_an_operator(registry: Registry, what: str) -> None:
    """A guess could open a disabled account, or give a person's name away."""
    plant, faults = LEFT[what]
    plant(registry)
    long_after(registry)
    before = set(map(str, everything(registry)))

    found = run(registry, repair=True)

    assert {each.diagnosis.fault for each in found} == faults
    assert set(map(str, everything(registry))) == before


def test_people_who_change_things_meanwhile_get_what_they_were_told(registry: Registry) -> None:
    """A repair would undo what somebody did a moment before."""
    for number in range(RACES):
        alice = registry.member(f"{number}-1", f"alice{number}", f"{number}-2")

        def act(me: int, number: int = number, alice: Any = alice) -> Any:  # noqa: ANN401 - of each its own
            acts = (
                partial(registry.sign_up, f"{number}-7", f"bob{number}"),
                partial(registry.link, alice, f"{number}-3"),
                partial(registry.unlink, alice, f"{number}-2"),
                partial(run, registry, repair=True, clock=lambda: registry.clock() + REST_MS + 1),
            )
            return acts[me]()

        signed_up, linked, unlinked, _ = race(4, act)

        assert (linked, unlinked) == (Linked(alice), Reached(alice))
        assert isinstance(signed_up, SignedUp)
        assert registry.log_in(f"{number}-1") == registry.log_in(f"{number}-3") == alice
        assert registry.log_in(f"{number}-7") == signed_up.account_id
    long_after(registry)
    run(registry, repair=True)
    assert disagreements(registry.store) == []
