"""Session services over one store, as several daemons would be, for tests without HTTP.

The store can be told to answer that an outcome is unknown, to be away, or to let another write
come first: three things that cannot be had on demand from a real one.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from identity.applications.entry import EntryRules
from identity.keyring import KeyRing
from identity.membership.groups import Groups
from identity.sessions.check import Check, Opening, Outcome, Verdict
from identity.sessions.checkers import Checker
from identity.sessions.checking import Checking
from identity.sessions.cookie import Names
from identity.sessions.minting import Mint
from identity.sessions.planning import Rules
from identity.sessions.record import Copied, Record, Session
from identity.sessions.service import Opened, SessionService
from identity.sessions.store import Read, SessionStore, Unread, Version, Written
from identity.sessions.watcher import Watcher
from identity.stores.alarm import CorruptAlarm
from identity.stores.memory_cache import MemoryCache
from identity.stores.records import SessionRecords
from identity.types import (
    SECOND,
    AccountId,
    Chance,
    Clock,
    IdentityKey,
    Locator,
    Millis,
    RandomBytes,
    SessionId,
    Username,
)
from tests.support.clock import ManualClock
from tests.support.jars import ACCOUNT, HOST, NAMES, NOW, BrowserJar, ring


@dataclass(slots=True)
class Heard:
    """A watcher that remembers."""

    ends: list[tuple[SessionId, Copied]] = field(default_factory=list)
    foreigners: list[SessionId] = field(default_factory=list)
    corrupts: int = 0
    due: list[AccountId] = field(default_factory=list)

    def ended(self, account_id: AccountId, session: Session, kind: Copied, check: Check) -> None:
        """Remember an end."""
        del account_id, check
        self.ends.append((session.id, kind))

    def foreign(self, account_id: AccountId, session: Session, check: Check) -> None:
        """Remember a foreign token."""
        del account_id, check
        self.foreigners.append(session.id)

    def corrupt(self) -> None:
        """Remember a corrupt record."""
        self.corrupts += 1

    def compare_due(self, account_id: AccountId) -> None:
        """Remember an account to compare."""
        self.due.append(account_id)


class Troubled:
    """A session store that has trouble when a test says so, and counts what it is asked."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self.reads = 0
        self.writes = 0
        self.away = False
        self.unknown: list[bool] = []
        """For each of the next writes: is it applied although its outcome is unknown?"""
        self.before_write: Callable[[], None] | None = None
        """Done once, just before the next write: what another daemon did meanwhile."""

    def read_many(self, locators: Collection[Locator]) -> Mapping[Locator, Read]:
        """Count and read."""
        self.reads += 1
        return dict.fromkeys(locators, Unread.DOWN) if self.away else self._store.read_many(locators)

    def add(self, locator: Locator, record: Record, *, expires_at: Millis) -> Written:
        """Create, or have trouble."""
        return self._write(lambda: self._store.add(locator, record, expires_at=expires_at))

    def swap(self, locator: Locator, record: Record, *, version: Version, expires_at: Millis) -> Written:
        """Replace, or have trouble."""
        return self._write(lambda: self._store.swap(locator, record, version=version, expires_at=expires_at))

    def replace_corrupt(self, locator: Locator, record: Record, *, expires_at: Millis) -> Written:
        """Replace a corrupt record, or have trouble."""
        return self._write(lambda: self._store.replace_corrupt(locator, record, expires_at=expires_at))

    def _write(self, write: Callable[[], Written]) -> Written:
        self.writes += 1
        first, self.before_write = self.before_write, None
        if first:
            first()
        if self.away:
            return Written.UNKNOWN
        if self.unknown:
            if self.unknown.pop(0):
                write()
            return Written.UNKNOWN
        return write()


OPEN: Final = EntryRules((), groups=Groups({}), fold=str)
"""Every person may enter everywhere."""


class SessionDaemon(SessionService):
    """A daemon without HTTP: its session service, and its checker over the same store."""

    def __init__(
        self,
        store: SessionStore,
        *,
        keys: Callable[[], KeyRing],
        names: Names,
        rules: Rules,
        clock: Clock,
        chance: Chance,
        random_bytes: RandomBytes,
        watcher: Watcher,
    ) -> None:
        mint = Mint(keys, names, random_bytes)
        super().__init__(store, mint, rules=rules, entry=OPEN, clock=clock)
        checking = Checking(mint, rules=rules, entry=OPEN, clock=clock, chance=chance)
        self.check_many = Checker(checking, store, watcher).check_many


class Daemons:
    """Any number of daemons over one memory store, each with its own clock."""

    def __init__(self, *, rules: Rules | None = None, seed: int = 1, start: Millis = NOW) -> None:
        self.clock = ManualClock(start)
        self.keys = ring()
        self.cache = MemoryCache(clock=self.clock)
        self.store = Troubled(
            SessionRecords(self.cache, keys=lambda: self.keys, clock=self.clock, alarm=CorruptAlarm(clock=self.clock))
        )
        self.heard = Heard()
        self.rules = rules or Rules()
        self.random = Random(seed)
        self.chance = 0.99
        self.service = self.daemon()

    def daemon(
        self,
        *,
        skew_ms: Millis = 0,
        keys: Callable[[], KeyRing] | None = None,
        names: Names = NAMES,
        store: SessionStore | None = None,
    ) -> SessionDaemon:
        """Return one more daemon; its clock is ahead by `skew_ms`."""
        clock: Clock = lambda: self.clock() + skew_ms  # noqa: E731 - a clock is a function
        return SessionDaemon(
            store or self.store,
            keys=keys or (lambda: self.keys),
            names=names,
            rules=self.rules,
            clock=clock,
            chance=lambda: self.chance,
            random_bytes=self.random.randbytes,
            watcher=self.heard,
        )

    def daemon_with_ring(self, keys: Callable[[], KeyRing], *, skew_ms: Millis = 0) -> SessionDaemon:
        """Return one more daemon that also seals and unseals records with a key ring of its own."""
        clock: Clock = lambda: self.clock() + skew_ms  # noqa: E731 - a clock is a function
        store = SessionRecords(self.cache, keys=keys, clock=clock, alarm=CorruptAlarm(clock=clock))
        return self.daemon(skew_ms=skew_ms, keys=keys, store=store)

    def login(self, jar: BrowserJar, *, service: SessionDaemon | None = None, **changes: object) -> Opened:
        """Open a session and give its cookies to the browser."""
        opening = {
            "account_id": ACCOUNT,
            "username": Username("ada"),
            "epoch": 1,
            "identity": IdentityKey("demo:1"),
            "auth_at": self.clock(),
            "host": HOST,
            "agent": "Firefox on Linux",
            "address": "192.0.2.0/24",
        } | changes
        service = service or self.service
        made = Opening(**opening)  # type: ignore[arg-type]
        opened = service.open(made, ticket=service.ticket(made.account_id), jar=jar.check())
        assert isinstance(opened, Opened)
        jar.apply(opened.set_cookies)
        return opened

    def visit(self, jar: BrowserJar, *, service: SessionDaemon | None = None, **changes: object) -> Verdict:
        """Load a page: ask, and apply the answer's cookies."""
        [verdict] = (service or self.service).check_many([jar.check(**changes)])
        jar.apply(verdict.set_cookies)
        return verdict


def rotate(daemons: Daemons, jar: BrowserJar, *, times: int = 1) -> None:
    """Load pages far enough apart that each pair moves the line once."""
    for _ in range(2 * times):
        daemons.clock.advance(16 * SECOND)
        assert daemons.visit(jar).outcome is Outcome.OK


def copy(jar: BrowserJar) -> BrowserJar:
    """Steal the jar."""
    thief = BrowserJar()
    thief.cookies = dict(jar.cookies)
    return thief


def follow(daemons: Daemons, jar: BrowserJar, **changes: Any) -> list[str]:  # noqa: ANN401 - of any field
    """Load a page and follow every bounce; return the reasons on the way."""
    reasons = []
    verdict = daemons.visit(jar, **changes)
    reasons.append(verdict.reason)
    while verdict.outcome is Outcome.BOUNCE and len(reasons) < 20:
        verdict = daemons.visit(jar, flag=verdict.flag)
        reasons.append(verdict.reason)
    return reasons
