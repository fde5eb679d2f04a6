"""The account contract over the in-process store."""

import pytest

from identity.stores.memory import MemoryAccounts
from tests.contracts.account_kinds import Subject
from tests.contracts.accounts import AccountStoreContract
from tests.support.clock import ManualClock


class TestMemoryAccounts(AccountStoreContract):
    """What tests and the demonstration rest on."""

    @pytest.fixture
    def subject(self) -> Subject:
        """Give an empty store."""
        clock = ManualClock()
        store = MemoryAccounts(clock=clock)

        def advance(by_ms: int) -> None:
            clock.advance(by_ms)

        return Subject(store, store.audit, clock, advance)

    def test_closing_it_is_harmless(self, subject: Subject) -> None:
        """The daemon closes whatever store it has."""
        assert isinstance(subject.store, MemoryAccounts)

        subject.store.close()

        subject.store.probe()
