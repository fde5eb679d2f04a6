"""The account contract over a real SQLite file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from identity.stores.sqlite import SqliteAccounts
from tests.contracts.account_kinds import Subject
from tests.contracts.accounts import AccountStoreContract
from tests.support.clock import ManualClock


class TestSqliteAccounts(AccountStoreContract):
    """What the embedded default rests on."""

    @pytest.fixture
    def subject(self, tmp_path: Path) -> Iterator[Subject]:
        """Give a store on an empty file."""
        clock = ManualClock()
        store = SqliteAccounts(tmp_path / "accounts.sqlite", clock=clock)

        def advance(by_ms: int) -> None:
            clock.advance(by_ms)

        yield Subject(store, store.audit, clock, advance)
        store.close()
