"""What is remembered about the sessions of one account.

Owns the record's shape and the pure changes to it; `packing.py` owns its bytes. One record per
account makes the device list, "log out everywhere" and "one session per user" one
compare-and-swap each. Nothing about single tokens and no application data is stored: either
would race every rotation.
"""

from dataclasses import dataclass
from enum import IntEnum

from identity.types import AccountId, Host, IdentityKey, Millis, SessionId, TokenId, Username


class Ended(IntEnum):
    """Why a session is over; the value is stored, the name (lower case, dashes) is on the wire."""

    LOGOUT = 1
    REUSE = 2
    """A token line diverged: a second holder has a copy."""
    REPLACED = 3
    """Another login in the same browser, or the single-session mode, took its place."""
    TOO_MANY = 4
    """The account reached its number of devices; the oldest went."""
    REVOKED = 5
    """Ended from another device or by an operator."""
    IDLE = 6
    EXPIRED = 7
    LOST = 8
    """The store has no record of it (restarted empty, or evicted)."""
    DISABLED = 9
    """The account was disabled, merged or deleted, or its epoch moved on."""
    UNLINKED = 10
    """The way it was logged in with was unlinked."""
    PROVIDER_LOGOUT = 14
    """The person logged out at the provider, which said so."""
    PROVIDER_EVENT = 15
    """The provider said that the person's account there was closed, or may be in other hands."""

    @property
    def code(self) -> str:
        """The reason as programs see it, for example `too-many`."""
        return self.name.lower().replace("_", "-")


class Copied(IntEnum):
    """How a copy of a session's cookies showed itself (`copies.py`).

    The value is stored in notices; the code is the same in the audit, the metrics and on the page.
    """

    REUSE = 2
    """Both holders moved on; their lines parted."""
    STALE_COPY = 11
    """An old set of cookies was shown."""
    CRASH_ROLLBACK = 12
    """Suspected: a crash, or a restored profile, set the browser's own cookies back."""
    FOREIGN_HOST = 13
    """Cookies of one host were shown on another. Ends nothing, so it is never in a notice."""

    @property
    def code(self) -> str:
        """The kind as programs and operators see it, for example `stale-copy`."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where the token line of a session stands: all that rotation reads and writes.

    `base` is the id of the token whose children are the current generation, `previous` the
    base before it (none at first), `advanced_at` the time `base` last moved.
    """

    base: TokenId
    previous: TokenId | None
    advanced_at: Millis


@dataclass(frozen=True, slots=True)
class Session:
    """One login in one browser, or (with `login`) its sub-session on another application's host.

    A sub-session's `created_at` moves when its browser comes through the login host again.
    """

    id: SessionId
    lineage: Lineage
    created_at: Millis
    active_at: Millis
    ends_at: Millis
    auth_at: Millis
    host: Host
    identity: IdentityKey
    agent: str
    address: str
    login: SessionId | None = None
    doubtful: bool = False
    persistent: bool = True
    auth_proven: bool = False
    """Whether `auth_at` is the word of a provider that proves fresh logins; if not, it proves no presence."""
    facts: tuple[str, ...] = ()
    """What the provider said at the login, as far as the configuration asks (`membership.facts`)."""

    @property
    def proven_at(self) -> Millis | None:
        """When the person proved to be there, as far as that is known."""
        return self.auth_at if self.auth_proven else None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A session that has ended, remembered for two minutes so that its browser hears why."""

    id: SessionId
    reason: Ended
    at: Millis


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell the person after each login until it is answered: a session was used in two places."""

    at: Millis
    reason: Copied
    created_at: Millis
    """When and where the session was opened."""
    agent: str
    address: str
    other_agent: str
    """Where it was shown when the line had diverged. Which of the two is the thief cannot be told."""
    other_address: str


@dataclass(frozen=True, slots=True)
class Described:
    """What an application may be told of a person beside their username: what a provider said at the last login."""

    name: str = ""
    email: str = ""
    email_verified: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """All sessions of one account. `epoch` is the account's epoch they were opened under."""

    account_id: AccountId
    username: Username
    epoch: int
    compared_at: Millis
    sessions: tuple[Session, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    notices: tuple[Notice, ...] = ()
    groups: tuple[str, ...] = ()
    """Those an operator keeps, as of `epoch`."""
    described: Described | None = None
    """None where no application is told."""

    def session(self, sid: SessionId) -> Session | None:
        """Return the live session with this id, if there is one."""
        return next((s for s in self.sessions if s.id == sid), None)

    def tombstone(self, sid: SessionId) -> Tombstone | None:
        """Return what is remembered of an ended session, if anything still is."""
        return next((t for t in self.tombstones if t.id == sid), None)
