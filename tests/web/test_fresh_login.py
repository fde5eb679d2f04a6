"""`/login?max_age=…`: what demands a login of this moment, over real sockets and the real services."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from identity.types import MINUTE, SECOND, Millis
from tests.support.account_site import text
from tests.support.browser import Reply
from tests.support.guards import Expectation
from tests.support.logins import WIKI, LoginSite, Visitor, location, query_of
from tests.support.scripted import person
from tests.web.test_login_begin import ways

ExpectLog = Callable[..., Expectation]
DEMAND = "/login?max_age=300&return_to=%2Fpage"


@pytest.fixture
def site(logins: LoginSite) -> LoginSite:
    """Give a daemon at which Google proves fresh logins and GitHub does not."""
    logins.google.proves_fresh_login = True
    return logins


def says(site: LoginSite, name: str, *, ago: Millis = 0, proven: bool = True) -> None:
    """Let Google say when this person logged in there."""
    at = (site.clock() - ago) // SECOND
    site.google.people[name] = person(name, auth_at=at, auth_proven=proven)


def member(site: LoginSite, name: str = "ada", provider: str = "google") -> Visitor:
    """Return a browser of a person who has just signed up."""
    says(site, name)
    browser = site.browser()
    browser.sign_up(name, provider=provider, return_to="/account")
    return browser


def again(site: LoginSite, browser: Visitor, name: str = "ada", **demanded: str) -> Reply:
    """Log in again at Google, which says that it was now."""
    state = browser.begin("google", **{"max_age": "300", "return_to": "/page", **demanded})
    says(site, name)
    return browser.come_back(state, provider="google", code=name)


def proven_age_s(site: LoginSite, browser: Visitor) -> int:
    """Return for how many seconds the browser's login has been proven, as applications hear it."""
    return int(site.clock() // SECOND - site.check(browser.jar).json()["user"]["auth_time"])


def test_a_login_that_is_young_enough_goes_straight_on(site: LoginSite) -> None:
    """Otherwise people would log in again for every step."""
    browser = member(site)
    site.clock.advance(299 * SECOND)

    assert location(browser.get(DEMAND)) == "/page"


def test_a_login_that_is_too_old_is_asked_for_again(site: LoginSite) -> None:
    """Otherwise a stranger at a computer that was left unlocked confirms as its owner."""
    browser = member(site)
    site.clock.advance(301 * SECOND)

    page = browser.get(DEMAND)

    assert page.status == 200
    assert "You are logged in as ada" in text(page)
    assert "you have to log in again" in text(page)
    [way] = ways(page)
    assert query_of(way) == {"return_to": "/page", "max_age": "300"}
    assert query_of(location(browser.get(way)))["prompt"] == "login"


def test_logging_in_again_leads_on_and_is_known_to_applications(site: LoginSite) -> None:
    """The one thing the demand is for."""
    browser = member(site)
    site.clock.advance(10 * MINUTE)

    reply = again(site, browser)

    assert location(reply) == "/page"
    assert (browser.whoami(), len(browser.tokens)) == ("ada", 1)
    assert proven_age_s(site, browser) == 0
    assert location(browser.get(DEMAND)) == "/page"


def test_a_way_to_a_provider_and_back_never_counts(site: LoginSite) -> None:
    """Otherwise GitHub, which still knows the browser, vouches for whoever sits there."""
    browser = site.browser()
    browser.sign_up("ada", provider="github")

    page = browser.get("/login?max_age=999999999")

    assert page.status == 200
    assert ways(page) == []
    assert "None of the ways you log in can confirm" in text(page)
    assert "GitHub cannot be used for this" in text(page)


def test_a_time_that_is_no_proof_does_not_count(site: LoginSite) -> None:
    """Otherwise what a provider says of a login that was not forced, and cannot be, passes for proof."""
    browser = site.browser()
    says(site, "ada", proven=False)
    browser.sign_up("ada", provider="google")

    assert browser.get(DEMAND).status == 200


def test_a_login_there_of_long_ago_is_an_old_login_here(site: LoginSite) -> None:
    """Otherwise single sign-on of the morning passes for the person in the evening."""
    browser = site.browser()
    says(site, "ada", ago=60 * MINUTE)
    browser.sign_up("ada", provider="google")

    assert browser.get(DEMAND).status == 200
    assert location(browser.get("/login?max_age=3600&return_to=%2Fpage")) == "/page"


def test_who_is_not_logged_in_logs_in_afresh(site: LoginSite) -> None:
    """Otherwise an application that demands it gets a login that the provider remembers from last week."""
    browser = site.browser()

    page = browser.get(DEMAND)

    assert "You are logged in as" not in text(page)
    assert [way.partition("?")[0] for way in ways(page)] == ["/login/google"]
    assert "GitHub cannot be used for this" in text(page)
    welcome = browser.get(location(again(site, browser)))
    assert location(browser.choose(welcome, "ada")) == "/page"
    assert location(browser.get(DEMAND)) == "/page"


def test_a_demand_of_no_age_at_all_asks_each_time_and_ends(site: LoginSite) -> None:
    """Otherwise a person would log in, and be asked again, without an end."""
    browser = member(site)
    site.clock.advance(SECOND)

    assert browser.get("/login?max_age=0&return_to=%2Fpage").status == 200
    assert location(again(site, browser, max_age="0")) == "/page"


def test_a_provider_whose_clock_is_behind_does_not_send_people_round(site: LoginSite) -> None:
    """Otherwise a login would be too old at the moment it was made, each time."""
    browser = member(site)
    site.clock.advance(10 * MINUTE)
    state = browser.begin("google", max_age="30", return_to="/page")
    says(site, "ada", ago=55 * SECOND)

    assert location(browser.come_back(state, provider="google", code="ada")) == "/page"
    assert location(browser.get("/login?max_age=30&return_to=%2Fpage")) == "/page"


@pytest.mark.threat(57)
def test_a_fresh_login_of_another_account_replaces_no_session(site: LoginSite) -> None:
    """Otherwise who finds a browser open confirms a step of its owner's as himself."""
    member(site, "eve")
    browser = member(site)
    before, logged_in = dict(browser.tokens), site.actions().count("login")
    site.clock.advance(10 * MINUTE)

    reply = again(site, browser, "eve")

    assert (reply.status, reply.one("Location")) == (403, None)
    assert "This login belongs to another account" in text(reply)
    assert browser.tokens == before
    assert browser.whoami() == "ada"
    assert site.actions().count("login") == logged_in
    [refused] = [event for event in site.events if event.action == "login-refused"]
    assert (refused.facts["reason"], refused.account_id) == ("other-account", site.row("google:ada").account_id)
    assert site.counted("other-account") == 1


@pytest.mark.threat(57)
def test_a_fresh_login_of_a_stranger_makes_no_account(site: LoginSite) -> None:
    """Otherwise the demand ends in a sign-up, and its step in an account that was made for it."""
    browser = member(site)

    reply = again(site, browser, "bob")

    assert reply.status == 403
    assert browser.jar.named("__Host-iddu-") == {}
    assert browser.whoami() == "ada"


def test_the_page_of_another_account_leads_back_to_the_demand(site: LoginSite) -> None:
    """Otherwise a person who chose the wrong account there has no way on."""
    browser = member(site)

    page = again(site, browser, "bob").body.decode()

    assert 'href="/login?return_to=%2Fpage&amp;max_age=0"' in page


def test_an_answer_to_a_demand_counts_once(site: LoginSite) -> None:
    """Otherwise an address in the history is a fresh login."""
    browser = member(site)
    state = browser.begin("google", max_age="300")
    says(site, "bob")
    assert browser.come_back(state, provider="google", code="bob").status == 403

    assert browser.come_back(state, provider="google", code="ada").status == 400


def test_who_logged_out_meanwhile_logs_in_as_whom_they_were(site: LoginSite) -> None:
    """The demand outlives its session: a session that idles out while a password is typed must not void it."""
    browser = member(site)
    state = browser.begin("google", max_age="300", return_to="/page")
    for name in browser.tokens:
        del browser.jar.cookies[name]
    says(site, "ada")

    assert location(browser.come_back(state, provider="google", code="ada")) == "/page"
    assert browser.whoami() == "ada"


@pytest.mark.parametrize("said", ["before", "nothing", "unproven"])
def test_a_stale_answer_is_refused_in_words(site: LoginSite, expect_log: ExpectLog, said: str) -> None:
    """Otherwise a provider that ignores the demand vouches for whoever sits there."""
    expect_log("identity.web", "login-not-fresh")
    browser = member(site)
    before = dict(browser.tokens)
    site.clock.advance(10 * MINUTE)
    state = browser.begin("google", max_age="300", return_to="/page")
    says(site, "ada", ago=61 * SECOND if said == "before" else 0, proven=said != "unproven")
    if said == "nothing":
        site.google.people["ada"] = person("ada", auth_proven=True)

    reply = browser.come_back(state, provider="google", code="ada")

    assert reply.status == 502
    assert "Google only said that you were logged in there already" in text(reply)
    assert 'href="/login/google?return_to=%2Fpage&amp;max_age=0"' in reply.body.decode()
    assert browser.tokens == before


def test_a_provider_that_cannot_prove_is_said_to_be_unable(site: LoginSite) -> None:
    """Otherwise an address that was kept, or typed, makes a redirect pass for proof."""
    browser = member(site)
    site.clock.advance(10 * MINUTE)

    reply = browser.get("/login/github?max_age=300&return_to=%2Fpage")

    assert reply.status == 303
    assert query_of(location(reply)) == {"reason": "no-fresh-login", "return_to": "/page", "max_age": "300"}
    assert browser.jar.named("__Host-iddf-") == {}
    assert "That way to log in does not count here." in text(browser.get(location(reply)))


def test_only_ways_to_the_same_account_are_offered(site: LoginSite) -> None:
    """Otherwise people choose a way that can only be refused."""
    site.github.proves_fresh_login = True
    browser = member(site)
    site.clock.advance(10 * MINUTE)

    assert [way.partition("?")[0] for way in ways(browser.get(DEMAND))] == ["/login/google"]


def test_the_page_opens_while_the_account_store_is_away(site: LoginSite) -> None:
    """Whose ways these are is a help; without it the person can still choose."""
    site.github.proves_fresh_login = True
    browser = member(site)
    site.clock.advance(10 * MINUTE)

    with site.accounts_away():
        page = browser.get(DEMAND)

    assert "You are logged in as ada" in text(page)
    assert [way.partition("?")[0] for way in ways(page)] == ["/login/google", "/login/github"]


def test_no_fresh_login_begins_while_it_is_not_known_whose(site: LoginSite, expect_log: ExpectLog) -> None:
    """Otherwise any account would do while memcached is away."""
    expect_log("identity.web", "store-unavailable")
    browser = member(site)

    with site.store_away():
        reply = browser.get("/login/google?max_age=300")

    assert reply.status == 503
    assert browser.jar.named("__Host-iddf-") == {}


def test_saying_no_keeps_the_demand(site: LoginSite) -> None:
    """Otherwise cancelling once is a way around it."""
    browser = member(site)
    state = browser.begin("google", max_age="300", return_to="/page")

    reply = browser.come_back(state, provider="google", error="access_denied")

    assert query_of(location(reply)) == {"reason": "provider-denied", "return_to": "/page", "max_age": "0"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("max_age=", "parameter-value"),
        ("max_age=-1", "parameter-value"),
        ("max_age=%2B1", "parameter-value"),
        ("max_age=1.5", "parameter-value"),
        ("max_age=1e3", "parameter-value"),
        ("max_age=5m", "parameter-value"),
        ("max_age=%D9%A3", "parameter-value"),
        ("max_age=1000000000", "parameter-value"),
        ("max_age=%2030", "parameter-value"),
        ("max_age=300&max_age=300", "parameter-repeated"),
    ],
)
@pytest.mark.parametrize("page", ["/login", "/login/google"])
def test_a_demand_that_cannot_be_read_is_refused(site: LoginSite, page: str, query: str, code: str) -> None:
    """Otherwise a slip in an application's link demands nothing, and it is never noticed."""
    reply = member(site).get(f"{page}?{query}")

    assert reply.status == 400
    assert f"<code>{code}</code>" in reply.body.decode()


def test_a_fresh_login_leads_back_to_an_application(site: LoginSite) -> None:
    """An application on another host is who needs this most."""
    browser = member(site)
    site.clock.advance(10 * MINUTE)
    page = browser.get(f"/login?{urlencode({'max_age': '60', 'return_to': WIKI + '/pay'})}")
    assert "Then you go on to wiki.example" in text(page)

    assert location(again(site, browser, max_age="60", return_to=f"{WIKI}/pay")) == f"{WIKI}/pay"


def test_the_box_is_ticked_for_who_stayed_logged_in(site: LoginSite) -> None:
    """Otherwise proving to be there would end a login that was to last when the browser is closed."""
    staying, leaving = site.browser(), member(site, "bob")
    says(site, "ada")
    staying.sign_up("ada", provider="google", stay="yes")
    site.clock.advance(10 * MINUTE)

    pages = [each.get(DEMAND).body.decode() for each in (staying, leaving)]

    assert [' aria-describedby="stay-help" checked>' in page for page in pages] == [True, False]
