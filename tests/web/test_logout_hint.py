"""The cookie with which a browser logs out at its provider: what it holds, when it comes, and what it is worth."""

import re
import secrets
from dataclasses import replace

import pytest

from identity.web.people.logout_hint import KEPT_S
from providers.base import LogoutThere
from tests.support.logins import LoginSite, Visitor, form_of, location, query_of
from tests.support.signing import b64

TOKEN = f"{b64(b'header')}.{b64(b'claims of ada' * 40)}.{b64(b's' * 256)}"
WAY = "/login/google/logout"
NAME = "__Secure-iddh"
LINE = re.compile(rf"{NAME}=[A-Za-z0-9_-]+; Path={WAY}(?P<age>; Max-Age=[0-9]+)?; HttpOnly; SameSite=Strict; Secure")
REMOVED = f"{NAME}=; Path={WAY}; Max-Age=0; HttpOnly; SameSite=Strict; Secure"


@pytest.fixture
def site(logins: LoginSite) -> LoginSite:
    """Give a daemon whose people may log out at the provider, too."""
    logins.google.logout_there = LogoutThere.OFFER
    say(logins, TOKEN)
    return logins


def say(site: LoginSite, token: str, *, code: str = "ada") -> None:
    """Let the provider sign this at the next logins."""
    site.google.people[code] = replace(site.google.people[code], id_token=token)


def random_text(size: int) -> str:
    """Return text of this length that compresses as a signed token does: hardly."""
    return b64(secrets.token_bytes(size * 3 // 4))


def hints(cookies: list[str]) -> list[str]:
    """Return the Set-Cookie lines of the hint."""
    return [line for line in cookies if line.startswith(NAME)]


def signed_up(site: LoginSite) -> Visitor:
    """Return a browser of a new person."""
    browser = site.browser()
    browser.sign_up("ada", provider="google")
    assert browser.whoami() == "ada"
    return browser


def left(browser: Visitor) -> dict[str, str]:
    """Log out here and go on to log out there; return what the provider is shown."""
    browser.get(location(browser.post("/logout", form_of(browser.get("/logout")))))
    return query_of(location(browser.get(WAY)))


def test_who_signed_up_shows_the_provider_the_id_token_of_that_login(site: LoginSite) -> None:
    """Otherwise the provider asks once more, or refuses, and the person stays logged in there."""
    assert left(signed_up(site))["id_token_hint"] == TOKEN


def test_the_last_login_counts(site: LoginSite) -> None:
    """Otherwise the provider is shown the login of the person before."""
    browser = signed_up(site)
    say(site, TOKEN[::-1])
    browser.log_in("ada", provider="google")

    assert left(browser)["id_token_hint"] == TOKEN[::-1]


def test_it_is_shown_once(site: LoginSite) -> None:
    """Otherwise it lies on a shared computer after its person has left."""
    browser = signed_up(site)
    left(browser)

    again = browser.get(WAY)

    assert "id_token_hint" not in query_of(location(again))
    assert hints(again.cookies) == []
    assert browser.jar.below == {}


def test_it_comes_with_one_address_and_from_our_own_pages_only(site: LoginSite) -> None:
    """Otherwise a link on any page logs a person out there without a question, and every request carries it."""
    browser = site.browser()
    signed_up(site)

    cookies = hints(browser.log_in("ada", provider="google").cookies)

    assert len(cookies) == 1
    match = LINE.fullmatch(cookies[0])
    assert match is not None
    assert match["age"] is None
    assert NAME not in browser.jar.line


def test_it_lasts_where_the_login_does(site: LoginSite) -> None:
    """Otherwise whoever chose to stay logged in is asked at the provider after the browser was closed."""
    signed_up(site)

    cookies = hints(site.browser().log_in("ada", provider="google", stay="yes").cookies)

    match = LINE.fullmatch(cookies[0])
    assert match is not None
    assert match["age"] == f"; Max-Age={KEPT_S}"


def test_nobody_reads_it_in_the_browser(site: LoginSite) -> None:
    """An ID token has a name and an address; disks of shared computers are read."""
    browser = signed_up(site)

    kept = browser.jar.below[NAME, WAY]

    assert TOKEN not in kept
    assert b64(b"claims of ada")[:-2] not in kept


@pytest.mark.threat(63)
@pytest.mark.parametrize("planted", ["x" * 200, "", "AQEA"])
def test_what_is_not_ours_is_not_shown(site: LoginSite, planted: str) -> None:
    """Otherwise another site of the domain decides what the provider is told."""
    reply = site.public("GET", WAY, headers={"Cookie": f"{NAME}={planted}"})

    assert reply.status == 302
    assert "id_token_hint" not in location(reply)


@pytest.mark.threat(5)
def test_another_providers_is_not_shown(site: LoginSite) -> None:
    """Otherwise one provider reads what another one signed."""
    site.github.logout_there = LogoutThere.OFFER
    browser = signed_up(site)
    kept = browser.jar.below[NAME, WAY]

    reply = site.public("GET", "/login/github/logout", headers={"Cookie": f"{NAME}={kept}"})

    assert "id_token_hint" not in location(reply)


@pytest.mark.parametrize("size", [3_000, 60_000])
def test_one_without_room_takes_the_place_of_an_older_one(site: LoginSite, size: int) -> None:
    """Otherwise a provider with long tokens is shown the login of another person, or the proxy answers 502."""
    browser = signed_up(site)
    say(site, random_text(size))

    reply = browser.log_in("ada", provider="google")

    assert hints(reply.cookies) == [REMOVED]
    assert "id_token_hint" not in left(browser)


@pytest.mark.parametrize("signing_up", [True, False])
def test_the_head_of_a_login_with_it_fits_the_buffers_of_proxies(site: LoginSite, *, signing_up: bool) -> None:
    """Otherwise the login of who has a long ID token, or a long address to go to, is the proxy's own 502."""
    if not signing_up:
        signed_up(site)
    fits: list[bool] = []
    for size in range(200, 2_400, 200):
        browser = site.browser()
        browser.jar.cookies |= {f"__Host-idd-junk{n:04}aaaa": "x" for n in range(40)}
        say(site, random_text(size))
        return_to = "/" + random_text(1_200)

        reply = browser.log_in("ada", provider="google", return_to=return_to if signing_up else "/account")

        assert reply.status == 303
        assert sum(len(f"{name}: {value}") + 2 for name, value in reply.headers) < 4_096
        fits.append(hints(reply.cookies) != [REMOVED])
    assert fits[0]
    assert not fits[-1]


def test_a_provider_without_a_logout_leaves_no_trace(site: LoginSite) -> None:
    """What is not needed must not lie in browsers."""
    say(site, "")

    browser = signed_up(site)

    assert browser.jar.below == {}
