r"""Where a browser may be sent after a login.

Owns the one rule for addresses that come from outside: a path on the login host itself, or an
address at the exact origin of a registered application. Pure. Invariant: whatever else is asked
for becomes `FALLBACK`; nothing is repaired, because a repaired address is one that this code and
some proxy or browser read differently.

    given                                                        | result
    -------------------------------------------------------------+----------------------------------
    nothing, or more than 2,048 characters                       | FALLBACK
    a space, `"`, `<`, `>`, `\`, a control or non-ASCII sign   | FALLBACK
    neither a path nor an allowed origin with a path behind it   | FALLBACK (`https:evil`, userinfo,
                                                                 | `example.com.evil`, another port)
    a path that, as it stands or after decoding it once, twice … | FALLBACK (`//`, `/%5c`, `/%09/`,
    begins with two slashes, has a dot segment (`..;/` too), a   | `/a/..;/`, `/%252f`)
    backslash or a control character, or is not UTF-8            |
    a path that still changes after three decodings              | FALLBACK
    the login pages themselves                                   | FALLBACK (a loop)
    public_url and a path                                        | the path
    a path, or another allowed origin and a path                 | as given

`safe_path` is the same rule for a path of an application's host, where FALLBACK is `/`. `shorter`
says where to go instead when an address does not fit into the cookie of a login.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from typing import Final
from urllib.parse import unquote

FALLBACK: Final = "/account"
FRONT_PAGE: Final = "/"
CONTINUE: Final = "/continue"
"""Where a login leads on to an application on another host (`handover.py`)."""
LONGEST: Final = 2_048
DECODINGS: Final = 3
"""An address that is still encoded after so many decodings was made to get past a filter."""

_PLAIN: Final = re.compile(r"[!#-;=?-\[\]-~]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_OURS: Final = ".identityd"
_LOGIN_PAGES: Final = frozenset({"login", "logout", "welcome"})


def safe_return(raw: str | None, allowed_origins: Collection[str], *, public_url: str) -> str:
    """Return where to go: a path of the login host, an address of an application, or `FALLBACK`.

    Args:
        raw: as it came from outside, decoded once by the parameter parser.
        allowed_origins: scheme and host of registered applications, without a trailing slash.
        public_url: the login host's own origin.
    """
    if not raw or len(raw) > LONGEST or not _PLAIN.fullmatch(raw):
        return FALLBACK
    origin, target = _divided(raw, {*allowed_origins, public_url})
    segments = _segments(re.split(r"[?#]", target, maxsplit=1)[0])
    if not segments:
        return FALLBACK
    if origin not in ("", public_url):
        return origin + target
    return FALLBACK if segments[0].lower() in _LOGIN_PAGES else target


def safe_path(raw: str | None) -> str:
    """Return where to go on an application's host: a path of it, or its front page.

    Our own addresses there (`/.identityd/…`) are no place to return to: a login would lead to a login.
    """
    if not raw or len(raw) > LONGEST or not raw.startswith("/") or not _PLAIN.fullmatch(raw):
        return FRONT_PAGE
    segments = _segments(re.split(r"[?#]", raw, maxsplit=1)[0])
    return raw if segments and segments[0].lower() != _OURS else FRONT_PAGE


def shorter(return_to: str) -> Iterator[str]:
    """Yield a safe address, then ever shorter ones that are nearest to it; the last is FALLBACK.

    On the way to an application's host (`/continue`) what goes is the page there: its host remains.
    """
    yield return_to
    path, _, query = return_to.partition("#")[0].partition("?")
    if path == CONTINUE:
        yield f"{path}?{'&'.join(each for each in query.split('&') if not each.startswith('path='))}"
    else:
        yield path
    yield FALLBACK


def _divided(raw: str, origins: Collection[str]) -> tuple[str, str]:
    """Return the origin (empty for a bare path) and what follows it; two empty texts if not allowed."""
    if raw.startswith("/"):
        return "", raw
    for origin in origins:
        rest = raw.removeprefix(origin)
        if rest != raw and rest[:1] in ("", "/", "?", "#"):
            return origin, rest if rest.startswith("/") else f"/{rest}"
    return "", ""


def _segments(path: str) -> list[str]:
    """Return the decoded path's segments; none if the path is not harmless at some stage of decoding."""
    for _ in range(DECODINGS + 1):
        segments = _bare_segments(path)
        if not _harmless(path, segments):
            return []
        try:
            decoded = unicodedata.normalize("NFKC", unquote(path, errors="strict"))
        except UnicodeDecodeError:
            return []
        if decoded == path:
            return segments
        path = decoded
    return []


def _bare_segments(path: str) -> list[str]:
    """Split the path as the most liberal server would: without `;parameters` (RFC 3986 section 3.3) and blanks."""
    return [segment.partition(";")[0].strip() for segment in path.split("/")[1:]]


def _harmless(path: str, segments: list[str]) -> bool:
    if not segments or "\\" in path or _CONTROL.search(path):
        return False
    leads_away = len(segments) > 1 and not segments[0]
    return not leads_away and not {".", ".."}.intersection(segments)
