"""`POST /tokens/<provider>`: an application fetches its person's access token."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest

from identity.accounts.results import By, LinkRequest
from identity.applications.application import Application
from identity.membership.rules import UserRule
from identity.types import HOUR, MINUTE, SECOND, IdentityKey
from identity.upstream_tokens.service import REST_MS
from providers.base import ProviderBroken, ProviderSlow
from tests.support.guards import Expectation
from tests.support.token_site import TokenSite, as_photos, said
from tests.support.waiting import until
from tests.support.web import basic, connection

ExpectLog = Callable[..., Expectation]


@pytest.fixture
def site(token_site: TokenSite) -> TokenSite:
    """Give the daemon, empty."""
    return token_site


def test_an_application_fetches_its_persons_token(site: TokenSite) -> None:
    """The purpose of it all; a newcomer's tokens came before the username was chosen."""
    answer = site.fetch(site.member())

    assert answer.status == 200
    body = answer.json()
    assert body == {
        "access_token": "canary-access-0",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "mail files",
        "set_cookie": [],
    }
    assert answer.one("Cache-Control") == "no-store"


def test_a_later_login_brings_newer_tokens(site: TokenSite) -> None:
    """The person may have consented to more, or must repair what was refused."""
    site.member()
    browser = site.browser()
    browser.log_in(provider="google")

    assert site.fetch(browser.jar).json()["access_token"] == "canary-access-1"


def test_a_token_that_ended_is_refreshed_once(site: TokenSite) -> None:
    """And the next request gets the fresh one without a call."""
    jar = site.member()
    site.clock.advance(50 * MINUTE)
    browser = site.browser()
    browser.jar = jar
    site.clock.advance(20 * MINUTE)

    first, second = site.fetch(jar).json(), site.fetch(jar).json()

    assert first["access_token"] == second["access_token"] == "canary-access-2"
    assert site.keeper.refreshes == 1


def test_many_requests_at_once_make_one_refresh(site: TokenSite) -> None:
    """A page of forty requests; where tokens rotate, the second refresh would end them all."""
    jar = site.member()
    site.clock.advance(70 * MINUTE)
    site.keeper.may_answer.clear()

    with ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(site.fetch, jar) for _ in range(16)]
        until(site.keeper.under_way.is_set)
        site.keeper.may_answer.set()
        answers = [each.result().json() for each in asked]

    assert {each["access_token"] for each in answers} == {"canary-access-2"}
    assert site.keeper.refreshes == 1


def test_requests_that_wait_in_one_daemon_look_at_the_store_together(site: TokenSite) -> None:
    """Each on its own would ask it four times a second for as long as the provider takes."""
    jar = site.member()
    site.clock.advance(70 * MINUTE)
    site.keeper.may_answer.clear()
    with ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(site.fetch, jar) for _ in range(16)]
        until(lambda: site.store.reads["upstream tokens"] == 16)
        site.keeper.may_answer.set()
        assert {each.result().status for each in asked} == {200}

    # One to claim it, and those of the sign-up.
    assert site.store.reads["upstream tokens, settled"] <= 3


@pytest.mark.threat(32)
def test_another_application_is_refused(site: TokenSite) -> None:
    """What one may do at a provider is not for every program of the installation."""
    jar = site.member()

    assert said(site.fetch(jar, headers=as_photos())) == (403, "tokens-not-allowed")
    assert site.keeper.refreshes == 0


@pytest.mark.threat(32)
def test_a_host_of_another_application_is_refused(site: TokenSite) -> None:
    """Its sessions are not this one's, whatever cookies it shows."""
    answer = site.fetch(site.member(), url="https://other.example/page")

    assert said(answer) == (403, "unknown-host")
    assert answer.json()["verdict"] == "forbidden"


def test_a_program_that_does_not_prove_itself_is_401(site: TokenSite) -> None:
    """The listener is internal, and not every program on it is an application."""
    assert said(site.fetch(site.member(), headers={})) == (401, "client")
    assert said(site.fetch(site.member("bob"), headers=basic(secret="x" * 40))) == (401, "client")


def test_the_provider_is_one_that_keeps_tokens(site: TokenSite) -> None:
    """A stable word for each reason."""
    jar = site.member()

    assert said(site.fetch(jar, "github")) == (404, "tokens-not-kept")
    assert said(site.fetch(jar, "gone")) == (404, "provider-unknown")
    assert said(site.fetch(jar, "nothing")) == (403, "tokens-not-allowed")
    assert site.fetch(jar, "Google").status == 404


@pytest.mark.threat(22)
def test_a_provider_that_is_switched_off_gives_no_token_at_once(site: TokenSite) -> None:
    """An operator who switches it off means all of it."""
    jar = site.member()
    del site.providers["google"]

    assert said(site.fetch(jar)) == (404, "provider-unknown")


def test_a_person_without_a_link_is_told_apart(site: TokenSite) -> None:
    """The application offers to link an account there, and not to log in again."""
    browser = site.browser()
    browser.sign_up("bob")

    assert said(site.fetch(browser.jar)) == (404, "not-linked")


def test_a_link_without_tokens_needs_a_login_there(site: TokenSite) -> None:
    """An operator linked it, or it was kept by nobody when the person logged in; the address to go to is said."""
    browser = site.browser()
    browser.sign_up("bob")
    account = site.row("github:bob").account_id
    site.accounts.link(LinkRequest(uuid4(), account, IdentityKey("google:bob"), "", By("operator:test")))

    answer = site.fetch(browser.jar)

    assert said(answer) == (409, "provider-login-needed")
    assert answer.json()["location"] == "https://login.example/login/google"


def test_a_refused_refresh_needs_a_login_and_is_not_repeated(site: TokenSite) -> None:
    """The person took back the consent; asking again and again changes nothing."""
    jar = site.member()
    site.keeper.good.clear()
    site.clock.advance(70 * MINUTE)

    assert said(site.fetch(jar)) == (409, "provider-login-needed")
    assert said(site.fetch(jar)) == (409, "provider-login-needed")
    assert site.keeper.refreshes == 1


@pytest.mark.parametrize(
    "fault", [ProviderBroken("answered 500"), ProviderSlow("no answer in time")], ids=["broken", "slow"]
)
def test_a_provider_in_trouble_is_502_with_a_time_to_come_back(
    site: TokenSite, expect_log: ExpectLog, fault: ProviderBroken
) -> None:
    """Nothing is thrown away, the person stays logged in, and the provider is not asked at every request."""
    jar = site.member()
    site.clock.advance(70 * MINUTE)
    site.keeper.fails = [fault]

    with expect_log("identity.web", "provider"):
        first, second = site.fetch(jar), site.fetch(jar)

    assert said(first) == (502, "provider-slow" if isinstance(fault, ProviderSlow) else "provider")
    assert said(second) == (502, "provider-slow")
    assert first.one("Retry-After") == second.one("Retry-After") == str(REST_MS // SECOND)
    assert site.keeper.refreshes == 1
    site.clock.advance(REST_MS)
    assert site.fetch(jar).status == 200


def test_a_provider_in_trouble_costs_nothing_while_the_token_is_good(site: TokenSite, expect_log: ExpectLog) -> None:
    """In its last minute a fresh one is wanted, and not needed."""
    jar = site.member()
    site.clock.advance(59 * MINUTE + 10 * SECOND)
    site.failing()

    with expect_log("identity.upstream_tokens", "tokens-not-refreshed"):
        answer = site.fetch(jar)

    assert (answer.status, answer.json()["access_token"], answer.json()["expires_in"]) == (200, "canary-access-0", 50)


def test_a_browser_without_a_session_gets_the_verdict_of_a_check(site: TokenSite) -> None:
    """The application does with it what it does with a check's."""
    answer = site.fetch(None, mode="browser", navigation=True)

    assert said(answer) == (401, "anonymous")
    assert (answer.json()["verdict"], answer.json()["location"]) == (
        "login",
        "https://login.example/login?return_to=%2Fpage",
    )


def test_a_token_is_fetched_beside_a_check_without_a_rotation_of_its_own(site: TokenSite) -> None:
    """Both ask with the cookies of one request: two rotations would leave two cookies where there was one."""
    jar = site.member()
    site.clock.advance(30 * SECOND)
    checked = site.check(jar)
    assert checked.json()["set_cookie"]

    answer = site.fetch(jar)

    assert answer.status == 200
    assert answer.json()["set_cookie"] == []


def test_an_application_that_only_fetches_rotates_as_with_a_check(site: TokenSite) -> None:
    """With mode=browser the cookies are there to pass on, by the same decision."""
    jar = site.member()
    site.clock.advance(30 * SECOND)

    answer = site.fetch(jar, mode="browser", navigation=True)

    assert answer.status == 200
    assert answer.json()["set_cookie"]


@pytest.mark.threat(24)
def test_a_made_up_cookie_gets_nothing(site: TokenSite) -> None:
    """Neither a token nor a cookie."""
    site.member()

    answer = site.fetch(None, cookie="__Host-idd-AAAAAAAA=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")

    assert answer.status == 401
    assert "access_token" not in answer.json()


def test_the_session_store_away_is_503_and_never_a_logout(site: TokenSite, expect_log: ExpectLog) -> None:
    """Store trouble is not the person's fault."""
    jar = site.member()
    with site.store_away(), expect_log("identity", required=False):
        answer = site.fetch(jar)

    assert said(answer) == (503, "store-down")
    assert answer.one("Retry-After")


def test_the_account_store_away_is_503(site: TokenSite, expect_log: ExpectLog) -> None:
    """Whose tokens they are cannot be known without it."""
    jar = site.member()
    with site.accounts_away(), expect_log("identity.web", "store-unavailable"):
        answer = site.fetch(jar)

    assert said(answer) == (503, "store-unavailable")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"url": None}, "field-missing"),
        ({"url": 7}, "field-type"),
        ({"surprise": 1}, "field-unknown"),
        ({"mode": "fast"}, "field-value"),
        ({"cookie": 7}, "field-type"),
    ],
    ids=str,
)
def test_a_malformed_request_is_400(site: TokenSite, fields: dict[str, object], code: str) -> None:
    """As at a check: a typing mistake is noticed."""
    assert said(site.fetch(site.member(), **fields)) == (400, code)


def test_only_post_is_answered_and_only_inside(site: TokenSite) -> None:
    """A token in an address, or on the public listener, would be a token lost."""
    assert site.internal("GET", "/tokens/google", headers=basic()).status == 405
    assert site.public("POST", "/tokens/google", headers=basic(), body=b"{}").status == 404


def test_the_account_page_says_which_applications_work_there(site: TokenSite) -> None:
    """A person must know what is done in their name."""
    browser = site.browser()
    browser.sign_up("ada", provider="google")

    page = browser.get("/account").body.decode()

    assert "these applications may use your account at Google: wiki" in page


def test_the_account_page_says_nothing_where_none_are_kept(site: TokenSite) -> None:
    """The sentence would frighten where there is nothing."""
    browser = site.browser()
    browser.sign_up("bob")

    assert "can work there for you" not in browser.get("/account").body.decode()


def test_what_happened_is_counted(site: TokenSite) -> None:
    """An operator sees refreshes, and people who must log in again."""
    jar = site.member()
    site.clock.advance(HOUR)
    site.fetch(jar)

    numbers = site.metrics.render().decode()
    assert 'identityd_upstream_tokens_total{outcome="refreshed",provider="google"}' in numbers
    assert 'identityd_upstream_tokens_total{outcome="handed-out",provider="google"}' in numbers


def test_a_refresh_goes_on_although_the_application_hung_up(site: TokenSite) -> None:
    """The provider has exchanged the token by then: what it answers must be kept."""
    jar = site.member()
    site.clock.advance(HOUR)
    site.keeper.may_answer.clear()
    body = json.dumps({"cookie": jar.header["Cookie"], "url": f"{site.public_url}/page"}).encode()
    lines = {
        "Host": "identityd.internal",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **basic(),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    with connection(site.ports.internal) as sock:
        sock.sendall(f"POST /tokens/google HTTP/1.1\r\n{head}\r\n".encode() + body)
        until(site.keeper.under_way.is_set)
    site.keeper.may_answer.set()

    until(lambda: site.fetch(jar).json().get("access_token") == "canary-access-2")
    assert site.keeper.refreshes == 1


class ClosedTokenSite(TokenSite):
    """A daemon whose wiki is for Bob."""

    def apps(self) -> Iterator[Application]:
        """Yield both, the wiki with its rule."""
        for app in super().apps():
            yield replace(app, allow=(UserRule("bob"),)) if app.tokens_of else app


@pytest.mark.threat(32)
def test_of_a_person_who_may_not_enter_an_application_gets_no_token() -> None:
    """It could work at the provider for a person whom its operator shut out."""
    with ClosedTokenSite() as site:
        answer = site.fetch(site.member())
        allowed = site.fetch(site.member("bob"))

    assert said(answer) == (403, "not-allowed")
    assert (answer.json()["verdict"], answer.json()["user"]) == ("forbidden", None)
    assert "access_token" not in answer.json()
    assert allowed.status == 200
