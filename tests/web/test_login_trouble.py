"""Logins that do not end well: people and providers that say no, accounts that are closed, stores that are away."""

from collections.abc import Callable

import pytest

from identity.login.flow import FLOW_MS
from providers.base import ProviderProfile
from tests.support.guards import Expectation
from tests.support.logins import LoginSite, location, query_of

ExpectLog = Callable[..., Expectation]


def test_somebody_who_says_no_comes_back_to_the_chooser(logins: LoginSite) -> None:
    """Otherwise changing one's mind would look like a fault."""
    browser = logins.browser()
    state = browser.begin(return_to="/page")

    reply = browser.come_back(state, error="access_denied", error_description="<b>canary-upstream-text</b>")
    page = browser.get(location(reply)).body.decode()

    assert query_of(location(reply)) == {"reason": "provider-denied", "return_to": "/page"}
    assert "The login was cancelled" in page
    assert "canary-upstream-text" not in page
    assert browser.jar.named("__Host-iddf-") == {}
    assert (logins.events[-1].action, logins.events[-1].facts["reason"]) == ("login-refused", "provider-denied")


def test_a_broken_provider_is_a_502_that_leaves_the_others_usable(logins: LoginSite, expect_log: ExpectLog) -> None:
    """Otherwise one provider's outage would be everybody's."""
    expect_log("identity.web", "provider")
    browser = logins.browser()
    state = browser.begin(return_to="/page")
    reply = browser.come_back(state, code="unknown")
    text = reply.body.decode()

    assert reply.status == 502
    assert "because GitHub failed or answered wrongly" in text
    assert "/login/github?return_to=%2Fpage" in text
    assert "canary-upstream-text" not in text
    assert browser.jar.named("__Host-iddf-") == {}
    assert location(browser.log_in("ada", provider="google")).startswith("/welcome")


def test_a_provider_that_cannot_begin_is_a_502_that_stores_nothing(logins: LoginSite, expect_log: ExpectLog) -> None:
    """Otherwise people would be sent nowhere, or a record be kept for nobody."""
    expect_log("identity.web", "provider")
    logins.github.begin_fails = "discovery says canary-upstream-text"

    reply = logins.browser().get("/login/github")

    assert reply.status == 502
    assert b"canary-upstream-text" not in reply.body
    assert reply.cookies == []
    assert logins.kept() == 0


@pytest.mark.parametrize("subject", ["", "x" * 256, "\ud800"], ids=["empty", "long", "surrogate"])
def test_a_provider_that_names_nobody_is_a_502(logins: LoginSite, expect_log: ExpectLog, subject: str) -> None:
    """Otherwise two people could share an identity nobody can spell."""
    expect_log("identity.web", "provider")
    logins.github.people["ada"] = ProviderProfile(subject=subject, email_verified=False)

    reply = logins.browser().log_in("ada")

    assert reply.status == 502
    assert logins.store.reads["identities"] == 0


def test_an_answer_after_ten_minutes_is_refused_with_words(logins: LoginSite) -> None:
    """Otherwise a login left open on a shared computer could be finished by the next person."""
    browser = logins.browser()
    state = browser.begin()
    logins.clock.advance(FLOW_MS)

    reply = browser.come_back(state, code="ada")

    assert reply.status == 400
    assert b"flow-invalid" in reply.body
    assert b"allow them" in reply.body
    assert browser.tokens == {}


def test_a_disabled_account_is_refused_with_words(logins: LoginSite) -> None:
    """Otherwise disabling somebody would not keep them out, or not tell them why."""
    logins.browser().sign_up()
    logins.disable("github:ada")
    browser = logins.browser()

    reply = browser.log_in()

    assert reply.status == 403
    assert b"account-disabled" in reply.body
    assert browser.tokens == {}
    assert (logins.events[-1].action, logins.events[-1].facts["reason"]) == ("login-refused", "account-disabled")
    assert logins.events[-1].account_id is not None


def test_a_login_begins_while_the_store_is_away(logins: LoginSite) -> None:
    """Otherwise an outage of seconds would turn people away who need minutes at their provider."""
    logins.browser().sign_up()
    browser = logins.browser()

    with logins.store_away():
        state = browser.begin()

    assert browser.come_back(state, code="ada").status == 303


def test_an_outage_while_coming_back_is_503(logins: LoginSite, expect_log: ExpectLog) -> None:
    """Otherwise an outage would look like a login that was refused."""
    expect_log("identity.web", "store-unavailable")
    browser = logins.browser()
    state = browser.begin()

    with logins.store_away():
        reply = browser.come_back(state, code="ada")

    assert reply.status == 503
    assert b"/login/github" in reply.body
    assert browser.come_back(state, code="ada").status == 303


def test_a_slow_provider_is_named_and_the_others_are_offered(logins: LoginSite, expect_log: ExpectLog) -> None:
    """Otherwise people wait, learn of "an error", and do not know that another way would work."""
    expect_log("identity.web", "provider-slow")
    browser = logins.browser()
    state = browser.begin(return_to="/page")
    logins.github.slow = True

    reply = browser.come_back(state, code="ada")
    text = reply.body.decode()

    assert reply.status == 502
    assert "GitHub gives no answer" in text
    assert "/login/google?return_to=%2Fpage" in text
    assert "Continue with Google" in text
    assert "canary-upstream-text" not in text


def test_a_provider_that_is_slow_to_begin_is_named_too(logins: LoginSite, expect_log: ExpectLog) -> None:
    """Otherwise a provider whose documents cannot be had looks like a fault of this service."""
    expect_log("identity.web", "provider-slow")
    logins.github.begin_fails, logins.github.slow = "discovery gave no answer in time", True

    reply = logins.browser().get("/login/github?return_to=/page")

    assert (reply.status, reply.cookies) == (502, [])
    assert b"GitHub gives no answer" in reply.body
    assert b"/login/google?return_to=%2Fpage" in reply.body


def test_no_other_way_is_offered_for_a_fault_that_would_be_the_same_there(logins: LoginSite) -> None:
    """Otherwise somebody whose login ran out is sent to make a second account."""
    reply = logins.browser().come_back("unknown", code="ada")

    assert reply.status == 400
    assert b"/login/google" not in reply.body
