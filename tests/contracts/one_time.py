"""What a `OneTimeStore` must do."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from identity.errors import StoreCorrupt, StoreUnavailable
from identity.login.store import OneTimeStore, RecordKind
from identity.types import HOUR, MINUTE, SECOND, Clock, Millis
from tests.support.guards import Expectation
from tests.support.racing import race

THREADS = 16


@dataclass(frozen=True)
class Subject:
    """A store, its clock, and ways to reach beneath it."""

    store: OneTimeStore
    clock: Clock
    advance: Callable[[Millis], None]
    """Return only when this much time has passed for the store too."""
    spoil: Callable[[RecordKind, str], None]
    """Put something where this record is that the store did not write."""

    def put(self, name: str, body: bytes = b"body", *, kind: RecordKind = RecordKind.FLOW) -> None:
        """Put a record that stays."""
        self.store.put(kind, name, body, expires_at=self.clock() + HOUR)


class OneTimeContract:
    """Subclass it and give the fixture `subject`."""

    @pytest.fixture
    def subject(self) -> Subject:
        """Give the store to test, empty."""
        raise NotImplementedError

    def test_a_record_is_taken_once(self, subject: Subject) -> None:
        """A callback replayed (Keycloak CVE-2020-14302) must find nothing."""
        subject.put("name", b"\0body\r\n\xff")

        assert subject.store.take(RecordKind.FLOW, "name") == b"\0body\r\n\xff"

        assert subject.store.take(RecordKind.FLOW, "name") is None
        assert subject.store.peek(RecordKind.FLOW, "name") is None

    def test_peeking_leaves_the_record(self, subject: Subject) -> None:
        """The username page is shown before, and after, each failed choice."""
        subject.put("name")

        assert subject.store.peek(RecordKind.FLOW, "name") == b"body"
        assert subject.store.peek(RecordKind.FLOW, "name") == b"body"
        assert subject.store.take(RecordKind.FLOW, "name") == b"body"

    def test_an_empty_body_is_a_record(self, subject: Subject) -> None:
        """Empty and absent are different answers."""
        subject.put("name", b"")

        assert subject.store.take(RecordKind.FLOW, "name") == b""

    def test_an_unknown_name_is_none(self, subject: Subject) -> None:
        """A made-up state is a refusal for the browser, not an error of the daemon."""
        assert subject.store.peek(RecordKind.FLOW, "made-up") is None
        assert subject.store.take(RecordKind.FLOW, "made-up") is None

    @pytest.mark.threat(5)
    def test_kinds_are_apart(self, subject: Subject) -> None:
        """A sign-up record must not be found where a login looks, not even under the same name."""
        subject.put("name", b"flow", kind=RecordKind.FLOW)

        assert subject.store.peek(RecordKind.SIGN_UP, "name") is None
        assert subject.store.take(RecordKind.SIGN_UP, "name") is None
        subject.put("name", b"sign-up", kind=RecordKind.SIGN_UP)
        assert subject.store.take(RecordKind.FLOW, "name") == b"flow"
        assert subject.store.take(RecordKind.SIGN_UP, "name") == b"sign-up"

    def test_a_name_that_is_taken_is_refused(self, subject: Subject) -> None:
        """Overwriting would let a second login finish the first."""
        subject.put("name", b"first")

        with pytest.raises(ValueError, match="taken"):
            subject.put("name", b"second")

        assert subject.store.take(RecordKind.FLOW, "name") == b"first"

    def test_a_record_is_gone_after_its_time(self, subject: Subject) -> None:
        """A login left lying for longer than allowed must begin anew."""
        subject.store.put(RecordKind.FLOW, "name", b"body", expires_at=subject.clock() + SECOND)
        assert subject.store.peek(RecordKind.FLOW, "name") == b"body"

        subject.advance(SECOND)

        assert subject.store.peek(RecordKind.FLOW, "name") is None
        assert subject.store.take(RecordKind.FLOW, "name") is None

    @pytest.mark.parametrize(
        "name",
        ["", " ", "a b", "a\r\nflush_all", "a\r\n\r\nadd f1:b 0 0 1\r\nx", "a\0", "ä", "\u3000", "\ud800", "n" * 198],
        ids=ascii,
    )
    def test_a_name_that_cannot_be_one_is_nobodys_record(self, subject: Subject, name: str) -> None:
        """The name comes from a browser: it must neither reach memcached as a command nor be a 500."""
        subject.put("there")

        assert subject.store.peek(RecordKind.FLOW, name) is None
        assert subject.store.take(RecordKind.FLOW, name) is None
        with pytest.raises(ValueError, match="cannot be the name"):
            subject.put(name)

        assert subject.store.take(RecordKind.FLOW, "there") == b"body"

    def test_a_corrupt_record_is_an_alarm_and_gives_nothing(
        self, subject: Subject, expect_log: Callable[..., Expectation]
    ) -> None:
        """Whoever can write to the cache must not be able to make up a login."""
        subject.put("name")
        subject.spoil(RecordKind.FLOW, "name")
        seen = expect_log("identity.stores", "store-corrupt")

        with pytest.raises(StoreCorrupt):
            subject.store.peek(RecordKind.FLOW, "name")
        with pytest.raises(StoreCorrupt):
            subject.store.take(RecordKind.FLOW, "name")

        assert len(seen.records) == 1

    def test_of_many_who_take_one_gets_it(self, subject: Subject) -> None:
        """Better-auth CVE-2026-53512: a code redeemed twice at the same moment."""
        names = [f"race-{n}" for n in range(100)]
        for name in names:
            subject.put(name, name.encode())

        taken = race(THREADS, lambda _: [subject.store.take(RecordKind.FLOW, name) for name in names])

        for at, name in enumerate(names):
            got = [mine[at] for mine in taken]
            assert got.count(name.encode()) == 1
            assert got.count(None) == THREADS - 1

    def test_of_many_who_put_one_name_one_wins(self, subject: Subject) -> None:
        """The others must hear of it, not believe their record is there."""

        def put(me: int) -> bool:
            try:
                subject.put("name", b"%d" % me)
            except ValueError:
                return False
            return True

        outcomes = race(THREADS, put)

        assert outcomes.count(True) == 1
        assert subject.store.take(RecordKind.FLOW, "name") == b"%d" % outcomes.index(True)

    def test_a_name_is_spent_once(self, subject: Subject) -> None:
        """A login, a form and a start code are good once."""
        until = subject.clock() + HOUR

        assert subject.store.spend(RecordKind.FLOW, "name", expires_at=until)

        assert not subject.store.spend(RecordKind.FLOW, "name", expires_at=until)
        assert subject.store.spend(RecordKind.SIGN_UP, "name", expires_at=until)
        assert subject.store.peek(RecordKind.FLOW, "name") == b""
        assert subject.store.take(RecordKind.FLOW, "name") == b""
        assert subject.store.spend(RecordKind.FLOW, "name", expires_at=until)

    def test_of_many_who_spend_one_wins(self, subject: Subject) -> None:
        """An answer that is brought many times at the same moment opens one session."""
        spent = race(THREADS, lambda _: subject.store.spend(RecordKind.FLOW, "name", expires_at=subject.clock() + HOUR))

        assert spent.count(True) == 1

    def test_a_record_is_changed_and_shown_as_it_stands(self, subject: Subject) -> None:
        """Counts would start anew, or be taken for what they were before."""
        until = subject.clock() + HOUR

        assert subject.store.amend(RecordKind.NAMES, "name", lambda was: was + b"a", expires_at=until) == b"a"
        assert subject.store.amend(RecordKind.NAMES, "name", lambda was: was + b"b", expires_at=until) == b"ab"
        assert subject.store.amend(RecordKind.NAMES, "name", lambda _: None, expires_at=until) == b"ab"
        assert subject.store.amend(RecordKind.NAMES, "other", lambda _: None, expires_at=until) == b""
        assert subject.store.peek_many(RecordKind.NAMES, ("name", "other")) == {"name": b"ab", "other": None}

    def test_who_changes_a_record_first_decides_its_end(self, subject: Subject) -> None:
        """Otherwise whoever goes on asking would never be let in again."""
        first = subject.clock() + 2 * SECOND
        subject.store.amend(RecordKind.NAMES, "name", lambda _: b"a", expires_at=first)
        subject.store.amend(RecordKind.NAMES, "name", lambda was: was + b"b", expires_at=first + HOUR)

        subject.advance(3 * SECOND)

        assert subject.store.amend(RecordKind.NAMES, "name", lambda was: was + b"c", expires_at=first + HOUR) == b"c"

    def test_no_change_of_several_at_once_is_lost(self, subject: Subject) -> None:
        """Somebody who asks in parallel would be counted once."""

        def add(me: int) -> int:
            done = 0
            for _ in range(5):
                try:
                    subject.store.amend(
                        RecordKind.NAMES, "name", lambda was: was + bytes((me,)), expires_at=subject.clock() + HOUR
                    )
                except StoreUnavailable:
                    continue
                done += 1
            return done

        added = race(4, add)

        there = subject.store.peek(RecordKind.NAMES, "name") or b""
        assert [there.count(bytes((me,))) for me in range(4)] == added

    def test_a_time_that_is_past_is_refused(self, subject: Subject) -> None:
        """A flow that could never be taken is a programmer's error."""
        with pytest.raises(ValueError, match="is past"):
            subject.store.put(RecordKind.FLOW, "name", b"body", expires_at=subject.clock() - MINUTE)
