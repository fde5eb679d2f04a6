"""What a provider says of somebody only once (Apple's name) is there at the next try, whatever failed."""

from collections.abc import Callable

import pytest

from tests.support.guards import Expectation
from tests.support.logins import LoginSite, Visitor, location, suggestion

ExpectLog = Callable[..., Expectation]
COOKIE = "__Host-iddn"
NAME = "Grace Hopper"
OFFERED = "Grace.Hopper"


@pytest.fixture
def browser(logins: LoginSite) -> Visitor:
    logins.google.posted = True
    logins.google.people["new"] = logins.google.people["ada"].__class__(subject="new", email_verified=False)
    return logins.browser()


def answered(browser: Visitor, code: str = "new", **told: str) -> str:
    """Begin a login, post its answer, and return where that leads."""
    return location(browser.post_answer(browser.begin("google"), code=code, **told))


def offered(browser: Visitor) -> str:
    """Log in once more, without being told anything, and return the name that the sign-up offers."""
    return suggestion(browser.get(location(browser.get(answered(browser)))))


def test_a_name_survives_a_failed_exchange(browser: Visitor, expect_log: ExpectLog) -> None:
    """Otherwise a moment's trouble at Apple costs the person's name for ever."""
    expect_log("identity.web", "provider")
    assert browser.get(answered(browser, "unknown", user=NAME)).status == 502

    assert offered(browser) == OFFERED


def test_a_name_survives_a_store_that_is_away(logins: LoginSite, browser: Visitor, expect_log: ExpectLog) -> None:
    """Otherwise a restart of the account store costs the names of those who logged in meanwhile."""
    expect_log("identity.web", "store-unavailable")
    onward = answered(browser, user=NAME)
    with logins.accounts_away():
        assert browser.get(onward).status == 503

    assert offered(browser) == OFFERED


def test_a_name_survives_a_person_who_comes_back_later(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise who closes the username form has no name at the next try."""
    browser.get(location(browser.get(answered(browser, user=NAME))))
    logins.clock.advance(30 * 60_000)

    assert offered(browser) == OFFERED


def test_a_name_is_kept_an_hour_at_most(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise the name of somebody who gave up meets the next person at the same browser."""
    answered(browser, user=NAME)
    logins.clock.advance(60 * 60_000)

    assert offered(browser) != OFFERED


def test_a_name_is_dropped_when_a_login_ends_well(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise the next person at this browser is offered it."""
    browser.choose(browser.get(location(browser.get(answered(browser, user=NAME)))), "grace")

    assert browser.whoami() == "grace"
    assert COOKIE not in browser.jar.cookies
    assert logins.profile_of("google:new").name == NAME


def test_a_name_that_is_not_said_again_stays(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise the second login with Apple takes away the name that came with the first."""
    browser.choose(browser.get(location(browser.get(answered(browser, user=NAME)))), "grace")
    browser.get(answered(browser))
    assert logins.profile_of("google:new").name == NAME

    browser.get(answered(browser, user="Grace Murray"))
    assert logins.profile_of("google:new").name == "Grace Murray"


def test_a_name_is_told_to_its_own_provider_and_in_its_own_browser_only(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise one provider names the people of another, or a planted cookie names anybody."""
    logins.github.posted = True
    logins.github.people["new"] = logins.google.people["new"]
    answered(browser, user=NAME)
    posted = browser.post_answer(browser.begin("github"), provider="github", code="new")
    assert suggestion(browser.get(location(browser.get(location(posted))))) != OFFERED

    other = logins.browser()
    assert offered(other) != OFFERED
    other.jar.cookies[COOKIE] = browser.jar.cookies[COOKIE][:-2] + "AA"
    assert offered(other) != OFFERED


def test_an_answer_in_the_address_is_told_nothing(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise a name that was posted turns up in logins that never post one."""
    answered(browser, user=NAME)
    logins.google.posted = False

    page = browser.get(location(browser.come_back(browser.begin("google"), provider="google", code="new")))

    assert suggestion(page) != OFFERED


@pytest.mark.parametrize("user", ["x" * 1_025, "\x00", ""])
def test_what_cannot_be_kept_fails_no_login(browser: Visitor, user: str) -> None:
    """Otherwise a field that nobody needs decides whether somebody logs in."""
    onward = answered(browser, user=user)

    assert COOKIE not in browser.jar.cookies
    assert browser.get(onward).status == 303


@pytest.mark.parametrize("user", ["x" * 1_024, "陳" * 1_024])
def test_a_name_of_any_alphabet_is_kept_in_a_cookie_of_bounded_size(browser: Visitor, user: str) -> None:
    """Otherwise an answer's head is longer than a proxy takes, and the person sees its error."""
    answered(browser, user=user)

    assert len(browser.jar.cookies.get(COOKIE, "")) < 2_100


@pytest.mark.threat(5)
def test_what_is_told_once_is_no_login_and_a_login_is_not_told(browser: Visitor) -> None:
    """Otherwise a cookie that proves nothing finishes a login, or a login is read as a name."""
    state = browser.begin("google")
    flow, carried = f"__Host-iddf-{state[:8]}", dict(browser.jar.cookies)
    answered(browser, user=NAME)
    told = browser.jar.cookies[COOKIE]

    browser.jar.cookies = {**carried, COOKIE: carried[flow]}
    onward = location(browser.post_answer(state, code="new"))
    assert suggestion(browser.get(location(browser.get(onward)))) != OFFERED
    browser.jar.cookies, browser.jar.cross_site = {flow: told}, {flow}
    assert browser.post_answer(state, code="new").status == 400
    assert browser.whoami() is None
