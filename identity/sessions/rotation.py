"""What a set of shown tokens means: the decision at the heart of identityd.

Owns one pure function, `decide`. No clock, randomness, I/O or key: `now` and a chance in [0, 1)
are arguments. `B` is the lineage's base, `P` the base before it, `S` when B last moved.

    rule      | condition                                      | effect
    ----------+------------------------------------------------+-----------------------------------------
    Advance   | some t has grandparent = B                     | B := t.parent, P := B, S := now; only
              |                                                | after that write succeeded: mint a child
              |                                                | of t if t is old, delete the surplus
    Current   | some t has parent = B, none grandparent = B    | accept; mint a child of t if t is old
              |                                                | and (navigation or chance); delete the
              |                                                | surplus. Nothing is written
    Straggler | neither; 0 <= now - S <= grace; some t has     | accept, no Set-Cookie at all
              | id = B, parent = P or grandparent = P          |
    Stale     | none of these                                  | the marker decides: bounce or end

`t` is the maximum by (issued, id) among the advancing, else the current tokens; it is kept and
every other token of the session is surplus. A child is (parent = t.id, grandparent = t.parent).
*Old* is past `token_age`, or dated more than 60 s in the future. The chance of a request that is
no navigation is `mint_chance` divided by the number of tokens shown, and no child is minted while
4 or more are: parallel requests of one page all show the same old jar, and each child is one more
name in it (docs/adr/0008).

`settle` (0: off): a younger child is accepted but neither advances, mints nor deletes, is never
surplus, and does not compete for the maximum, so that B never moves to what may not be on the
browser's disk yet. A token dated more than 60 s in the future counts as settled.

Why this shape and no simpler one: docs/sessions.md. The times decide only when to mint and how
long a straggler is served, never whether a session ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from identity.sessions.cookie import Token
from identity.sessions.record import Lineage
from identity.types import MINUTE, SECOND, Millis

AHEAD_MS: Final[Millis] = MINUTE
MINT_BELOW: Final = 4


@dataclass(frozen=True, slots=True)
class RotationPace:
    """How fast tokens rotate. docs/configuration.md describes each under `[sessions]`."""

    token_age_ms: Millis = 12 * SECOND
    grace_ms: Millis = 10 * SECOND
    settle_ms: Millis = 0
    mint_chance: float = 0.14


@dataclass(frozen=True, slots=True)
class Moment:
    """When and how the tokens were shown."""

    now: Millis
    navigation: bool
    may_mint: bool
    chance: float


@dataclass(frozen=True, slots=True)
class Current:
    """Accept; the line stays where it is."""

    mint_from: Token | None = None
    surplus: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Advance:
    """Accept, and move the line to `lineage` before anything is minted or deleted."""

    lineage: Lineage
    mint_from: Token | None
    surplus: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Straggler:
    """Accept a request that was sent before its browser heard of the last advance."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Nothing shown belongs to the line any more."""


Decision: TypeAlias = Current | Advance | Straggler | Stale


def decide(lineage: Lineage, tokens: Sequence[Token], moment: Moment, pace: RotationPace) -> Decision:
    """Apply the table above to the verified tokens of one live session."""
    base = lineage.base
    # Such a t was made from a child of the base, and its browser has received it. So the line moves to a token
    # that was shown and whose child was shown, never to one that may be lost on its way.
    advancing = [t for t in tokens if t.grandparent == base]
    if advancing:
        return _advance(lineage, tokens, _settled(advancing, moment, pace), moment, pace)
    current = [t for t in tokens if t.parent == base]
    if current:
        return _current(tokens, _settled(current, moment, pace), moment, pace)
    # A line that moved in this clock's future gives no grace. The request is bounced then, and an honest jar
    # comes back with what is current.
    if 0 <= moment.now - lineage.advanced_at <= pace.grace_ms and any(_was_current(t, lineage) for t in tokens):
        return Straggler()
    return Stale()


def _advance(
    lineage: Lineage, tokens: Sequence[Token], ready: Sequence[Token], moment: Moment, pace: RotationPace
) -> Current | Advance:
    if not ready:
        return Current()  # only young children: their parent must not mint meanwhile either
    # The greatest is never deleted: so the honest jar always holds a token that is current or one step ahead.
    top = max(ready, key=_order)
    return Advance(
        lineage=Lineage(base=top.parent, previous=lineage.base, advanced_at=moment.now),
        mint_from=top if _may_mint(top, tokens, moment, pace) else None,
        surplus=_surplus(top, tokens, moment, pace),
    )


def _current(tokens: Sequence[Token], ready: Sequence[Token], moment: Moment, pace: RotationPace) -> Current:
    if not ready:
        return Current()
    top = max(ready, key=_order)
    # The chance is shared: up to forty parallel calls of a page show the same jar, and each child is one name
    # more. With 0.25 for each a jar grew to 107 names, with 0.125 / n to 41 (ADR 8).
    wanted = moment.navigation or moment.chance * len(tokens) < pace.mint_chance
    return Current(
        mint_from=top if wanted and _may_mint(top, tokens, moment, pace) else None,
        surplus=_surplus(top, tokens, moment, pace),
    )


def _order(token: Token) -> tuple[Millis, bytes]:
    return token.order


def _was_current(token: Token, lineage: Lineage) -> bool:
    if token.id == lineage.base:
        return True
    return lineage.previous is not None and lineage.previous in (token.parent, token.grandparent)


def _may_mint(top: Token, tokens: Sequence[Token], moment: Moment, pace: RotationPace) -> bool:
    # A name costs 124 bytes of every request. Servers refuse heads past 8 KB, and a refused request never
    # gets the deletions that would make it shorter.
    return moment.may_mint and len(tokens) < MINT_BELOW and _past(top, pace.token_age_ms, moment.now)


def _settled(tokens: Sequence[Token], moment: Moment, pace: RotationPace) -> list[Token]:
    return [t for t in tokens if _past(t, pace.settle_ms, moment.now)]


def _surplus(top: Token, tokens: Sequence[Token], moment: Moment, pace: RotationPace) -> tuple[Token, ...]:
    return tuple(t for t in tokens if t is not top and _past(t, pace.settle_ms, moment.now))


def _past(token: Token, age_ms: Millis, now: Millis) -> bool:
    """Tell whether the token has this age; one dated far ahead has (its server's clock was wrong)."""
    return now - token.issued_at >= age_ms or token.issued_at - now > AHEAD_MS
