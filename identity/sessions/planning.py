"""From a gathered jar to what must be written and answered: the whole table, in its fixed order.

Owns the order of the rules and how each way of asking bends them. Pure: the service executes a
plan, and the simulation and the exhaustive exploration drive this same function.

    order | rule         | browser              | websocket    | read-only    | mint = off
    ------+--------------+----------------------+--------------+--------------+--------------
    1     | current      | ok, mint, delete     | ok           | ok           | ok
    2     | advance      | write, then mint and | write        | ok, unwritten| write
          |              | delete               |              |              |
    3     | straggler    | ok, no Set-Cookie    | ok           | ok           | ok
    4     | newer key,   | retry                | retry        | retry        | retry
          | expected     |                      |              |              |
    5     | unread group | retry                | retry        | retry        | retry
    6     | stale        | bounce, or end when  | login, stale | login, stale | login, stale
          |              | the marker fits      |              |              |
    7     | gone         | login, delete names  | login        | login        | login
          | gone,        | bounce, or the same  |              |              |
          | `replaced`   | when the marker fits |              |              |
    8     | more than 32 | delete 3, bounce     | retry        | retry        | retry
          | groups       |                      |              |              |
    9     | anonymous,   | login, nothing set   | login        | login        | login
          | foreign, a   | or deleted           |              |              |
          | newer key    |                      |              |              |

A newer key is *expected* where a session of this jar is stale, or where the record that a token of it
claims cannot be read: a daemon that has the key writes records under it. Otherwise nothing but the token
speaks for it, and an attacker can write one (ADR 10).

A page load (GET) of a sub-session that was not at the login host for 8 hours is `login, return-due`
where rows 1 to 3 would accept, and nothing is written: the login host leads back without a click.

A session that was `replaced` ended by a login in the same browser, mostly: what was sent before its
answer arrived comes again with the new session's tokens. Nothing is granted or deleted meanwhile.

A write whose outcome is unknown answers `ok` without any cookie where the plan was to accept,
and `retry` where it was to end. At most 3 names are deleted per answer, unless the question says
that more arrive (`deletions`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from identity.sessions import changes
from identity.sessions.changes import Lifetimes
from identity.sessions.check import DELETIONS, Mode, Outcome
from identity.sessions.cookie import Token
from identity.sessions.copies import kind_of
from identity.sessions.gathering import GROUPS, Dead, Gathered, Group, Live, gather
from identity.sessions.record import Copied, Ended, Lineage, Record
from identity.sessions.rotation import Advance, Current, Moment, RotationPace, Stale, Straggler, decide
from identity.sessions.store import Read, Unread, Version
from identity.types import Host, Locator, Millis, SessionId, TokenId

RACES: Final = 4
"""How often a lost compare-and-swap is decided again before the answer goes out without cookies."""

MarkerTest: TypeAlias = Callable[[SessionId, Collection[TokenId]], bool]
"""Tells whether the marker that was shown is for exactly this session and this set of tokens."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request about a jar, as far as the rules care."""

    now: Millis
    host: Host
    chance: float
    mode: Mode = Mode.BROWSER
    navigation: bool = True
    for_page: bool = False
    """Makes a token as a page load does, and is none in anything else."""
    reading: bool = True
    may_mint: bool = True
    user_activity: bool = True
    marker: MarkerTest | None = None
    """None when no marker was shown."""
    marker_newer: bool = False
    """A marker was shown that a newer key signed."""
    bounced: bool = False
    """The request is the follower of a bounce, and shows exactly what was bounced."""
    deletions: int = DELETIONS
    """How many names the answer may delete."""
    agent: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Jar:
    """What the browser showed: tokens by session, and names that mean nothing."""

    groups: Sequence[Group]
    junk: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    claimed: tuple[Locator, ...] = ()
    """Where the records would be that the newer ones name."""

    @property
    def locators(self) -> Iterator[Locator]:
        """What must be read before it can be judged."""
        yield from (each.locator for each in self.groups[:GROUPS])
        yield from self.claimed


@dataclass(frozen=True, slots=True)
class Rules:
    """The operator's settings the plan depends on."""

    pace: RotationPace = field(default_factory=RotationPace)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)


@dataclass(frozen=True, slots=True)
class Write:
    """A compare-and-swap of one record."""

    locator: Locator
    record: Record
    version: Version


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order: `write`; only if it was applied, answer with the rest; `aside`.

    `write` is one the answer depends on. `aside` holds writes that may fail without harm.
    """

    outcome: Outcome
    reason: str
    live: Live | None = None
    write: Write | None = None
    aside: tuple[Write, ...] = ()
    mint_from: Token | None = None
    delete: tuple[Token | str, ...] = ()
    set_marker: Group | None = None
    drop_marker: bool = False
    flag_bounce: bool = False
    foreign: tuple[Live, ...] = ()
    alarm: bool = False
    copied: Copied | None = None
    """With an end by reuse: how the copy showed itself."""


def plan(jar: Jar, reads: Mapping[Locator, Read], asked: Asked, rules: Rules) -> Plan:
    """Apply the table above. `reads` has an entry for each of the jar's `locators`."""
    gathered = gather(jar.groups, reads, host=asked.host, now=asked.now, lifetimes=rules.lifetimes)
    # Whether a newer key exists is asked of the records, which no visitor can write (ADR 10).
    if gathered.chosen is None:
        return _nothing_live(jar, gathered, asked, expected=any(isinstance(reads[at], Unread) for at in jar.claimed))
    renews = asked.navigation or asked.for_page
    moment = Moment(asked.now, renews, asked.may_mint and asked.mode is Mode.BROWSER, asked.chance)
    live = gathered.chosen
    decision = decide(live.session.lineage, live.group.tokens, moment, rules.pace)
    # Stale tokens take the usual way, so that a thief is found out and not only sent away.
    if _sent_back(live, asked) and not isinstance(decision, Stale):
        return Plan(Outcome.LOGIN, "return-due")
    match decision:
        case Current(mint_from=mint_from, surplus=surplus):
            return _current(jar, gathered, live, asked, rules, mint_from=mint_from, surplus=surplus)
        case Advance() as step:
            return _advance(jar, gathered, live, asked, step)
        case Straggler():
            return Plan(Outcome.OK, "straggler", live=live)
        case Stale():
            return _stale(jar, gathered, live, asked)


def active_at(planned: Plan) -> Millis:
    """Return since when the accepted session counts as unused, once the plan's writes are done; 0 without one."""
    live = planned.live
    if live is None:
        return 0
    writes = (*((planned.write,) if planned.write else ()), *planned.aside)
    own = (write.record.session(live.session.id) for write in writes if write.locator == live.group.locator)
    return max((each.active_at for each in own if each), default=live.session.active_at)


def _sent_back(live: Live, asked: Asked) -> bool:
    """Tell whether the browser is sent through the login host, where only its own login lets it pass."""
    # A form, a call and a WebSocket would be lost on the way there, so they pass.
    redirected = asked.navigation and asked.reading and asked.mode in (Mode.BROWSER, Mode.NO_MINT)
    return redirected and changes.return_due(live.session, now=asked.now)


def undecided(planned: Plan) -> Plan:
    """What to do when it stays unknown whether the plan's write was applied.

    Accept without any cookie, or end nothing: minting or deleting on a line that may not have
    moved would log an honest browser out.
    """
    if planned.outcome is Outcome.OK:
        return Plan(Outcome.OK, planned.reason, live=planned.live)
    return Plan(Outcome.RETRY, "store-unknown")


def _current(
    jar: Jar,
    gathered: Gathered,
    live: Live,
    asked: Asked,
    rules: Rules,
    *,
    mint_from: Token | None,
    surplus: tuple[Token, ...],
) -> Plan:
    if asked.mode is not Mode.BROWSER:
        # These ways carry no cookies back: a token made here might never reach the jar.
        aside = () if asked.mode is Mode.READ_ONLY else _touch(live, asked, rules)
        return Plan(Outcome.OK, "current", live=live, aside=aside)
    return Plan(
        Outcome.OK,
        "current",
        live=live,
        aside=_replacements(live.record, gathered, live, asked, touch=bool(_touch(live, asked, rules))),
        mint_from=mint_from,
        delete=_deletions(surplus, gathered, jar, most=asked.deletions),
    )


def _advance(jar: Jar, gathered: Gathered, live: Live, asked: Asked, step: Advance) -> Plan:
    if asked.mode is Mode.READ_ONLY:
        return Plan(Outcome.OK, "advance", live=live)
    record = _with_lineage(live, step.lineage, asked)
    if asked.mode is not Mode.BROWSER:
        return Plan(Outcome.OK, "advance", live=live, write=_write(live, record))
    # One write moves the line and ends the record's other sessions: a second would lose against the first.
    own, *aside = _replacements(record, gathered, live, asked, touch=False)
    return Plan(
        Outcome.OK,
        "advance",
        live=live,
        write=own,
        aside=tuple(aside),
        mint_from=step.mint_from,
        delete=_deletions(step.surplus, gathered, jar, most=asked.deletions),
    )


def _stale(jar: Jar, gathered: Gathered, live: Live, asked: Asked) -> Plan:
    # Here any newer key counts, without a record that speaks for it: an end cannot be taken back (ADR 10).
    held = _held_back(gathered, asked, newer=bool(jar.newer) or asked.marker_newer)
    if held:
        return held
    if asked.mode is not Mode.BROWSER:
        return Plan(Outcome.LOGIN, "stale")
    ids = [t.id for t in live.group.tokens]
    # Exactly the set that was bounced: the follower was sent after the bounce arrived, so its jar held nothing
    # current when it was sent. A marker for the newest token alone ended honest sessions when clocks differed.
    if asked.marker is not None and asked.marker(live.session.id, ids):
        return _end(live, asked)
    # The follower came without any marker: something on the way drops cookies, and would be bounced for ever.
    if asked.bounced and asked.marker is None:
        return Plan(Outcome.RETRY, "bounce-lost")
    return Plan(Outcome.BOUNCE, "stale", set_marker=live.group, flag_bounce=True)


def _end(live: Live, asked: Asked) -> Plan:
    where = {"agent": asked.agent, "address": asked.address}
    kind = kind_of(live.session, live.group.tokens, **where)
    record = changes.reused(live.record, live.session, kind, now=asked.now, **where)
    return Plan(
        Outcome.LOGIN,
        Ended.REUSE.code,
        live=live,
        write=_write(live, record),
        delete=_oldest_first(live.group.tokens)[: asked.deletions],
        drop_marker=True,
        copied=kind,
    )


def _nothing_live(jar: Jar, gathered: Gathered, asked: Asked, *, expected: bool) -> Plan:
    held = _held_back(gathered, asked, newer=expected)
    if held:
        return held
    if gathered.dead and _may_come_again(gathered.dead[0], asked):
        return Plan(Outcome.BOUNCE, "replaced", set_marker=gathered.dead[0].group, flag_bounce=True)
    if gathered.dead:
        names = _dead_names(gathered)[: asked.deletions] if asked.mode is Mode.BROWSER else ()
        return Plan(Outcome.LOGIN, gathered.dead[0].reason.code, delete=names, foreign=gathered.foreign)
    if gathered.foreign:
        return Plan(Outcome.LOGIN, "foreign", foreign=gathered.foreign)
    return Plan(Outcome.LOGIN, "newer-key" if jar.newer else "anonymous")


def _may_come_again(dead: Dead, asked: Asked) -> bool:
    """Tell whether the browser may hold a later login's tokens by now, and was not asked for them yet."""
    if dead.reason is not Ended.REPLACED or asked.mode is not Mode.BROWSER or asked.bounced:
        return False
    return asked.marker is None or not asked.marker(dead.group.session, [t.id for t in dead.group.tokens])


def _held_back(gathered: Gathered, asked: Asked, *, newer: bool) -> Plan | None:
    """Say why nothing may be refused yet, if so: part of what was shown could not be judged.

    `newer`: of what was shown, something is taken for the work of a key that is not known here yet.
    """
    if newer:
        return Plan(Outcome.RETRY, "newer-key", foreign=gathered.foreign)
    if gathered.unread:
        return _unread(gathered)
    return _beyond(gathered, asked) if gathered.beyond else None


def _beyond(gathered: Gathered, asked: Asked) -> Plan:
    """Make room in a jar of more sessions than are looked at; nothing is granted or ended meanwhile."""
    if asked.mode is Mode.BROWSER and gathered.dead:
        # The jar comes back three names shorter each time, until all that is left can be looked at.
        return Plan(Outcome.BOUNCE, "too-many-cookies", delete=_dead_names(gathered)[: asked.deletions])
    return Plan(Outcome.RETRY, "too-many-cookies")


def _unread(gathered: Gathered) -> Plan:
    corrupt = Unread.CORRUPT in gathered.unread
    why = Unread.CORRUPT if corrupt else next(iter(gathered.unread), Unread.DOWN)
    return Plan(Outcome.RETRY, f"store-{why.value}", alarm=corrupt)


def _with_lineage(live: Live, lineage: Lineage, asked: Asked) -> Record:
    if asked.user_activity:
        return changes.touched(live.record, live.session, now=asked.now, lineage=lineage)
    return changes.advanced(live.record, live.session.id, lineage)


def _touch(live: Live, asked: Asked, rules: Rules) -> tuple[Write, ...]:
    if not asked.user_activity or not changes.touch_due(live.session, rules.lifetimes, now=asked.now):
        return ()
    return (_write(live, changes.touched(live.record, live.session, now=asked.now)),)


def _replacements(record: Record, gathered: Gathered, live: Live, asked: Asked, *, touch: bool) -> tuple[Write, ...]:
    """Write the chosen session's record (first, if at all) and end the jar's other live sessions."""
    writes: list[Write] = []
    here = {other.session.id for other in gathered.others if other.group.locator == live.group.locator}
    if touch or here or record is not live.record:
        if touch and record is live.record:
            record = changes.touched(record, live.session, now=asked.now)
        writes.append(_write(live, changes.ended(record, here, Ended.REPLACED, now=asked.now)))
    # Sessions of other accounts in this jar: their cookies would never change again once this one is used.
    elsewhere: dict[Locator, list[Live]] = {}
    for other in gathered.others:
        if other.group.locator != live.group.locator:
            elsewhere.setdefault(other.group.locator, []).append(other)
    for others in elsewhere.values():
        sids = {other.session.id for other in others}
        writes.append(_write(others[0], changes.ended(others[0].record, sids, Ended.REPLACED, now=asked.now)))
    return tuple(writes)


def _write(live: Live, record: Record) -> Write:
    return Write(live.group.locator, record, live.version)


def _deletions(surplus: Iterable[Token], gathered: Gathered, jar: Jar, *, most: int) -> tuple[Token | str, ...]:
    """Choose the names to expire: own surplus, then dead sessions' tokens, then what never verifies."""
    # Three names and a new token are four Set-Cookie lines, which every proxy carries.
    names: tuple[Token | str, ...] = (*_oldest_first(surplus), *_dead_names(gathered), *jar.junk)
    return names[:most]


def _dead_names(gathered: Gathered) -> tuple[Token, ...]:
    return tuple(t for dead in gathered.dead for t in _oldest_first(dead.group.tokens))


def _oldest_first(tokens: Iterable[Token]) -> tuple[Token, ...]:
    return tuple(sorted(tokens, key=lambda t: t.order))
