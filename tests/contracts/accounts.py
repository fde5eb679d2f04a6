"""What an `AccountStore` must do. Every test uses keys of its own, so a store may be shared.

Made to run unchanged on a store with real time: `advance` is the only way time passes, expiries
are whole seconds, and nothing rests on a row having been removed physically.
"""

from dataclasses import replace
from uuid import uuid4

from identity.accounts.store import Profile, Revocation
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
        first = Profile(
            account_id=AccountId(uuid4()),
            display_name="Zoë",
            email="zoe@example.org",
            email_verified=True,
            picture="https://example.org/z.png",
            seen_at=NOON,
        )
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

    def test_a_store_that_answers_passes_the_probe(self, subject: Subject) -> None:
        """/readyz would take the daemon out of service."""
        subject.store.probe()
