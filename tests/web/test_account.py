"""The account page, ending one session of several, and what stands around them."""

from collections.abc import Callable

import pytest

from identity.accounts.store import ProfileRow
from identity.errors import StoreUnavailable
from identity.types import DAY
from tests.support.account_site import OTHER, AccountSite, text
from tests.support.browser import Browser
from tests.support.web import ACCOUNT


def test_nobody_logged_in_is_sent_to_log_in_and_back(account_site: AccountSite) -> None:
    """The visitor of a bookmarked account page would end on an error, or on the wrong page after the login."""
    reply = account_site.browser().get("/account")

    assert reply.status == 303
    assert reply.one("Location") == "/login?return_to=%2Faccount"


def test_the_bare_address_leads_to_the_account(account_site: AccountSite) -> None:
    """Who types only the host name would see nothing."""
    reply = account_site.browser().get("/")

    assert (reply.status, reply.one("Location")) == (303, "/account")


@pytest.mark.parametrize("path", ["/account", "/logout", "/account/sessions/end"])
def test_a_page_has_one_spelling(account_site: AccountSite, path: str) -> None:
    """Half of all links would be a 404, or caches would keep two copies."""
    reply = account_site.browser().get(f"{path}/?done=ended")

    assert (reply.status, reply.one("Location")) == (308, f"{path}?done=ended")


def test_the_account_page_says_who_and_where(account_site: AccountSite, ada: Browser) -> None:
    """A person could not tell which account this is, or see a stranger's session."""
    account_site.store.profiles.write(
        ProfileRow(ACCOUNT, 0, name="Ada Lovelace", email="ada@example.com", email_verified=False)
    )
    account_site.site.clock.advance(2 * DAY // 48)
    other = account_site.site.log_in()

    page = text(ada.get("/account"))

    assert account_site.is_in(other)
    assert "Username ada" in page
    assert "Ada Lovelace" in page
    assert "at 2 places" in page
    assert page.count("This browser") == 1
    assert page.count("Firefox on Linux") == 2
    assert "Used just now from network 192.0.2.x" in page
    assert "Logged in with Demo 1 hour ago" in page
    assert "Demo ada@demo.example Added 2 months ago" in page


def test_the_account_page_without_its_store_still_shows_the_sessions(
    account_site: AccountSite, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the account store is away nobody could log out a stolen session."""

    def away(_: object) -> None:
        raise StoreUnavailable(detail="account store away")

    monkeypatch.setattr(account_site.store.accounts, "read", away)

    reply = ada.get("/account")

    assert reply.status == 200
    assert "cannot be shown right now" in text(reply)
    assert "This browser" in text(reply)


def test_a_page_may_not_be_framed_or_scripted(ada: Browser) -> None:
    """Another site could put the page under its own and have people press "Log out everywhere"."""
    reply = ada.get("/account")

    policy = reply.one("Content-Security-Policy") or ""
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert reply.one("Cache-Control") == "no-store"


def test_ending_another_session_ends_that_one_only(account_site: AccountSite, ada: Browser) -> None:
    """A lost phone would stay logged in, or the person would be logged out here instead."""
    phone = account_site.site.log_in()
    fields = account_site.form(ada, "/account/sessions/end")

    reply = ada.post("/account/sessions/end", fields)

    assert (reply.status, reply.one("Location")) == (303, "/account?done=ended")
    assert account_site.reason(phone) == "revoked"
    assert account_site.is_in(ada.jar)
    assert "That session was ended" in text(ada.get("/account?done=ended"))
    assert [event.action for event in account_site.site.events] == ["session-end"]


def test_somebody_elses_session_cannot_be_ended(account_site: AccountSite, ada: Browser) -> None:
    """Whoever learns a session's id could log its owner out."""
    bob = account_site.move_in(OTHER, "bob")
    fields = account_site.form(ada, "/logout")
    [session] = account_site.site.sessions.devices(OTHER)

    ada.post("/account/sessions/end", {"csrf": fields["csrf"], "session": session.id.hex()})

    assert account_site.is_in(bob.jar)


@pytest.mark.parametrize("session", ["", "zz" * 16, "00" * 15, "00" * 17, "0 " * 16, "é" * 32])
def test_a_malformed_session_id_is_a_clear_refusal(account_site: AccountSite, ada: Browser, session: str) -> None:
    """Bad input would be a 500, or end something by accident."""
    csrf = account_site.form(ada, "/logout")["csrf"]

    reply = ada.post("/account/sessions/end", {"csrf": csrf, "session": session})

    assert reply.status == 400
    assert "session-id" in text(reply)
    assert account_site.is_in(ada.jar)


def test_a_page_that_is_not_there_is_explained(account_site: AccountSite) -> None:
    """A mistyped address would show a bare line of a web server."""
    reply = account_site.browser().get("/nowhere")

    assert reply.status == 404
    assert "There is nothing here" in text(reply)
    assert (reply.one("X-Request-Id") or "?") in text(reply)


def test_another_method_is_explained(account_site: AccountSite) -> None:
    """The same for a program that posts to a page."""
    reply = account_site.browser().post("/account", {})

    assert reply.status == 405
    assert reply.one("Allow") == "GET, HEAD"
    assert "This address works differently" in text(reply)


def test_a_page_that_failed_offers_another_try_at_its_own_address(
    account_site: AccountSite, ada: Browser, expect_log: Callable[..., object]
) -> None:
    """The person would have to type the address again, and with the bounce's flag would fail again."""
    account_site.take_sessions_away()
    expect_log("identity.web", "store-down")

    reply = ada.get("/account?done=ended&identityd-bounced=1")

    assert reply.status == 503
    assert b'href="/account?done=ended">Try again</a>' in reply.body


def test_a_form_that_failed_is_not_sent_again_by_a_link(
    account_site: AccountSite, ada: Browser, expect_log: Callable[..., object]
) -> None:
    """The link would lead to an address that answers no page, or do something twice."""
    account_site.take_sessions_away()
    expect_log("identity.web", "store-down")

    reply = ada.post("/account/sessions/end", {})

    assert reply.status == 503
    assert b"Try again</a>" not in reply.body
