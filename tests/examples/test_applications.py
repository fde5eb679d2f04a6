"""Both example applications beside a real daemon: every verdict as a browser meets it."""

import re

import pytest
from playwright.sync_api import Browser as Chromium

from tests.examples.conftest import TOKEN_AGE_S, Place
from tests.support.browser import CALL, FORM, PAGE, Browser
from tests.support.demo_sign_up import sign_up_from
from tests.support.loopback import Loopback
from tests.support.waiting import RealClock, elapse

pytestmark = pytest.mark.memcached
OWN = ["own1=1; Path=/", "own2=2; Path=/"]
BIG = b"note=" + b"x" * (1 << 20)


def test_a_page_leads_through_the_login_and_back_to_its_address(place: Place) -> None:
    """Otherwise a person who follows a link ends elsewhere, or nowhere."""
    visitor = Browser(Loopback())

    login = visitor.go(f"{place.url}/page?x=1&y=%C3%A9")
    page = sign_up_from(visitor, login, "ada")

    assert visitor.hops[-1] == f"{place.url}/page?x=1&y=%C3%A9"
    assert "<b id=user>ada</b>" in page.body.decode()


def test_a_host_of_its_own_is_entered_without_a_click(place: Place) -> None:
    """Single sign-on: whoever is logged in sees no page on the way."""
    visitor = place.member()
    visitor.jars["wiki.localhost"].clear()

    page = visitor.go(f"{place.url}/")

    assert page.status == 200
    assert [re.sub(r"\?.*", "", hop) for hop in visitor.hops] == [
        f"{place.url}/",
        f"{place.url}/.identityd/login",
        f"{place.daemon.url}/continue",
        f"{place.url}/.identityd/start",
        f"{place.url}/",
    ]


def test_a_call_without_a_login_gets_401_and_json(place: Place) -> None:
    """Otherwise a script takes the login page for data."""
    reply = Browser(Loopback()).load("GET", f"{place.url}/api/me", CALL)

    assert (reply.status, reply.json()["error"], reply.one("Location")) == (401, "anonymous", None)
    assert reply.one("Cache-Control") == "no-store"


def test_a_call_is_told_who_asks(place: Place) -> None:
    """What an application is behind a login for."""
    visitor = place.member()

    reply = visitor.load("GET", f"{place.url}/api/me", CALL)

    assert reply.json()["name"].startswith("member")
    assert reply.all("Set-Cookie") == OWN
    assert reply.one("Cache-Control") == "no-cache, private"


@pytest.mark.parametrize("body", [b"note=kept", BIG], ids=["short", "1 MB"])
def test_a_form_keeps_its_body_through_a_bounce(place: Place, body: bytes) -> None:
    """Otherwise a form filled in for an hour is lost to a slow network; an early answer resets an upload."""
    before, after = place.parted()
    headers = (*PAGE, FORM, ("Origin", place.url))

    bounced = before.load("POST", f"{place.url}/page?x=1", headers, body)
    assert (bounced.status, bounced.one("Cache-Control")) == (307, "no-store")
    assert str(bounced.one("Location")).startswith(f"{place.url}/page?x=1&identityd-bounced=")
    jar = after.jars["wiki.localhost"]
    jar.update({name: value for name, value in before.jars["wiki.localhost"].items() if name == f"{place.prefix}m"})
    reply = after.load("POST", str(bounced.one("Location")), headers, body)

    assert f"saved: <b id=note>{body[5:].decode()}</b>" in reply.body.decode()


def test_four_cookies_arrive_beside_the_applications_own(place: Place) -> None:
    """Otherwise tokens are lost and the jar is never cleaned."""
    visitor = place.member()
    elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
    visitor.jars["wiki.localhost"].update({f"{place.prefix}-planted{number}": "x" for number in range(5)})

    reply = visitor.load("GET", f"{place.url}/")

    lines = reply.all("Set-Cookie")
    assert [line for line in lines if line.startswith("own")] == OWN
    assert len([line for line in lines if line.startswith(place.prefix)]) == 4
    assert reply.one("Cache-Control") == "no-cache, private"


def test_a_jar_of_22_kb_is_let_through(place: Place) -> None:
    """Otherwise the request that would clean the jar is refused, and the person stays outside."""
    visitor = place.member()
    visitor.jars["wiki.localhost"].update({f"{place.prefix}-planted{at:04}": "x" * 100 for at in range(180)})

    assert visitor.load("GET", f"{place.url}/").status == 200


def test_a_stolen_copy_is_refused(place: Place) -> None:
    """The promise of the product: an old set shown twice ends the session, for the copy and for the owner."""
    thief, owner = place.parted()

    first = thief.load("GET", f"{place.url}/")
    second = thief.load("GET", str(first.one("Location")))

    assert (first.status, second.status) == (307, 302)
    assert "reason=reuse" in str(second.one("Location"))
    assert place.tokens(thief) == {}
    assert owner.load("GET", f"{place.url}/").status == 302


def test_an_absent_identityd_is_503_and_no_logout(place: Place) -> None:
    """An outage must cost a minute, not a login."""
    visitor = place.member()
    jar = dict(visitor.jars["wiki.localhost"])
    place.daemon.stop()

    for path, headers in (("/", PAGE), ("/api/me", CALL), ("/.identityd/logout", PAGE)):
        reply = visitor.load("GET", f"{place.url}{path}", headers)
        assert (reply.status, reply.one("Retry-After"), reply.all("Set-Cookie")) == (503, "5", [])
        assert reply.one("Location") is None
    assert visitor.load("POST", f"{place.url}/", (*PAGE, FORM), BIG).status == 503
    place.daemon.start()

    assert visitor.jars["wiki.localhost"] == jar
    assert visitor.load("GET", f"{place.url}/").status == 200


def test_logging_out_ends_the_session_on_this_host(place: Place) -> None:
    """Whoever leaves a shared computer relies on it."""
    visitor = place.member()
    left = visitor.copy()

    page = visitor.submit(visitor.go(f"{place.url}/.identityd/logout"), {"scope": "login"})

    assert page.status == 200
    assert place.tokens(visitor) == {}
    assert left.load("GET", f"{place.url}/api/me", CALL).status == 401
    visitor.go(f"{place.url}/")
    assert visitor.hops[-1].startswith(f"{place.daemon.url}/login")


def test_ack_rotates_on_the_applications_host(place: Place) -> None:
    """A page that preloads it confirms its token without a script."""
    visitor = place.member()
    elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
    before = place.tokens(visitor)

    reply = visitor.load("GET", f"{place.url}/.identityd/ack")

    assert reply.status == 204
    assert place.tokens(visitor).keys() > before.keys()


def test_another_host_is_refused(place: Place) -> None:
    """An application must not answer for a host that nobody registered."""
    other = place.url.replace("wiki.localhost", "shop.localhost")

    assert Browser(Loopback()).load("GET", f"{other}/").status == 403


@pytest.mark.chromium
def test_a_real_browser_logs_in_saves_and_logs_out(place: Place, browser: Chromium) -> None:
    """What every user does on the first day."""
    page = browser.new_context().new_page()
    page.goto(f"{place.url}/")
    page.get_by_role("link", name="Continue with Demo").click()
    page.get_by_role("button", name=re.compile("Ida Brook")).click()
    page.get_by_label("Username").fill("ida")
    page.get_by_role("button", name="Create account").click()
    assert page.url == f"{place.url}/"
    assert page.inner_text("#user") == "ida"

    elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
    page.get_by_role("button", name="Save").click()
    assert page.inner_text("#note") == "a note"
    assert page.evaluate("fetch('/api/me').then(answer => answer.json())")["name"] == "ida"
    page.goto(f"{place.url}/.identityd/logout")
    page.locator("form:has(input[value=login]) button").click()
    page.goto(f"{place.url}/")

    assert page.url.startswith(f"{place.daemon.url}/login")
