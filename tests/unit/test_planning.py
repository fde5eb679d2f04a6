"""Every combination of what a jar may show: the table of `identity.sessions.planning`."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from identity.sessions.check import Mode, Outcome
from identity.sessions.gathering import GROUPS, group
from identity.sessions.planning import Asked, Jar, Plan, Rules, plan, undecided
from identity.sessions.record import Copied, Ended, Record, Tombstone
from identity.sessions.store import Absent, Found, Read, Unread, Version
from identity.types import DAY, Host, Locator, Millis, SessionId
from tests.support.jars import AT, HOST, NOW, OTHER_SID, SID, lineage, record, session, tid, token

OLD: Millis = 12_000
ELSEWHERE = Locator(b"E" * 12)
CURRENT = token(2, 1, 0)
STALE = token(22, 21, 20)
RULES = Rules()


def found(held: Record) -> Found:
    return Found(held, Version(b"7"))


def decide(*tokens: object, reads: Mapping[Locator, Read] | None = None, **asked: object) -> Plan:
    """Plan for a jar of these tokens; by default one live session at base 1 is in the record."""
    jar_parts = {name: asked.pop(name) for name in ("junk", "newer", "claimed") if name in asked}
    jar = Jar(group(tokens), **jar_parts)  # type: ignore[arg-type]
    question = replace(Asked(now=NOW, host=HOST, chance=0.9, user_activity=False), **asked)  # type: ignore[arg-type]
    return plan(jar, reads or {AT: found(record(session()))}, question, RULES)


def fits(*numbers: int) -> object:
    """Return a marker for exactly these tokens of the first session."""
    wanted = {tid(n) for n in numbers}
    return lambda sid, ids: sid == SID and set(ids) == wanted


def moved(token_: object, locator: Locator = ELSEWHERE) -> object:
    return replace(token_, locator=locator)  # type: ignore[type-var]


def test_no_token_is_anonymous_and_sets_nothing() -> None:
    """A visitor must not be handed cookies he cannot use."""
    assert decide() == Plan(Outcome.LOGIN, "anonymous")


def test_only_junk_is_anonymous_and_deletes_nothing() -> None:
    """Names that mean nothing may belong to another daemon's future."""
    assert decide(junk=("__Host-idd-x",)) == Plan(Outcome.LOGIN, "anonymous")


def test_a_current_token_is_accepted_without_a_write() -> None:
    """One read per check and nothing else is what makes checks cheap."""
    made = decide(CURRENT)

    assert (made.outcome, made.reason, made.write, made.aside, made.delete) == (Outcome.OK, "current", None, (), ())


def test_an_advance_is_written_before_anything_is_made() -> None:
    """Minting on a line that did not move is how honest people are logged out."""
    made = decide(token(3, 2, 1, age_ms=OLD))

    assert made.write is not None
    assert made.write.record.sessions[0].lineage == lineage(2, 1)
    assert made.mint_from is not None


def test_what_stands_for_a_page_makes_a_token_as_one() -> None:
    """A jar of an application with `mint = no` would wait for a chance, and could be copied meanwhile."""
    old = token(2, 1, 0, age_ms=OLD)
    assert decide(old, navigation=False).mint_from is None
    assert decide(old, navigation=False, for_page=True).mint_from is not None
    assert decide(old, navigation=False, for_page=True, may_mint=False).mint_from is None
    assert decide(old, navigation=False, for_page=True, mode=Mode.NO_MINT).mint_from is None


def test_an_advance_of_unknown_outcome_neither_mints_nor_deletes() -> None:
    """The server does not know where the line stands; the jar must stay as it is."""
    made = undecided(decide(token(3, 2, 1, age_ms=OLD), token(2, 1, 0)))

    assert (made.outcome, made.mint_from, made.delete, made.write) == (Outcome.OK, None, (), None)


def test_an_end_of_unknown_outcome_ends_nothing() -> None:
    """The browser keeps its names until the end is certain."""
    made = undecided(decide(STALE, marker=fits(22)))

    assert (made.outcome, made.delete, made.drop_marker) == (Outcome.RETRY, (), False)


def test_a_straggler_gets_no_cookie_at_all() -> None:
    """A token made for a straggler would open a second line."""
    held = record(session(lineage=lineage(1, 9, ago_ms=5_000)))

    made = decide(token(8, 9, 7, age_ms=OLD), reads={AT: found(held)})

    assert (made.outcome, made.reason, made.mint_from, made.delete) == (Outcome.OK, "straggler", None, ())


def test_a_stale_set_is_bounced_with_a_marker_for_exactly_this_set() -> None:
    """The browser gets one chance to come back with what it holds now."""
    made = decide(STALE)

    assert (made.outcome, made.flag_bounce) == (Outcome.BOUNCE, True)
    assert made.set_marker is not None
    assert [t.id for t in made.set_marker.tokens] == [tid(22)]


def test_the_same_stale_set_after_its_bounce_ends_the_session() -> None:
    """This is the moment a copy, or its victim, is unmasked."""
    made = decide(STALE, marker=fits(22), bounced=True)

    assert (made.outcome, made.reason, made.drop_marker) == (Outcome.LOGIN, "reuse", True)
    assert made.write is not None
    assert made.write.record.tombstone(SID) == Tombstone(SID, Ended.REUSE, NOW)
    assert made.write.record.notices[0].reason is Copied.STALE_COPY
    assert made.copied is Copied.STALE_COPY


@pytest.mark.parametrize("numbers", [(22,), (22, 23, 24)], ids=["fewer", "more"])
def test_a_marker_of_another_set_bounces_again(numbers: tuple[int, ...]) -> None:
    """An answer that was on its way has changed the jar; nothing is proven."""
    made = decide(STALE, token(23, 21, 20), marker=fits(*numbers), bounced=True)

    assert made.outcome is Outcome.BOUNCE


def test_a_follower_without_any_marker_is_503_not_a_loop() -> None:
    """A browser or proxy that drops cookies would otherwise be redirected for ever."""
    assert decide(STALE, bounced=True).reason == "bounce-lost"
    assert decide(STALE, bounced=True).outcome is Outcome.RETRY


def test_a_marker_of_a_newer_key_waits() -> None:
    """This daemon cannot tell whether the set was bounced."""
    assert decide(STALE, marker=fits(), marker_newer=True).reason == "newer-key"


@pytest.mark.parametrize(
    ("read", "reason"),
    [(Unread.DOWN, "store-down"), (Unread.CORRUPT, "store-corrupt"), (Unread.NEWER, "store-newer")],
    ids=["down", "corrupt", "newer"],
)
def test_a_record_that_cannot_be_read_is_503_without_any_deletion(read: Unread, reason: str) -> None:
    """Store trouble must never look like a logout."""
    made = decide(CURRENT, reads={AT: read})

    assert (made.outcome, made.reason, made.delete) == (Outcome.RETRY, reason, ())
    assert made.alarm is (read is Unread.CORRUPT)


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (Absent.ABSENT, "lost"),
        (found(record()), "lost"),
        (found(record(tombstones=(Tombstone(SID, Ended.REVOKED, NOW),))), "revoked"),
        (found(record(session(active_at=NOW - DAY - 60_001))), "idle"),
        (found(record(session(ends_at=NOW - 60_001))), "expired"),
    ],
    ids=["no record", "no session", "tombstone", "idle", "expired"],
)
def test_a_session_that_is_over_is_gone_with_its_reason(read: Read, reason: str) -> None:
    """The person is told why, and the dead names leave the jar."""
    made = decide(CURRENT, reads={AT: read})

    assert (made.outcome, made.reason, made.delete) == (Outcome.LOGIN, reason, (CURRENT,))


@pytest.mark.parametrize("held", [session(active_at=NOW - DAY - 60_000), session(ends_at=NOW - 60_000)])
def test_an_end_tolerates_a_minute_of_clock_difference(held: object) -> None:
    """Two daemons whose clocks differ must not disagree about a session within the minute."""
    assert decide(CURRENT, reads={AT: found(record(held))}).outcome is Outcome.OK  # type: ignore[arg-type]


def test_only_foreign_tokens_are_anonymous_and_left_alone() -> None:
    """A token copied from another host must neither work here nor be destroyed there."""
    made = decide(CURRENT, reads={AT: found(record(session(host=Host("other.example"))))})

    assert (made.outcome, made.reason, made.delete) == (Outcome.LOGIN, "foreign", ())
    assert [each.session.id for each in made.foreign] == [SID]


def test_foreign_and_dead_deletes_only_the_dead() -> None:
    """The dead group's names are useless; the foreign ones are somebody's session."""
    held = record(session(host=Host("other.example")))
    dead = token(3, 1, 0, sid=OTHER_SID)

    made = decide(CURRENT, dead, reads={AT: found(held)})

    assert (made.outcome, made.reason, made.delete) == (Outcome.LOGIN, "lost", (dead,))


def two_sessions() -> Record:
    return record(session(created_at=NOW - 90_000), session(OTHER_SID, created_at=NOW - 80_000, lineage=lineage(31)))


def test_of_two_live_sessions_the_later_login_is_chosen_and_the_other_ended() -> None:
    """Left alone, the older one would be a cookie that never changes."""
    made = decide(token(99, 1, 0), token(32, 31, 30, sid=OTHER_SID, age_ms=99_000), reads={AT: found(two_sessions())})

    assert made.live is not None
    assert made.live.session.id == OTHER_SID
    assert made.aside[0].record.tombstone(SID) == Tombstone(SID, Ended.REPLACED, NOW)


def test_the_other_sessions_record_is_written_too_when_it_is_another_accounts() -> None:
    """Logging in as somebody else must not leave the first login open in the same jar."""
    reads = {AT: found(record(session())), ELSEWHERE: found(record(session(OTHER_SID, created_at=NOW - 90_000)))}

    made = decide(CURRENT, moved(token(5, 1, 0, sid=OTHER_SID)), reads=reads)

    assert [w.locator for w in made.aside] == [ELSEWHERE]
    assert made.aside[0].record.sessions == ()


def test_a_stale_later_login_is_bounced_although_an_older_one_is_current() -> None:
    """Falling back would hide a theft of the newer session."""
    made = decide(token(99, 1, 0), token(52, 51, 50, sid=OTHER_SID), reads={AT: found(two_sessions())})

    assert made.outcome is Outcome.BOUNCE
    assert made.set_marker is not None
    assert made.set_marker.session == OTHER_SID


def test_a_current_group_is_accepted_while_anothers_node_is_down() -> None:
    """One dead memcached node must not stop people whose sessions are elsewhere."""
    reads = {AT: found(record(session())), ELSEWHERE: Unread.DOWN}

    made = decide(CURRENT, moved(token(5, 1, 0, sid=OTHER_SID)), reads=reads)

    assert (made.outcome, made.delete, made.aside) == (Outcome.OK, (), ())


@pytest.mark.parametrize("read", [Unread.DOWN, Unread.CORRUPT, Unread.NEWER])
def test_nothing_is_refused_while_any_group_is_unread(read: Unread) -> None:
    """What could not be read may be the session that counts."""
    reads: dict[Locator, Read] = {AT: found(record(session())), ELSEWHERE: read}
    unreadable = moved(token(5, 1, 0, sid=OTHER_SID))

    assert decide(STALE, unreadable, reads=reads, marker=fits(22)).outcome is Outcome.RETRY
    reads[AT] = Absent.ABSENT
    assert decide(STALE, unreadable, reads=reads).outcome is Outcome.RETRY


def test_a_newer_key_never_refuses() -> None:
    """A daemon that has not read the new ring must not log out who was just logged in elsewhere."""
    assert decide(newer=("__Host-idd-n",)).reason == "newer-key"
    assert decide(STALE, newer=("__Host-idd-n",), marker=fits(22)).reason == "newer-key"
    assert decide(CURRENT, newer=("__Host-idd-n",)).outcome is Outcome.OK


@pytest.mark.parametrize("read", [Unread.DOWN, Unread.CORRUPT, Unread.NEWER])
def test_a_newer_key_is_expected_where_the_record_that_is_claimed_cannot_be_read(read: Unread) -> None:
    """A daemon that has the key wrote the record under it; this one must wait, and never say "log in"."""
    made = decide(newer=("__Host-idd-n",), claimed=(AT,), reads={AT: read})

    assert (made.outcome, made.reason, made.delete) == (Outcome.RETRY, "newer-key", ())
    dead = token(5, 1, 0, sid=OTHER_SID)
    reads = {AT: read, ELSEWHERE: found(record())}
    assert decide(moved(dead), newer=("__Host-idd-n",), claimed=(AT,), reads=reads).outcome is Outcome.RETRY


@pytest.mark.threat(47)
@pytest.mark.parametrize(
    "read", [Absent.ABSENT, found(record()), found(record(session()))], ids=["none", "over", "live"]
)
def test_a_newer_key_that_nothing_but_a_token_speaks_for_locks_nobody_out(read: Read) -> None:
    """Anybody can write key number 255 into a token, also into one of a session of his own."""
    made = decide(newer=("__Host-idd-n",), claimed=(AT,), reads={AT: read})

    assert made == Plan(Outcome.LOGIN, "newer-key")
    gone = decide(moved(CURRENT), newer=("__Host-idd-n",), claimed=(AT,), reads={AT: read, ELSEWHERE: Absent.ABSENT})
    assert (gone.outcome, gone.reason, gone.delete) == (Outcome.LOGIN, "lost", (moved(CURRENT),))


def crowd(how_many: int) -> list[object]:
    return [token(1000 + n, 1, 0, sid=SessionId(n.to_bytes(16, "big")), age_ms=n) for n in range(how_many)]


def test_33_dead_sessions_are_thinned_out_by_bounces() -> None:
    """Somebody who planted 33 sessions' names must not lock the owner out, nor log him out."""
    made = decide(*crowd(GROUPS + 1))

    assert (made.outcome, made.reason, len(made.delete)) == (Outcome.BOUNCE, "too-many-cookies", 3)
    assert not made.flag_bounce


def test_32_dead_sessions_are_gone() -> None:
    """All of them were looked at, so the answer is certain."""
    assert decide(*crowd(GROUPS)).outcome is Outcome.LOGIN


def test_a_live_session_among_33_is_accepted() -> None:
    """The jar heals by the deletions that come with it."""
    made = decide(token(2, 1, 0, age_ms=-5), *crowd(GROUPS))

    assert made.outcome is Outcome.OK
    assert len(made.delete) == 3


def test_deletions_are_capped_own_surplus_first_then_dead_then_junk() -> None:
    """Four Set-Cookie lines are what every proxy carries."""
    keep, surplus = token(3, 1, 0, age_ms=1), token(2, 1, 0, age_ms=2)
    dead = token(5, 1, 0, sid=OTHER_SID)

    made = decide(keep, surplus, dead, junk=("junk-1", "junk-2"))

    assert made.delete == (surplus, dead, "junk-1")


def test_eight_junk_names_do_not_stop_rotation_or_detection() -> None:
    """A sibling host can plant names; they must not freeze the session of their victim."""
    junk = tuple(f"__Host-idd-j{n}" for n in range(8))

    assert decide(token(2, 1, 0, age_ms=OLD), junk=junk).mint_from is not None
    assert decide(STALE, junk=junk, marker=fits(22)).reason == "reuse"


@pytest.mark.parametrize("mode", [Mode.WEBSOCKET, Mode.READ_ONLY, Mode.NO_MINT])
class TestOtherWays:
    """Channels that deliver no cookies."""

    def test_a_current_token_is_accepted_and_nothing_is_made(self, mode: Mode) -> None:
        """A token that gets lost is harmless, one that is never sent is better."""
        made = decide(token(2, 1, 0, age_ms=OLD), token(3, 1, 0, age_ms=OLD), mode=mode)

        assert (made.outcome, made.mint_from, made.delete) == (Outcome.OK, None, ())

    def test_an_advance_is_accepted_without_cookies(self, mode: Mode) -> None:
        """The line may move, but nothing is minted, deleted or marked."""
        made = decide(token(3, 2, 1, age_ms=OLD), mode=mode)

        assert (made.outcome, made.mint_from, made.delete) == (Outcome.OK, None, ())
        assert (made.write is None) is (mode is Mode.READ_ONLY)

    def test_a_stale_set_is_refused_but_never_ended(self, mode: Mode) -> None:
        """No redirect is followed there, so nothing could be proven."""
        made = decide(STALE, mode=mode, marker=fits(22))

        assert (made.outcome, made.reason, made.write, made.set_marker) == (Outcome.LOGIN, "stale", None, None)

    def test_a_session_that_is_over_is_refused_without_deletions(self, mode: Mode) -> None:
        """The names go at the next page the browser loads."""
        made = decide(CURRENT, reads={AT: Absent.ABSENT}, mode=mode)

        assert (made.outcome, made.reason, made.delete) == (Outcome.LOGIN, "lost", ())

    def test_store_trouble_is_503(self, mode: Mode) -> None:
        """A program that asks must learn "unknown", not "no"."""
        assert decide(CURRENT, reads={AT: Unread.DOWN}, mode=mode).outcome is Outcome.RETRY


def test_read_only_of_two_live_sessions_ends_none() -> None:
    """A program that asks about a user must not change the user's sessions."""
    made = decide(CURRENT, token(32, 31, 30, sid=OTHER_SID), reads={AT: found(two_sessions())}, mode=Mode.READ_ONLY)

    assert made.live is not None
    assert (made.live.session.id, made.write, made.aside) == (OTHER_SID, None, ())


def test_activity_is_written_when_it_moved_enough() -> None:
    """Writing it at every request would race every rotation."""
    before = record(session(active_at=NOW - DAY // 20 - 1))

    made = decide(CURRENT, reads={AT: found(before)}, user_activity=True)

    assert [w.record.sessions[0].active_at for w in made.aside] == [NOW]


def test_background_polling_keeps_no_session_alive() -> None:
    """A page left open in an office must idle out like its user."""
    before = record(session(active_at=NOW - DAY // 20 - 1))

    assert decide(CURRENT, reads={AT: found(before)}).aside == ()


def test_reuse_in_a_sub_session_leaves_its_login_doubtful() -> None:
    """A theft on one application must not end the others, nor go without a fresh login."""
    held = record(session(OTHER_SID, host=Host("login.example")), session(login=OTHER_SID))

    made = decide(STALE, reads={AT: found(held)}, marker=fits(22))

    assert made.write is not None
    assert made.write.record.session(SID) is None
    login = made.write.record.session(OTHER_SID)
    assert login is not None
    assert login.doubtful
