"""Making tokens, the cookies that set or delete them, and reading them back.

Owns where randomness enters a token. Invariant: every call makes a token that never existed, and
each goes into exactly one answer.
"""

from collections.abc import Callable, Iterable

from identity.keyring import KeyRing
from identity.sessions import cookie
from identity.sessions.check import SetCookie
from identity.sessions.cookie import Names, Shown, Token
from identity.sessions.gathering import Group
from identity.sessions.record import Session
from identity.types import SECOND, Locator, Millis, RandomBytes, SessionId, TokenId

MARKER_S = 60


class Mint:
    """Makes ids, tokens and Set-Cookie values, and reads Cookie header lines.

    Args:
        keys: gives the current key ring.
        names: the daemon's cookie names.
        random_bytes: unguessable bytes.
    """

    def __init__(self, keys: Callable[[], KeyRing], names: Names, random_bytes: RandomBytes) -> None:
        self.keys = keys
        self._names = names
        self._random = random_bytes

    def read(self, lines: Iterable[str], *, not_before: Millis) -> Shown:
        """Sort Cookie header lines, as of `cookie.read`."""
        return cookie.read(lines, ring=self.keys(), names=self._names, not_before=not_before)

    def session_id(self) -> SessionId:
        """Return an id no session ever had."""
        return SessionId(self._random(cookie.SESSION_ID_BYTES))

    def token_id(self) -> TokenId:
        """Return an id no token ever had."""
        return TokenId(self._random(cookie.TOKEN_ID_BYTES))

    def first(self, session: Session, locator: Locator, *, now: Millis) -> SetCookie:
        """Return a session's first token: its parent is the base, its grandparent matches nothing."""
        token = Token(session.id, self.token_id(), session.lineage.base, self.token_id(), now, locator)
        return self._set(token, session, now=now)

    def child(self, parent: Token, session: Session, *, now: Millis) -> SetCookie:
        """Return a child of a token that was shown."""
        token = Token(session.id, self.token_id(), parent.id, parent.parent, now, parent.locator)
        return self._set(token, session, now=now)

    def marker(self, group: Group, *, now: Millis) -> SetCookie:
        """Return the marker of a bounce for exactly the tokens of this group."""
        ids = [t.id for t in group.tokens]
        value = cookie.write_marker(group.session, ids, ring=self.keys(), now=now)
        return SetCookie(self._names.marker, value, MARKER_S, self._names.secure)

    def flag(self, groups: Iterable[Group], *, now: Millis) -> str:
        """Return what the address of a bounce's follower says: it was bounced with exactly these tokens."""
        return cookie.write_flag([t.id for each in groups for t in each.tokens], ring=self.keys(), now=now)

    def delete_marker(self) -> SetCookie:
        """Return what removes the bounce marker."""
        return self._delete(self._names.marker)

    def deletions(self, names: Iterable[Token | str]) -> tuple[SetCookie, ...]:
        """Return what removes the cookies of these tokens and these names."""
        return tuple(self._delete(n if isinstance(n, str) else self._names.of(n.id)) for n in names)

    def _set(self, token: Token, session: Session, *, now: Millis) -> SetCookie:
        value = cookie.write(token, ring=self.keys(), now=now)
        left = max(1, (session.ends_at - now) // SECOND) if session.persistent else None
        return SetCookie(self._names.of(token.id), value, left, self._names.secure)

    def _delete(self, name: str) -> SetCookie:
        return SetCookie(name, "", 0, self._names.secure)
