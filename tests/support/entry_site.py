"""A daemon with an application for each rule, over stores that outlive it, and every way of asking who may enter.

Ada has a session on every application's host, whether its rule lets her in or not: only so can each way be asked
about each of them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Any, Final, cast
from uuid import uuid4

from identity.accounts.results import By, GroupsChange
from identity.accounts.usernames import fold
from identity.applications.application import Application
from identity.config.model import AccountsSection, Config
from identity.login.admission import SignUpMode
from identity.login.codes import Destination, challenge_of
from identity.login.handover import start_url
from identity.membership.rules import MemberRule, read_provider_rule, read_rule
from identity.opening import Accounts
from identity.sessions.check import Check
from identity.sessions.packing import pack
from identity.sessions.record import Record, Session
from identity.sessions.service import Opened
from identity.stores.cache import Cache, Trip
from identity.stores.memory_cache import MemoryCache
from identity.types import AccountId, ClientId, Host, SessionId
from tests.support.application_hosts import ApplicationHosts, HostVisitor
from tests.support.applications import application
from tests.support.browser import Jar, Reply
from tests.support.caches import Trips
from tests.support.clock import ManualClock
from tests.support.scripted import ScriptedProvider, person
from tests.support.web import LOCAL, basic, forwarded

PROVIDER: Final = "corp"
SECRET: Final = "a secret of every application here, 32+"
ADA: Final = person(
    "ada",
    email="ada@mail.example",
    email_verified=True,
    facts=(
        ("hd", "example.com"),
        ("org", "acme"),
        ("claim.groups", "ops"),
        ("claim.groups", "dev"),
        ("claim.level", "7"),
        ("claim.admin", "true"),
        ("claim.new", "yes"),
    ),
)


class Verdict(Enum):
    """What a person meets; the value is how a table spells it."""

    IN = "in"
    NO = "no"
    OUT = "out"
    """No session counts: the way leads to the login."""
    AWAY = "away"
    """It is not known: a store does not answer."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What outlives a daemon."""

    accounts: Accounts
    cache: Cache
    trips: Trips
    clock: ManualClock


class EntryVisitor(HostVisitor):
    """A visitor who has a login, which codes are made for."""

    opened: tuple[AccountId, SessionId]


@dataclass(kw_only=True)
class EntrySite(ApplicationHosts):
    """One daemon; another one over the same stores is what follows a restart.

    `allow` are words by application, whose host is named for it.
    """

    stores: Stores
    allow: Mapping[str, str]
    groups: Mapping[str, str] = field(default_factory=dict)
    mode: SignUpMode = SignUpMode.OPEN
    trusted: tuple[str, ...] = (LOCAL,)

    def __post_init__(self) -> None:
        self.clock = self.stores.clock
        self.origins = frozenset(f"https://{host_of(name)}" for name in self.allow)
        self.corp = ScriptedProvider(PROVIDER, "Corp")
        self.corp.people["ada"] = ADA
        self.providers[PROVIDER] = self.corp
        super().__post_init__()

    def made_cache(self) -> MemoryCache:
        """Return the one that outlives the daemon."""
        return cast("MemoryCache", self.stores.cache)

    def made_store(self) -> Accounts:
        """Return the one that outlives the daemon."""
        return self.stores.accounts

    def apps(self) -> Iterator[Application]:
        """Yield an application for each rule."""
        for name, words in self.allow.items():
            made = application(name, SECRET, hosts=[host_of(name)])
            yield replace(made, allow=rules(words), return_to=tuple(self.origins))

    def config(self) -> Config:
        """Return the configuration, with groups and the mode."""
        groups = {name: tuple(map(read_provider_rule, words.split())) for name, words in self.groups.items()}
        admitted = (read_provider_rule(f"provider:{PROVIDER}/org=acme"),) if self.mode is SignUpMode.RULES else ()
        accounts = AccountsSection(sign_up=self.mode, rules=admitted)
        return replace(super().config(), accounts=accounts, groups=groups)

    def count_anew(self) -> None:
        """Count reads from here."""
        self.stores.trips.made.clear()
        self.store.reads.clear()

    def browser(self) -> EntryVisitor:
        """Return a browser without any cookie."""
        return EntryVisitor(self)

    # --- what happens to a session

    def adopt(self, browser: EntryVisitor) -> None:
        """Let a browser find this daemon at the addresses of the one before."""
        browser.site, browser.transport = self, self.carry

    def log_in_everywhere(self, browser: EntryVisitor) -> None:
        """Log Ada in, and open a session on each application's host, whatever its rule says."""
        browser.log_in("ada", provider=PROVIDER)
        record = self.record(f"{PROVIDER}:ada")
        self.open_everywhere(browser, record.account_id, login_of(record).id)

    def open_everywhere(self, browser: EntryVisitor, account_id: AccountId, login: SessionId) -> None:
        """Open a session below a login on each application's host, whatever its rule says."""
        browser.opened = (account_id, login)
        for name in self.allow:
            opened = self.sessions.open_below(account_id, login, jar=Check(cookies=(), host=host_of(name)))
            assert isinstance(opened, Opened)
            browser.jars[host_of(name)] = Jar(opened.set_cookies)

    def put(self, group: str, *, out: bool = False) -> None:
        """Put Ada into a group as an operator does, or take her out."""
        account_id, groups = self.row(f"{PROVIDER}:ada").account_id, frozenset({group})
        change = GroupsChange(uuid4(), account_id, By("operator:test", why="a test"))
        self.accounts.change_groups(replace(change, remove=groups) if out else replace(change, add=groups))

    def age_to_first_format(self) -> None:
        """Leave the record as a release wrote it that knew neither groups nor facts."""

        def older(record: Record) -> Record:
            sessions = tuple(replace(session, facts=()) for session in record.sessions)
            return replace(record, groups=(), described=None, sessions=sessions)

        record = self.record(f"{PROVIDER}:ada")
        self.sessions._records.change(record.account_id, older)
        assert pack(self.record(f"{PROVIDER}:ada"))[0] == 1


Way = Callable[[EntrySite, EntryVisitor, str], Verdict]


def host_of(name: str) -> Host:
    """Return the host of an application."""
    return Host(f"{name}.example")


def rules(words: str) -> tuple[MemberRule, ...]:
    """Read rules."""
    return tuple(read_rule(word, fold=fold) for word in words.split())


def login_of(record: Record) -> Session:
    """Return the login that all else is below."""
    return next(session for session in record.sessions if session.login is None)


# --- the ways of asking


def by_proxy(site: EntrySite, browser: EntryVisitor, name: str, *, redirect: bool = False, **more: str) -> Verdict:
    """Ask `/auth`."""
    jar = browser.jars[host_of(name)]
    headers = {**forwarded(host=host_of(name)), **jar.header, **{key.replace("_", "-"): v for key, v in more.items()}}
    reply = site.internal("GET", "/auth?redirect=1" if redirect else "/auth", headers=headers)
    jar.take(reply)
    if not redirect:
        assert (reply.one("X-Identity-User") == "ada") is (reply.status == 200)
        assert (reply.one("X-Identity-Reason") == "not-allowed") is (reply.status == 403)
    return {200: Verdict.IN, 403: Verdict.NO, 401: Verdict.OUT, 302: Verdict.OUT, 503: Verdict.AWAY}[reply.status]


def by_check(site: EntrySite, browser: EntryVisitor, name: str, *, mode: str) -> Verdict:
    """Ask `/session/check`."""
    jar = browser.jars[host_of(name)]
    body = {"url": f"https://{host_of(name)}/page", "navigation": True, "mode": mode, "cookie": jar.line}
    answer = _posted(site, name, "/session/check", body).json()
    for line in answer["set_cookie"]:
        jar.keep(line)
    assert (answer["user"] is not None) is (answer["verdict"] == "ok")
    assert (answer["reason"] == "not-allowed") is (answer["verdict"] == "forbidden")
    return {"ok": Verdict.IN, "forbidden": Verdict.NO, "login": Verdict.OUT, "retry": Verdict.AWAY}[answer["verdict"]]


def by_check_many(site: EntrySite, browser: EntryVisitor, name: str) -> Verdict:
    """Ask `/session/check-many`."""
    check = {"url": f"https://{host_of(name)}/page", "cookie": browser.jars[host_of(name)].line}
    [answer] = _posted(site, name, "/session/check-many", {"checks": [check]}).json()["answers"]
    if answer["active"] is None:
        return Verdict.AWAY
    lets_in = {True: Verdict.IN, False: Verdict.NO if answer["reason"] == "not-allowed" else Verdict.OUT}
    return lets_in[answer["active"]]


def by_start_code(site: EntrySite, browser: EntryVisitor, name: str) -> Verdict:
    """Redeem a code that was made while the person might enter."""
    secret = uuid4().hex
    there = Destination(ClientId(name), host_of(name), challenge_of(secret), "/page")
    account_id, login = browser.opened
    code = site.starts.issue(there, account_id=account_id, login=login)
    jar = browser.jars[host_of(name)]
    body = {"url": start_url(f"https://{host_of(name)}", code), "secret": secret, "cookie": jar.line}
    site.count_anew()  # what it takes to make one is not asked here
    reply = _posted(site, name, "/session/start", body)
    for line in reply.json().get("set_cookie", ()):
        jar.keep(line)
    return {200: Verdict.IN, 403: Verdict.NO, 400: Verdict.OUT, 503: Verdict.AWAY}[reply.status]


def on_the_way(site: EntrySite, browser: EntryVisitor, name: str) -> Verdict:
    """Go from the login host to the application, as a login's own return does."""
    reply = browser.get(f"{site.public_url}/continue?anew=yes&path=/page&host={host_of(name)}")
    leads = reply.one("Location") or ""
    if reply.status == 403:
        assert b"logged in as <strong>ada</strong>" in reply.body
        return Verdict.NO
    if reply.status == 503:
        return Verdict.AWAY
    return Verdict.IN if leads.startswith(f"https://{host_of(name)}/") else Verdict.OUT


WAYS: Final[Mapping[str, Way]] = {
    "a proxy, a page": by_proxy,
    "a proxy that hands the answer on": partial(by_proxy, redirect=True),
    "a proxy, a script's call": partial(by_proxy, Sec_Fetch_Mode="cors"),
    "a proxy, a handshake": partial(by_proxy, Sec_WebSocket_Version="13"),
    "an application, a page": partial(by_check, mode="browser"),
    "an application, a handshake": partial(by_check, mode="websocket"),
    "an application, a look": partial(by_check, mode="read-only"),
    "an application, many looks": by_check_many,
    "a start code": by_start_code,
    "the way from the login host": on_the_way,
}


def asked(site: EntrySite, browser: EntryVisitor, name: str) -> dict[str, Verdict]:
    """Ask in every way about one application; each costs one read of memcached and none of the account store."""
    found = {}
    for way, ask in WAYS.items():
        shown = {host: jar.duplicate() for host, jar in browser.jars.items()}
        site.count_anew()
        found[way] = ask(site, browser, name)
        got = (site.stores.trips.of(Trip.READ), dict(site.store.reads))
        assert got == (1, {}), (name, way, got)
        if found[way] is Verdict.OUT:  # the answer took the cookies away, and each way is to be asked with them
            browser.jars.update(shown)
    return found


def _posted(site: EntrySite, name: str, path: str, body: Mapping[str, Any]) -> Reply:
    headers = {"Content-Type": "application/json", **basic(name, SECRET)}
    return site.internal("POST", path, headers=headers, body=json.dumps(body).encode())
