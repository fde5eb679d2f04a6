"""Every interleaving of a few messages, exhaustively, through the production decision.

Owns a small model: one honest browser, one session record, at most `in_flight` messages on their
way. A message may be delivered in any order, lost, or (an answer) arrive at any later time. Each
of these is tried both ways wherever the decision depends on it: the token is old enough to mint
or not, the request falls within the grace or not, the write is applied and confirmed, applied and
not confirmed, or neither. A new token's `issued` takes every possible rank among those known, so
clocks may say anything. Token ids are renamed canonically, which makes the states finite.

The claim: no state is reachable in which the honest browser is ended.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Final, NamedTuple
from uuid import UUID

from identity.sessions.changes import Lifetimes
from identity.sessions.check import Outcome
from identity.sessions.cookie import Token
from identity.sessions.gathering import Group
from identity.sessions.planning import Asked, Jar, Plan, Rules, plan, undecided
from identity.sessions.record import Lineage, Record, Session
from identity.sessions.rotation import RotationPace
from identity.sessions.store import Found, Read, Version
from identity.types import AccountId, IdentityKey, Locator, Millis, TokenId, Username
from lab.world import AT, HOST, SID

NEVER: Final[Millis] = 1_000_000_000
PATIENCE: Final = 0.98
WALK: Final = 500
"""A walk begins anew after so many steps."""
_ACCOUNT: Final = UUID(int=1)
_RULES: Final = Rules(lifetimes=Lifetimes(idle_ms=10 * NEVER, absolute_ms=10 * NEVER))


@dataclass(frozen=True, slots=True)
class Production:
    """The functions under exploration; tests plant a trap in one and expect an end to be found."""

    planner: Callable[[Jar, Mapping[Locator, Read], Asked, Rules], Plan] = plan
    unknown: Callable[[Plan], Plan] = undecided


class Mark(NamedTuple):
    """A token as the model knows it: ids are small numbers, `rank` orders by `issued`."""

    rank: int
    id: int
    parent: int
    grandparent: int


class Ask(NamedTuple):
    """A request on its way with the jar it left with."""

    tokens: frozenset[Mark]
    marker: frozenset[int] | None
    bounced: bool


class Reply(NamedTuple):
    """An answer on its way."""

    child: Mark | None
    deleted: frozenset[int]
    marker: frozenset[int] | None
    bounce: bool


class State(NamedTuple):
    """The browser, the record and what is on its way between them."""

    jar: frozenset[Mark]
    marker: frozenset[int] | None
    base: int
    previous: int
    flying: tuple[Ask | Reply, ...]


NONE: Final = -1
"""No previous base."""


@dataclass(frozen=True, slots=True)
class Explored:
    """What a run found."""

    states: int
    closed: bool
    """Every reachable state was visited."""
    ended: State | None
    """A state in which an honest browser was ended, if one was reached."""
    largest_jar: int


def explore(*, in_flight: int, most_states: int, rules: Production | None = None) -> Explored:
    """Visit states breadth first until all, `most_states`, or an end is seen."""
    rules = rules or Production()
    first = canonical(State(frozenset({Mark(0, 2, 0, 1)}), None, 0, NONE, ()))
    seen, queue, largest = {first}, deque([first]), 1
    while queue:
        state = queue.popleft()
        largest = max(largest, len(state.jar))
        for after in _steps(state, in_flight, rules):
            if after is None:
                return Explored(len(seen), closed=False, ended=state, largest_jar=largest)
            new = canonical(after)
            if new not in seen:
                seen.add(new)
                queue.append(new)
        if len(seen) >= most_states:
            return Explored(len(seen), closed=False, ended=None, largest_jar=largest)
    return Explored(len(seen), closed=True, ended=None, largest_jar=largest)


def _steps(state: State, in_flight: int, rules: Production) -> Iterator[State | None]:
    """Yield every next state; None when the honest browser is ended."""
    if len(state.flying) < in_flight:
        yield _with(state, Ask(state.jar, state.marker, bounced=False))
    if state.marker is not None:
        yield state._replace(marker=None)  # a minute has passed
    for message in dict.fromkeys(state.flying):  # in a fixed order, so that a seed means the same walk everywhere
        rest = list(state.flying)
        rest.remove(message)
        without = state._replace(flying=tuple(rest))
        yield without  # lost
        if isinstance(message, Reply):
            yield _arrive(without, message)
        else:
            yield from _serve(without, message, rules)


def _with(state: State, message: Ask | Reply) -> State:
    return state._replace(flying=(*state.flying, message))


def _arrive(state: State, reply: Reply) -> State:
    jar = frozenset(m for m in state.jar if m.id not in reply.deleted)
    if reply.child:
        jar |= {reply.child}
    state = state._replace(jar=jar, marker=state.marker if reply.marker is None else reply.marker)
    return _with(state, Ask(jar, state.marker, bounced=True)) if reply.bounce else state


def _serve(state: State, ask: Ask, rules: Production) -> Iterator[State | None]:
    for within_grace in (True, False):
        for mint in (True, False):
            planned = _planned(state, ask, rules, within_grace=within_grace, mint=mint)
            yield from _answered(state, planned, rules)


def _answered(state: State, planned: Plan, rules: Production) -> Iterator[State | None]:
    if planned.outcome is Outcome.LOGIN:
        yield None
        return
    moved = state
    if planned.write:
        session = planned.write.record.sessions[0]
        previous = session.lineage.previous
        moved = state._replace(base=_number(session.lineage.base), previous=_number(previous) if previous else NONE)
        for actual in (moved, state):  # applied or not, and the server does not know
            yield from _replies(actual, rules.unknown(planned))
    yield from _replies(moved, planned)


def _replies(state: State, planned: Plan) -> Iterator[State]:
    deleted = frozenset(_number(t.id) for t in planned.delete if isinstance(t, Token))
    marker = frozenset(_number(t.id) for t in planned.set_marker.tokens) if planned.set_marker else None
    bounce = planned.outcome is Outcome.BOUNCE
    parent = planned.mint_from
    if parent is None:
        yield _with(state, Reply(None, deleted, marker, bounce))
        return
    known = _marks(state)
    ranks = sorted({m.rank for m in known} | {parent.issued_at})
    fresh = 1 + max(_numbers(state), default=0)
    fresh = max(fresh, 1 + max(_number(parent.id), _number(parent.parent)))
    for at in range(len(ranks) + 1):
        # Ranks are spaced by two while a child is placed between them; canonical() closes the gaps.
        rank = 2 * at - 1
        child = Mark(rank, fresh, _number(parent.id), _number(parent.parent))
        spaced = _respaced(state, ranks)
        yield _with(spaced, Reply(child, deleted, marker, bounce))


def _planned(state: State, ask: Ask, rules: Production, *, within_grace: bool, mint: bool) -> Plan:
    now = NEVER if not within_grace else 1
    pace = RotationPace(token_age_ms=-NEVER if mint else 10 * NEVER, grace_ms=10, settle_ms=-NEVER, mint_chance=1.0)
    session = _session(state)
    record = Record(AccountId(_ACCOUNT), Username("ada"), 1, 0, (session,))
    tokens = tuple(Token(SID, _id(m.id), _id(m.parent), _id(m.grandparent), m.rank, AT) for m in sorted(ask.tokens))
    marker = ask.marker
    asked = Asked(
        now=now,
        host=HOST,
        chance=0.0,
        navigation=True,
        may_mint=mint,
        user_activity=False,
        marker=None if marker is None else lambda _, ids: marker == frozenset(_number(i) for i in ids),
        bounced=ask.bounced,
    )
    return rules.planner(
        Jar((Group(AT, SID, tokens),)), {AT: Found(record, Version(b""))}, asked, replace(_RULES, pace=pace)
    )


def _session(state: State) -> Session:
    previous = None if state.previous == NONE else _id(state.previous)
    return Session(
        id=SID,
        lineage=Lineage(_id(state.base), previous, 0),
        created_at=0,
        active_at=0,
        ends_at=10 * NEVER,
        auth_at=0,
        host=HOST,
        identity=IdentityKey("demo:1"),
        agent="",
        address="",
    )


def canonical(state: State) -> State:
    """Rename ids and ranks so that states that differ in names only are one."""
    ranks = {rank: n for n, rank in enumerate(sorted({m.rank for m in _marks(state)}))}
    names: dict[int, int] = {NONE: NONE}
    for mark in sorted(_marks(state)):
        names.setdefault(mark.id, len(names))
    for mark in sorted(_marks(state)):
        names.setdefault(mark.parent, len(names))
        names.setdefault(mark.grandparent, len(names))
    for other in (state.base, state.previous):
        names.setdefault(other, len(names))

    def renamed(mark: Mark) -> Mark:
        return Mark(ranks[mark.rank], names[mark.id], names[mark.parent], names[mark.grandparent])

    def marked(ids: frozenset[int] | None) -> frozenset[int] | None:
        # An id that no jar holds any more can never be shown again: a marker with it fits nothing.
        return None if ids is None else frozenset(names.get(i, NONE - 1) for i in ids)

    def message(each: Ask | Reply) -> Ask | Reply:
        if isinstance(each, Ask):
            return Ask(frozenset(map(renamed, each.tokens)), marked(each.marker), each.bounced)
        child = renamed(each.child) if each.child else None
        deleted = frozenset(names[i] for i in each.deleted if i in names)
        return Reply(child, deleted, marked(each.marker), each.bounce)

    return State(
        frozenset(map(renamed, state.jar)),
        marked(state.marker),
        names[state.base],
        names[state.previous],
        tuple(sorted(map(message, state.flying), key=repr)),
    )


def _respaced(state: State, ranks: list[int]) -> State:
    places = {rank: 2 * n for n, rank in enumerate(ranks)}

    def moved(mark: Mark) -> Mark:
        return mark._replace(rank=places[mark.rank])

    def message(each: Ask | Reply) -> Ask | Reply:
        if isinstance(each, Ask):
            return each._replace(tokens=frozenset(map(moved, each.tokens)))
        return each._replace(child=moved(each.child) if each.child else None)

    return state._replace(jar=frozenset(map(moved, state.jar)), flying=tuple(map(message, state.flying)))


def _only_forgets(after: State, before: State) -> bool:
    return before.marker is not None and after == before._replace(marker=None)


def _marks(state: State) -> set[Mark]:
    marks = set(state.jar)
    for message in state.flying:
        if isinstance(message, Ask):
            marks |= message.tokens
        elif message.child:
            marks.add(message.child)
    return marks


def _numbers(state: State) -> set[int]:
    """Return every id in use; a marker may name tokens no jar holds any more, and they must not come back."""
    numbers = {state.base, state.previous} | (state.marker or frozenset())
    for message in state.flying:
        numbers |= message.marker or frozenset()
    for mark in _marks(state):
        numbers |= {mark.id, mark.parent, mark.grandparent}
    return numbers


def _id(number: int) -> TokenId:
    return TokenId(number.to_bytes(8, "big"))


def _number(token_id: bytes) -> int:
    return int.from_bytes(token_id, "big")


def random_walk(*, in_flight: int, steps: int, random: Random, rules: Production | None = None) -> State | None:
    """Walk at random through the same model, deeper than breadth-first search gets; return an end if met."""
    rules = rules or Production()
    first = canonical(State(frozenset({Mark(0, 2, 0, 1)}), None, 0, NONE, ()))
    state = first
    for step in range(steps):
        choices = list(_steps(state, in_flight, rules))
        if random.random() < PATIENCE:  # else a marker would hardly ever meet a stale request
            choices = [each for each in choices if each is None or not _only_forgets(each, state)]
        if None in choices:
            return state
        state = first if step % WALK == WALK - 1 else canonical(random.choice(choices) or first)
    return None
