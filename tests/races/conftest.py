"""The stores that are raced on, and how many rounds: a few in the ordinary suite, the bars' in the nightly one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from identity.opening import Accounts
from identity.stores.cassandra.settings import Settings
from identity.stores.memory import MemoryAccounts
from identity.stores.sqlite import SqliteAccounts
from identity.types import Clock
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import emptied, migrated, opened

FEW: Final = {"memory": 15, "sqlite": 15, "cassandra": 4}
"""Rounds in the ordinary suite."""

OpenStore = Callable[[Clock], Accounts]


@dataclass(frozen=True, slots=True)
class Arena:
    """What is raced on.

    `open_store` opens an empty store, once a test. `rounds` turns a bar into the rounds of this run.
    """

    kind: str
    nightly: bool
    open_store: OpenStore

    def rounds(self, bar: int) -> range:
        """Return the rounds: as many as the bar in the nightly suite, a few otherwise."""
        return range(bar if self.nightly else min(bar, FEW[self.kind]))


@pytest.fixture(scope="module")
def _keyspace(cassandra: CassandraCluster) -> Settings:
    return migrated(cassandra)


@pytest.fixture(
    params=[
        pytest.param(
            (kind, nightly),
            id=f"{kind}-nightly" if nightly else kind,
            marks=[
                *([pytest.mark.cassandra] if kind == "cassandra" else []),
                *([pytest.mark.nightly, pytest.mark.slow] if nightly else []),
            ],
        )
        for nightly in (False, True)
        for kind in FEW
    ]
)
def arena(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Arena]:
    """Give an empty store of each kind, and the rounds."""
    kind, nightly = request.param
    with ExitStack() as closing:

        def kept(store: Accounts) -> Accounts:
            closing.callback(store.close)
            return store

        def cassandra(clock: Clock) -> Accounts:
            keyspace = emptied(request.getfixturevalue("cassandra"), request.getfixturevalue("_keyspace"))
            return opened(keyspace, clock=clock)

        kinds: dict[str, OpenStore] = {
            "memory": lambda clock: MemoryAccounts(clock=clock),
            "sqlite": partial(_sqlite, tmp_path / "accounts.sqlite"),
            "cassandra": cassandra,
        }
        yield Arena(kind, nightly, lambda clock: kept(kinds[kind](clock)))


def _sqlite(path: Path, clock: Clock) -> Accounts:
    return SqliteAccounts(path, clock=clock)
