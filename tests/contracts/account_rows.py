"""What every table of conditional rows must do, whatever is in it."""

from dataclasses import replace
from uuid import uuid4

import pytest

from identity.accounts.store import Applied, Held, LinkedIdentity
from identity.types import SECOND, IdentityKey
from tests.contracts.account_kinds import (
    TTL,
    Kind,
    Subject,
    every_table,
    new_account,
    new_identity,
    tables_that_expire,
    with_op,
)


class RowsContract:
    """Subclass it and give the fixture `subject`."""

    @pytest.fixture
    def subject(self) -> Subject:
        """Give the store to test; other tests' rows may be in it."""
        raise NotImplementedError

    @every_table
    def test_what_was_never_written_is_absent(self, subject: Subject, kind: Kind) -> None:
        """Otherwise a newcomer would be somebody."""
        key = kind.new().key

        assert kind.rows(subject.store).read(key) is None
        assert kind.rows(subject.store).read_settled(key) is None
        assert kind.rows(subject.store).read_everywhere(key) is None

    @every_table
    def test_what_was_inserted_is_read_whole(self, subject: Subject, kind: Kind) -> None:
        """A lost column would be somebody's lost account."""
        rows, row = kind.rows(subject.store), kind.new()

        assert rows.insert(row) is Applied.APPLIED

        assert rows.read(row.key) == row
        assert rows.read_settled(row.key) == row
        assert rows.read_everywhere(row.key) == row

    @every_table
    def test_inserting_over_a_row_shows_it_and_changes_nothing(self, subject: Subject, kind: Kind) -> None:
        """Whoever comes second must learn who was first, not take it from him."""
        rows, first = kind.rows(subject.store), kind.new()
        rows.insert(first)

        assert rows.insert(kind.changed(first)) == Held(first)

        assert rows.read_settled(first.key) == first

    @every_table
    def test_a_replacement_rewrites_every_column(self, subject: Subject, kind: Kind) -> None:
        """A column that kept its old value would give a name or an account to the wrong person."""
        rows, old = kind.rows(subject.store), kind.new()
        new = kind.changed(old)
        rows.insert(old)

        assert rows.replace(new, expected=old) is Applied.APPLIED

        assert rows.read_settled(old.key) == new

    @every_table
    def test_a_replacement_of_a_row_that_moved_shows_it_and_changes_nothing(self, subject: Subject, kind: Kind) -> None:
        """A step decided on an old row must not undo a newer one."""
        rows, old = kind.rows(subject.store), kind.new()
        new = kind.changed(old)
        rows.insert(old)
        rows.replace(new, expected=old)

        assert rows.replace(with_op(old), expected=old) == Held(new)

        assert rows.read_settled(old.key) == new

    @every_table
    def test_only_the_op_decides_whether_a_row_moved(self, subject: Subject, kind: Kind) -> None:
        """A row that was written again with the same content is another row: a takeover has happened."""
        rows, old = kind.rows(subject.store), kind.new()
        again = with_op(old)
        rows.insert(old)
        rows.replace(again, expected=old)

        assert rows.replace(kind.changed(old), expected=old) == Held(again)
        assert rows.replace(kind.changed(old), expected=again) is Applied.APPLIED

    @every_table
    def test_a_replacement_of_nothing_makes_nothing(self, subject: Subject, kind: Kind) -> None:
        """A claim that expired must not come back by its confirmation."""
        rows, old = kind.rows(subject.store), kind.new()

        assert rows.replace(kind.changed(old), expected=old) == Held(None)

        assert rows.read_settled(old.key) is None

    @every_table
    def test_a_deleted_row_is_absent_and_its_key_free(self, subject: Subject, kind: Kind) -> None:
        """Otherwise an unlinked identity could never be used again."""
        rows, row = kind.rows(subject.store), kind.new()
        rows.insert(row)

        assert rows.delete(row) is Applied.APPLIED

        assert rows.read_settled(row.key) is None
        assert rows.insert(with_op(row)) is Applied.APPLIED

    @every_table
    def test_a_row_that_moved_is_not_deleted(self, subject: Subject, kind: Kind) -> None:
        """A late unlink must not remove what was linked anew."""
        rows, old = kind.rows(subject.store), kind.new()
        new = kind.changed(old)
        rows.insert(old)
        rows.replace(new, expected=old)

        assert rows.delete(old) == Held(new)

        assert rows.read_settled(old.key) == new

    @every_table
    def test_deleting_nothing_says_so(self, subject: Subject, kind: Kind) -> None:
        """Who deletes second must know that he did not do it."""
        assert kind.rows(subject.store).delete(kind.new()) == Held(None)

    @every_table
    def test_an_old_op_does_not_fit_a_row_made_anew(self, subject: Subject, kind: Kind) -> None:
        """A sign-up that stalled must not overwrite the one that came after."""
        rows, old = kind.rows(subject.store), kind.new()
        anew = with_op(old)
        rows.insert(old)
        rows.delete(old)
        rows.insert(anew)

        assert rows.replace(kind.changed(old), expected=old) == Held(anew)
        assert rows.delete(old) == Held(anew)

    @tables_that_expire
    def test_a_row_whose_time_is_over_when_it_is_written_does_not_stay(self, subject: Subject, kind: Kind) -> None:
        """A claim written late would block its name for ever: no time to live is how some stores say "for good"."""
        row = kind.new()
        rows = kind.rows(subject.store)

        rows.insert(row, expires_at=subject.clock() - SECOND)

        subject.advance(TTL)
        assert rows.read_settled(row.key) is None

    @tables_that_expire
    def test_an_expiring_row_is_there_and_then_gone(self, subject: Subject, kind: Kind) -> None:
        """An abandoned sign-up must not keep a name."""
        rows, row = kind.rows(subject.store), kind.new()
        rows.insert(row, expires_at=subject.soon())
        assert rows.read_settled(row.key) == row

        subject.advance(TTL)

        assert rows.read(row.key) is None
        assert rows.read_settled(row.key) is None

    @tables_that_expire
    def test_an_expired_row_can_be_neither_replaced_nor_deleted(self, subject: Subject, kind: Kind) -> None:
        """Who stalled past the expiry must begin again: the key may be somebody else's by now."""
        rows, row = kind.rows(subject.store), kind.new()
        rows.insert(row, expires_at=subject.soon())
        subject.advance(TTL)

        assert rows.replace(kind.changed(row), expected=row) == Held(None)
        assert rows.delete(row) == Held(None)

        assert rows.read_settled(row.key) is None

    @tables_that_expire
    def test_an_expired_key_is_free_and_nothing_of_the_old_row_remains(self, subject: Subject, kind: Kind) -> None:
        """A remnant would block the key for ever, or mix two people's rows."""
        rows, row = kind.rows(subject.store), kind.new()
        rows.insert(row, expires_at=subject.soon())
        subject.advance(TTL)
        new = kind.changed(row)

        assert rows.insert(new) is Applied.APPLIED

        assert rows.read_settled(row.key) == new

    @tables_that_expire
    def test_a_confirmed_row_outlives_its_claim_whole(self, subject: Subject, kind: Kind) -> None:
        """The account would lose its name a quarter of an hour after the sign-up."""
        rows, claim = kind.rows(subject.store), kind.new()
        confirmed = kind.changed(claim)
        rows.insert(claim, expires_at=subject.soon())
        rows.replace(confirmed, expected=claim)

        subject.advance(TTL)

        assert rows.read_settled(claim.key) == confirmed
        assert rows.insert(with_op(claim)) == Held(confirmed)

    @tables_that_expire
    def test_a_confirmed_row_that_is_claimed_again_expires_whole(self, subject: Subject, kind: Kind) -> None:
        """An unlinked identity that is claimed and abandoned must be free again, not blocked by a remnant."""
        rows, claim = kind.rows(subject.store), kind.new()
        confirmed, again = kind.changed(claim), with_op(claim)
        rows.insert(claim, expires_at=subject.soon())
        rows.replace(confirmed, expected=claim)
        rows.replace(again, expected=confirmed, expires_at=subject.soon())
        assert rows.read_settled(claim.key) == again

        subject.advance(TTL)

        assert rows.read_settled(claim.key) is None
        assert rows.insert(with_op(claim)) is Applied.APPLIED

    @tables_that_expire
    def test_a_claim_taken_over_gets_its_own_time(self, subject: Subject, kind: Kind) -> None:
        """The new owner's sign-up must not end with the old one's."""
        rows, old = kind.rows(subject.store), kind.new()
        new = kind.changed(old)
        rows.insert(old, expires_at=subject.soon())
        rows.replace(new, expected=old, expires_at=subject.clock() + 100 * TTL)

        subject.advance(TTL)

        assert rows.read_settled(old.key) == new

    @every_table
    def test_a_scan_yields_every_row_once(self, subject: Subject, kind: Kind) -> None:
        """A copy to another store must be complete."""
        rows = kind.rows(subject.store)
        written = [kind.new() for _ in range(20)]
        for row in written:
            rows.insert(row)

        found = list(rows.scan())

        keys = [row.key for row in found]
        assert len(keys) == len(set(keys))
        assert all(row in found for row in written)

    @every_table
    def test_a_scan_goes_on_behind_a_key(self, subject: Subject, kind: Kind) -> None:
        """A copy that was interrupted must neither begin again nor leave anybody out."""
        rows = kind.rows(subject.store)
        for _ in range(20):
            rows.insert(kind.new())
        whole = [row.key for row in rows.scan()]

        middle = len(whole) // 2
        rest = [row.key for row in rows.scan(after=whole[middle])]

        assert rest == whole[middle + 1 :]
        assert list(rows.scan(after=whole[-1])) == []

    @tables_that_expire
    def test_a_scan_leaves_out_what_expired(self, subject: Subject, kind: Kind) -> None:
        """A copy must not bring back an abandoned claim, for good."""
        rows, row = kind.rows(subject.store), kind.new()
        rows.insert(row, expires_at=subject.soon())
        subject.advance(TTL)

        assert row.key not in {each.key for each in rows.scan()}

    def test_keys_are_compared_as_bytes(self, subject: Subject) -> None:
        """Two subjects that differ in case or normalisation are two people."""
        rows, unique = subject.store.identities, uuid4()
        keys = [f"x:{unique}{tail}" for tail in ("a", "A", "é", "e\u0301", "a ", "%C3%A9", "ﬁ", "fi")]
        written = [replace(new_identity(), key=IdentityKey(key)) for key in keys]

        assert [rows.insert(row) for row in written] == [Applied.APPLIED] * len(keys)

        assert [rows.read_settled(row.key) for row in written] == written

    def test_the_longest_key_is_kept_whole(self, subject: Subject) -> None:
        """A cut key would be another person's."""
        rows, unique = subject.store.identities, uuid4().hex
        long = f"{'p' * 32}:{'%25' * 255}:{unique}{'%25' * 223}"
        first = replace(new_identity(), key=IdentityKey(f"{long}1"))
        second = replace(new_identity(), key=IdentityKey(f"{long}2"))

        rows.insert(first)
        rows.insert(second)

        assert rows.read_settled(first.key) == first
        assert rows.read_settled(second.key) == second

    def test_an_account_keeps_twenty_ways(self, subject: Subject) -> None:
        """The bound of the service must fit the store."""
        ways = {IdentityKey(f"p:{'ä' * 127}{n}"): LinkedIdentity(n, "l" * 100) for n in range(20)}
        account = replace(new_account(), identities=ways)

        subject.store.accounts.insert(account)

        assert subject.store.accounts.read_settled(account.key) == account

    def test_a_stored_account_shares_nothing_with_the_caller(self, subject: Subject) -> None:
        """A way added to a dict in memory must not become a way to log in."""
        ways = {IdentityKey("p:1"): LinkedIdentity(1, "one")}
        account = replace(new_account(), identities=ways)
        subject.store.accounts.insert(account)

        ways[IdentityKey("p:2")] = LinkedIdentity(2, "two")

        stored = subject.store.accounts.read_settled(account.key)
        assert stored is not None
        assert set(stored.identities) == {"p:1"}
