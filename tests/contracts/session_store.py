"""What a `SessionStore` must do."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from identity.keyring import KeyRing
from identity.sessions.record import Record
from identity.sessions.store import Absent, Found, SessionStore, Unread, Written
from identity.types import HOUR, SECOND, Clock, Locator, Millis, Username
from tests.support.caches import account, record_of
from tests.support.racing import race

THREADS = 16


@dataclass(frozen=True)
class Subject:
    """A store, what it was made with, and ways to reach beneath it."""

    store: SessionStore
    keys: KeyRing
    clock: Clock
    advance: Callable[[Millis], None]
    """Return only when this much time has passed for the store too."""
    spoil: Callable[[Locator], None]
    """Put something where this record is that the store did not write."""

    def locator(self, number: int) -> Locator:
        """Return where the record of an account is."""
        return self.keys.locator(account(number))

    def add(self, record: Record) -> Written:
        """Add a record that stays."""
        return self.store.add(self.keys.locator(record.account_id), record, expires_at=self.clock() + HOUR)

    def swap(self, found: Found, record: Record) -> Written:
        """Swap a record."""
        locator = self.keys.locator(record.account_id)
        return self.store.swap(locator, record, version=found.version, expires_at=self.clock() + HOUR)

    def found(self, number: int) -> Found:
        """Read a record that must be there."""
        locator = self.locator(number)
        read = self.store.read_many([locator])[locator]
        assert isinstance(read, Found)
        return read


class SessionStoreContract:
    """Subclass it and give the fixture `subject`."""

    @pytest.fixture
    def subject(self) -> Subject:
        """Give the store to test, empty."""
        raise NotImplementedError

    def test_a_record_comes_back_as_it_was_written(self, subject: Subject) -> None:
        """Every field that is dropped on the way is a session that ends or a rule that is not applied."""
        record = record_of(1)

        assert subject.add(record) is Written.APPLIED

        assert subject.found(1).record == record

    def test_every_locator_asked_for_gets_an_answer(self, subject: Subject) -> None:
        """A batch of checks must not fail because one account has no record."""
        subject.add(record_of(1))
        subject.add(record_of(3))

        reads = subject.store.read_many([subject.locator(n) for n in range(5)])

        present = {n for n in range(5) if isinstance(reads[subject.locator(n)], Found)}
        assert present == {1, 3}
        assert reads[subject.locator(2)] is Absent.ABSENT

    def test_adding_over_a_record_is_lost(self, subject: Subject) -> None:
        """A login must not wipe out the account's other devices."""
        subject.add(record_of(1, username="first"))

        assert subject.add(record_of(1, username="second")) is Written.LOST

        assert subject.found(1).record.username == "first"

    def test_a_swap_replaces_the_version_it_names_and_no_other(self, subject: Subject) -> None:
        """Of two servers that rotate at once, the later must learn that it was."""
        subject.add(record_of(1))
        old = subject.found(1)
        assert subject.swap(old, record_of(1, epoch=2)) is Written.APPLIED

        assert subject.swap(old, record_of(1, epoch=3)) is Written.LOST

        assert subject.found(1).record.epoch == 2

    def test_a_swap_makes_a_new_version_even_of_the_same_record(self, subject: Subject) -> None:
        """A disable that writes what was there must still make the login that overlaps it lose."""
        subject.add(record_of(1))
        old = subject.found(1)

        subject.swap(old, old.record)

        assert subject.found(1).version != old.version

    def test_a_record_is_gone_after_its_expiry(self, subject: Subject) -> None:
        """Records of accounts that never come back must not fill the store."""
        record = record_of(1)
        subject.store.add(subject.locator(1), record, expires_at=subject.clock() + SECOND)
        old = subject.found(1)

        subject.advance(SECOND)

        assert subject.store.read_many([subject.locator(1)])[subject.locator(1)] is Absent.ABSENT
        assert subject.swap(old, record) is Written.LOST

    def test_what_the_store_did_not_write_reads_as_corrupt(self, subject: Subject) -> None:
        """It is an alarm and a retry: neither a session nor a logout."""
        subject.add(record_of(1))
        subject.add(record_of(2))
        subject.spoil(subject.locator(1))

        reads = subject.store.read_many([subject.locator(1), subject.locator(2)])

        assert reads[subject.locator(1)] is Unread.CORRUPT
        assert isinstance(reads[subject.locator(2)], Found)

    def test_a_corrupt_record_can_be_replaced(self, subject: Subject) -> None:
        """Otherwise its owner could not log in before it expires."""
        subject.add(record_of(1))
        subject.spoil(subject.locator(1))
        new = record_of(1, username="new")

        replaced = subject.store.replace_corrupt(subject.locator(1), new, expires_at=subject.clock() + HOUR)

        assert replaced is Written.APPLIED
        assert subject.found(1).record == new

    def test_a_healthy_record_is_never_replaced_as_corrupt(self, subject: Subject) -> None:
        """Somebody repaired it in the meantime: what he wrote must stay."""
        subject.add(record_of(1, username="healthy"))
        new = record_of(1, username="new")

        replaced = subject.store.replace_corrupt(subject.locator(1), new, expires_at=subject.clock() + HOUR)

        assert replaced is Written.LOST
        assert subject.found(1).record.username == "healthy"

    def test_an_absent_record_is_not_made_by_replacing(self, subject: Subject) -> None:
        """Making a record is `add`, which can be raced; this is not."""
        locator = subject.locator(1)

        assert subject.store.replace_corrupt(locator, record_of(1), expires_at=subject.clock() + HOUR) is Written.LOST

        assert subject.store.read_many([locator])[locator] is Absent.ABSENT

    def test_of_many_who_replace_a_corrupt_record_one_wins(self, subject: Subject) -> None:
        """Two logins that repair one record at once must not each think their session is in it."""
        for number in range(20):
            subject.add(record_of(number))
            subject.spoil(subject.locator(number))
        expires_at = subject.clock() + HOUR

        def repair(me: int) -> list[Written]:
            return [
                subject.store.replace_corrupt(
                    subject.locator(n), record_of(n, username=f"runner-{me}"), expires_at=expires_at
                )
                for n in range(20)
            ]

        outcomes = race(8, repair)

        for number in range(20):
            winners = [me for me in range(8) if outcomes[me][number] is Written.APPLIED]
            assert [f"runner-{me}" for me in winners] == [subject.found(number).record.username]

    def test_of_many_who_add_a_record_one_wins(self, subject: Subject) -> None:
        """Two first logins at once: the second must read the first's record and join it."""
        outcomes = race(THREADS, lambda me: [subject.add(record_of(n, username=f"runner-{me}")) for n in range(30)])

        for number in range(30):
            winners = [me for me in range(THREADS) if outcomes[me][number] is Written.APPLIED]
            assert [Username(f"runner-{me}") for me in winners] == [subject.found(number).record.username]

    def test_no_swap_is_lost_between_threads(self, subject: Subject) -> None:
        """A revocation that was confirmed must not be undone by a rotation that read before it."""
        subject.add(record_of(1, epoch=0))
        each = 15

        def count(_: int) -> None:
            done = 0
            while done < each:
                found = subject.found(1)
                more = replace(found.record, epoch=found.record.epoch + 1)
                done += subject.swap(found, more) is Written.APPLIED

        race(THREADS, count)

        assert subject.found(1).record.epoch == THREADS * each
