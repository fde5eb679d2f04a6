"""Whether the tokens handed out through an application's proxy arrive at browsers.

Owns the decision that an operator is told of. Pure. A token that arrived comes back, and a later
one made from it moves the session's line ("advance"). Where tokens are handed out and no line
moves, something on the way drops `Set-Cookie`: sessions there do not rotate, and a copy of one is
never noticed. No session ends by that, so nothing else shows it.

    tokens handed out in ten minutes | lines that moved        | said
    ---------------------------------+-------------------------+---------------------------------
    fewer than 30                    | any                     | nothing: too few to tell
    30 or more                       | 1 in 50 of them or more | nothing: some arrive
    30 or more                       | fewer                   | "drops Set-Cookie"

On a good way a line moves for each few tokens; 1 in 50 leaves room for pages that only poll.
"""

from dataclasses import dataclass, replace
from typing import Final

from identity.types import MINUTE, Millis

WINDOW_MS: Final[Millis] = 10 * MINUTE
ENOUGH: Final = 30
AT_MOST: Final = 50
"""Tokens handed out for each line that moves, where they arrive."""


@dataclass(frozen=True, slots=True)
class Window:
    """What happened in ten minutes."""

    began_at: Millis
    minted: int = 0
    advanced: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """The ten minutes under way, and the last ones that are over."""

    under_way: Window
    over: Window | None = None


def noted(delivery: Delivery | None, *, minted: bool, advanced: bool, now: Millis) -> Delivery:
    """Count one check."""
    if delivery is None:
        delivery = Delivery(Window(now))
    elif not 0 <= now - delivery.under_way.began_at < WINDOW_MS:
        delivery = Delivery(Window(now), over=delivery.under_way)
    window = delivery.under_way
    window = replace(window, minted=window.minted + minted, advanced=window.advanced + advanced)
    return replace(delivery, under_way=window)


def is_dropping(delivery: Delivery, *, now: Millis) -> bool:
    """Tell whether cookies seem to be dropped: by the last ten minutes that are over, until the next are.

    Ten minutes under way are not judged: a line moves only at the second token.
    """
    judged = delivery.over
    if now - delivery.under_way.began_at >= WINDOW_MS:
        judged = delivery.under_way
    if judged is None or now - judged.began_at >= 3 * WINDOW_MS:
        return False
    return judged.minted >= ENOUGH and judged.advanced * AT_MOST < judged.minted
