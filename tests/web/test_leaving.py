"""Logging out where one login serves several hosts: what ends, and what the page says of it."""

import pytest

from tests.support.account_site import text
from tests.support.application_hosts import LOGIN, SHOP, WIKI, ApplicationHosts, user
from tests.support.logins import form_of, location

PAGE = f"{WIKI}/page?x=1&y=%C3%A9"


def test_ending_the_login_ends_all_applications_at_their_very_next_request(sites: ApplicationHosts) -> None:
    """Whoever logs out and leaves the computer believes that all is closed."""
    browser = sites.browser()
    browser.enter(PAGE)
    browser.go(SHOP)
    page = browser.get(f"{LOGIN}/logout")
    assert "also logs you out of shop.example, wiki.example" in text(page)

    done = browser.send(f"{LOGIN}/logout", form_of(page))

    assert "Logged out with it: shop.example, wiki.example." in text(done)
    for url in (PAGE, f"{SHOP}/cart"):
        assert user(browser.get(url)) is None
        assert browser.go(url).status == 200
        assert browser.hops[-1].startswith(f"{LOGIN}/login?")


def test_logging_out_everywhere_ends_applications_too(sites: ApplicationHosts) -> None:
    """The button for when a session is not one's own."""
    browser = sites.browser()
    browser.enter(PAGE)
    other = sites.browser()
    other.enter(f"{SHOP}/")

    fields = {"csrf": form_of(other.get(f"{LOGIN}/account"))["csrf"]}
    other.send(f"{LOGIN}/account", fields, to=f"{LOGIN}/account/sessions/end-all")

    assert user(browser.get(PAGE)) is None
    assert user(other.get(SHOP)) is None


def test_the_account_page_names_the_applications_of_each_session(sites: ApplicationHosts) -> None:
    """Who finds an unknown session wants to know what it was used for."""
    browser = sites.browser()
    browser.enter(PAGE)
    browser.go(SHOP)

    assert "Used for shop.example , wiki.example" in text(browser.get(f"{LOGIN}/account"))


def test_an_application_can_be_left_alone(sites: ApplicationHosts) -> None:
    """Logging out of one must not close the others, and the page must say that the login goes on."""
    browser = sites.browser()
    browser.enter(PAGE)
    browser.go(SHOP)
    page = browser.get(f"{WIKI}/.identityd/logout")
    assert "You opened these with the same login: shop.example." in text(page)

    done = browser.send(f"{WIKI}/.identityd/logout", form_of(page))

    assert "You are logged out of wiki.example only" in text(done)
    assert f'href="{LOGIN}/logout"'.encode() in done.body
    assert browser.jars["wiki.example"].tokens == {}
    assert location(browser.get(PAGE)).startswith(f"{WIKI}/.identityd/login")
    assert user(browser.get(SHOP)) == "ada"
    assert user(browser.go(PAGE)) == "ada"


def test_an_application_can_be_left_with_the_whole_login(sites: ApplicationHosts) -> None:
    """On a shared computer the other way out would leave everything open."""
    browser = sites.browser()
    browser.enter(PAGE)
    browser.go(SHOP)
    fields = {**form_of(browser.get(f"{WIKI}/.identityd/logout")), "scope": "login"}

    done = browser.send(f"{WIKI}/.identityd/logout", fields)

    assert "This browser is logged out, and so is every application" in text(done)
    assert "Logged out with it: shop.example, wiki.example." in text(done)
    assert user(browser.get(SHOP)) is None
    assert browser.go(f"{LOGIN}/account").status == 200
    assert "/login" in browser.hops[-1]


def test_leaving_an_application_where_nobody_is_logged_in_says_so(sites: ApplicationHosts) -> None:
    """A second press of the button is not an error."""
    browser = sites.browser()

    assert "You are not logged in" in text(browser.get(f"{WIKI}/.identityd/logout"))
    assert "You are not logged in" in text(browser.send(f"{WIKI}/.identityd/logout", {"csrf": "x", "scope": "here"}))


@pytest.mark.parametrize("scope", ["here", "login"])
def test_leaving_while_the_session_store_is_away_deletes_cookies_and_keeps_the_rest_for_later(
    sites: ApplicationHosts, scope: str
) -> None:
    """The person may be leaving a computer that others use, and must not be told more than is true."""
    browser = sites.browser()
    browser.enter(PAGE)
    fields = {**form_of(browser.get(f"{WIKI}/.identityd/logout")), "scope": scope}
    login = next(s for s in sites.record().sessions if s.login is None)
    if scope == "login":
        fields["login"] = login.id.hex()

    with sites.store_away():
        reply = browser.send(f"{WIKI}/.identityd/logout", fields)

    assert reply.status == 503
    assert "The rest is tried again until it is done" in text(reply)
    assert browser.jars["wiki.example"].tokens == {}
    sites.accounts.retry_revocations()
    left = [s.host for s in sites.record().sessions]
    assert left == (["login.example"] if scope == "here" else [])
