"""Whose session is this? From lists of checks to verdicts, without I/O.

Owns the conversation around checks: read, plan, write, answer. It is a generator that yields what it
wants and is sent the outcome; `checkers.py` carries it to a store, on a thread or on an event loop,
and decides nothing. Time, chance and random bytes come in as functions. Every rule is in `planning.py`
and the files it calls.

    yielded        | sent back
    ---------------+--------------------------------------------------------
    `ReadRecords`  | a `Read` for every locator, as of `SessionStore.read_many`
    `SwapRecord`   | `Written`, as of `SessionStore.swap`
    `TellWatcher`  | nothing

Invariants: one read trip per list of checks; a token is made only after the write it depends on was
applied; trouble with the store is a RETRY verdict, never the end of a session.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from identity.keyring import KeyRing
from identity.sessions import changes, cookie
from identity.sessions.check import NOT_ALLOWED, Check, Outcome, Verdict
from identity.sessions.cookie import Shown
from identity.sessions.gathering import Live, group
from identity.sessions.minting import Mint
from identity.sessions.planning import RACES, Asked, Jar, Plan, Rules, Write, active_at, plan, undecided
from identity.sessions.record import Record, Session
from identity.sessions.store import Read, Version, Written
from identity.sessions.watcher import Watcher
from identity.types import MINUTE, Chance, Clock, Locator, Millis, SessionId, TokenId

COMPARE_AFTER_MS: Final[Millis] = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class ReadRecords:
    """Read these records, in one trip."""

    locators: Collection[Locator]


@dataclass(frozen=True, slots=True)
class SwapRecord:
    """Replace a record that is still at `version`."""

    locator: Locator
    record: Record
    version: Version
    expires_at: Millis


@dataclass(frozen=True, slots=True)
class TellWatcher:
    """Call this with the watcher."""

    what: Callable[[Watcher], None]


Wanted: TypeAlias = ReadRecords | SwapRecord | TellWatcher
T = TypeVar("T")
Conversation: TypeAlias = Generator[Wanted, Any, T]
"""What is sent back depends on what was yielded, which no type of Python's says; the table above does."""


class Entry(Protocol):
    """Who may enter which application; no I/O. `applications.entry` is one."""

    def groups(self, record: Record, session: Session, /) -> tuple[str, ...]:
        """Return all groups of the session's person."""
        ...

    def may_enter(self, client: str, record: Record, session: Session, /, *, groups: tuple[str, ...]) -> bool:
        """Tell whether the session's person, of these groups, may enter the application."""
        ...


class Checking:
    """Conversations that answer checks.

    Args:
        mint: reads and makes tokens.
        rules: the operator's settings.
        entry: who may enter.
        clock, chance: time and randomness.
    """

    def __init__(self, mint: Mint, *, rules: Rules, entry: Entry, clock: Clock, chance: Chance) -> None:
        self._mint = mint
        self._rules = rules
        self._entry = entry
        self._clock = clock
        self._chance = chance

    def begin(self, checks: Sequence[Check]) -> Conversation[list[Verdict]]:
        """Answer every check, in order.

        Cost: one read for the whole list, one swap per rotation; two advances of one account in a
        list cost a second read.
        """
        now = self._clock()
        # What is older, or does not verify, is left out and never an error: otherwise an attacker could log a
        # person out by planting rubbish in the jar.
        not_before = now - self._rules.lifetimes.absolute_ms
        shown = [self._mint.read(check.cookies, not_before=not_before) for check in checks]
        jars = [Jar(group(each.tokens), each.junk, each.newer, each.claimed) for each in shown]
        wanted = {locator for jar in jars for locator in jar.locators}
        reads: dict[Locator, Read] = dict((yield ReadRecords(wanted)) if wanted else {})
        verdicts = []
        for check, each, jar in zip(checks, shown, jars, strict=True):
            asked = self._asked(check, each, now)
            planned, asked = yield from judge(jar, reads, asked, rules=self._rules, clock=self._clock)
            yield from _told(planned, check, asked.now)
            verdicts.append(self._verdict(check, planned, asked.now, jar))
        return verdicts

    def _asked(self, check: Check, shown: Shown, now: Millis) -> Asked:
        ring, markers = self._mint.keys(), shown.markers
        return Asked(
            now=now,
            host=check.host,
            chance=self._chance(),
            mode=check.mode,
            navigation=check.navigation,
            for_page=check.for_page,
            reading=check.reading,
            may_mint=check.may_mint,
            user_activity=check.user_activity,
            marker=partial(_marked, markers, ring) if markers else None,
            marker_newer=any(cookie.marker_is_newer(marker, ring=ring) for marker in markers),
            bounced=cookie.flag_fits(check.flag, [t.id for t in shown.tokens], ring=ring, now=now),
            deletions=check.deletions,
            agent=check.agent,
            address=check.address,
        )

    def _verdict(self, check: Check, planned: Plan, now: Millis, jar: Jar) -> Verdict:
        mint, live = self._mint, planned.live
        cookies = mint.deletions(planned.delete)
        minted = planned.mint_from is not None
        if planned.mint_from and live:
            cookies = (mint.child(planned.mint_from, live.session, now=now), *cookies)
        if planned.set_marker:
            cookies = (mint.marker(planned.set_marker, now=now), *cookies)
        if planned.drop_marker:
            cookies = (*cookies, mint.delete_marker())
        if planned.outcome is not Outcome.OK or live is None:
            flag = mint.flag(jar.groups, now=now) if planned.flag_bounce else ""
            return Verdict(planned.outcome, planned.reason, set_cookies=cookies, flag=flag)
        record, session = live.record, live.session
        # One who may not enter gets the cookies all the same: the session is as good as before, and goes on rotating.
        groups = self._entry.groups(record, session)
        enters = self._entry.may_enter(check.entering or check.client, record, session, groups=groups)
        return Verdict(
            Outcome.OK if enters else Outcome.FORBIDDEN,
            planned.reason if enters else NOT_ALLOWED,
            session=session,
            account_id=record.account_id,
            username=record.username,
            set_cookies=cookies,
            minted=minted,
            idle_ends_at=active_at(planned) + self._rules.lifetimes.idle_ms,
            groups=groups,
            described=record.described,
        )


def judge(
    jar: Jar, reads: dict[Locator, Read], asked: Asked, *, rules: Rules, clock: Clock
) -> Conversation[tuple[Plan, Asked]]:
    """Plan and write, again where another write came first; return what to answer, and as of when.

    `reads` is what was read so far. A record leaves it when it is written, so that another check of
    the same list reads it again.
    """
    wanted = set(jar.locators)
    for _ in range(RACES):
        if missing := wanted - reads.keys():
            reads.update((yield ReadRecords(missing)))
        # What was read may be younger than the question: a line that moved since is no reason to refuse.
        if (now := clock()) > asked.now:
            asked = replace(asked, now=now)
        planned = plan(jar, reads, asked, rules)
        written = (yield _swapped(planned.write, reads, rules, asked.now)) if planned.write else Written.APPLIED
        if written is Written.APPLIED:
            # What becomes of these changes no answer; one that is lost is planned again at the next request.
            for write in planned.aside:
                yield _swapped(write, reads, rules, asked.now)
            return planned, asked
        if written is Written.UNKNOWN:
            break  # not sent again: `undecided` is right whether it was applied or not
    return undecided(planned), asked


def _swapped(write: Write, reads: dict[Locator, Read], rules: Rules, now: Millis) -> SwapRecord:
    reads.pop(write.locator, None)
    record, expires_at = changes.stored(write.record, rules.lifetimes, now=now)
    return SwapRecord(write.locator, record, write.version, expires_at)


def _told(planned: Plan, check: Check, now: Millis) -> Iterator[TellWatcher]:
    """Say what the watcher hears; of an undecided plan there is nothing."""
    for other in planned.foreign:
        yield TellWatcher(partial(_foreign, other, check))
    if planned.alarm:
        yield TellWatcher(lambda watcher: watcher.corrupt())
    live = planned.live
    if live is None or planned.write is None:
        return
    account_id, session, copied = live.record.account_id, live.session, planned.copied
    if copied:
        yield TellWatcher(lambda watcher: watcher.ended(account_id, session, copied, check))
    # Only beside a write: a session in use is written often enough, and most checks have nothing to queue.
    elif now - live.record.compared_at > COMPARE_AFTER_MS:
        yield TellWatcher(lambda watcher: watcher.compare_due(account_id))


def _foreign(other: Live, check: Check, watcher: Watcher) -> None:
    watcher.foreign(other.record.account_id, other.session, check)


def _marked(markers: Sequence[str], ring: KeyRing, session: SessionId, ids: Collection[TokenId]) -> bool:
    """Tell whether one of the markers is for exactly this session and this set of tokens."""
    # All are tried: a marker that a sibling host planted must not hide the genuine one.
    return any(cookie.marker_fits(marker, session, ids, ring=ring) for marker in markers)
