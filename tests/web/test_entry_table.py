"""Who may enter, whole: every kind of rule, at every age of a session, by every way of asking, on real stores.

The table says what is meant and is compared with what the daemon does. A row is an application with its rule, a
column what has happened to Ada's sessions before; she logged in through `corp`, which said `ADA` of her.

    fresh  nothing                                      bob   a restart: every rule is `user:bob`
    aged   every token is old enough for a new one      back  a restart with the rules as they were
    put    an operator put her into the group `staff`   old   the record is as an earlier release wrote it
    taken  and took her out again                       anew  another login
    ada    a restart: every rule is `user:ada`          off   an operator disabled the account
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from identity.login.admission import SignUpMode
from identity.stores.sqlite import SqliteAccounts
from tests.support.caches import KEYS, Trips, memcached_cache, servers, wall_clock
from tests.support.cassandra_accounts import migrated, opened
from tests.support.clock import ManualClock
from tests.support.entry_site import PROVIDER, EntrySite, EntryVisitor, Stores, Verdict, asked, by_proxy, host_of
from tests.support.memcached import MemcachedNode

pytestmark = pytest.mark.memcached

TABLE: Final = """
application      allow                                        fresh  aged  put  taken  ada  bob  back  old  anew  off
everyone         everyone                                     in     in    in   in     in   no   in    in   in    out
her-name         user:ADA                                     in     in    in   in     in   no   in    in   in    out
another-name     user:adam                                    no     no    no   no     in   no   no    no   no    out
kept-group       group:staff                                  no     no    in   no     in   no   no    no   no    out
mapped-group     group:mapped                                 in     in    in   in     in   no   in    no   in    out
unmapped-group   group:unmapped                               no     no    no   no     in   no   no    no   no    out
like-a-word      group:everyone                               no     no    no   no     in   no   no    no   no    out
provider         provider:corp                                in     in    in   in     in   no   in    in   in    out
other-provider   provider:github                              no     no    no   no     in   no   no    no   no    out
hd               provider:corp/hd=EXAMPLE.com                 in     in    in   in     in   no   in    no   in    out
other-hd         provider:corp/hd=example.org                 no     no    no   no     in   no   no    no   no    out
org              provider:corp/org=acme                       in     in    in   in     in   no   in    no   in    out
org-of-another   provider:github/org=acme                     no     no    no   no     in   no   no    no   no    out
org-of-any       provider:*/org=acme                          in     in    in   in     in   no   in    no   in    out
email            provider:corp/email_domain=mail.example      in     in    in   in     in   no   in    no   in    out
one-of-a-list    provider:corp/claim.groups=dev               in     in    in   in     in   no   in    no   in    out
case-of-a-claim  provider:corp/claim.groups=DEV               no     no    no   no     in   no   no    no   no    out
number           provider:corp/claim.level=7                  in     in    in   in     in   no   in    no   in    out
yes-or-no        provider:corp/claim.admin=true               in     in    in   in     in   no   in    no   in    out
absent           provider:corp/claim.absent=1                 no     no    no   no     in   no   no    no   no    out
one-of-three     user:bob group:staff provider:corp/org=acme  in     in    in   in     in   no   in    no   in    out
"""
GROUPS: Final = {"mapped": "provider:corp/claim.groups=ops", "unmapped": "provider:github provider:corp/org=other"}


def read() -> tuple[dict[str, str], dict[str, dict[str, Verdict]]]:
    """Return the rules by application, and what is expected by column."""
    head, *rows = TABLE.strip().splitlines()
    columns = head.split()[2:]
    allow: dict[str, str] = {}
    expected: dict[str, dict[str, Verdict]] = {column: {} for column in columns}
    for row in rows:
        name, *words = row.split()
        verdicts = words[-len(columns) :]
        allow[name] = " ".join(words[: -len(columns)])
        for column, verdict in zip(columns, verdicts, strict=True):
            expected[column][name] = Verdict(verdict)
    return allow, expected


ALLOW, EXPECTED = read()
ONE_OF_EACH: Final = ("everyone", "her-name", "kept-group", "mapped-group", "provider", "org", "absent")
"""How a person may sign up decides nothing about entering, so a row of each kind shows it."""


@pytest.fixture(params=["sqlite", pytest.param("cassandra", marks=pytest.mark.cassandra)])
def stores(request: pytest.FixtureRequest, memcached: list[MemcachedNode], tmp_path: Path) -> Iterator[Stores]:
    """Give real stores, empty."""
    clock, trips = ManualClock(wall_clock()), Trips()
    with ExitStack() as closing:
        cache = memcached_cache(servers(memcached), clock=clock, trips=trips)
        closing.callback(cache.close)
        cache.get_many(KEYS)  # the first question to each node proves that it is the right one, which costs a read
        if request.param == "cassandra":
            accounts = opened(migrated(request.getfixturevalue("cassandra")), clock=clock)
        else:
            accounts = SqliteAccounts(tmp_path / "accounts.sqlite", clock=clock)
        closing.callback(accounts.close)
        yield Stores(accounts, cache, trips, clock)


@dataclass(frozen=True, slots=True)
class Tried:
    """The daemon and Ada's browser."""

    site: EntrySite
    ada: EntryVisitor

    def agrees(self, column: str) -> None:
        """Compare every way of asking about every application with the column."""
        found = {name: asked(self.site, self.ada, name) for name in self.site.allow}
        wrong = {
            (name, way): verdict
            for name, ways in found.items()
            for way, verdict in ways.items()
            if verdict is not EXPECTED[column][name]
        }
        assert not wrong, column


def tried(
    closing: ExitStack, stores: Stores, ada: EntryVisitor | None, mode: SignUpMode, allow: dict[str, str]
) -> Tried:
    """Start a daemon, after which an earlier one is not asked any more."""
    site = closing.enter_context(EntrySite(stores=stores, allow=allow, groups=GROUPS, mode=mode))
    browser = ada or site.browser()
    site.adopt(browser)
    return Tried(site, browser)


@pytest.mark.parametrize(
    ("mode", "names"),
    [(mode, tuple(ALLOW) if mode is SignUpMode.OPEN else ONE_OF_EACH) for mode in SignUpMode],
    ids=lambda each: each.value if isinstance(each, SignUpMode) else "",
)
def test_every_rule_at_every_age_by_every_way_of_asking(
    stores: Stores, mode: SignUpMode, names: tuple[str, ...]
) -> None:
    """One cell that is wrong is a person who reads what is not theirs, or who cannot work."""
    allow = {name: ALLOW[name] for name in names}
    with ExitStack() as closing:
        first = tried(closing, stores, None, SignUpMode.OPEN, allow)
        first.ada.sign_up("ada", provider=PROVIDER)

        now = tried(closing, stores, first.ada, mode, allow)
        now.site.log_in_everywhere(now.ada)
        now.agrees("fresh")
        stores.clock.advance(61_000)
        now.agrees("aged")
        now.site.put("staff")
        now.agrees("put")
        now.site.put("staff", out=True)
        now.agrees("taken")
        tried(closing, stores, now.ada, mode, dict.fromkeys(allow, "user:ada")).agrees("ada")
        tried(closing, stores, now.ada, mode, dict.fromkeys(allow, "user:bob")).agrees("bob")
        now = tried(closing, stores, now.ada, mode, allow)
        now.agrees("back")
        now.site.age_to_first_format()
        now.agrees("old")
        now.site.log_in_everywhere(now.ada)
        now.agrees("anew")
        now.site.disable(f"{PROVIDER}:ada")
        now.agrees("off")


def test_a_page_load_rotates_whether_the_person_may_enter_or_not(stores: Stores) -> None:
    """The column `rotating` would be one more of `fresh` if no token were old enough in it."""
    with ExitStack() as closing:
        now = tried(closing, stores, None, SignUpMode.OPEN, {name: ALLOW[name] for name in ("everyone", "absent")})
        now.ada.sign_up("ada", provider=PROVIDER)
        now.site.log_in_everywhere(now.ada)
        stores.clock.advance(61_000)

        for name, expected in (("everyone", Verdict.IN), ("absent", Verdict.NO)):
            before = dict(now.ada.jars[host_of(name)])
            assert by_proxy(now.site, now.ada, name) is expected
            assert now.ada.jars[host_of(name)] != before
