"""A provider says that a person logged out there: what ends here, and what strangers can do with the address."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from identity.accounts.results import By, LinkRequest
from identity.sessions.store import Written
from identity.stores.cache import CacheKey
from identity.types import IdentityKey, Millis
from providers.base import LogoutNotice, LogoutThere
from tests.support.guards import Expectation
from tests.support.logins import LoginSite, Visitor, form_of, location
from tests.support.web import LOCAL, Reply

ExpectLog = Callable[..., Expectation]
URL = "/login/google/backchannel"
BACK = "https://login.example/logged-out"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ADA = IdentityKey("google:ada")


@pytest.fixture
def site(logins: LoginSite) -> LoginSite:
    """Give a daemon whose provider tells of logouts, and calls its session of Ada `there-1`."""
    google = logins.google
    google.tells_logouts = True
    google.people["ada"] = replace(google.people["ada"], session="there-1")
    return logins


def tell(site: LoginSite, named: str = "told", *, subject: str = "", session: str = "", **given: str) -> Reply:
    """Send a notice as the provider does."""
    if subject or session:
        until = site.clock() // 1000 + 86_400
        site.google.notices[named] = LogoutNotice(f"jti-{named}", subject, session, until)
    body = urlencode({"logout_token": named, **given}).encode()
    return site.public("POST", URL, headers=FORM, body=body)


def logged_in(site: LoginSite, *, provider: str = "google", session: str = "there-1") -> Visitor:
    """Return a browser Ada is logged in with; her first login makes the account."""
    people = getattr(site, provider).people
    people["ada"] = replace(people["ada"], session=session)
    browser = site.browser()
    if site.accounts.find(IdentityKey(f"{provider}:ada")) is None:
        browser.sign_up("ada", provider=provider)
    else:
        browser.log_in("ada", provider=provider)
    assert browser.whoami() == "ada"
    return browser


def counted(site: LoginSite, outcome: str) -> bool:
    """Tell whether the metric has such an outcome."""
    return (
        f'identityd_provider_logouts_total{{outcome="{outcome}",provider="google"}}' in site.metrics.render().decode()
    )


def test_logging_out_there_ends_that_session_here_and_no_other(site: LoginSite) -> None:
    """Otherwise a shared computer stays logged in here, or the phone is logged out with it."""
    laptop, phone = logged_in(site), logged_in(site, session="there-2")

    reply = tell(site, subject="ada", session="there-1")

    assert (reply.status, reply.body, reply.one("Cache-Control"), reply.cookies) == (200, b"", "no-store", [])
    assert (laptop.whoami(), phone.whoami()) == (None, "ada")
    assert "reason=provider-logout" in location(laptop.get("/account"))
    assert counted(site, "ended")


def test_a_session_there_alone_is_enough(site: LoginSite) -> None:
    """Some providers name no person in their notices."""
    laptop, phone = logged_in(site), logged_in(site, session="there-2")

    assert tell(site, session="there-2").status == 200

    assert (laptop.whoami(), phone.whoami()) == ("ada", None)


def test_the_last_login_counts_where_a_session_there_led_to_several(site: LoginSite) -> None:
    """Who logs in a second time, with the same session there, must be logged out by it."""
    logged_in(site)
    again = logged_in(site)

    tell(site, session="there-1")

    assert again.whoami() is None


def test_a_person_who_logs_out_everywhere_there_is_logged_out_everywhere_here(site: LoginSite) -> None:
    """A notice without a session means all of them (Back-Channel Logout §2.4)."""
    laptop, phone = logged_in(site), logged_in(site, session="there-2")

    tell(site, subject="ada")

    assert (laptop.whoami(), phone.whoami()) == (None, None)


def test_another_way_to_log_in_is_not_concerned(site: LoginSite) -> None:
    """Whoever logs in with two providers, and out at one, stays logged in with the other."""
    laptop = logged_in(site)
    account = site.row("google:ada").account_id
    site.accounts.link(LinkRequest(uuid4(), account, IdentityKey("github:ada"), "", By("self")))
    phone = logged_in(site, provider="github", session="")

    tell(site, subject="ada")

    assert (laptop.whoami(), phone.whoami()) == (None, "ada")


def test_a_new_login_is_welcome(site: LoginSite) -> None:
    """Logging out is no punishment."""
    logged_in(site)
    tell(site, subject="ada", session="there-1")

    assert logged_in(site).whoami() == "ada"


def test_a_forgotten_session_there_ends_all_of_the_identity(site: LoginSite) -> None:
    """Memcached may forget which session it was; the person must be logged out all the same."""
    browser = logged_in(site)
    for key in [key for key in site.cache._items if key.startswith("v1:")]:
        del site.cache._items[key]

    assert tell(site, "nobody", session="there-1").status == 200
    assert browser.whoami() == "ada"
    assert tell(site, subject="ada", session="there-1").status == 200
    assert browser.whoami() is None


def test_a_sign_up_keeps_the_session_there_to_its_end(site: LoginSite) -> None:
    """Otherwise the first session of everybody is the one that cannot be ended alone."""
    browser = logged_in(site)

    tell(site, session="there-1")

    assert browser.whoami() is None


@pytest.mark.parametrize("named", [{"subject": "stranger"}, {"session": "unknown"}, {"subject": "s" * 300}])
def test_who_is_not_logged_in_here_is_logged_out_already(site: LoginSite, named: dict[str, str]) -> None:
    """A provider tells of everybody; an error would make it try again, or alarm its operator."""
    assert tell(site, **named).status == 200
    assert counted(site, "nothing")


@pytest.mark.threat(62)
def test_a_notice_counts_once(site: LoginSite) -> None:
    """Otherwise one that was seen on its way logs the person out again and again."""
    logged_in(site)
    tell(site, subject="ada")
    again = logged_in(site)

    reply = tell(site)

    assert (reply.status, reply.json()["error"]) == (400, "logout-token")
    assert again.whoami() == "ada"


@pytest.mark.threat(62)
def test_a_notice_that_is_not_genuine_ends_nothing_and_says_nothing(site: LoginSite) -> None:
    """Otherwise strangers log people out, or learn from the answer how to."""
    browser = logged_in(site)

    reply = tell(site, "forged")

    assert (reply.status, reply.json()["error"]) == (400, "logout-token")
    assert b"canary" not in reply.body
    assert browser.whoami() == "ada"
    assert counted(site, "refused")


def test_what_is_no_notice_is_refused(site: LoginSite) -> None:
    """A program that calls the wrong address must read why."""
    assert site.public("POST", URL, headers=FORM, body=b"").json()["error"] == "parameter-missing"
    assert site.public("POST", URL, headers={"Content-Type": "text/plain"}, body=b"x").json()["error"] == "media-type"
    assert site.public("POST", URL, headers=FORM, body=b"logout_token=" + b"a" * 20_000).status == 400
    assert site.public("POST", URL, headers=FORM, body=b"logout_token=" + b"a" * 40_000).status == 413
    assert site.public("GET", URL).status == 405
    assert site.public("HEAD", URL).status == 405


def test_a_provider_without_the_option_has_no_such_address(site: LoginSite) -> None:
    """Whoever did not ask for it must not have an address that ends sessions."""
    site.google.tells_logouts = False

    assert (tell(site, subject="ada").status, tell(site).json()["error"]) == (404, "provider-unknown")


def test_a_provider_whose_keys_are_away_may_send_it_again(site: LoginSite, expect_log: ExpectLog) -> None:
    """An outage is not a forged token."""
    expect_log("identity.web", "provider")

    reply = tell(site, "unreachable")

    assert (reply.status, reply.json()["error"]) == (502, "provider")
    assert b"canary" not in reply.body


def test_while_the_accounts_are_away_nothing_counts(site: LoginSite, expect_log: ExpectLog) -> None:
    """The provider may send the same notice again, and then it must not be a repetition."""
    browser = logged_in(site)
    expect_log("identity.web", "store-unavailable")
    with site.accounts_away():
        reply = tell(site, subject="ada")
    assert (reply.status, reply.one("Retry-After")) == (503, "5")

    assert tell(site).status == 200
    assert browser.whoami() is None


@pytest.mark.parametrize("named", [{"subject": "ada", "session": "there-1"}, {"subject": "ada"}])
def test_while_the_sessions_are_away_the_end_is_kept(site: LoginSite, named: dict[str, str]) -> None:
    """Providers rarely send twice: what could not be reached must end when its node is back."""
    browser = logged_in(site)
    with site.store_away():
        assert tell(site, **named).status == 200
    assert counted(site, "queued")
    assert browser.whoami() == "ada"

    assert site.accounts.retry_revocations() == 0
    assert browser.whoami() is None


def test_a_login_does_not_fail_for_what_cannot_be_kept(site: LoginSite) -> None:
    """Which session it was there is worth less than a login."""
    write = site.cache.add

    def add(key: CacheKey, data: bytes, *, expires_at: Millis) -> Written:
        return Written.UNKNOWN if key.startswith("v1:") else write(key, data, expires_at=expires_at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.cache, "add", add)
        assert logged_in(site).whoami() == "ada"


def test_every_such_end_is_audited(site: LoginSite) -> None:
    """Whoever asks why a person was logged out finds who said so, and when."""
    logged_in(site)
    tell(site, "one", session="there-1")
    tell(site, "all", subject="ada")

    rows = site.store.audit.of_account(site.row("google:ada").account_id)
    told = [(row.action, row.actor, row.facts.get("identity"), row.facts.get("outcome")) for row in rows]
    assert told[:4] == [
        ("provider-logout", "system", ADA, "done"),
        ("provider-logout-begun", "system", ADA, None),
        ("provider-logout", "system", None, "done"),
        ("provider-logout-begun", "system", None, None),
    ]
    assert rows[2].facts["session"]
    assert rows[0].address == LOCAL


FRAME = "/login/google/frontchannel"
ISSUER = "https://google.example"


def framed(site: LoginSite, **asked: str) -> Reply:
    """Load our page in a frame of the provider's logout page, which shows none of our cookies."""
    site.google.logout_frame = f"{ISSUER}/realm"
    headers = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}
    return site.public("GET", f"{FRAME}?{urlencode(asked)}", headers=headers)


def test_a_frame_in_the_providers_logout_page_ends_that_session(site: LoginSite) -> None:
    """Providers that have no server-to-server logout say it through the browser."""
    laptop, phone = logged_in(site), logged_in(site, session="there-2")

    reply = framed(site, iss=f"{ISSUER}/realm", sid="there-1")

    assert (reply.status, reply.body, reply.cookies, reply.one("Cache-Control")) == (200, b"", [], "no-store")
    assert (laptop.whoami(), phone.whoami()) == (None, "ada")


def test_the_provider_alone_may_frame_it_and_nothing_else(site: LoginSite) -> None:
    """Otherwise its logout page shows an error, or any site may frame our pages."""
    reply = framed(site, iss=f"{ISSUER}/realm", sid="unknown")

    assert reply.one("X-Frame-Options") is None
    assert reply.one("Content-Security-Policy") == f"default-src 'none'; frame-ancestors {ISSUER}; base-uri 'none'"
    refused = framed(site, iss="https://evil.example", sid="there-1")
    assert refused.one("X-Frame-Options") == "DENY"
    assert "frame-ancestors 'none'" in (refused.one("Content-Security-Policy") or "")


@pytest.mark.threat(62)
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"sid": "there-1"}, "parameter-missing"),
        ({"iss": f"{ISSUER}/realm"}, "parameter-missing"),
        ({"iss": ISSUER, "sid": "there-1"}, "logout-token"),
    ],
)
def test_a_frame_that_does_not_name_both_ends_nothing(site: LoginSite, asked: dict[str, str], code: str) -> None:
    """Otherwise an image on any page logs its visitors out."""
    browser = logged_in(site)

    reply = framed(site, **asked)

    assert reply.status == 400
    assert code.encode() in reply.body
    assert browser.whoami() == "ada"


def test_a_provider_without_the_option_frames_nothing(site: LoginSite) -> None:
    """An address nobody asked for must not be there."""
    assert site.public("GET", f"{FRAME}?iss=a&sid=b").status == 404


def left(site: LoginSite, policy: LogoutThere) -> tuple[Visitor, Reply]:
    """Log out, where the provider is one that a browser can log out of from here."""
    site.google.logout_there = policy
    browser = logged_in(site)
    page = browser.get("/logout")
    return browser, browser.get(location(browser.post("/logout", form_of(page))))


def test_logging_out_there_too_is_offered(site: LoginSite) -> None:
    """On a shared computer the next person would be logged in by one click."""
    browser, page = left(site, LogoutThere.OFFER)

    assert b'href="/login/google/logout"' in page.body
    assert b"Log out at Google too" in page.body
    assert page.one("Refresh") is None
    away = browser.get("/login/google/logout")
    assert (away.status, away.cookies) == (302, [])
    assert location(away) == f"https://google.example/end?{urlencode({'post_logout_redirect_uri': BACK})}"


def test_logging_out_there_too_follows_by_itself_where_the_operator_wants_it(site: LoginSite) -> None:
    """A kiosk's visitors do not read on."""
    _, page = left(site, LogoutThere.YES)

    assert page.one("Refresh") == "0; url=/login/google/logout"
    assert b"You go on to Google now" in page.body


def test_logging_out_there_is_no_matter_of_ours_unless_it_is_switched_on(site: LoginSite) -> None:
    """Otherwise who logs out of one small application is logged out of the company's provider."""
    browser, page = left(site, LogoutThere.NO)

    assert b"/login/google/logout" not in page.body
    assert page.one("Refresh") is None
    assert browser.get("/login/google/logout").status == 404


def test_the_way_back_from_the_provider_says_where_one_is(site: LoginSite) -> None:
    """A person who comes back must read that it is done, or see that there is still a session here."""
    browser = logged_in(site)
    assert location(browser.get("/logged-out?state=google")) == "/account"

    page = site.browser().get("/logged-out?state=google")

    assert (page.status, page.cookies) == (200, [])
    assert b"You are logged out" in page.body
    assert site.browser().get("/logged-out?state=%3Cb%3E").status == 200


@pytest.mark.parametrize("leaves_by", ["", None])
def test_a_provider_that_cannot_be_left_says_so(site: LoginSite, leaves_by: str | None, expect_log: ExpectLog) -> None:
    """Otherwise the person believes to be logged out there."""
    expect_log("identity.web", "provider")
    site.google.logout_there, site.google.leaves_by = LogoutThere.OFFER, leaves_by

    reply = site.browser().get("/login/google/logout")

    assert reply.status == 502
    assert b"canary" not in reply.body


@pytest.fixture(scope="module")
def running_slow() -> Iterator[LoginSite]:
    """Give a daemon that slows an address from the third time on."""
    with LoginSite(logins_per_minute=2) as site:
        site.google.tells_logouts = True
        yield site


@pytest.mark.threat(62)
def test_only_what_is_refused_is_counted_by_address(running_slow: LoginSite) -> None:
    """A provider tells of all its people from one address, and a stranger who guesses must be slowed."""
    site = running_slow
    for n in range(5):
        assert tell(site, f"t{n}", subject="nobody").status == 200

    assert [tell(site, "forged").status for _ in range(3)] == [400, 400, 429]
    assert tell(site, "still", subject="nobody").status == 200
