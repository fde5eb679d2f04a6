"""The cookies that tie a login in progress, or the way to an application, to its browser.

Owns their spelling, their number and their size. Every login and every sign-up has a cookie of its own, so
that tabs never cancel each other; a browser keeps at most `MOST` of them and about `MOST_BYTES`, the oldest
go first: a jar that is too long for a proxy would lock its browser out. The ways to an application share the
cookie that is there, because any number of tabs may be on their way at once. The time in a value only chooses
what goes: changing it affects no other browser.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from identity import cookies
from identity.sessions.check import SetCookie
from identity.types import SECOND, Millis
from identity.web.state.context import CookieNames

MOST: Final = 10
MOST_STARTS: Final = 180
"""As many as a browser keeps at all: tabs that begin together have one each."""
REMOVED: Final = 2
"""Deletions per answer; an answer that begins a login then carries at most four cookie lines."""
MOST_BYTES: Final = 6_144
"""Of all of them together; a login without a long address has a twentieth. As no more than two go at a time,
a browser may have twice as many for a moment."""

_VALUE: Final = re.compile(r"([0-9a-f]{1,12})\.([A-Za-z0-9_-]{20,2048})")
_SECRET: Final = re.compile("[A-Za-z0-9_-]{43}")


def made(
    name: str, secret: str, *, now: Millis, lasts_ms: Millis, names: CookieNames, cross_site: bool = False
) -> SetCookie:
    """Return the cookie that binds a login to this browser."""
    return SetCookie(name, f"{now // SECOND:x}.{secret}", lasts_ms // SECOND, names.secure, cross_site)


def removed(name: str, *, names: CookieNames) -> SetCookie:
    """Return what deletes a cookie."""
    return SetCookie(name, "", 0, names.secure)


def secret_of(value: str | None) -> str | None:
    """Return what a binding cookie's value holds; None if it is not one of ours."""
    match = _VALUE.fullmatch(value or "")
    return match[2] if match else None


def surplus(lines: Sequence[str], new: SetCookie, *, names: CookieNames) -> tuple[SetCookie, ...]:
    """Return deletions that make room for one more binding cookie, the oldest first."""
    kept = {name: (made_at, size) for name, made_at, size in _shown(lines, names) if name != new.name}
    gone: list[SetCookie] = []
    for name in sorted(kept, key=lambda each: (kept[each][0], each))[:REMOVED]:
        size = _size(new.name, new.value) + sum(size for _, size in kept.values())
        if len(kept) < MOST and size <= MOST_BYTES:
            break
        del kept[name]
        gone.append(removed(name, names=names))
    return tuple(gone)


def starts(lines: Sequence[str], *, names: CookieNames) -> tuple[str, ...]:
    """Return the names of the cookies that wait for a start code; no more than a browser keeps."""
    prefix = names.start("")
    return tuple(dict.fromkeys(name for name, *_ in _shown(lines, names) if name.startswith(prefix)))[:MOST_STARTS]


def shared_start(lines: Sequence[str], *, names: CookieNames, now: Millis, lasts_ms: Millis) -> str | None:
    """Return the secret of the youngest cookie that waits for a start code, for one more tab to wait with."""
    found = {name: at for name, at, _ in _shown(lines, names) if name.startswith(names.start(""))}
    for name in sorted(found, key=lambda each: found[each], reverse=True):
        secret = secret_of(cookies.value_of(lines, name)) or ""
        if _SECRET.fullmatch(secret) and names.start(secret) == name and 0 <= now - found[name] * SECOND < lasts_ms:
            return secret
    return None


def expired_starts(
    lines: Sequence[str], secret: str, *, names: CookieNames, now: Millis, lasts_ms: Millis
) -> tuple[SetCookie, ...]:
    """Return deletions of cookies whose ways are over by now, `secret`'s not among them, the oldest first."""
    found = {name: at for name, at, _ in _shown(lines, names) if name.startswith(names.start(""))}
    over = [name for name, at in found.items() if not 0 <= now - at * SECOND < lasts_ms and name != names.start(secret)]
    return tuple(removed(name, names=names) for name in sorted(over, key=lambda each: found[each])[:REMOVED])


def _shown(lines: Sequence[str], names: CookieNames) -> Iterator[tuple[str, int, int]]:
    """Find the binding cookies among all, their time and size; a broken one counts as the oldest."""
    prefixes = "|".join(
        re.escape(prefix) for prefix in (names.flow(""), names.sign_up(""), names.link(""), names.start(""))
    )
    ours = re.compile(f"({prefixes})[A-Za-z0-9_-]{{0,8}}")
    for name, value in cookies.pairs(lines):
        if ours.fullmatch(name):
            match = _VALUE.fullmatch(value)
            yield name, int(match[1], 16) if match else 0, _size(name, value)


def _size(name: str, value: str) -> int:
    return len(f"{name}={value}; ")
