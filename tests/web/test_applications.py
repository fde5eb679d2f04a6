"""One login for applications on hosts of their own, as a browser walks through it."""

import pytest

from identity.login.codes import challenge_of
from identity.login.handover import continue_path, led_to, login_path
from identity.types import HOUR, MINUTE, SECOND, ClientId
from tests.support.account_site import text
from tests.support.application_hosts import (
    LOGIN,
    SHOP,
    SHOP_APP,
    SHOP_SECRET,
    WIKI,
    ApplicationHosts,
    HostVisitor,
    user,
)
from tests.support.logins import location, query_of
from tests.support.web import APP, LOCAL

PAGE = f"{WIKI}/page?x=1&y=%C3%A9"


def hour_by_hour(sites: ApplicationHosts, browser: HostVisitor, url: str, *, hours: int) -> None:
    """Load a page each hour."""
    for _ in range(hours):
        sites.clock.advance(HOUR)
        assert user(browser.go(url)) == "ada"


def test_the_first_application_leads_through_a_login_to_the_page_that_was_asked_for(
    sites: ApplicationHosts,
) -> None:
    """The one thing a person wants: to see that page."""
    browser = sites.browser()

    login = browser.go(PAGE)
    assert (login.status, browser.hops[-1].partition("?")[0]) == (200, f"{LOGIN}/login")
    assert "to go on to wiki.example" in text(login)
    page = browser.log_in_at(login)

    assert (user(page), browser.hops[-1]) == ("ada", PAGE)


def test_the_second_application_asks_for_nothing(sites: ApplicationHosts) -> None:
    """Single sign-on: no page, no click, one redirect after the other."""
    browser = sites.browser()
    browser.enter(PAGE)

    page = browser.go(f"{SHOP}/cart")

    assert user(page) == "ada"
    assert [hop.partition("?")[0] for hop in browser.hops] == [
        f"{SHOP}/cart",
        f"{SHOP}/.identityd/login",
        f"{LOGIN}/continue",
        f"{SHOP}/.identityd/start",
        f"{SHOP}/cart",
    ]


def test_nothing_of_the_way_stays_in_the_jar(sites: ApplicationHosts) -> None:
    """Ten cookies per login would soon be more than a proxy takes."""
    browser = sites.browser()
    browser.enter(PAGE)

    assert sorted(browser.jars["wiki.example"].cookies) == list(browser.jars["wiki.example"].tokens)


def test_each_host_has_a_session_of_its_own_below_one_login(sites: ApplicationHosts) -> None:
    """One token line in two jars would look like a theft."""
    browser = sites.browser()
    browser.enter(PAGE)
    browser.go(SHOP)

    sessions = sites.record().sessions
    login = next(s for s in sessions if s.login is None)
    assert sorted((s.host, s.login == login.id) for s in sessions if s.login) == [
        ("shop.example", True),
        ("wiki.example", True),
    ]


def test_parallel_tabs_of_one_application_all_arrive(sites: ApplicationHosts) -> None:
    """A browser that restores its tabs begins the way in each at once."""
    browser = sites.browser()
    browser.enter(f"{SHOP}/")

    starts = [browser.code(f"{WIKI}/tab{number}") for number in range(4)]
    pages = [browser.go(start) for start in starts]

    assert [user(page) for page in pages] == ["ada"] * 4
    assert browser.hops[-1] == f"{WIKI}/tab3"
    assert sorted(browser.jars["wiki.example"].cookies) == list(browser.jars["wiki.example"].tokens)


def test_a_browser_waits_with_one_cookie_for_all_its_tabs(sites: ApplicationHosts) -> None:
    """Each of a thousand tabs leaving a cookie would make the header too long for the server."""
    browser = sites.browser()
    for _ in range(25):
        browser.get(f"{WIKI}/.identityd/login")
        sites.clock.advance(SECOND)

    assert len(browser.jars["wiki.example"].cookies) == 1


def test_coming_again_keeps_the_sub_session(sites: ApplicationHosts) -> None:
    """A second line beside the first would be a cookie that never changes."""
    browser = sites.browser()
    browser.enter(PAGE)
    before = list(browser.jars["wiki.example"].tokens)

    again = browser.go(f"{WIKI}/.identityd/login?return_to=/other")

    assert (user(again), browser.hops[-1]) == ("ada", f"{WIKI}/other")
    assert list(browser.jars["wiki.example"].tokens) == before
    assert len(sites.record().sessions) == 2


def test_after_eight_hours_a_page_load_passes_through_the_login_host_without_a_click(
    sites: ApplicationHosts,
) -> None:
    """What was copied from an application must not live on without the login host's own session."""
    browser = sites.browser()
    browser.enter(PAGE)
    thief = browser.copy("wiki.example")
    hour_by_hour(sites, browser, PAGE, hours=8)
    sites.clock.advance(MINUTE)

    page = browser.go(PAGE)

    assert (user(page), browser.hops[-1]) == ("ada", PAGE)
    assert f"{LOGIN}/continue" in [hop.partition("?")[0] for hop in browser.hops]
    assert query_of(browser.hops[1])["reason"] == "return-due"
    assert user(thief.go(PAGE)) is None


def test_a_form_is_not_interrupted_by_the_return(sites: ApplicationHosts) -> None:
    """A person who wrote for an hour would lose it to a redirect."""
    browser = sites.browser()
    browser.enter(PAGE)
    hour_by_hour(sites, browser, PAGE, hours=8)
    sites.clock.advance(MINUTE)

    assert user(browser.get(PAGE, method="POST")) == "ada"


def test_an_application_that_asks_over_http_is_told_of_the_return_by_method(
    sites: ApplicationHosts,
) -> None:
    """The same rule for both ways of asking."""
    browser = sites.browser()
    browser.enter(PAGE)
    hour_by_hour(sites, browser, PAGE, hours=8)
    sites.clock.advance(MINUTE)
    jar = browser.jars["wiki.example"]

    reading, writing = (
        sites.check(jar, url=PAGE).json(),
        sites.check(jar, url=PAGE, method="POST").json(),
    )

    assert (reading["verdict"], reading["reason"]) == ("login", "return-due")
    assert reading["location"].startswith(f"{WIKI}/.identityd/login?return_to=%2Fpage")
    assert writing["verdict"] == "ok"


def test_what_a_copy_was_used_for_makes_the_login_doubtful_until_the_next_one(
    sites: ApplicationHosts,
) -> None:
    """A thief at one application must not walk on to the others; the owner logs in once and is told."""
    browser = sites.browser()
    browser.enter(PAGE)
    thief = browser.copy("wiki.example")
    for _ in range(4):
        sites.clock.advance(20_000)
        assert user(browser.go(PAGE)) == "ada"

    assert user(thief.go(PAGE)) is None
    assert thief.hops[-1].startswith(f"{LOGIN}/login?")
    assert "two places" not in text(thief.get(thief.hops[-1]))
    login = browser.go(f"{SHOP}/cart")
    assert login.status == 200
    assert "For safety this site asks for a new login" in text(login)
    notices = browser.log_in_at(login)
    assert "used in two places" in text(notices)

    assert user(browser.go(f"{SHOP}/cart")) == "ada"
    assert user(browser.go(PAGE)) == "ada"


def test_the_login_host_itself_is_not_closed_by_the_doubt(sites: ApplicationHosts) -> None:
    """The person looks at the sessions there to find out what happened."""
    browser = sites.browser()
    browser.enter(PAGE)
    thief = browser.copy("wiki.example")
    for _ in range(4):
        sites.clock.advance(20_000)
        browser.go(PAGE)
    thief.go(PAGE)

    assert browser.get(f"{LOGIN}/account").status == 200
    assert location(browser.get(f"{LOGIN}/login")) == "/account"


@pytest.mark.parametrize(
    ("place", "host"),
    [
        ("/account", "wiki.example"),
        ("/login", "wiki.example"),
        ("/logout", "wiki.example"),
        ("/continue?host=wiki.example", "wiki.example"),
        ("/.identityd/login", "login.example"),
        ("/.identityd/start?code=x", "login.example"),
        ("/.identityd/logout", "login.example"),
    ],
)
def test_a_page_exists_on_its_side_only(sites: ApplicationHosts, place: str, host: str) -> None:
    """A sub-session that reached the account page would let an application end all sessions of a person."""
    browser = sites.browser()
    browser.enter(PAGE)

    reply = sites.public("GET", place, host=host, headers=browser.jars[host].header)

    assert (reply.status, reply.cookies, reply.one("Location")) == (404, [], None)


def test_ack_on_an_applications_host_rotates_and_decides(sites: ApplicationHosts) -> None:
    """For a proxy that drops cookies it is the only place where a copy is found."""
    browser = sites.browser()
    browser.enter(PAGE)
    thief = browser.copy("wiki.example")
    for _ in range(4):
        sites.clock.advance(20_000)
        reply = browser.get(f"{WIKI}/.identityd/ack", Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="image")
        assert (reply.status, reply.one("Cache-Control")) == (204, "no-store")

    bounced = thief.get(f"{WIKI}/.identityd/ack?then=/page")

    assert bounced.status == 307
    ended = thief.get(WIKI + location(bounced))
    assert location(ended).startswith("/.identityd/login?return_to=%2Fpage&reason=reuse")


def test_an_application_without_cookies_rotates_through_ack() -> None:
    """`mint = no`: a stale page load goes to ack on the same host and comes back."""
    with ApplicationHosts(trusted=(LOCAL,), mints={APP: False}) as sites:
        browser = sites.browser()
        browser.enter(PAGE)
        for _ in range(3):
            sites.clock.advance(20_000)
            page = browser.go(PAGE)
            assert (user(page), page.cookies) == ("ada", [])
            sites.clock.advance(20_000)
            assert browser.get(f"{WIKI}/.identityd/ack?then=/page").status == 303


def test_a_way_longer_than_an_address_may_be_ends_at_the_front_page(sites: ApplicationHosts) -> None:
    """Cut somewhere in the middle it would be another page."""
    browser = sites.browser()

    browser.enter(f"{WIKI}/{'x' * 3_000}")

    assert browser.hops[-1] == f"{WIKI}/"


def test_a_host_that_logins_may_not_return_to_gets_none() -> None:
    """An operator who lists `return_to` says which hosts are meant."""
    with ApplicationHosts(trusted=(LOCAL,), origins=frozenset({WIKI})) as sites:
        browser = sites.browser()

        assert browser.get(f"{SHOP}/.identityd/login").status == 403
        asked = continue_path(ClientId("shop.example"), challenge_of("r"), "/")  # type: ignore[arg-type]
        assert browser.get(LOGIN + asked).status == 403


def test_an_application_redeems_over_http_with_its_own_secret(sites: ApplicationHosts) -> None:
    """For applications that own their whole host and keep the secret themselves, as with PKCE."""
    browser = sites.browser()
    browser.enter(f"{SHOP}/")
    secret = "kept by the application " + "x" * 20
    asked = continue_path("wiki.example", challenge_of(secret), "/page")  # type: ignore[arg-type]

    browser.go(LOGIN + asked, until="/.identityd/start")
    answer = sites.start_over_http(browser.hops[-1], secret)

    assert answer.status == 200
    assert answer.json()["location"] == "/page"
    [cookie] = answer.json()["set_cookie"]
    name, _, value = cookie.partition(";")[0].partition("=")
    browser.jars["wiki.example"].cookies[name] = value
    assert user(browser.get(PAGE)) == "ada"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"{WIKI}/.identityd/start", 400),
        (f"{WIKI}/.identityd/start?code=a&code=b", 400),
        (f"{WIKI}/.identityd/start?code=%0a", 400),
        (f"{WIKI}/.identityd/start?code=unknown", 400),
        (f"{SHOP}/.identityd/start?code=x", 403),
        (f"{LOGIN}/.identityd/start?code=x", 403),
    ],
)
def test_what_an_application_may_not_redeem_is_refused(sites: ApplicationHosts, url: str, status: int) -> None:
    """Otherwise one application's credentials open sessions at another."""
    assert sites.start_over_http(url, "r" * 40).status == status


def test_a_shop_cannot_redeem_with_the_wikis_credentials_swapped(sites: ApplicationHosts) -> None:
    """The caller is who proves itself, not who it says it is."""
    url = f"{WIKI}/.identityd/start?code=x"

    assert sites.start_over_http(url, "r" * 40, client=SHOP_APP, password=SHOP_SECRET).status == 403


@pytest.mark.parametrize("place", ["/.identityd/login", "/.identityd/start?code=x"])
@pytest.mark.parametrize("how", ["HEAD", "prefetch"])
def test_nothing_happens_for_who_did_not_come(sites: ApplicationHosts, place: str, how: str) -> None:
    """A link preview would use up the code that a person is about to bring."""
    browser = sites.browser()
    headers = {"Sec_Purpose": "prefetch"} if how == "prefetch" else {}

    reply = browser.get(WIKI + place, method="HEAD" if how == "HEAD" else "GET", **headers)

    assert (reply.status, reply.cookies) == (204, [])


def test_the_way_does_not_begin_inside_another_page(sites: ApplicationHosts) -> None:
    """An invisible frame would log its victim in without their doing."""
    assert sites.browser().get(f"{WIKI}/.identityd/login", Sec_Fetch_Dest="iframe").status == 400


def test_addresses_of_the_way_are_read_back() -> None:
    """The login page says where it leads."""
    assert login_path("/") == "/.identityd/login"
    assert led_to(continue_path("wiki.example", "c" * 43, "/page")) == "wiki.example"  # type: ignore[arg-type]
    assert led_to("/account") is None
    assert led_to(f"{WIKI}/continue?host=shop.example") is None
