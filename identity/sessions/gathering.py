"""Which session a browser is asking with, among all the tokens it shows.

Owns the grouping of tokens and the choice of one session. Pure.

    a group is    | when                                                     | what follows
    --------------+----------------------------------------------------------+------------------------
    live          | its session is in a record that was read, for this host  | may be chosen
    foreign       | the session lives, for another host                      | left alone, audited
    dead          | the record was read and has no such session, or it is    | its names are deleted
                  | past its idle or absolute end                            |
    unread        | the record could not be read, or the group is one beyond | 503 if nothing else is
                  | the 32 that are looked at                                | accepted

Chosen is the live session created last according to the record, never the newest token: a late
answer for an older login must not win. The others are what a second login in the same browser
left; alone in the jar they would be cookies that never change, so they are ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from identity.sessions.changes import Lifetimes, over
from identity.sessions.cookie import Token
from identity.sessions.record import Ended, Record, Session
from identity.sessions.store import Absent, Found, Read, Unread, Version
from identity.types import Host, Locator, Millis, SessionId

GROUPS: Final = 32


@dataclass(frozen=True, slots=True)
class Group:
    """The verified tokens of one session."""

    locator: Locator
    session: SessionId
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """A group whose session counts, and the record it stands in."""

    group: Group
    session: Session
    record: Record
    version: Version


@dataclass(frozen=True, slots=True)
class Dead:
    """A group whose session is over."""

    group: Group
    reason: Ended


@dataclass(frozen=True, slots=True)
class Gathered:
    """All groups of a jar, sorted by what is known of them."""

    chosen: Live | None
    others: tuple[Live, ...]
    dead: tuple[Dead, ...]
    foreign: tuple[Live, ...]
    unread: tuple[Unread, ...]
    beyond: bool
    """There were more groups than are looked at."""


def group(tokens: Iterable[Token]) -> tuple[Group, ...]:
    """Group tokens by session, the most recently issued first."""
    found: dict[tuple[Locator, SessionId], list[Token]] = {}
    for token in tokens:
        found.setdefault((token.locator, token.session), []).append(token)
    if len(found) == 1:
        [((locator, sid), only)] = found.items()
        return (Group(locator, sid, tuple(only)),)
    newest = sorted(found.items(), key=lambda item: max(t.order for t in item[1]), reverse=True)
    return tuple(Group(locator, sid, tuple(shown)) for (locator, sid), shown in newest)


def gather(
    groups: Sequence[Group], reads: Mapping[Locator, Read], *, host: Host, now: Millis, lifetimes: Lifetimes
) -> Gathered:
    """Sort the first 32 groups and choose. `reads` has an entry for each of their locators."""
    live: list[Live] = []
    dead: list[Dead] = []
    foreign: list[Live] = []
    unread: list[Unread] = []
    for each in groups[:GROUPS]:
        match _state(each, reads[each.locator], lifetimes, now):
            case Live(session=session) as alive:
                (live if session.host == host else foreign).append(alive)
            case Dead() as gone:
                dead.append(gone)
            case Unread() as why:
                unread.append(why)
    live.sort(key=lambda alive: (alive.session.created_at, alive.session.id), reverse=True)
    return Gathered(
        chosen=live[0] if live else None,
        others=tuple(live[1:]),
        dead=tuple(dead),
        foreign=tuple(foreign),
        unread=tuple(unread),
        beyond=len(groups) > GROUPS,
    )


def _state(each: Group, read: Read, lifetimes: Lifetimes, now: Millis) -> Live | Dead | Unread:
    match read:
        case Unread():
            return read
        case Absent():
            return Dead(each, Ended.LOST)
        case Found(record=record, version=version):
            session = record.session(each.session)
            if session is None:
                tombstone = record.tombstone(each.session)
                return Dead(each, tombstone.reason if tombstone else Ended.LOST)
            reason = over(session, lifetimes, now=now)
            return Dead(each, reason) if reason else Live(each, session, record, version)
