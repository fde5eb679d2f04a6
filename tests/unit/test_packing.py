"""The bytes of a session record."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.sessions.changes import RECORD_BYTES, SUB_SESSIONS, Lifetimes, fitting, opened
from identity.sessions.packing import FORMAT, NewerRecord, pack, unpack
from identity.sessions.record import Copied, Described, Ended, Notice, Tombstone
from identity.types import Host, IdentityKey, SessionId
from tests.support.jars import NOW, OTHER_SID, SID, lineage, record, session

FULL_LOGINS = 20


def sid(number: int) -> SessionId:
    return SessionId(number.to_bytes(16, "big"))


def full() -> list:  # type: ignore[type-arg]
    logins = [
        session(
            sid(n),
            identity=IdentityKey(f"google:{10**20 + n}"),
            agent=f"Firefox on Linux {n}",
            address=f"192.0.{n}.0/24",
            lineage=lineage(n + 1, n + 2),
        )
        for n in range(FULL_LOGINS)
    ]
    subs = [
        replace(logins[n % FULL_LOGINS], id=sid(100 + n), login=sid(n % FULL_LOGINS), host=Host(f"app{n % 20}.example"))
        for n in range(SUB_SESSIONS)
    ]
    return logins + subs


def test_a_record_survives_packing() -> None:
    """A field that is dropped on the way would come back as a different session."""
    login = session(doubtful=True, persistent=False, lineage=lineage(4, 3, ago_ms=77))
    sub = session(OTHER_SID, login=SID, host=Host("wiki.example"), auth_proven=True)
    notice = Notice(NOW, Copied.CRASH_ROLLBACK, NOW - 5, "Firefox", "192.0.2.0/24", "curl", "198.51.100.0/24")
    before = record(login, sub, tombstones=(Tombstone(SID, Ended.IDLE, NOW - 1),), notices=(notice,), epoch=3)

    assert unpack(pack(before)) == before


def test_what_decides_about_entry_survives_packing() -> None:
    """A group that is dropped shuts its member out; one that moves to another session lets a stranger in."""
    login = session(facts=("google/hd=example.com", "*/email_domain=example.com"))
    other = session(sid(7))
    sub = session(OTHER_SID, login=SID, host=Host("wiki.example"), facts=login.facts)
    described = Described("Ada L\N{LATIN SMALL LETTER O WITH DIAERESIS}velace", "ada@example.com", email_verified=True)
    before = replace(record(login, other, sub), groups=("ops", "staff"), described=described)

    for each in (before, replace(before, described=None), replace(before, groups=(), described=Described())):
        assert unpack(pack(each)) == each


def test_a_record_without_groups_is_written_as_the_release_before_reads_it() -> None:
    """While an upgrade rolls, its daemons would answer every check of a person with 503."""
    plain = record(session())

    assert pack(plain)[0] == 1
    assert pack(replace(plain, groups=("staff",)))[0] == FORMAT


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_record_cut_short_is_no_record(cut: int) -> None:
    """Half a record must never be believed: what is missing might be what shuts somebody out."""
    whole = pack(replace(record(session(facts=("a/b=c",))), groups=("staff",), described=Described("Ada")))

    with pytest.raises(ValueError, match="record"):
        unpack(whole[:-cut])


def test_what_only_a_newer_release_knows_is_told_from_damage() -> None:
    """While an upgrade rolls, the older daemons must wait and not ring the alarm of a broken-into store."""
    packed = pack(record(session(), tombstones=(Tombstone(SID, Ended.IDLE, NOW),)))
    of_a_newer_reason = packed.replace(SID + bytes([Ended.IDLE]), SID + b"\xc8")
    of_a_newer_format = bytes([FORMAT + 1]) + packed[1:]

    for written in (of_a_newer_reason, of_a_newer_format):
        assert written != packed
        with pytest.raises(NewerRecord):
            unpack(written)


def test_the_largest_record_fits_eight_kilobytes() -> None:
    """20 devices and 60 sub-sessions must not push a real person's oldest device out."""
    assert len(pack(record(*full()))) <= RECORD_BYTES


def test_a_record_of_one_login_and_one_application_is_small() -> None:
    """Most accounts have one; memory is what a memcached costs."""
    login = session()

    assert len(pack(record(login, replace(login, id=OTHER_SID, login=SID, host=Host("wiki.example"))))) <= 400


def test_what_does_not_fit_ends_the_oldest_login_and_keeps_the_new_one() -> None:
    """Subjects of 255 characters must not keep their owner from logging in."""
    long = [session(sid(n), identity=IdentityKey("x:" + str(n) * 700), created_at=NOW + n) for n in range(1, 20)]

    kept = fitting(record(*long), keep=sid(19), now=NOW)

    assert len(pack(kept)) <= RECORD_BYTES
    assert kept.session(sid(19))
    assert kept.session(sid(1)) is None


def test_the_21st_device_ends_the_oldest_with_a_reason() -> None:
    """A person who is logged out by the number of devices must be told that."""
    logins = [session(sid(n), created_at=NOW + n) for n in range(FULL_LOGINS)]

    after = opened(record(*logins), session(sid(99), created_at=NOW + 99), Lifetimes(), now=NOW)

    assert len(after.sessions) == FULL_LOGINS
    assert after.tombstone(sid(0)) == Tombstone(sid(0), Ended.TOO_MANY, NOW)


def test_single_session_mode_ends_the_other_device() -> None:
    """The strict mode of the plan of 2009: logging in again ends the stolen session."""
    after = opened(record(session(SID)), session(OTHER_SID), Lifetimes(devices=1), now=NOW)

    assert [s.id for s in after.sessions] == [OTHER_SID]
    assert after.tombstone(SID) == Tombstone(SID, Ended.REPLACED, NOW)


@pytest.mark.parametrize("cut", [0, 1, 20, 60, -1])
def test_a_truncated_record_is_refused(cut: int) -> None:
    """A half record must read as corrupt, never as one with fewer sessions."""
    with pytest.raises(ValueError, match=r"record|bytes"):
        unpack(pack(record(session()))[:cut])


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_or_read_never_crash(data: bytes) -> None:
    """Whatever stands in memcached, the answer is 503 and not a traceback."""
    try:
        unpack(data)
    except ValueError:
        return


def test_bytes_behind_the_end_are_refused() -> None:
    """Two spellings of one record would let a stored value be varied."""
    with pytest.raises(ValueError, match="behind"):
        unpack(pack(record(session())) + b"x")


def test_a_format_of_the_future_is_refused() -> None:
    """An older daemon must not guess what a newer one wrote."""
    with pytest.raises(ValueError, match="format 9"):
        unpack(b"\x09" + pack(record(session()))[1:])
