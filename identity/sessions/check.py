"""One question about a browser's cookies, and its answer.

Owns the values that go into and come out of the session service; HTTP is translated to and from
them in `identity/web/programs/`. docs/http-api.md documents the words on the wire.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from identity.sessions.record import Described, Session
from identity.types import AccountId, Host, IdentityKey, Millis, SessionId, Username

NOT_ALLOWED: Final = "not-allowed"
"""Reason of a FORBIDDEN verdict: logged in, but the application's `allow` lets this person not enter."""
DELETIONS: Final = 3
"""Names an answer deletes; with a new token that makes four cookies, which every proxy carries."""


class Mode(Enum):
    """How the answer will travel."""

    BROWSER = "browser"
    """The answer reaches the browser with its cookies: the whole table applies."""
    WEBSOCKET = "websocket"
    """A handshake: cookies may be lost on the way, a redirect is not followed."""
    READ_ONLY = "read-only"
    """A program asks about a user; nothing is minted, deleted, bounced or ended."""
    NO_MINT = "no-mint"
    """A channel that cannot deliver cookies (`mint = off` for the application)."""


@dataclass(frozen=True, slots=True)
class Check:
    """A browser's cookies as they arrived, and what is known of the request they came with."""

    cookies: tuple[str, ...] = field(repr=False)
    """Cookie header lines, verbatim."""
    host: Host
    """The host the browser addressed."""
    mode: Mode = Mode.BROWSER
    navigation: bool = False
    """A page is being loaded, as opposed to a call by a script or a sub-resource."""
    for_page: bool = False
    """The browser came to renew its token for a page whose own answer carries none: makes one as a page load does."""
    reading: bool = True
    """GET or HEAD: nothing is lost when the browser is sent elsewhere first."""
    may_mint: bool = True
    """False for static paths and prefetches."""
    flag: str = ""
    """What the flag in the request's query says: the follower of a bounce carries one."""
    user_activity: bool = True
    """False for background polling: it keeps no session from idling out."""
    deletions: int = DELETIONS
    """How many names the answer may delete; more only where no proxy hands the cookies on one by one."""
    address: str = ""
    agent: str = ""
    client: str = ""
    """The registered application that asks; empty for the login host itself."""
    entering: str = ""
    """The application that the person wants to enter, where it is not the one that asks."""


class Outcome(Enum):
    """The verdict on the wire."""

    OK = "ok"
    LOGIN = "login"
    BOUNCE = "bounce"
    FORBIDDEN = "forbidden"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One cookie to set, or with `max_age_s` 0 to delete. `str()` is the header's value."""

    name: str
    value: str
    max_age_s: int | None
    """None: until the browser closes."""
    secure: bool = True
    cross_site: bool = False
    """Comes with requests that other sites cause, forms too. Browsers take such a cookie with `Secure` only."""
    own_site: bool = False
    """Comes with requests of this site's own pages alone, and not where another site's link leads here."""
    path: str = "/"
    """Comes with requests below it alone."""

    def __str__(self) -> str:
        age = "" if self.max_age_s is None else f"; Max-Age={self.max_age_s}"
        site = "None" if self.cross_site else "Strict" if self.own_site else "Lax"
        secure = "; Secure" if self.secure or self.cross_site else ""
        return f"{self.name}={self.value}; Path={self.path}{age}; HttpOnly; SameSite={site}{secure}"

    def __repr__(self) -> str:
        return f"SetCookie({self.name[:9]}…, max_age_s={self.max_age_s})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    `session` and what follows are set when `outcome` is OK, and with `NOT_ALLOWED`: the session counts all the same.

    `reason` says which row of the tables in `rotation.py` and `gathering.py` decided, for
    example `current`, `advance`, `straggler`, `stale`, `idle`, `anonymous`, `store-down`.
    """

    outcome: Outcome
    reason: str
    session: Session | None = None
    account_id: AccountId | None = None
    username: Username | None = None
    set_cookies: tuple[SetCookie, ...] = ()
    flag: str = ""
    """With BOUNCE: what the flag in the follower's query must say, if it must carry one."""
    minted: bool = False
    idle_ends_at: Millis = 0
    """When the session ends if the person does nothing more; as far as it is written down, so rather too early."""
    groups: tuple[str, ...] = ()
    """All groups of the person, in alphabetical order."""
    described: Described | None = None

    @property
    def session_id(self) -> SessionId | None:
        """Id of the accepted session."""
        return self.session.id if self.session else None


@dataclass(frozen=True, slots=True)
class Opening:
    """A proven login about to get a session."""

    account_id: AccountId
    username: Username
    epoch: int
    identity: IdentityKey
    auth_at: Millis
    host: Host
    agent: str
    address: str
    persistent: bool = True
    auth_proven: bool = False
    """As in the session's record."""
    groups: tuple[str, ...] = ()
    """Those an operator keeps, as of `epoch`."""
    facts: tuple[str, ...] = ()
    described: Described | None = None
