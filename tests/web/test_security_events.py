"""A provider says what happened to a person's account there: what ends here, and what strangers can do with it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from identity.accounts.results import By, Change, LinkRequest
from identity.audit import Event
from identity.sessions.store import Written
from identity.types import IdentityKey
from providers.security_notices import SecurityEvent, SecurityEventType, SecurityNotice
from tests.support.guards import Expectation
from tests.support.logins import Browser, LoginSite, location
from tests.support.racing import race
from tests.support.scripted import ScriptedEvents
from tests.support.web import LOCAL, Reply

ExpectLog = Callable[..., Expectation]
Type = SecurityEventType
URL = "/login/google/events"
SET = {"Content-Type": "application/secevent+jwt"}
ADA = IdentityKey("google:ada")
HIJACKED = SecurityEvent(Type.ACCOUNT_DISABLED, "ada", "hijacking")
REVOKED = SecurityEvent(Type.SESSIONS_REVOKED, "ada")
ENABLED = SecurityEvent(Type.ACCOUNT_ENABLED, "ada")


@pytest.fixture
def site(logins: LoginSite) -> LoginSite:
    """Give a daemon whose provider tells of security events."""
    logins.google.security_events = ScriptedEvents()
    return logins


def notice(site: LoginSite, named: str, *events: SecurityEvent, later_s: int = 0) -> None:
    """Let the provider have something to say."""
    now = site.clock() // 1000
    assert site.google.security_events is not None
    site.google.security_events.notices[named] = SecurityNotice(uuid4().hex, events, now + later_s, now + 86_400)


def send(site: LoginSite, body: bytes, *, headers: dict[str, str] | None = None) -> Reply:
    """Send something to the address, as a provider does."""
    return site.public("POST", URL, headers=SET if headers is None else headers, body=body)


def tell(site: LoginSite, *events: SecurityEvent, named: str = "told", later_s: int = 0) -> Reply:
    """Send a notice as the provider does."""
    notice(site, named, *events, later_s=later_s)
    return send(site, named.encode())


def logged_in(site: LoginSite, provider: str = "google") -> Browser:
    """Return a browser Ada is logged in with; her first login makes the account."""
    browser = site.browser()
    if site.accounts.find(IdentityKey(f"{provider}:ada")) is None:
        browser.sign_up("ada", provider=provider)
    else:
        browser.log_in("ada", provider=provider)
    assert browser.whoami() == "ada"
    return browser


def linked(site: LoginSite) -> Browser:
    """Return a browser that is logged in to the same account in another way."""
    account = site.row("google:ada").account_id
    site.accounts.link(LinkRequest(uuid4(), account, IdentityKey("github:ada"), "", By("self")))
    return logged_in(site, "github")


def counted(site: LoginSite, event: Type | str, outcome: str) -> bool:
    """Tell whether the metric has such an outcome."""
    labels = f'event="{event.value if isinstance(event, Type) else event}",outcome="{outcome}",provider="google"'
    return f"identityd_security_events_total{{{labels}}}" in site.metrics.render().decode()


def rows(site: LoginSite) -> list[tuple[Any, ...]]:
    """Return what the audit says of security events, newest first: of Ada's account."""
    written = site.store.audit.of_account(site.row("google:ada").account_id)
    told = [row for row in written if row.action.startswith("security-event")]
    return [(row.action, row.actor, row.facts["reason"], row.facts.get("outcome")) for row in told]


def noted(site: LoginSite) -> list[Event]:
    """Return the audited events that changed nothing."""
    return [event for event in site.events if event.action == "security-event"]


def test_sessions_that_are_revoked_there_end_here(site: LoginSite) -> None:
    """Otherwise who logs out everywhere at the provider stays logged in here."""
    laptop = logged_in(site)
    phone = linked(site)

    reply = tell(site, REVOKED)

    assert (reply.status, reply.body, reply.one("Cache-Control"), reply.cookies) == (202, b"", "no-store", [])
    assert (laptop.whoami(), phone.whoami()) == (None, "ada")
    assert "reason=provider-event" in location(laptop.get("/account"))
    assert logged_in(site).whoami() == "ada"
    assert counted(site, Type.SESSIONS_REVOKED, "done")


def test_a_thief_at_the_provider_is_put_out_of_everything_and_kept_out(site: LoginSite) -> None:
    """Otherwise who took over the account there goes on here, or comes in again."""
    laptop = logged_in(site)
    phone = linked(site)

    assert tell(site, HIJACKED).status == 202

    assert (laptop.whoami(), phone.whoami()) == (None, None)
    refused = site.browser().log_in("ada", provider="google")
    assert refused.status == 403
    assert b"identity-suspended" in refused.body
    assert b"Log in another way" in refused.body
    assert logged_in(site, "github").whoami() == "ada"


def test_the_person_comes_back_when_the_provider_says_so(site: LoginSite) -> None:
    """Otherwise the owner who got the account back there is locked out here for ever."""
    logged_in(site)
    tell(site, HIJACKED)

    assert tell(site, ENABLED, named="again", later_s=1).status == 202

    assert logged_in(site).whoami() == "ada"


def test_the_person_comes_back_when_the_operator_says_so(site: LoginSite) -> None:
    """Otherwise a word of the provider's that was lost decides."""
    logged_in(site)
    tell(site, HIJACKED)

    site.accounts.enable(Change(uuid4(), site.row("google:ada").account_id, By("operator:ann")))

    assert logged_in(site).whoami() == "ada"


@pytest.mark.parametrize("kind", [Type.TOKEN_REVOKED, Type.EMAIL_DISABLED, Type.EMAIL_ENABLED])
def test_what_concerns_no_session_is_noted(site: LoginSite, kind: Type) -> None:
    """Otherwise a mail setting logs a person out, or an operator cannot find out what was said."""
    browser = logged_in(site)

    assert tell(site, SecurityEvent(kind, "ada")).status == 202

    assert browser.whoami() == "ada"
    (event,) = noted(site)
    assert event.account_id == site.row("google:ada").account_id
    assert event.facts == {"reason": kind.value, "outcome": "noted", "identity": ADA}
    assert (event.actor, event.address) == ("system", LOCAL)


def test_a_trial_of_the_way_is_answered_and_noted(site: LoginSite) -> None:
    """Otherwise the operator who registered the address does not know whether anything arrives."""
    assert tell(site, SecurityEvent(Type.VERIFICATION, reason="hello-1")).status == 202

    (event,) = noted(site)
    assert (event.account_id, event.facts) == (None, {"reason": "verification (hello-1)", "outcome": "noted"})
    assert counted(site, Type.VERIFICATION, "noted")


@pytest.mark.parametrize("subject", ["stranger", "s" * 300, ""])
def test_a_person_who_is_unknown_here_is_no_error(site: LoginSite, subject: str) -> None:
    """A provider tells of everybody; an error would make it send the same for days."""
    assert tell(site, replace(HIJACKED, subject=subject)).status == 202

    (event,) = noted(site)
    assert (event.account_id, event.facts["outcome"]) == (None, "nothing")
    assert counted(site, Type.ACCOUNT_DISABLED, "nothing")


def test_a_person_who_is_just_choosing_a_name_is_unknown(site: LoginSite) -> None:
    """A sign-up that is not finished has no session to end."""
    browser = site.browser()
    welcome = browser.get(location(browser.log_in("ada", provider="google")))

    assert tell(site, HIJACKED).status == 202

    browser.choose(welcome, "ada")
    assert browser.whoami() == "ada"


def test_several_events_in_one_notice_all_count(site: LoginSite) -> None:
    """Otherwise the one that matters is the one that is passed over."""
    browser = logged_in(site)

    assert (
        tell(site, SecurityEvent(Type.UNKNOWN, reason="new"), SecurityEvent(Type.TOKEN_REVOKED), HIJACKED).status == 202
    )

    assert browser.whoami() is None
    assert site.browser().log_in("ada", provider="google").status == 403


@pytest.mark.threat(64)
def test_a_notice_counts_once_and_is_answered_as_before(site: LoginSite) -> None:
    """Otherwise one that was seen on its way logs the person out again and again, or is sent for days (RFC 8935 §2)."""
    logged_in(site)
    tell(site, REVOKED)
    again = logged_in(site)

    reply = send(site, b"told")

    assert (reply.status, reply.body) == (202, b"")
    assert again.whoami() == "ada"
    assert counted(site, Type.SESSIONS_REVOKED, "repeated")


@pytest.mark.threat(64)
def test_an_old_notice_suspends_nothing_that_was_resumed_since(site: LoginSite) -> None:
    """Memcached forgets which notices counted; a person must not be locked out by one of last week."""
    logged_in(site)
    tell(site, HIJACKED)
    tell(site, ENABLED, named="again", later_s=1)
    site.cache._items.clear()

    assert send(site, b"told").status == 202

    assert logged_in(site).whoami() == "ada"


def test_two_copies_at_the_same_moment_do_it_once_or_twice_and_never_not_at_all(site: LoginSite) -> None:
    """Providers repeat what they got no answer to."""
    browser = logged_in(site)
    notice(site, "told", HIJACKED)

    replies = race(4, lambda _: send(site, b"told").status)

    assert replies == [202] * 4
    assert browser.whoami() is None
    assert site.browser().log_in("ada", provider="google").status == 403


@pytest.mark.threat(64)
@pytest.mark.parametrize("body", [b"forged", b""])
def test_what_is_not_genuine_ends_nothing_and_says_nothing(site: LoginSite, body: bytes) -> None:
    """Otherwise strangers log people out, or learn from the answer how to."""
    browser = logged_in(site)

    reply = send(site, body)

    assert (reply.status, reply.one("Content-Type"), reply.one("Content-Language")) == (400, "application/json", "en")
    assert json.loads(reply.body)["err"] == "invalid_key"
    assert set(json.loads(reply.body)) == {"err", "description"}
    assert b"canary" not in reply.body
    assert browser.whoami() == "ada"
    assert counted(site, "none", "refused")


@pytest.mark.parametrize(
    ("headers", "size", "status"),
    [
        ({"Content-Type": "application/json"}, 1, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 1, 415),
        ({"Content-Type": "text/plain"}, 1, 415),
        ({}, 1, 415),
        (SET, 40_000, 413),
    ],
)
def test_what_is_no_notice_is_refused_in_the_words_of_the_standard(
    site: LoginSite, headers: dict[str, str], size: int, status: int
) -> None:
    """A program that calls the wrong address must read why (RFC 8935 §2.3)."""
    reply = send(site, b"a" * size, headers=headers)

    assert (reply.status, json.loads(reply.body)["err"]) == (status, "invalid_request")


@pytest.mark.parametrize(
    "kind", ["application/secevent+jwt; charset=utf-8", "Application/SecEvent+JWT", " application/secevent+jwt "]
)
def test_the_type_is_read_as_http_has_it(site: LoginSite, kind: str) -> None:
    """RFC 9110 §8.3.1: neither case nor parameters make it another one."""
    notice(site, "told", REVOKED)

    assert send(site, b"told", headers={"Content-Type": kind}).status == 202


def test_the_address_answers_post_alone(site: LoginSite) -> None:
    """Otherwise a link can be clicked that ends sessions."""
    assert {site.public(method, URL).status for method in ("GET", "HEAD", "PUT", "DELETE")} == {405}


def test_the_provider_is_answered_as_it_wants_to_be(site: LoginSite) -> None:
    """Apple sends again whatever is not answered with 200."""
    site.google.security_events = ScriptedEvents("application/json", 200)
    notice(site, "told", REVOKED)

    reply = send(site, b"told", headers={"Content-Type": "application/json"})

    assert (reply.status, reply.body) == (200, b"")
    assert send(site, b"told").status == 415


def test_a_provider_without_the_option_has_no_such_address(site: LoginSite) -> None:
    """Whoever did not ask for it must not have an address that ends sessions."""
    notice(site, "told", REVOKED)
    site.google.security_events = None

    assert (send(site, b"told").status, send(site, b"told").json()["error"]) == (404, "provider-unknown")
    assert site.public("POST", "/login/nobody/events", headers=SET, body=b"told").status == 404


def test_a_provider_whose_keys_are_away_may_send_it_again(site: LoginSite, expect_log: ExpectLog) -> None:
    """An outage is not a forged token."""
    expect_log("identity.web", "provider")

    reply = send(site, b"unreachable")

    assert (reply.status, reply.json()["error"]) == (502, "provider")
    assert b"canary" not in reply.body


def test_while_the_accounts_are_away_nothing_counts(site: LoginSite, expect_log: ExpectLog) -> None:
    """The provider may send the same notice again, and then it must not be a repetition."""
    browser = logged_in(site)
    expect_log("identity.web", "store-unavailable")
    with site.accounts_away():
        reply = tell(site, HIJACKED)
    assert (reply.status, reply.one("Retry-After")) == (503, "5")

    assert send(site, b"told").status == 202
    assert browser.whoami() is None


def test_a_notice_that_was_cut_short_counts_when_it_comes_again(site: LoginSite, expect_log: ExpectLog) -> None:
    """A daemon that is stopped between two steps would leave the thief in, and call the repetition one."""
    browser = logged_in(site)
    expect_log("identity.web", "failed")
    site.stop_at = "ending.revocation-kept"
    assert tell(site, HIJACKED).status == 500
    site.stop_at = ""
    assert browser.whoami() == "ada"

    assert send(site, b"told").status == 202

    assert browser.whoami() is None
    assert site.browser().log_in("ada", provider="google").status == 403


def test_while_the_sessions_are_away_the_end_is_kept(site: LoginSite) -> None:
    """What could not be reached must end when its node is back, and no new login may pass meanwhile."""
    browser = logged_in(site)
    with site.store_away():
        assert tell(site, HIJACKED).status == 202
    assert counted(site, Type.ACCOUNT_DISABLED, "queued")
    assert browser.whoami() == "ada"
    assert site.browser().log_in("ada", provider="google").status == 403

    assert site.accounts.retry_revocations() == 0
    assert browser.whoami() is None


def test_a_store_that_remembers_no_notice_keeps_none_from_counting(
    site: LoginSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memcached may be full; the person must be logged out all the same."""
    browser = logged_in(site)
    monkeypatch.setattr(site.cache, "add", lambda *_, **__: Written.UNKNOWN)

    assert tell(site, REVOKED).status == 202

    assert browser.whoami() is None


def test_every_such_change_is_audited(site: LoginSite) -> None:
    """Whoever asks why a person was logged out finds who said so, and when."""
    logged_in(site)
    tell(site, HIJACKED)
    tell(site, ENABLED, named="again", later_s=1)

    hijacked = "account-disabled (hijacking)"
    assert rows(site) == [
        ("security-event", "system", "account-enabled", "done"),
        ("security-event-begun", "system", "account-enabled", None),
        ("security-event", "system", hijacked, "done"),
        ("security-event-begun", "system", hijacked, None),
    ]


@pytest.fixture(scope="module")
def running_slow() -> Iterator[LoginSite]:
    """Give a daemon that slows an address from the third time on."""
    with LoginSite(logins_per_minute=2) as site:
        site.google.security_events = ScriptedEvents()
        yield site


@pytest.mark.threat(64)
def test_only_what_is_refused_is_counted_by_address(running_slow: LoginSite) -> None:
    """A provider tells of all its people from one address, and a stranger who guesses must be slowed."""
    site = running_slow
    for n in range(5):
        assert tell(site, replace(REVOKED, subject="nobody"), named=f"t{n}").status == 202

    assert [send(site, b"forged").status for _ in range(3)] == [400, 400, 429]
    assert tell(site, replace(REVOKED, subject="nobody"), named="still").status == 202
