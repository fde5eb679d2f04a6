"""A daemon that is killed at every step of a change to accounts in a cluster, and then the node too.

All kills come first, each of an account of its own; then the only node is killed and started again;
then the short-lived claims have expired; then everybody comes back. The node writes its commit log
before it answers, as docs/cassandra.md tells people with one copy to do.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from identity.accounts.linking import CLAIM_TTL_MS
from identity.stores.cassandra.settings import Settings
from identity.stores.cassandra.store import CassandraAccounts
from identity.types import SECOND, Millis
from identity.upkeep.diagnosis import REST_MS
from tests.contracts.kills import Kill, KillsContract, Left, make_victim
from tests.support.accounts import Registry
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import migrated, opened
from tests.support.clock import NOON, ManualClock
from tests.support.disorder import run
from tests.support.dying import CHANGES, Victim, owner
from tests.support.dying_in_cassandra import Death
from tests.support.sources import ROOT
from tests.support.waiting import RealClock, elapse
from tests.support.wholeness import disagreements

pytestmark = pytest.mark.cassandra

SHORT_TTL_MS: Final[Millis] = 1 * SECOND
EXPIRED_AFTER_S: Final = 3.1
"""A claim of a second may live for three: Cassandra counts whole seconds, and never too few."""
TIMEOUT_S: Final = 300


@dataclass
class Battlefield:
    """The cluster, and what was killed in it."""

    cluster: CassandraCluster
    folder: Path
    deaths: list[Death] = field(default_factory=list)

    def condemn(self, keyspace: Settings, victims: Mapping[Victim, Kill]) -> None:
        """Make the accounts; the changes to them are killed by `kill`."""
        store = opened(keyspace, clock=ManualClock(NOON - SECOND))
        registry = Registry(store, audit=store.audit, clock=ManualClock(NOON - SECOND))
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda each: make_victim(registry, each[1].change, each[0]), victims.items()))
        store.close()
        self.deaths += [self._death(keyspace, victim, kill) for victim, kill in victims.items()]

    def _death(self, keyspace: Settings, victim: Victim, kill: Kill) -> Death:
        life = CLAIM_TTL_MS if kill.too_soon else SHORT_TTL_MS
        ended = str(self.ended(victim))
        return Death(keyspace.keyspace, kill.change, kill.checkpoint, victim.tag, NOON, life, ended)

    def ended(self, victim: Victim) -> Path:
        """Return the file that tells that the victim's sessions were ended."""
        return self.folder / victim.tag

    def kill(self) -> None:
        """Kill all changes, then the node, and let the short claims expire."""
        (host, port), *_ = self.cluster.contact_points
        command = [sys.executable, "-m", "tests.support.dying_in_cassandra", host, str(port), self.cluster.local_dc]
        lines = "".join(death.line() for death in self.deaths)
        done = subprocess.run(
            command, cwd=ROOT, input=lines, text=True, capture_output=True, check=False, timeout=TIMEOUT_S
        )
        expired = time.monotonic() + EXPIRED_AFTER_S
        assert (done.returncode, done.stderr) == (0, "")
        self.cluster.restart()
        elapse(expired - time.monotonic(), RealClock.CASSANDRA)


REPAIRED: Final = {
    Victim(f"r{number:02}r"): kill
    for number, kill in enumerate(Kill(name, each, REST_MS + SECOND) for name in CHANGES for each in CHANGES[name])
}
"""Nobody comes back to these."""
ENDING: Final = {victim: kill for victim, kill in REPAIRED.items() if kill.change in {"unlink", "disable", "groups"}}


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is left when all are dead."""

    field: Battlefield
    victims: Mapping[str, Victim]
    """By the id of the test that comes for each."""
    visited: Settings
    repaired: Settings


@pytest.fixture(scope="module")
def aftermath(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, _driver_may_warn: None
) -> Iterator[Aftermath]:
    """Kill for every test that was chosen, and give what is left."""
    calls = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    victims = {item.nodeid: Victim(f"k{number:03}k") for number, item in enumerate(calls)}
    folder = tmp_path_factory.mktemp("killed")
    cluster = CassandraCluster(folder / "cassandra", durable=True)
    try:
        cluster.start()
        battlefield = Battlefield(cluster, folder)
        visited, repaired = migrated(cluster), migrated(cluster)
        battlefield.condemn(visited, {victims[item.nodeid]: item.callspec.params["left"] for item in calls})
        battlefield.condemn(repaired, REPAIRED)
        battlefield.kill()
        yield Aftermath(battlefield, victims, visited, repaired)
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def store(aftermath: Aftermath) -> Iterator[CassandraAccounts]:
    """Give the store of those who come back."""
    found = opened(aftermath.visited, clock=ManualClock(NOON))
    yield found
    found.close()


class TestKilledInCassandra(KillsContract):
    """What every installation of more than one machine rests on."""

    @pytest.fixture
    def left(self, request: pytest.FixtureRequest, aftermath: Aftermath, store: CassandraAccounts) -> Left:
        """Give what the kill for this test left."""
        kill: Kill = request.param
        registry = Registry(store, audit=store.audit, clock=ManualClock(NOON + kill.after))
        return Left(kill, aftermath.victims[request.node.nodeid], registry)


def test_a_repair_leaves_nothing_of_all_that_was_killed(aftermath: Aftermath) -> None:
    """What nobody logs in to would stay half done for ever, and a thief's sessions open."""
    clock = ManualClock(NOON + REST_MS + SECOND)
    store = opened(aftermath.repaired, clock=clock)
    registry = Registry(store, audit=store.audit, clock=clock)

    assert not any(finding.left for finding in run(registry, repair=True))
    assert registry.service.retry_revocations() == 0

    assert run(registry) == []
    assert disagreements(store) == []
    due = {each for each, kill in ENDING.items() if kill.checkpoint not in CHANGES[kill.change][:2]}
    ended_now = {each.account_id for each in registry.ended}
    before = {each for each in ENDING if aftermath.field.ended(each).exists()}
    assert before | {each for each in ENDING if owner(registry.service, each) in ended_now} == due
    store.close()
