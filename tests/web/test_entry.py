"""Who may enter: every way of asking, every kind of rule, the page, and what follows from a change of groups."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import uuid4

import pytest

from identity.accounts.results import By, GroupsChange
from identity.accounts.usernames import fold
from identity.applications.application import Application
from identity.membership.rules import PUBLIC, MemberRule, read_rule
from identity.types import ClientId
from identity.web.people.binding_cookies import secret_of
from tests.support.application_hosts import LOGIN, WIKI, ApplicationHosts, HostVisitor
from tests.support.browser import Reply
from tests.support.web import APP, LOCAL, basic, forwarded

PAGE: Final = f"{WIKI}/page?x=1"
REFUSED: Final = "/.identityd/refused"


@dataclass(kw_only=True)
class GuardedHosts(ApplicationHosts):
    """Two applications; who may enter the wiki is the test's."""

    trusted: tuple[str, ...] = (LOCAL,)
    allow: dict[ClientId, tuple[MemberRule, ...]] = field(default_factory=dict)

    def apps(self) -> Iterator[Application]:
        """Yield both, with their rules."""
        for app in super().apps():
            yield replace(app, allow=self.allow.get(app.id, PUBLIC))

    def put(self, group: str, *, out: bool = False) -> None:
        """Put Ada into a group, or take her out."""
        account_id, groups = self.row("github:ada").account_id, frozenset({group})
        change = GroupsChange(uuid4(), account_id, By("operator:test", why="a test"))
        self.accounts.change_groups(replace(change, remove=groups) if out else replace(change, add=groups))


def guarded(*words: str) -> GuardedHosts:
    """Return a daemon whose wiki has these rules."""
    return GuardedHosts(allow={APP: tuple(read_rule(word, fold=fold) for word in words)})


@pytest.fixture
def hosts() -> Iterator[GuardedHosts]:
    """Give a daemon whose wiki is for its staff."""
    with guarded("group:staff", "user:bob") as site:
        yield site


@pytest.fixture
def ada(hosts: GuardedHosts) -> HostVisitor:
    """Give the browser of somebody who is logged in at the login host."""
    browser = hosts.browser()
    browser.log_in_at(browser.go(f"{LOGIN}/account"))
    return browser


def let_in(hosts: GuardedHosts, browser: HostVisitor) -> Reply:
    """Let Ada into the wiki as one of its staff, and return the page."""
    hosts.put("staff")
    return browser.go(PAGE)


def asked(hosts: GuardedHosts, browser: HostVisitor, **more: object) -> tuple[int, dict[str, object]]:
    """Ask `/session/check` with what the browser shows on the wiki's host."""
    body = {"url": PAGE, "navigation": True, "cookie": browser.jars["wiki.example"].header.get("Cookie", ""), **more}
    headers = {"Content-Type": "application/json", **basic()}
    reply = hosts.internal("POST", "/session/check", headers=headers, body=json.dumps(body).encode())
    return reply.status, json.loads(reply.body)


def looked(hosts: GuardedHosts, browser: HostVisitor) -> dict[str, object]:
    """Ask `/session/check-many` the same."""
    check = {"url": PAGE, "cookie": browser.jars["wiki.example"].header.get("Cookie", "")}
    headers = {"Content-Type": "application/json", **basic()}
    body = json.dumps({"checks": [check]}).encode()
    reply = hosts.internal("POST", "/session/check-many", headers=headers, body=body)
    answer: dict[str, object] = json.loads(reply.body)["answers"][0]
    return answer


def test_a_person_who_may_not_enter_gets_a_page_and_no_loop_of_logins(ada: HostVisitor) -> None:
    """A login would lead straight back to the refusal, for ever; a bare 403 says nothing of what to do."""
    reply = ada.go(PAGE)

    assert reply.status == 403
    assert b"logged in as <strong>ada</strong>" in reply.body
    assert b"wiki.example" in reply.body
    assert f'href="{WIKI}/page?x=1"'.encode() in reply.body
    assert "login.example" in ada.hops[-1]


def test_no_code_is_made_for_a_person_who_may_not_enter(ada: HostVisitor) -> None:
    """A start code opens a session on the application's host."""
    ada.go(PAGE)

    assert not any("/.identityd/start" in hop for hop in ada.hops)


def test_a_member_of_the_group_enters(hosts: GuardedHosts, ada: HostVisitor) -> None:
    """Otherwise the rule shuts everybody out."""
    assert let_in(hosts, ada).status == 200


def test_a_group_taken_away_is_refused_at_the_next_check_by_every_way_of_asking(
    hosts: GuardedHosts, ada: HostVisitor
) -> None:
    """Whoever left the team would go on reading until the session ends (threat 35: one answer to one question)."""
    let_in(hosts, ada)
    hosts.put("staff", out=True)

    status, answer = asked(hosts, ada)
    assert (status, answer["verdict"], answer["reason"], answer["user"]) == (403, "forbidden", "not-allowed", None)
    assert answer["location"] == f"{WIKI}{REFUSED}?return_to=%2Fpage%3Fx%3D1"
    assert asked(hosts, ada, mode="read-only")[1]["reason"] == "not-allowed"
    assert asked(hosts, ada, mode="websocket")[1]["location"] is None
    assert looked(hosts, ada) == {"active": False, "reason": "not-allowed"}
    proxied = hosts.internal(
        "GET", "/auth", headers={**forwarded(host="wiki.example", uri="/page?x=1"), **ada.jars["wiki.example"].header}
    )
    assert (proxied.status, proxied.one("X-Identity-Verdict")) == (403, "forbidden")
    assert proxied.one("X-Identity-Reason") == "not-allowed"
    assert proxied.one("X-Identity-User") is None


def test_the_session_goes_on_and_serves_again_when_the_group_comes_back(hosts: GuardedHosts, ada: HostVisitor) -> None:
    """A refusal is no logout: the person would have to log in again for a slip of the operator's fingers."""
    let_in(hosts, ada)
    hosts.put("staff", out=True)
    assert ada.go(PAGE).status == 403
    assert ada.go(f"{LOGIN}/account").status == 200

    hosts.put("staff")

    assert ada.go(PAGE).status == 200


def test_a_refused_session_goes_on_rotating(hosts: GuardedHosts, ada: HostVisitor) -> None:
    """A cookie that stops changing while its owner is refused is one that a thief keeps."""
    let_in(hosts, ada)
    hosts.put("staff", out=True)
    before = dict(ada.jars["wiki.example"].cookies)
    hosts.clock.advance(60_000)

    reply = ada.get(PAGE)

    assert reply.status == 403
    assert reply.cookies
    assert ada.jars["wiki.example"].cookies != before


def test_the_page_behind_a_proxy_that_drops_bodies_leads_on_when_one_may_enter(
    hosts: GuardedHosts, ada: HostVisitor
) -> None:
    """The page is reloaded when the operator says "try now"; it must not say no for ever."""
    let_in(hosts, ada)
    hosts.put("staff", out=True)
    refused = ada.go(f"{WIKI}{REFUSED}?return_to=%2Fpage%3Fx%3D1")
    assert refused.status == 403
    assert b"logged in as <strong>ada</strong>" in refused.body
    hosts.put("staff")

    reply = ada.go(f"{WIKI}{REFUSED}?return_to=%2Fpage%3Fx%3D1")

    assert (reply.status, ada.hops[-1]) == (200, f"{WIKI}/page?x=1")


@pytest.mark.parametrize("path", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
@pytest.mark.threat(4)
def test_the_page_leads_to_no_other_site(hosts: GuardedHosts, ada: HostVisitor, path: str) -> None:
    """A refusal with a friendly button would be the phisher's."""
    let_in(hosts, ada)
    hosts.put("staff", out=True)

    reply = ada.get(f"{WIKI}{REFUSED}?return_to={path}")

    assert reply.status == 403
    assert b"evil" not in reply.body
    assert b"javascript" not in reply.body


def test_a_browser_without_a_session_is_led_to_log_in_from_there(hosts: GuardedHosts) -> None:
    """The page cannot say who may not enter where it knows no person."""
    browser = hosts.browser()

    browser.go(f"{WIKI}{REFUSED}?return_to=%2Fpage")

    assert browser.hops[-1].startswith(f"{LOGIN}/login")


def test_another_account_can_be_tried_without_logging_out(ada: HostVisitor) -> None:
    """The login page leads a logged-in person straight on, which here is back to the refusal."""
    refused = ada.go(PAGE)
    link = refused.body.decode().split('href="https://login.example/login?another=yes', 1)[1].split('"', 1)[0]
    chooser = ada.go(f"{LOGIN}/login?another=yes{link}".replace("&amp;", "&"))
    assert chooser.status == 200

    reply = ada.log_in_at(chooser, "bob")

    assert (reply.status, ada.hops[-1]) == (200, PAGE)


def test_a_call_of_a_script_is_refused_without_an_address(hosts: GuardedHosts, ada: HostVisitor) -> None:
    """What loads no page cannot show one, and would follow the redirect for ever."""
    let_in(hosts, ada)
    hosts.put("staff", out=True)

    reply = ada.get(PAGE, Sec_Fetch_Mode="cors", Sec_Fetch_Dest="empty")

    assert reply.status == 403
    assert json.loads(reply.body)["error"] == "not-allowed"
    assert reply.one("Location") is None


def test_an_application_that_redeems_codes_itself_is_told_so(hosts: GuardedHosts, ada: HostVisitor) -> None:
    """It would give a session to somebody whom it then never lets in."""
    hosts.put("staff")
    ada.go(PAGE, until="/.identityd/start")
    hosts.put("staff", out=True)
    [secret] = map(secret_of, ada.jars["wiki.example"].cookies.values())

    reply = hosts.start_over_http(ada.hops[-1], secret or "")

    assert (reply.status, json.loads(reply.body)["error"]) == (403, "not-allowed")


def test_a_rule_of_one_application_is_none_of_another(hosts: GuardedHosts, ada: HostVisitor) -> None:
    """The shop lets everybody in; the wiki's rule must not follow its host or its session."""
    assert ada.go("https://shop.example/").status == 200
    assert hosts.context.applications.get(ClientId("shop")) is not None


def test_checks_read_nothing_more_for_a_rule(hosts: GuardedHosts, ada: HostVisitor) -> None:
    """Every request of every application asks; a read of the account store more would be the price of groups."""
    let_in(hosts, ada)
    hosts.store.reads.clear()
    read = hosts.cache.get_many
    trips: list[object] = []
    hosts.cache.get_many = lambda keys: trips.append(keys) or read(keys)  # type: ignore[assignment, func-returns-value]

    assert asked(hosts, ada)[0] == 200

    assert len(trips) == 1
    assert not hosts.store.reads


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("everyone",), 200),
        (("user:ADA",), 200),
        (("user:bob",), 403),
        (("provider:github",), 200),
        (("provider:google",), 403),
        (("provider:google", "user:ada"), 200),
        (("group:staff",), 403),
        (("provider:github/org=acme",), 403),
    ],
)
def test_each_kind_of_rule(words: tuple[str, ...], status: int) -> None:
    """One that is not asked guards nothing."""
    with guarded(*words) as site:
        browser = site.browser()

        reply = browser.log_in_at(browser.go(PAGE))

        assert reply.status == status
