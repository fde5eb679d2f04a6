"""Every change a session record can undergo, as functions from record to record.

Owns the limits (devices, sub-sessions, notices, how long a tombstone is remembered). Pure.
Invariant: ending a login ends its sub-sessions in the same record, so in the same write.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from identity.sessions.packing import pack
from identity.sessions.record import Copied, Ended, Lineage, Notice, Record, Session, Tombstone
from identity.types import DAY, HOUR, MINUTE, Millis, SessionId

TOMBSTONE_MS: Final[Millis] = 2 * MINUTE
EMPTY_RECORD_MS: Final[Millis] = 10 * MINUTE
NOTICE_MS: Final[Millis] = 30 * DAY
SUB_SESSIONS: Final = 60
RETURN_MS: Final[Millis] = 8 * HOUR
"""A sub-session's browser comes through the login host at least so often, while its pages are visited."""
NOTICES: Final = 3
TOMBSTONES: Final = 16
RECORD_BYTES: Final = 8_192
SKEW_MS: Final[Millis] = MINUTE
"""Daemons' clocks may differ by this much; an expiry waits that much longer."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long sessions live and how many an account may have."""

    idle_ms: Millis = 24 * HOUR
    absolute_ms: Millis = 30 * DAY
    devices: int = 20


def over(session: Session, lifetimes: Lifetimes, *, now: Millis) -> Ended | None:
    """Tell why a session of the record no longer counts, if it does not."""
    if now > session.ends_at + SKEW_MS:
        return Ended.EXPIRED
    if now > session.active_at + lifetimes.idle_ms + SKEW_MS:
        return Ended.IDLE
    return None


def advanced(record: Record, sid: SessionId, lineage: Lineage) -> Record:
    """Move a session's token line."""
    return _changed(record, {sid}, lambda s: replace(s, lineage=lineage))


def touched(record: Record, session: Session, *, now: Millis, lineage: Lineage | None = None) -> Record:
    """Note activity of the person; in a sub-session it counts for its login too.

    With `lineage` the session's token line moves as well: one change and not two, because most writes are this one.
    """

    def change(each: Session) -> Session:
        moved = lineage if lineage and each.id == session.id else each.lineage
        return replace(each, lineage=moved, active_at=max(each.active_at, now))

    return _changed(record, {session.id, session.login}, change)


def touch_due(session: Session, lifetimes: Lifetimes, *, now: Millis) -> bool:
    """Tell whether activity has moved enough to be worth a write of its own."""
    return now - session.active_at > max(MINUTE, lifetimes.idle_ms // 20)


def ended(record: Record, sids: Collection[SessionId], reason: Ended, *, now: Millis) -> Record:
    """Turn sessions, and the sub-sessions of those that are logins, into tombstones."""
    gone = [s for s in record.sessions if s.id in sids or s.login in sids]
    if not gone:
        return record
    names = {s.id for s in gone}
    fresh = tuple(Tombstone(s.id, reason, now) for s in gone)
    return replace(
        record,
        sessions=tuple(s for s in record.sessions if s.id not in names),
        tombstones=(fresh + record.tombstones)[:TOMBSTONES],
    )


def reused(record: Record, session: Session, kind: Copied, *, now: Millis, agent: str, address: str) -> Record:
    """End a session whose token line diverged, and keep what the person must be told.

    A login whose sub-session diverged lives on but is doubtful: its next use elsewhere asks for
    a fresh login. The notice is dated after every session that is open: none of them is told of
    it (`told_to`), whatever the clock says of the server that opened it.
    """
    notice = Notice(
        at=max(now, *(each.created_at + 1 for each in record.sessions)),
        reason=kind,
        created_at=session.created_at,
        agent=session.agent,
        address=session.address,
        other_agent=agent,
        other_address=address,
    )
    record = replace(record, notices=(notice, *record.notices)[:NOTICES])
    if session.login:
        record = _changed(record, {session.login}, lambda s: replace(s, doubtful=True))
    return ended(record, {session.id}, Ended.REUSE, now=now)


def told_to(record: Record, reader: SessionId) -> tuple[Notice, ...]:
    """Return the notices a session may read and answer: what happened before its login was proven.

    A session that was there already may be the thief's, who could silence the warning.
    """
    session = record.session(reader)
    return tuple(n for n in record.notices if session and n.at <= session.created_at)


def answered(record: Record, reader: SessionId, seen: Collection[Millis]) -> Record:
    """Drop the notices a session was told and has answered, named by their times; one that came since stays."""
    taken = {n.at for n in told_to(record, reader)}.intersection(seen)
    kept = tuple(n for n in record.notices if n.at not in taken)
    return record if len(kept) == len(record.notices) else replace(record, notices=kept)


def ended_others(record: Record, keep: SessionId, *, now: Millis) -> Record:
    """End every login but one, with all sub-sessions but those below it."""
    others = {s.id for s in record.sessions if keep not in (s.id, s.login)}
    return ended(record, others, Ended.REVOKED, now=now)


def tidied(record: Record, lifetimes: Lifetimes, *, now: Millis) -> Record:
    """Drop what has been over for a day: no browser will ask why any more."""
    kept = tuple(s for s in record.sessions if over(s, lifetimes, now=now - DAY) is None)
    ids = {s.id for s in kept}
    return replace(
        record,
        sessions=tuple(s for s in kept if s.login is None or s.login in ids),
        tombstones=tuple(t for t in record.tombstones if now - t.at <= TOMBSTONE_MS),
        notices=tuple(n for n in record.notices if now - n.at <= NOTICE_MS),
    )


def opened(record: Record, session: Session, lifetimes: Lifetimes, *, now: Millis) -> Record:
    """Add a login; beyond the account's number of devices, or of bytes, the oldest logins go."""
    record = tidied(record, lifetimes, now=now)
    logins = [s for s in record.sessions if s.login is None]
    logins.sort(key=lambda s: (over(s, lifetimes, now=now) is None, s.created_at))
    surplus = logins[: max(0, len(logins) + 1 - lifetimes.devices)]
    reason = Ended.REPLACED if lifetimes.devices == 1 else Ended.TOO_MANY
    record = ended(record, {s.id for s in surplus}, reason, now=now)
    return fitting(replace(record, sessions=(*record.sessions, session)), keep=session.id, now=now)


def opened_below(record: Record, session: Session, lifetimes: Lifetimes, *, now: Millis) -> Record:
    """Add a sub-session to a login of the record, or put it in its own place; the oldest beyond 60 go."""
    record = tidied(record, lifetimes, now=now)
    record = replace(record, sessions=tuple(s for s in record.sessions if s.id != session.id))
    below = [s for s in record.sessions if s.login is not None]
    below.sort(key=lambda s: (over(s, lifetimes, now=now) is None, s.created_at))
    surplus = below[: max(0, len(below) + 1 - SUB_SESSIONS)]
    record = ended(record, {s.id for s in surplus}, Ended.TOO_MANY, now=now)
    record = touched(replace(record, sessions=(*record.sessions, session)), session, now=now)
    return fitting(record, keep=session.login or session.id, now=now)


def return_due(session: Session, *, now: Millis) -> bool:
    """Tell whether a sub-session's browser must come through the login host again."""
    return session.login is not None and now - session.created_at > RETURN_MS


def fitting(record: Record, *, keep: SessionId, now: Millis) -> Record:
    """Make the record fit its 8 KB: old tombstones go first, then the oldest logins but `keep`."""
    while len(pack(record)) > RECORD_BYTES:
        others = [s for s in record.sessions if s.login is None and s.id != keep]
        if record.tombstones:
            record = replace(record, tombstones=record.tombstones[:-1])
        elif others:
            oldest = min(others, key=lambda s: s.created_at)
            record = replace(ended(record, {oldest.id}, Ended.TOO_MANY, now=now), tombstones=())
        else:
            return record
    return record


def emptied(record: Record, *, epoch: int, reason: Ended, now: Millis) -> Record:
    """End every session and move to the account's new epoch."""
    record = ended(record, {s.id for s in record.sessions}, reason, now=now)
    return replace(record, epoch=max(epoch, record.epoch), compared_at=now)


def stored(record: Record, lifetimes: Lifetimes, *, now: Millis) -> tuple[Record, Millis]:
    """Return the record as it is written, and when the store may forget it."""
    record = tidied(record, lifetimes, now=now)
    return record, _expiry(record, now=now)


def _expiry(record: Record, *, now: Millis) -> Millis:
    kept_for_notices = max((n.at + NOTICE_MS for n in record.notices), default=0)
    last_end = max((s.ends_at + SKEW_MS for s in record.sessions), default=0)
    return max(last_end, kept_for_notices, now + EMPTY_RECORD_MS)


def _changed(record: Record, sids: Collection[SessionId | None], change: Callable[[Session], Session]) -> Record:
    return replace(record, sessions=tuple(change(s) if s.id in sids else s for s in record.sessions))
