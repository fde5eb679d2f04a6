"""A token, its cookie, and the marker and the flag of a bounce: bytes to values and back.

Owns the wire form. Pure: keys, time and random bytes are arguments. Every token is a cookie of
its own, because one cookie name is a register that a late answer sets back (docs/sessions.md).

    name    <prefix><b64url(id)>
    value   b64url( version 1 | session 16 | id 8 | parent 8 | grandparent 8 | issued 5
                    | locator 12 | key number 1 | mac 16 )     75 bytes, 100 characters

Invariant: only the canonical spelling of name and value verifies. Whatever else a Cookie header
holds is tolerated in linear time: it is never an error and never looks like a theft.
"""

import binascii
import re
import struct
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final

from identity.clock import EARLIEST
from identity.cookies import pairs
from identity.keyring import MAC_BYTES, KeyRing, Purpose
from identity.types import MINUTE, SECOND, Locator, Millis, SessionId, TokenId

VERSION: Final = 1
TOKEN_ID_BYTES: Final = 8
SESSION_ID_BYTES: Final = 16
ISSUED_SINCE: Final[Millis] = EARLIEST
"""2020-01-01: five bytes of milliseconds from here last until 2054."""

CLAIMS: Final = 8
"""How many records are looked for because of values that cannot be verified; a browser has one or two sessions."""

MARKERS: Final = 4

_BODY: Final = struct.Struct(">B16s8s8s8s5s12sB")
_VALUE_CHARS: Final = 100
_MARKER_CHARS: Final = 24
FLAG_MS: Final[Millis] = 2 * MINUTE
"""A flag of this age is ignored: the marker that was set with it is gone."""
_FLAG: Final = struct.Struct(">BBI")
_FLAG_MAC: Final = 9
_FLAG_CHARS: Final = 20
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_STANDARD_ONLY: Final = frozenset("+/=")
_DELETABLE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Token:
    """One link of a session's token line. `parent` and `grandparent` are ids of earlier tokens."""

    session: SessionId
    id: TokenId
    parent: TokenId
    grandparent: TokenId
    issued_at: Millis
    locator: Locator

    @property
    def order(self) -> tuple[Millis, TokenId]:
        """A total order, so that of several siblings every server keeps the same one."""
        return self.issued_at, self.id


@dataclass(frozen=True, slots=True)
class Newer:
    """A value that names a key with a higher number than any we know. An attacker can write one."""

    locator: Locator


@dataclass(frozen=True, slots=True)
class Names:
    """Cookie names of one daemon. Cookies ignore ports, so over plain http the port is in the name."""

    secure: bool
    port: int

    @property
    def prefix(self) -> str:
        """What all our names begin with."""
        return "__Host-idd" if self.secure else f"idd{self.port}"

    @property
    def token(self) -> str:
        """Prefix of a token's name."""
        return f"{self.prefix}-"

    @property
    def marker(self) -> str:
        """Name of the bounce marker."""
        return f"{self.prefix}m"

    def of(self, token_id: TokenId) -> str:
        """Return the canonical name of a token's cookie."""
        return self.token + _encode(token_id).rstrip("=")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a browser presented, sorted by what can be said about it without any I/O."""

    tokens: tuple[Token, ...] = ()
    junk: tuple[str, ...] = ()
    """Names of ours whose value does not verify, or is past any session's end."""
    newer: tuple[str, ...] = ()
    """Names whose value says that a key signed it which this process does not know yet."""
    claimed: tuple[Locator, ...] = field(default=(), compare=False)
    """Where those values say that their sessions' records are; each once, at most `CLAIMS`."""
    markers: tuple[str, ...] = field(default=(), repr=False)
    """Different values of the marker, at most `MARKERS`. If there are several, all but one were planted."""


def read(lines: Iterable[str], *, ring: KeyRing, names: Names, not_before: Millis) -> Shown:
    """Sort the Cookie header lines; linear in their length.

    Args:
        lines: verbatim, one or several.
        ring: keys to verify with.
        names: which cookies are ours.
        not_before: tokens issued earlier are past the absolute end of any session.
    """
    good: dict[TokenId, Token] = {}
    named: set[str] = set()
    bad: dict[str, bool] = {}
    claimed: dict[Locator, None] = {}
    markers: dict[str, None] = {}
    for name, value in _ours(lines, names):
        if name == names.marker:
            if value and len(markers) < MARKERS:
                markers[value] = None
            continue
        token = _verified(value, ring)
        if isinstance(token, Token) and token.issued_at >= not_before and names.of(token.id) == name:
            good[token.id] = token
            named.add(name)
        elif _DELETABLE.match(name):
            bad[name] = isinstance(token, Newer)
            if isinstance(token, Newer) and len(claimed) < CLAIMS:
                claimed[token.locator] = None
    junk = [n for n in bad if n not in named]
    return Shown(
        tokens=tuple(good.values()),
        junk=tuple(n for n in junk if not bad[n]),
        newer=tuple(n for n in junk if bad[n]),
        claimed=tuple(claimed),
        markers=tuple(markers),
    )


def write(token: Token, *, ring: KeyRing, now: Millis) -> str:
    """Return the cookie value of a token, signed by the key that signs at `now`."""
    number = ring.signing_number(now)
    body = _BODY.pack(
        VERSION,
        token.session,
        token.id,
        token.parent,
        token.grandparent,
        (token.issued_at - ISSUED_SINCE).to_bytes(5, "big"),
        token.locator,
        number,
    )
    return _encode(body + ring.mac(number, Purpose.TOKEN, body))


def write_marker(session: SessionId, ids: Collection[TokenId], *, ring: KeyRing, now: Millis) -> str:
    """Return the value that says: this exact set of tokens has been bounced once."""
    number = ring.signing_number(now)
    head = bytes((VERSION, number))
    return _encode(head + ring.mac(number, Purpose.MARKER, _marked(head, session, ids)))


def marker_is_newer(value: str, *, ring: KeyRing) -> bool:
    """Tell whether the marker was signed by a key this process does not know yet."""
    raw = _decode(value, _MARKER_CHARS)
    return raw is not None and raw[0] == VERSION and raw[1] > ring.newest


def marker_fits(value: str, session: SessionId, ids: Collection[TokenId], *, ring: KeyRing) -> bool:
    """Tell whether the marker was made for exactly this session and this set of tokens."""
    raw = _decode(value, _MARKER_CHARS)
    if raw is None or raw[0] != VERSION or not ring.knows(raw[1]):
        return False
    return compare_digest(raw[2:], ring.mac(raw[1], Purpose.MARKER, _marked(raw[:2], session, ids)))


def write_flag(ids: Collection[TokenId], *, ring: KeyRing, now: Millis) -> str:
    """Return the value that says in an address: a browser with exactly these tokens was bounced just now."""
    number = ring.signing_number(now)
    head = _FLAG.pack(VERSION, number, (now - ISSUED_SINCE) // SECOND)
    return _encode(head + _flag_mac(head, ids, ring, number))


def flag_fits(value: str, ids: Collection[TokenId], *, ring: KeyRing, now: Millis) -> bool:
    """Tell whether the flag was made for exactly this set of tokens, and not long ago.

    Addresses are kept, shared and restored, and each keeps its flag. A flag of long ago or of another set
    says nothing of this request; were it believed, an honest late one would be refused for ever.
    """
    raw = _decode(value, _FLAG_CHARS)
    if raw is None:
        return False
    version, number, at_s = _FLAG.unpack(raw[: _FLAG.size])
    if version != VERSION or not ring.knows(number) or abs(now - ISSUED_SINCE - at_s * SECOND) >= FLAG_MS:
        return False
    return compare_digest(raw[_FLAG.size :], _flag_mac(raw[: _FLAG.size], ids, ring, number))


def _ours(lines: Iterable[str], names: Names) -> Iterable[tuple[str, str]]:
    # Most lines of most requests hold none, and a look for the prefix costs next to nothing.
    for name, value in pairs(line for line in lines if names.prefix in line):
        if name.startswith(names.token) or name == names.marker:
            yield name, value


def _verified(value: str, ring: KeyRing) -> Token | Newer | None:
    raw = _decode(value, _VALUE_CHARS)
    if raw is None:
        return None
    body, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    version, session, own, parent, grandparent, issued, locator, number = _BODY.unpack(body)
    if version != VERSION:
        return None
    if not ring.knows(number):
        return Newer(Locator(locator)) if number > ring.newest else None
    if not compare_digest(mac, ring.mac(number, Purpose.TOKEN, body)):
        return None
    return Token(
        SessionId(session),
        TokenId(own),
        TokenId(parent),
        TokenId(grandparent),
        ISSUED_SINCE + int.from_bytes(issued, "big"),
        Locator(locator),
    )


def _flag_mac(head: bytes, ids: Collection[TokenId], ring: KeyRing, number: int) -> bytes:
    return ring.mac(number, Purpose.FLAG, head + b"".join(sorted(ids)))[:_FLAG_MAC]


def _marked(head: bytes, session: SessionId, ids: Collection[TokenId]) -> bytes:
    return head + session + b"".join(sorted(ids))


def _encode(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).decode("ascii")


def _decode(text: str, length: int) -> bytes | None:
    """Decode strictly: the length is a multiple of four, so there are no spare bits to vary."""
    if len(text) != length or not text.isascii() or not _STANDARD_ONLY.isdisjoint(text):
        return None
    try:
        return binascii.a2b_base64(text.encode("ascii").translate(_FROM_URL), strict_mode=True)
    except binascii.Error:
        return None
