"""What an `AccountStore` must do. Every test uses keys of its own, so a store may be shared.

Made to run unchanged on a store with real time: `advance` is the only way time passes, expiries
are whole seconds, and nothing rests on a row having been removed physically.
"""

from dataclasses import replace
from uuid import uuid4

from identity.accounts.store import ProfileRow, Revocation
from identity.audit import Event
from identity.types import AccountId, IdentityKey
from tests.contracts.account_kinds import Subject
from tests.contracts.account_races import RacesContract
from tests.contracts.account_rows import RowsContract
from tests.support.clock import NOON


def new_revocation(*, created_at: int = NOON) -> Revocation:
    """Make a revocation of its own account."""
    return Revocation(uuid4(), AccountId(uuid4()), None, 7, 9, created_at, IdentityKey("p:1"))


def new_event(account_id: AccountId | None, *, at: int = NOON) -> Event:
    """Make an event."""
    return Event(
        id=uuid4(),
        at=at,
        action="login",
        account_id=account_id,
        actor="operator:ann",
        address="2001:db8::1",
        request_id="r-1",
        facts={"identity": "p:ä", "why": "“asked” by mail"},
    )


def new_profile() -> ProfileRow:
    """Make a profile of its own account; no field has the value it would have if lost."""
    return ProfileRow(
        account_id=AccountId(uuid4()),
        name="Zoë",
        email="zoe@example.org",
        email_verified=True,
        picture="https://example.org/z.png",
        seen_at=NOON,
    )


class AccountStoreContract(RowsContract, RacesContract):
    """Subclass it and give the fixture `subject`."""

    def test_a_kept_revocation_is_open_until_it_is_done(self, subject: Subject) -> None:
        """A session that could not be reached would live on."""
        revocations, kept = subject.store.revocations, new_revocation()

        revocations.add(kept)
        assert kept in revocations.open()

        revocations.done(kept)
        assert kept not in revocations.open()

    def test_a_revocation_keeps_the_session_it_names(self, subject: Subject) -> None:
        """Ending all of an account's sessions instead of one, or none, would be wrong."""
        kept = replace(new_revocation(), session=bytes(range(16)), identity=None)

        subject.store.revocations.add(kept)

        assert kept in subject.store.revocations.open()

    def test_a_revocation_added_again_replaces_the_first(self, subject: Subject) -> None:
        """After a lost race the epoch is another one; the old one would end nothing."""
        revocations, first = subject.store.revocations, new_revocation()
        second = replace(first, epoch=8)

        revocations.add(first)
        revocations.add(second)

        assert [each for each in revocations.open() if each.id == first.id] == [second]

    def test_forgetting_a_revocation_twice_is_harmless(self, subject: Subject) -> None:
        """Two daemons may reach the same sessions at once."""
        kept = new_revocation()
        subject.store.revocations.add(kept)

        subject.store.revocations.done(kept)
        subject.store.revocations.done(kept)

        assert kept not in subject.store.revocations.open()

    def test_the_oldest_revocation_comes_first(self, subject: Subject) -> None:
        """Who waits longest for a thief's session to end must not wait for ever."""
        kept = [new_revocation(created_at=NOON + n) for n in (2, 0, 1)]
        for each in kept:
            subject.store.revocations.add(each)

        mine = [each for each in subject.store.revocations.open() if each in kept]

        assert [each.created_at for each in mine] == [NOON, NOON + 1, NOON + 2]

    def test_no_profile_is_none(self, subject: Subject) -> None:
        """The account page must do without one."""
        assert subject.store.profiles.read(AccountId(uuid4())) is None

    def test_the_last_profile_written_is_read(self, subject: Subject) -> None:
        """The account page would show an address the person gave up."""
        first = new_profile()
        second = replace(first, email="z@example.org", email_verified=False, seen_at=NOON + 1)

        subject.store.profiles.write(first)
        assert subject.store.profiles.read(first.account_id) == first

        subject.store.profiles.write(second)
        assert subject.store.profiles.read(first.account_id) == second

    def test_the_newest_event_comes_first(self, subject: Subject) -> None:
        """Support reads the first lines only."""
        mine = AccountId(uuid4())
        events = [new_event(mine, at=NOON + n) for n in (0, 2, 1)]
        for event in [*events, new_event(AccountId(uuid4())), new_event(None)]:
            subject.audit.append(event)

        assert subject.audit.of_account(mine) == (events[1], events[2], events[0])

    def test_no_more_events_than_asked_for_are_read(self, subject: Subject) -> None:
        """A page of an old account must not load years of logins."""
        mine = AccountId(uuid4())
        events = [new_event(mine, at=NOON + n) for n in range(5)]
        for event in events:
            subject.audit.append(event)

        assert subject.audit.of_account(mine, limit=2) == (events[4], events[3])

    def test_events_of_years_are_found_together(self, subject: Subject) -> None:
        """However a store divides time, "show me this account" means all of it."""
        mine, month = AccountId(uuid4()), 31 * 24 * 3_600_000
        events = [new_event(mine, at=NOON - n * month) for n in range(14)]
        for event in events:
            subject.audit.append(event)

        assert subject.audit.of_account(mine) == tuple(events)

    def test_an_event_appended_twice_is_kept_once(self, subject: Subject) -> None:
        """A retry must not look like a second login."""
        mine = AccountId(uuid4())
        event = new_event(mine)

        subject.audit.append(event)
        subject.audit.append(event)

        assert subject.audit.of_account(mine) == (event,)

    def test_a_scan_yields_every_profile_once(self, subject: Subject) -> None:
        """A copy to another store would lose what the account page shows."""
        profiles = subject.store.profiles
        written = [new_profile() for _ in range(20)]
        for profile in written:
            profiles.write(profile)

        found = list(profiles.scan())

        owners = [profile.account_id for profile in found]
        assert len(owners) == len(set(owners))
        assert all(profile in found for profile in written)

    def test_a_scan_of_profiles_goes_on_behind_an_account(self, subject: Subject) -> None:
        """A copy that was interrupted must neither begin again nor leave anybody out."""
        profiles = subject.store.profiles
        for _ in range(20):
            profiles.write(new_profile())
        whole = list(profiles.scan())

        middle = len(whole) // 2
        rest = list(profiles.scan(after=whole[middle].account_id))

        assert rest == whole[middle + 1 :]
        assert list(profiles.scan(after=whole[-1].account_id)) == []

    def test_a_scan_yields_every_event_once(self, subject: Subject) -> None:
        """A copy to another store would lose who did what, or show it twice."""
        events = [new_event(AccountId(uuid4()), at=NOON + n) for n in range(20)]
        events += [new_event(None, at=NOON), new_event(events[0].account_id, at=NOON)]
        for event in events:
            subject.audit.append(event)

        found = list(subject.audit.scan())

        ids = [event.id for event in found]
        assert len(ids) == len(set(ids))
        assert all(event in found for event in events)

    def test_a_scan_of_events_goes_on_behind_one(self, subject: Subject) -> None:
        """A copy that was interrupted must neither begin again nor leave an event out; many share a moment."""
        mine = AccountId(uuid4())
        for n in range(20):
            subject.audit.append(new_event(mine, at=NOON + n // 10))
            subject.audit.append(new_event(None if n % 2 else AccountId(uuid4()), at=NOON))
        whole = list(subject.audit.scan())

        rests = [list(subject.audit.scan(after=each)) for each in whole[:: len(whole) // 20]]

        assert rests == [whole[n + 1 :] for n in range(0, len(whole), len(whole) // 20)]
        assert list(subject.audit.scan(after=whole[-1])) == []

    def test_an_event_s_id_time_and_account_tell_where_a_scan_goes_on(self, subject: Subject) -> None:
        """A copy notes no more than these between two runs."""
        mine = AccountId(uuid4())
        for n in range(20):
            subject.audit.append(new_event(mine, at=NOON + n))
        whole = list(subject.audit.scan())

        middle = whole[len(whole) // 2]
        place = Event(middle.id, middle.at, "", middle.account_id, "")

        assert list(subject.audit.scan(after=place)) == whole[len(whole) // 2 + 1 :]

    def test_the_note_of_a_copy_stays_until_it_is_taken_away(self, subject: Subject) -> None:
        """A daemon would serve a store that half of the people are missing from."""
        note = subject.store.copy_note
        note.clear()
        assert note.read() is None

        note.write("begun")
        note.write("half “done”")
        assert note.read() == "half “done”"

        note.clear()
        note.clear()
        assert note.read() is None

    def test_a_store_that_answers_passes_the_probe(self, subject: Subject) -> None:
        """/readyz would take the daemon out of service."""
        subject.store.probe()
