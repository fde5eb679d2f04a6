"""What a `Cache` must do."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from identity.sessions.store import Written
from identity.stores.bounds import MAX_VALUE_BYTES
from identity.stores.cache import Cache, CacheKey, CacheVersion, Missing, Value
from identity.types import HOUR, SECOND, Clock, Millis
from tests.support.racing import race

THREADS = 16


@dataclass(frozen=True)
class Subject:
    """A cache, its clock, and a way to let time pass until a value is gone."""

    cache: Cache
    clock: Clock
    advance: Callable[[Millis], None]
    """Return only when this much time has passed for the cache too."""

    def later(self) -> Millis:
        """Return a time at which nothing of a test has expired yet."""
        return self.clock() + HOUR

    def add(self, key: str, data: bytes = b"value") -> Written:
        """Add a value that stays."""
        return self.cache.add(CacheKey(key), data, expires_at=self.later())

    def get(self, key: str) -> Value | Missing:
        """Read one value."""
        return self.cache.get_many([CacheKey(key)])[CacheKey(key)]

    def value(self, key: str) -> Value:
        """Read one value that must be there."""
        got = self.get(key)
        assert isinstance(got, Value)
        return got

    def swap(self, key: str, data: bytes, version: CacheVersion) -> Written:
        """Swap a value."""
        return self.cache.swap(CacheKey(key), data, version=version, expires_at=self.later())


class CacheContract:
    """Subclass it and give the fixture `subject`."""

    @pytest.fixture
    def subject(self) -> Subject:
        """Give the cache to test, empty."""
        raise NotImplementedError

    def test_what_was_added_can_be_read(self, subject: Subject) -> None:
        """Otherwise nobody would stay logged in."""
        data = bytes(range(256)) + b"\r\nEND\r\n"

        assert subject.add("k", data) is Written.APPLIED

        assert subject.value("k").data == data

    def test_an_empty_value_is_a_value(self, subject: Subject) -> None:
        """An empty body must not read as absent."""
        subject.add("k", b"")

        assert subject.value("k").data == b""

    def test_every_key_asked_for_gets_an_entry(self, subject: Subject) -> None:
        """A caller that looks up its key must not meet a KeyError because the value is absent."""
        subject.add("there")
        asked = [CacheKey("there"), CacheKey("absent"), CacheKey("there")]

        got = subject.cache.get_many(asked)

        assert set(got) == {"there", "absent"}
        assert got[CacheKey("absent")] is Missing.ABSENT

    def test_no_keys_give_no_entries(self, subject: Subject) -> None:
        """A request without a cookie must not cost a round trip or an error."""
        assert subject.cache.get_many([]) == {}

    def test_a_thousand_keys_are_read_at_once(self, subject: Subject) -> None:
        """A gateway's batch must not be cut."""
        keys = [CacheKey(f"s1:{n:016d}") for n in range(1_000)]
        for key in keys[::10]:
            subject.add(key, key.encode())

        got = subject.cache.get_many(keys)

        assert [k for k in keys if got[k] is not Missing.ABSENT] == keys[::10]
        assert all(value.data == key.encode() for key, value in got.items() if isinstance(value, Value))

    def test_adding_twice_keeps_the_first(self, subject: Subject) -> None:
        """A second daemon must not overwrite the record a first one just made."""
        subject.add("k", b"first")

        assert subject.add("k", b"second") is Written.LOST

        assert subject.value("k").data == b"first"

    def test_a_swap_at_the_version_read_replaces(self, subject: Subject) -> None:
        """Rotation is this swap."""
        subject.add("k", b"old")

        assert subject.swap("k", b"new", subject.value("k").version) is Written.APPLIED

        assert subject.value("k").data == b"new"

    def test_a_swap_at_an_older_version_is_lost(self, subject: Subject) -> None:
        """Two servers must not undo each other's rotation."""
        subject.add("k", b"old")
        version = subject.value("k").version
        subject.swap("k", b"new", version)

        assert subject.swap("k", b"late", version) is Written.LOST

        assert subject.value("k").data == b"new"

    def test_a_swap_with_the_same_bytes_still_makes_a_new_version(self, subject: Subject) -> None:
        """Otherwise a ticket could survive a revocation that wrote the same record."""
        subject.add("k", b"same")
        before = subject.value("k").version

        subject.swap("k", b"same", before)

        assert subject.value("k").version != before

    def test_a_swap_of_a_value_that_vanished_is_lost_and_makes_none(self, subject: Subject) -> None:
        """A session whose record is gone must not be resurrected."""
        subject.add("k")
        version = subject.value("k").version
        subject.cache.remove(CacheKey("k"))

        assert subject.swap("k", b"again", version) is Written.LOST

        assert subject.get("k") is Missing.ABSENT

    def test_a_version_does_not_fit_a_value_made_anew(self, subject: Subject) -> None:
        """A late rotation must not overwrite the record of a newer login."""
        subject.add("k", b"same")
        version = subject.value("k").version
        subject.cache.remove(CacheKey("k"))
        subject.add("k", b"same")

        assert subject.swap("k", b"late", version) is Written.LOST

    def test_what_was_removed_is_absent(self, subject: Subject) -> None:
        """A login code must not work twice."""
        subject.add("k")

        assert subject.cache.remove(CacheKey("k")) is Written.APPLIED

        assert subject.get("k") is Missing.ABSENT

    def test_removing_what_is_absent_is_lost(self, subject: Subject) -> None:
        """The one who takes second must know that he got nothing."""
        assert subject.cache.remove(CacheKey("k")) is Written.LOST

    def test_a_value_is_gone_after_its_time(self, subject: Subject) -> None:
        """A login record must not wait for ever for somebody to find it."""
        subject.cache.add(CacheKey("k"), b"value", expires_at=subject.clock() + SECOND)
        assert subject.value("k").data == b"value"

        subject.advance(SECOND)

        assert subject.get("k") is Missing.ABSENT
        assert subject.cache.remove(CacheKey("k")) is Written.LOST

    def test_an_expired_name_is_free_again(self, subject: Subject) -> None:
        """A record that expired must not block the account's next login."""
        subject.cache.add(CacheKey("k"), b"old", expires_at=subject.clock() + SECOND)
        subject.advance(SECOND)

        assert subject.add("k", b"new") is Written.APPLIED

    def test_a_swap_moves_the_expiry(self, subject: Subject) -> None:
        """A record with a newer login must outlive the older one's end."""
        subject.cache.add(CacheKey("k"), b"old", expires_at=subject.clock() + SECOND)
        subject.swap("k", b"new", subject.value("k").version)

        subject.advance(SECOND)

        assert subject.value("k").data == b"new"

    def test_a_value_can_be_kept_for_years(self, subject: Subject) -> None:
        """Beyond 30 days memcached reads relative times as dates: the value would be gone at once."""
        subject.cache.add(CacheKey("k"), b"value", expires_at=subject.clock() + 20 * 365 * 24 * HOUR)

        assert subject.value("k").data == b"value"

    def test_a_write_whose_time_is_past_is_refused(self, subject: Subject) -> None:
        """It would be a silent removal."""
        subject.add("k")
        version = subject.value("k").version

        with pytest.raises(ValueError, match="is past"):
            subject.cache.add(CacheKey("other"), b"value", expires_at=subject.clock() - 1)
        with pytest.raises(ValueError, match="is past"):
            subject.cache.swap(CacheKey("k"), b"value", version=version, expires_at=subject.clock() - 1)

        assert subject.value("k").version == version

    @pytest.mark.parametrize(
        "key",
        ["", " ", "a b", "a\tb", "a\r\nflush_all", "a\nb", "a\0b", "a\x7f", "ä", "\u3000", "a\u2028", "k" * 201],
        ids=ascii,
    )
    def test_a_key_that_is_more_than_a_key_is_refused(self, subject: Subject, key: str) -> None:
        """A space or a line end in a key would be a command to memcached."""
        subject.add("k")
        bad = CacheKey(key)

        with pytest.raises(ValueError, match="a cache key"):
            subject.cache.get_many([CacheKey("k"), bad])
        with pytest.raises(ValueError, match="a cache key"):
            subject.cache.add(bad, b"value", expires_at=subject.later())
        with pytest.raises(ValueError, match="a cache key"):
            subject.cache.swap(bad, b"value", version=subject.value("k").version, expires_at=subject.later())
        with pytest.raises(ValueError, match="a cache key"):
            subject.cache.remove(bad)

        assert subject.value("k").data == b"value"

    def test_a_key_may_have_two_hundred_characters(self, subject: Subject) -> None:
        """The bound is documented; a name of that length must work."""
        subject.add("k" * 200)

        assert subject.value("k" * 200).data == b"value"

    def test_the_key_of_the_node_markers_is_refused(self, subject: Subject) -> None:
        """Whoever could write a marker through the front door could take a node out of use."""
        with pytest.raises(ValueError, match="reserved"):
            subject.add("n1:node")

    def test_a_value_over_the_limit_is_refused(self, subject: Subject) -> None:
        """Beyond its own limit memcached would refuse with an error that looks like an outage."""
        assert subject.add("k", bytes(MAX_VALUE_BYTES)) is Written.APPLIED

        with pytest.raises(ValueError, match="over the limit"):
            subject.add("other", bytes(MAX_VALUE_BYTES + 1))

    def test_only_bytes_are_kept(self, subject: Subject) -> None:
        """Clients of memcached write the repr of anything else, and nobody can read it back."""
        with pytest.raises(TypeError, match="bytes"):
            subject.add("k", "text")  # type: ignore[arg-type]

    def test_every_node_is_usable(self, subject: Subject) -> None:
        """/readyz must not report trouble where there is none."""
        assert [state.problem for state in subject.cache.nodes()] == [""] * len(subject.cache.nodes())

    def test_of_many_who_add_a_key_one_wins(self, subject: Subject) -> None:
        """Two first logins of one account at once must not each believe they made the record."""
        keys = [f"race:{n}" for n in range(100)]

        outcomes = race(THREADS, lambda me: [subject.add(key, b"%d" % me) for key in keys])

        for at, key in enumerate(keys):
            winners = [me for me in range(THREADS) if outcomes[me][at] is Written.APPLIED]
            assert [b"%d" % me for me in winners] == [subject.value(key).data]

    def test_no_swap_is_lost_between_threads(self, subject: Subject) -> None:
        """Every rotation that was confirmed must be in the record, or a token is both used and current."""
        subject.add("counter", b"0")
        each = 25

        def count(_: int) -> None:
            done = 0
            while done < each:
                there = subject.value("counter")
                done += subject.swap("counter", b"%d" % (int(there.data) + 1), there.version) is Written.APPLIED

        race(THREADS, count)

        assert subject.value("counter").data == b"%d" % (THREADS * each)

    def test_of_many_who_swap_one_version_one_wins(self, subject: Subject) -> None:
        """Two servers that advance a session at once: one of them must decide again."""

        def swap(key: str, version: CacheVersion, me: int) -> Written:
            return subject.swap(key, b"%d" % me, version)

        for round_number in range(50):
            key = f"race:{round_number}"
            subject.add(key)
            version = subject.value(key).version

            outcomes = race(4, partial(swap, key, version))

            assert sorted(outcomes, key=str) == [Written.APPLIED, *[Written.LOST] * 3]
            assert subject.value(key).data == b"%d" % outcomes.index(Written.APPLIED)

    def test_of_many_who_remove_a_value_one_wins(self, subject: Subject) -> None:
        """A login code redeemed in two tabs at once must work once."""
        keys = [f"race:{n}" for n in range(100)]
        for key in keys:
            subject.add(key)

        outcomes = race(THREADS, lambda _: [subject.cache.remove(CacheKey(key)) for key in keys])

        for at in range(len(keys)):
            assert [outcome[at] for outcome in outcomes].count(Written.APPLIED) == 1
            assert [outcome[at] for outcome in outcomes].count(Written.LOST) == THREADS - 1
