"""Logging in: the chooser, the way to a provider and back, over real sockets and the real services."""

import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from identity.login.flow import FLOW_MS
from identity.types import DAY, Host
from providers.base import Profile
from tests.support.guards import Expectation
from tests.support.logins import WIKI, LoginSite, form_of, jar_of, location, person, query_of
from tests.support.web import Reply

ExpectLog = Callable[..., Expectation]
ATTRIBUTES = "; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax; Secure"


def ways(page: Reply) -> list[str]:
    """Return the addresses the chooser offers, in order."""
    return [
        href.replace("&amp;", "&") for href in re.findall(r'<a class="way[^"]*" href="([^"]+)"', page.body.decode())
    ]


def test_the_chooser_offers_every_provider(logins: LoginSite) -> None:
    """Otherwise people could not choose how to log in."""
    page = logins.browser().get("/login")

    assert page.status == 200
    assert ways(page) == ["/login/github", "/login/google"]
    assert "Continue with GitHub" in page.body.decode()


def test_the_chooser_leads_on_to_where_the_login_was_asked_for(logins: LoginSite) -> None:
    """Otherwise everybody would land on the account page instead of where they were going."""
    page = logins.browser().get("/login?return_to=%2Fpage%3Fa%3D1%26b%3D2")

    assert query_of(ways(page)[0]) == {"return_to": "/page?a=1&b=2"}


def test_the_chooser_says_at_which_application_the_login_ends(logins: LoginSite) -> None:
    """Otherwise people could not tell what they log in for."""
    page = logins.browser().get(f"/login?{urlencode({'return_to': WIKI + '/Main'})}").body.decode()

    assert "You will continue to wiki.example." in page


def test_the_chooser_puts_the_provider_used_last_first(logins: LoginSite) -> None:
    """Otherwise people with several logins make a second account by choosing another one."""
    browser = logins.browser()
    browser.sign_up(provider="google")
    for name in browser.tokens:
        del browser.jar.cookies[name]

    page = browser.get("/login")

    assert ways(page) == ["/login/google", "/login/github"]
    assert "You used Google last time" in page.body.decode()


@pytest.mark.parametrize("forged", ["nobody", "<script>", "github, google", "a" * 5000])
def test_a_forged_last_provider_changes_nothing(logins: LoginSite, forged: str) -> None:
    """Otherwise a cookie would put text of somebody else's on the page."""
    browser = logins.browser()
    browser.jar.cookies["__Host-iddl"] = forged

    page = browser.get("/login")

    assert ways(page) == ["/login/github", "/login/google"]
    assert forged not in page.body.decode()


@pytest.mark.parametrize("reason", ["idle", "reuse", "replaced", "stale", "provider-denied", "logout"])
def test_the_chooser_says_why_somebody_has_to_log_in(logins: LoginSite, reason: str) -> None:
    """Otherwise people who were logged out would suspect a fault."""
    page = logins.browser().get(f"/login?reason={reason}").body.decode()

    assert 'class="note"' in page


@pytest.mark.parametrize("reason", ["", "nonsense", "<b>x</b>", "../error", "reuse.title"])
def test_the_chooser_has_no_words_for_other_reasons(logins: LoginSite, reason: str) -> None:
    """Otherwise a link could put words on the page."""
    page = logins.browser().get(f"/login?{urlencode({'reason': reason})}").body.decode()

    assert 'class="note"' not in page
    assert "nonsense" not in page


@pytest.mark.parametrize("path", ["/login?reason=a&reason=b", "/login?return_to=/a&return_to=/b", "/login?reason=%ff"])
def test_the_chooser_refuses_an_ambiguous_address(logins: LoginSite, path: str) -> None:
    """Otherwise what a filter in front saw and what was used could differ."""
    assert logins.browser().get(path).status == 400


@pytest.mark.parametrize(("asked", "leads"), [("", "/account"), ("?return_to=%2Fpage", "/page")])
def test_somebody_who_is_logged_in_goes_straight_on(logins: LoginSite, asked: str, leads: str) -> None:
    """Otherwise each application that asks for a login would ask again."""
    browser = logins.browser()
    browser.sign_up()

    reply = browser.get(f"/login{asked}")

    assert reply.status == 303
    assert location(reply) == leads


def test_the_chooser_is_there_while_the_session_store_is_away(logins: LoginSite) -> None:
    """Otherwise an outage would look like a missing page."""
    browser = logins.browser()
    browser.sign_up()

    with logins.store_away():
        page = browser.get("/login")

    assert page.status == 200
    assert page.cookies == []


def test_a_daemon_without_providers_says_so(logins: LoginSite) -> None:
    """Otherwise whoever sets it up would see an empty page."""
    logins.providers.clear()

    assert "No way to log in is set up here yet" in logins.browser().get("/login").body.decode()


def test_a_login_begins_with_a_redirect_and_a_binding_cookie(logins: LoginSite) -> None:
    """Otherwise the answer could be finished in any browser, or in none."""
    reply = logins.browser().get("/login/github")

    sent = query_of(location(reply))
    assert reply.status == 302
    assert location(reply).startswith("https://github.example/authorize?")
    assert sent["redirect_uri"] == "https://login.example/login/github/callback"
    [line] = reply.cookies
    assert line.startswith(f"__Host-iddf-{sent['state'][:8]}=")
    assert line.endswith(ATTRIBUTES.format(age=600))
    assert reply.one("Cache-Control") == "no-store"


def test_every_login_has_values_of_its_own(logins: LoginSite) -> None:
    """Otherwise one login's answer would pass in another."""
    seen = [query_of(location(logins.browser().get("/login/github"))) for _ in range(8)]

    assert len({each["state"] for each in seen}) == 8
    assert len({each["nonce"] for each in seen}) == 8


@pytest.mark.parametrize(
    "headers", [{"Sec_Purpose": "prefetch"}, {"Sec_Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}]
)
@pytest.mark.parametrize("path", ["/login/github", "/login/github/callback?state=x"])
def test_a_prefetch_begins_and_finishes_nothing(logins: LoginSite, headers: dict[str, str], path: str) -> None:
    """Otherwise a browser that loads pages ahead would use up logins nobody asked for."""
    reply = logins.browser().get(path, **headers)

    assert reply.status == 204
    assert reply.cookies == []
    assert logins.kept() == 0


@pytest.mark.parametrize("path", ["/login/github", "/login/github/callback?state=x"])
def test_a_head_request_begins_and_finishes_nothing(logins: LoginSite, path: str) -> None:
    """Otherwise a link checker would fill the store, and a mail scanner use up logins."""
    reply = logins.browser().get(path, method="HEAD")

    assert reply.status == 204
    assert reply.cookies == []
    assert logins.kept() == 0


@pytest.mark.parametrize("dest", ["image", "iframe", "empty", "script"])
def test_a_login_does_not_begin_inside_another_page(logins: LoginSite, dest: str) -> None:
    """Otherwise any page could fill a visitor's jar with bindings."""
    reply = logins.browser().get("/login/github", Sec_Fetch_Dest=dest)

    assert reply.status == 400
    assert b"not-a-page" in reply.body
    assert logins.kept() == 0


@pytest.mark.parametrize("path", ["/login/nobody", "/login/nobody/callback?state=x&code=ada"])
def test_an_unknown_provider_is_404_with_words(logins: LoginSite, path: str) -> None:
    """Otherwise a mistyped or outdated link would be a dead end."""
    reply = logins.browser().get(path)

    assert reply.status == 404
    assert b"provider-unknown" in reply.body


@pytest.mark.parametrize("path", ["/login/GITHUB", "/login/a_b", "/login/" + "a" * 33, "/login/github/other"])
def test_what_cannot_name_a_provider_is_404(logins: LoginSite, path: str) -> None:
    """Otherwise names would be guessed in spellings the configuration does not know."""
    assert logins.browser().get(path).status == 404


@pytest.mark.parametrize("path", ["/login/", "/login/github/", "/login/github/callback/?state=x", "/welcome/?s=x"])
def test_every_page_has_one_spelling(logins: LoginSite, path: str) -> None:
    """Otherwise a link with a slash too many would be a dead end."""
    reply = logins.browser().get(path)

    assert reply.status == 308
    assert location(reply) == path.replace("/?", "?").rstrip("/")


@pytest.mark.parametrize("path", ["/login", "/login/github", "/login/github/callback"])
def test_the_steps_take_no_forms(logins: LoginSite, path: str) -> None:
    """Otherwise another site's form could begin or finish a login."""
    reply = logins.browser().post(path, {"state": "x"})

    assert reply.status == 405
    assert reply.one("Allow") == "GET, HEAD"


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
    reply = logins.browser().sign_up()

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
    assert (profile.display_name, profile.email, profile.email_verified) == ("Ada L.", "ada@example.com", True)
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

    assert set(browser.named("__Host-iddf-")) == {f"__Host-iddf-{state[:8]}" for state in states[-10:]}
    assert browser.come_back(states[0], code="ada").status == 400
    assert browser.come_back(states[-1], code="ada").status == 303


def test_a_broken_binding_goes_first(logins: LoginSite) -> None:
    """Otherwise names planted by somebody would push real logins out."""
    browser = logins.browser()
    browser.jar.cookies |= {f"__Host-iddf-planted{n}": "x" for n in range(3)}
    browser.jar.cookies |= {f"__Host-iddu-planted{n}": "ffffffffffff." + "y" * 43 for n in range(7)}

    browser.begin()
    browser.begin()

    assert set(browser.named("__Host-iddf-planted")) == {"__Host-iddf-planted2"}
    assert len(browser.named("__Host-idd")) == 10


def test_beginning_a_login_answers_with_four_cookie_lines_at_most(logins: LoginSite) -> None:
    """Otherwise the answer would be too large for the buffers of common proxies."""
    browser = logins.browser()
    browser.jar.cookies |= {f"__Host-iddf-planted{n}": "x" for n in range(40)}

    assert len(browser.get("/login/github").cookies) <= 4


def test_somebody_who_says_no_comes_back_to_the_chooser(logins: LoginSite) -> None:
    """Otherwise changing one's mind would look like a fault."""
    browser = logins.browser()
    state = browser.begin(return_to="/page")

    reply = browser.come_back(state, error="access_denied", error_description="<b>canary-upstream-text</b>")
    page = browser.get(location(reply)).body.decode()

    assert query_of(location(reply)) == {"reason": "provider-denied", "return_to": "/page"}
    assert "The login was cancelled" in page
    assert "canary-upstream-text" not in page
    assert browser.named("__Host-iddf-") == {}
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
    assert browser.named("__Host-iddf-") == {}
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
    logins.github.people["ada"] = Profile(subject=subject, email_verified=False)

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


def test_a_login_tells_that_the_session_was_used_in_two_places(logins: LoginSite) -> None:
    """Otherwise a person whose token was stolen would never hear of it."""
    browser = logins.browser()
    browser.sign_up()
    logins.steal_from(browser)

    reply = browser.log_in(return_to="/page")
    text = reply.body.decode()

    assert reply.status == 200
    assert "Your session was used in two places" in text
    assert 'href="/page"' in text
    assert reply.one("Link") == "</.identityd/ack>; rel=preload; as=image"
    assert browser.whoami() == "ada"
    assert browser.post("/account/sessions/end-all", form_of(reply)).status in (200, 303)


def test_a_notice_is_told_once(logins: LoginSite) -> None:
    """Otherwise people would be warned of one event for ever."""
    browser = logins.browser()
    browser.sign_up()
    logins.steal_from(browser)
    browser.log_in()

    assert browser.log_in().status == 303


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
    assert logins.check(jar_of(before)).json()["verdict"] == "login"


def test_an_outage_while_beginning_sends_nobody_away(logins: LoginSite, expect_log: ExpectLog) -> None:
    """Otherwise people would come back from their provider to a login that was never kept."""
    expect_log("identity.web", "store-unavailable")

    with logins.store_away():
        reply = logins.browser().get("/login/github")

    assert reply.status == 503
    assert reply.one("Retry-After") == "5"
    assert reply.one("Location") is None
    assert reply.cookies == []


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
