"""Coming back from a provider: sessions, tabs, notices, cookies, over real sockets and the real services."""

from collections.abc import Callable

import pytest

from identity.types import DAY, Host
from tests.support.browser import Jar
from tests.support.guards import Expectation
from tests.support.logins import WIKI, LoginSite, location
from tests.support.scripted import person

ExpectLog = Callable[..., Expectation]
ATTRIBUTES = "; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax; Secure"


def test_somebody_who_is_known_is_signed_in(logins: LoginSite) -> None:
    """Otherwise the daemon would have no purpose."""
    logins.browser().sign_up("ada", username="Ada.L")
    browser = logins.browser()

    reply = browser.log_in("ada")

    assert reply.status == 303
    assert location(reply) == "/account"
    assert browser.whoami() == "Ada.L"


def test_a_finished_login_leaves_only_its_session_and_the_provider_behind(logins: LoginSite) -> None:
    """Otherwise used bindings would pile up in every request's header."""
    logins.browser().sign_up()
    browser = logins.browser()

    browser.log_in()

    assert len(browser.tokens) == 1
    assert set(browser.jar.cookies) == {*browser.tokens, "__Host-iddl"}


def test_the_session_cookie_lasts_as_long_as_the_session(logins: LoginSite) -> None:
    """Otherwise people would log in again every time the browser is closed."""
    reply = logins.browser().sign_up(stay="yes")

    [line] = [line for line in reply.cookies if line.startswith("__Host-idd-")]
    assert line.endswith(ATTRIBUTES.format(age=30 * DAY // 1000))


@pytest.mark.parametrize("known", [True, False], ids=["returning", "first"])
@pytest.mark.parametrize(
    ("asked", "leads"),
    [("/page?x=1", "/page?x=1"), (f"{WIKI}/Main?x=1", f"{WIKI}/Main?x=1"), ("https://evil.example/", "/account")],
)
def test_a_login_ends_where_it_was_asked_for(logins: LoginSite, asked: str, leads: str, *, known: bool) -> None:
    """Otherwise people would be left on the account page, or sent to somebody else's."""
    if known:
        logins.browser().sign_up()
    browser = logins.browser()

    reply = browser.log_in(return_to=asked) if known else browser.sign_up(return_to=asked)

    assert reply.status in (302, 303)
    assert location(reply) == leads


def test_a_returning_login_reads_the_account_store_twice(logins: LoginSite) -> None:
    """Otherwise logins would load a distributed store more than they have to."""
    logins.browser().sign_up()
    logins.store.reads.clear()

    logins.browser().log_in()

    assert logins.store.reads == {"identities": 1, "accounts": 1}


def test_a_login_finds_an_interrupted_sign_up_and_finishes_it(logins: LoginSite, expect_log: ExpectLog) -> None:
    """Otherwise a crash in the middle of a sign-up would lock its owner out."""
    expect_log("identity.web", "/welcome failed")
    logins.stop_at = "complete.account-written"
    assert logins.browser().sign_up().status == 500
    logins.stop_at = ""
    browser = logins.browser()

    reply = browser.log_in()

    assert location(reply) == "/account"
    assert browser.whoami() == "ada"


def test_a_login_stores_what_the_provider_says_of_the_person(logins: LoginSite) -> None:
    """Otherwise the account page would show what was true at the sign-up."""
    logins.browser().sign_up()
    logins.github.people["ada"] = person("ada", name="Ada\u202e L.", email="ada@example.com", email_verified=True)

    logins.browser().log_in()

    profile = logins.profile_of("github:ada")
    assert (profile.name, profile.email, profile.email_verified) == ("Ada L.", "ada@example.com", True)
    assert profile.seen_at == logins.clock()


@pytest.mark.parametrize(("said_s", "kept_s"), [(None, 0), (-100, -100), (100, 0)], ids=["silent", "earlier", "ahead"])
def test_a_session_knows_when_its_owner_proved_who_they_are(logins: LoginSite, said_s: int | None, kept_s: int) -> None:
    """Otherwise an application that wants a fresh login would be told of one that never was."""
    logins.browser().sign_up()
    now_s = logins.clock() // 1000
    logins.github.people["ada"] = person("ada", auth_at=None if said_s is None else now_s + said_s)
    browser = logins.browser()

    browser.log_in()

    assert logins.check(browser.jar).json()["user"]["auth_time"] == now_s + kept_s


def test_two_tabs_with_different_providers_both_finish(logins: LoginSite) -> None:
    """Otherwise opening a second login would silently break the first."""
    logins.browser().sign_up("ada", provider="github")
    logins.browser().sign_up("bob", provider="google")
    browser = logins.browser()
    first, second = browser.begin("github"), browser.begin("google")

    replies = [browser.come_back(second, provider="google", code="bob"), browser.come_back(first, code="ada")]

    assert [location(reply) for reply in replies] == ["/account", "/account"]
    assert browser.whoami() == "ada"


def test_two_tabs_with_one_provider_both_finish(logins: LoginSite) -> None:
    """Otherwise a person who clicked twice would see an error."""
    logins.browser().sign_up()
    browser = logins.browser()
    states = [browser.begin(), browser.begin()]

    replies = [browser.come_back(state, code="ada") for state in states]

    assert [location(reply) for reply in replies] == ["/account", "/account"]


def test_a_browser_keeps_ten_bindings_and_drops_the_oldest(logins: LoginSite) -> None:
    """Otherwise abandoned logins would make the header too large for a proxy."""
    browser = logins.browser()
    states = []
    for _ in range(14):
        states.append(browser.begin())
        logins.clock.advance(2_000)

    assert set(browser.jar.named("__Host-iddf-")) == {f"__Host-iddf-{state[:8]}" for state in states[-10:]}
    assert browser.come_back(states[0], code="ada").status == 400
    assert browser.come_back(states[-1], code="ada").status == 303


def test_a_broken_binding_goes_first(logins: LoginSite) -> None:
    """Otherwise names planted by somebody would push real logins out."""
    browser = logins.browser()
    browser.jar.cookies |= {f"__Host-iddf-planted{n}": "x" for n in range(3)}
    browser.jar.cookies |= {f"__Host-iddu-planted{n}": "ffffffffffff." + "y" * 43 for n in range(7)}

    browser.begin()
    browser.begin()

    assert set(browser.jar.named("__Host-iddf-planted")) == {"__Host-iddf-planted2"}
    assert len(browser.jar.named("__Host-idd")) == 10


def test_beginning_a_login_answers_with_four_cookie_lines_at_most(logins: LoginSite) -> None:
    """Otherwise the answer would be too large for the buffers of common proxies."""
    browser = logins.browser()
    browser.jar.cookies |= {f"__Host-iddf-planted{n}": "x" for n in range(40)}

    assert len(browser.get("/login/github").cookies) <= 4


def test_a_login_tells_that_the_session_was_used_in_two_places(logins: LoginSite) -> None:
    """Otherwise a person whose token was stolen would never hear of it."""
    browser = logins.browser()
    browser.sign_up()
    logins.steal_from(browser)

    place = location(browser.log_in(return_to="/page"))

    assert place == "/account/notice?return_to=%2Fpage"
    assert "Your session was used in two places" in browser.get(place).body.decode()
    assert browser.whoami() == "ada"


def test_a_login_deletes_names_that_can_never_count_again(logins: LoginSite) -> None:
    """Otherwise junk in the jar would stay and slow every request."""
    logins.browser().sign_up()
    browser = logins.browser()
    browser.jar.cookies |= {"__Host-idd-junk": "x", "__Host-idd-AAAAAAAAAAA": "y" * 100}

    browser.log_in()

    assert "__Host-idd-junk" not in browser.jar.cookies
    assert len(browser.tokens) == 1


def test_another_login_in_the_same_browser_takes_the_place_of_the_first(logins: LoginSite) -> None:
    """Otherwise the first session would stay behind as a cookie that never changes."""
    logins.browser().sign_up("bob")
    browser = logins.browser()
    browser.sign_up("ada")
    before = dict(browser.tokens)

    browser.log_in("bob")

    assert browser.whoami() == "bob"
    assert not set(before) & set(browser.tokens)
    late = logins.check(Jar.of(before)).json()
    assert (late["verdict"], late["reason"]) == ("bounce", "replaced")


def test_a_login_is_audited_with_its_place_and_without_its_secrets(logins: LoginSite) -> None:
    """Otherwise nobody could answer who logged in from where, or a log would hold what opens accounts."""
    logins.browser().sign_up()
    browser = logins.browser()

    reply = browser.log_in()

    event = logins.events[-1]
    assert (event.action, event.actor, event.address) == ("login", "self", "127.0.0.1")
    assert event.facts["provider"] == "github"
    assert event.request_id == reply.one("X-Request-Id")
    assert not [value for value in browser.jar.cookies.values() if len(value) > 10 and value in repr(event)]


def test_logins_are_counted_by_what_became_of_them(logins: LoginSite) -> None:
    """Otherwise an operator would not see that a provider stopped working."""
    browser = logins.browser()
    browser.sign_up()
    browser.log_in()
    browser.come_back(browser.begin(), error="access_denied")
    browser.come_back("unknown", code="ada")

    outcomes = ("started", "needs-username", "signed-in", "provider-denied", "flow-invalid")
    assert [logins.counted(outcome) for outcome in outcomes] == [3, 1, 2, 1, 1]


def test_over_plain_http_the_cookies_carry_the_port() -> None:
    """Otherwise two daemons on one developer's machine would overwrite each other's logins."""
    with LoginSite(public_url="http://localhost:8887", hosts=frozenset({Host("localhost:8887")})) as site:
        browser = site.browser()
        state = browser.begin()
        assert set(browser.jar.cookies) == {f"iddf8887-{state[:8]}"}

        browser.choose(browser.get(location(browser.come_back(state, code="ada"))), "ada")

    assert {name.partition("-")[0] for name in browser.jar.cookies} == {"idd8887", "iddl8887"}
