"""Tokens, sessions, records and a browser's jar for tests of the session code.

Ids are spelt out (`tid(3)`), so that a test reads like the table it checks.
"""

from dataclasses import replace
from uuid import UUID

from identity.keyring import KeyRing, new_ring
from identity.sessions.check import Check, SetCookie
from identity.sessions.cookie import Names, Token
from identity.sessions.record import Lineage, Record, Session
from identity.types import AccountId, Host, IdentityKey, Locator, Millis, SessionId, TokenId, Username
from options.secret import Secret

NOW: Millis = 1_800_000_000_000
HOST = Host("login.example")
SID = SessionId(b"S" * 16)
OTHER_SID = SessionId(b"T" * 16)
AT = Locator(b"L" * 12)
ACCOUNT = AccountId(UUID(int=7))
NAMES = Names(secure=True, port=443)


def ring(first: int = 1) -> KeyRing:
    """Return a ring of one key with fixed secrets."""
    return new_ring(secret=Secret(bytes([first]) * 32), locator=Secret(b"l" * 32), now=NOW - 10**9)


def tid(number: int) -> TokenId:
    """Return the token id with this number."""
    return TokenId(number.to_bytes(8, "big"))


def token(own: int, parent: int, grandparent: int, *, age_ms: Millis = 0, sid: SessionId = SID) -> Token:
    """Return a token of so many milliseconds of age."""
    return Token(sid, tid(own), tid(parent), tid(grandparent), NOW - age_ms, AT)


def lineage(base: int, previous: int | None = None, *, ago_ms: Millis = 0) -> Lineage:
    """Return a lineage that moved so many milliseconds ago."""
    return Lineage(tid(base), None if previous is None else tid(previous), NOW - ago_ms)


def session(sid: SessionId = SID, **changes: object) -> Session:
    """Return a live session on the login host."""
    made = Session(
        id=sid,
        lineage=lineage(1),
        created_at=NOW - 60_000,
        active_at=NOW - 1_000,
        ends_at=NOW + 10**9,
        auth_at=NOW - 60_000,
        host=HOST,
        identity=IdentityKey("demo:1"),
        agent="Firefox on Linux",
        address="192.0.2.0/24",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def record(*sessions: Session, **changes: object) -> Record:
    """Return a record of these sessions."""
    made = Record(ACCOUNT, Username("ada"), 1, NOW, sessions)
    return replace(made, **changes)  # type: ignore[arg-type]


class BrowserJar:
    """A cookie jar that applies Set-Cookie as a browser does: by name, in order of arrival."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    def apply(self, cookies: tuple[SetCookie, ...]) -> None:
        """Take the cookies of an answer that arrived."""
        for each in cookies:
            if each.max_age_s == 0:
                self.cookies.pop(each.name, None)
            else:
                self.cookies[each.name] = each.value

    @property
    def header(self) -> str:
        """What the browser would send."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def check(self, **changes: object) -> Check:
        """Return a navigation with these cookies."""
        made = Check(cookies=(self.header,) if self.cookies else (), host=HOST, navigation=True)
        return replace(made, **changes)  # type: ignore[arg-type]
