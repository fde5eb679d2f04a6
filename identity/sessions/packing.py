"""The bytes of a session record.

Owns the packed forms (format 1, and 2 for what it lacks). Pure. Strings that repeat (hosts, devices, addresses, ways to
log in) stand once in a table and are referred to by number, so that the largest record allowed
(20 logins and 60 sub-sessions) stays within 8 KB. Authentication is added by the store.

    format 1 | account 16 | epoch 4 | compared 6 | username | strings | sessions | tombstones | notices
    format 2 | as 1 | groups | described: none, or name, email, verified | sets of facts | set of each session 1

Format 2 is written for a record that has groups, facts or a description, and for no other: while an
upgrade rolls, older daemons go on reading what every record was before the configuration asked for these.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar
from uuid import UUID

from identity.sessions.record import Copied, Described, Ended, Lineage, Notice, Record, Session, Tombstone
from identity.types import AccountId, Host, IdentityKey, Millis, SessionId, TokenId, Username

_FIRST_FORMAT: Final = 1
FORMAT: Final = 2
"""The newest there is."""

_HEAD: Final = struct.Struct(">B16sI6s")
_SESSION: Final = struct.Struct(">16s8s8s6s6s6s6s6sBBBBBB")
_TOMBSTONE: Final = struct.Struct(">16sB6s")
_LENGTH: Final = struct.Struct(">H")
_NOTICE: Final = struct.Struct(">6sB6sBBBB")
_NO_LOGIN: Final = 255
_DOUBTFUL: Final = 1
_PERSISTENT: Final = 2
_HAS_PREVIOUS: Final = 4
_AUTH_PROVEN: Final = 8
"""A release that does not know it drops it at its next write: the person is asked to log in once more than needed."""
_LONGEST: Final = 255
_NO_ID: Final = bytes(8)

T = TypeVar("T")
E = TypeVar("E", Copied, Ended)


class NewerRecord(ValueError):
    """The bytes say something only a newer release knows."""


def pack(record: Record) -> bytes:
    """Return the record's bytes. Raises ValueError if it has more distinct strings than can be numbered."""
    strings = _Strings()
    order = {s.id: at for at, s in enumerate(record.sessions)}
    sessions = b"".join(_pack_session(s, strings, order) for s in record.sessions)
    tombstones = b"".join(_TOMBSTONE.pack(t.id, t.reason, _time(t.at)) for t in record.tombstones)
    notices = b"".join(
        _NOTICE.pack(
            _time(n.at),
            n.reason,
            _time(n.created_at),
            *(strings.number(place) for place in (n.agent, n.address, n.other_agent, n.other_address)),
        )
        for n in record.notices
    )
    more = _pack_membership(record)
    return b"".join(
        (
            _HEAD.pack(
                FORMAT if more else _FIRST_FORMAT, record.account_id.bytes, record.epoch, _time(record.compared_at)
            ),
            _text(record.username),
            strings.packed(),
            bytes((len(record.sessions),)) + sessions,
            bytes((len(record.tombstones),)) + tombstones,
            bytes((len(record.notices),)) + notices,
            more,
        )
    )


def unpack(data: bytes) -> Record:
    """Read a record's bytes. Raises NewerRecord for what a newer release wrote, ValueError for anything else."""
    try:
        return _unpack(data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError("not a session record") from error


def _unpack(data: bytes) -> Record:
    form, account, epoch, compared = _HEAD.unpack_from(data)
    if not _FIRST_FORMAT <= form <= FORMAT:
        trouble = NewerRecord if form > FORMAT else ValueError
        raise trouble(f"session record format {form} is not known")
    rest = _Reader(data, _HEAD.size)
    username = rest.text()
    strings = rest.many(rest.text)
    raw = rest.many(lambda: rest.struct(_SESSION))
    ids = [SessionId(fields[0]) for fields in raw]
    record = Record(
        account_id=AccountId(UUID(bytes=account)),
        username=Username(username),
        epoch=epoch,
        compared_at=_millis(compared),
        sessions=tuple(_unpack_session(fields, strings, ids) for fields in raw),
        tombstones=tuple(rest.many(lambda: _unpack_tombstone(rest))),
        notices=tuple(rest.many(lambda: _unpack_notice(rest, strings))),
    )
    if form == FORMAT:
        record = _with_membership(record, rest)
    rest.end()
    return record


def _pack_membership(record: Record) -> bytes:
    """Return what format 2 has beyond format 1; nothing if the record has none of it."""
    if not record.groups and record.described is None and not any(session.facts for session in record.sessions):
        return b""
    sets, said = _Strings(), record.described
    numbers = bytes(sets.number(" ".join(session.facts)) for session in record.sessions)
    described = () if said is None else (said.name, said.email, "verified" if said.email_verified else "")
    listed = bytes((len(described),)) + b"".join(map(_text, described))
    return b"".join((_text(" ".join(record.groups)), listed, sets.packed(), numbers))


def _with_membership(record: Record, rest: "_Reader") -> Record:
    groups = tuple(rest.text().split())
    said = rest.many(rest.text)
    sets = [tuple(each.split()) for each in rest.many(rest.text)]
    return replace(
        record,
        groups=groups,
        described=Described(said[0], said[1], bool(said[2])) if said else None,
        sessions=tuple(replace(session, facts=sets[rest.byte()]) for session in record.sessions),
    )


class _Strings:
    """Numbers strings as they are met."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def packed(self) -> bytes:
        if len(self._numbers) > _LONGEST:
            raise ValueError("too many distinct strings in one session record")
        return bytes((len(self._numbers),)) + b"".join(_text(s) for s in self._numbers)


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    def struct(self, form: struct.Struct) -> tuple[Any, ...]:
        values = form.unpack_from(self._data, self._at)
        self._at += form.size
        return values

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def text(self) -> str:
        (length,) = self.struct(_LENGTH)
        self._at += length
        if self._at > len(self._data):
            raise IndexError("text goes past the end")
        return self._data[self._at - length : self._at].decode()

    def many(self, one: Callable[[], T]) -> list[T]:
        return [one() for _ in range(self.byte())]

    def end(self) -> None:
        if self._at != len(self._data):
            raise ValueError("bytes behind the end of a session record")


def _pack_session(s: Session, strings: _Strings, order: dict[SessionId, int]) -> bytes:
    previous = s.lineage.previous
    flags = s.doubtful * _DOUBTFUL | s.persistent * _PERSISTENT | s.auth_proven * _AUTH_PROVEN
    flags |= (previous is not None) * _HAS_PREVIOUS
    return _SESSION.pack(
        s.id,
        s.lineage.base,
        _NO_ID if previous is None else previous,
        _time(s.lineage.advanced_at),
        _time(s.created_at),
        _time(s.active_at),
        _time(s.ends_at),
        _time(s.auth_at),
        strings.number(s.host),
        strings.number(s.identity),
        strings.number(s.agent),
        strings.number(s.address),
        _NO_LOGIN if s.login is None else order[s.login],
        flags,
    )


def _unpack_session(fields: tuple[Any, ...], strings: list[str], ids: list[SessionId]) -> Session:
    sid, base, previous, advanced, created, active, ends, auth, host, identity, agent, address, login, flags = fields
    return Session(
        id=SessionId(sid),
        lineage=Lineage(TokenId(base), TokenId(previous) if flags & _HAS_PREVIOUS else None, _millis(advanced)),
        created_at=_millis(created),
        active_at=_millis(active),
        ends_at=_millis(ends),
        auth_at=_millis(auth),
        host=Host(strings[host]),
        identity=IdentityKey(strings[identity]),
        agent=strings[agent],
        address=strings[address],
        login=None if login == _NO_LOGIN else ids[login],
        doubtful=bool(flags & _DOUBTFUL),
        persistent=bool(flags & _PERSISTENT),
        auth_proven=bool(flags & _AUTH_PROVEN),
    )


def _unpack_tombstone(rest: _Reader) -> Tombstone:
    sid, reason, at = rest.struct(_TOMBSTONE)
    return Tombstone(SessionId(sid), _known(Ended, reason), _millis(at))


def _unpack_notice(rest: _Reader, strings: list[str]) -> Notice:
    at, reason, created, *places = rest.struct(_NOTICE)
    return Notice(_millis(at), _known(Copied, reason), _millis(created), *(strings[n] for n in places))


def _known(kind: type[E], value: int) -> E:
    try:
        return kind(value)
    except ValueError:
        raise NewerRecord(f"{kind.__name__} {value} is not known") from None


def _text(text: str) -> bytes:
    data = text.encode()
    return _LENGTH.pack(len(data)) + data


def _time(at: Millis) -> bytes:
    return at.to_bytes(6, "big")


def _millis(data: bytes) -> Millis:
    return int.from_bytes(data, "big")
