"""What the tests of the account service share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from identity.stores.memory import MemoryAccounts
from identity.stores.sqlite import SqliteAccounts
from tests.support.accounts import Registry
from tests.support.clock import ManualClock
from tests.support.contention import WatchedStore


@pytest.fixture
def clock() -> ManualClock:
    """Give the time."""
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> WatchedStore:
    """Give a store in which others may interfere."""
    return WatchedStore(MemoryAccounts(clock=clock))


@pytest.fixture(params=["memory", "sqlite"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """Give a service over an empty store of each kind."""
    clock = ManualClock()
    store = (
        MemoryAccounts(clock=clock)
        if request.param == "memory"
        else SqliteAccounts(tmp_path / "accounts.sqlite", clock=clock)
    )
    yield Registry(store, audit=store.audit, clock=clock)
    store.close()
