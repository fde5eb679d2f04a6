"""The cookies that tie a login in progress, or the way to an application, to its browser.

Owns their spelling and their number. Every login, every sign-up and every way has a cookie of its own, so
that tabs never cancel each other; a browser keeps at most `MOST` of them, the oldest go first.
The time in a value only chooses what goes: nobody else is helped by changing it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from identity.sessions.check import SetCookie
from identity.types import SECOND, Millis
from identity.web.context import CookieNames

MOST: Final = 10
REMOVED: Final = 2
"""Deletions per answer; an answer that begins a login then carries at most four cookie lines."""

_VALUE: Final = re.compile(r"([0-9a-f]{1,12})\.([A-Za-z0-9_-]{20,64})")


def made(name: str, secret: str, *, now: Millis, lasts_ms: Millis, names: CookieNames) -> SetCookie:
    """Return the cookie that binds a login to this browser."""
    return SetCookie(name, f"{now // SECOND:x}.{secret}", lasts_ms // SECOND, names.secure)


def removed(name: str, *, names: CookieNames) -> SetCookie:
    """Return what deletes a cookie."""
    return SetCookie(name, "", 0, names.secure)


def secret_of(value: str | None) -> str | None:
    """Return the secret in a binding cookie's value; None if it is not one of ours."""
    match = _VALUE.fullmatch(value or "")
    return match[2] if match else None


def surplus(lines: Sequence[str], *, names: CookieNames) -> tuple[SetCookie, ...]:
    """Return deletions that make room for one more binding cookie, the oldest first."""
    made_at = dict(_shown(lines, names))
    oldest_first = sorted(made_at, key=lambda name: (made_at[name], name))
    beyond = max(0, len(made_at) + 1 - MOST)
    return tuple(removed(name, names=names) for name in oldest_first[: min(beyond, REMOVED)])


def starts(lines: Sequence[str], *, names: CookieNames) -> tuple[str, ...]:
    """Return the names of the cookies that wait for a start code; no more than a browser may keep."""
    prefix = names.start("")
    return tuple(dict.fromkeys(name for name, _ in _shown(lines, names) if name.startswith(prefix)))[:MOST]


def _shown(lines: Sequence[str], names: CookieNames) -> Iterator[tuple[str, int]]:
    """Find the binding cookies among all; a broken one counts as the oldest."""
    prefixes = "|".join(re.escape(prefix) for prefix in (names.flow(""), names.sign_up(""), names.start("")))
    ours = re.compile(f"({prefixes})[A-Za-z0-9_-]{{0,8}}")
    for line in lines:
        for part in re.split("[;,]", line):
            name, _, value = part.strip().partition("=")
            if ours.fullmatch(name):
                match = _VALUE.fullmatch(value)
                yield name, int(match[1], 16) if match else 0
