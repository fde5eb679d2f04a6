"""Logging out here and everywhere, with the stores there and with the stores away."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from identity.accounts.store import AccountStatus
from identity.errors import StoreUnavailable
from options.secret import Secret
from tests.support.account_site import OTHER, AccountSite, text
from tests.support.browser import Browser
from tests.support.web import ACCOUNT


def _away(_: object) -> None:
    raise StoreUnavailable(detail="account store away")


@pytest.mark.parametrize("path", ["/logout", "/account/sessions/end", "/account/sessions/end-all"])
@pytest.mark.parametrize("token", ["none", "made up", "another session"])
def test_a_form_without_its_token_does_nothing(account_site: AccountSite, ada: Browser, path: str, token: str) -> None:
    """Another site could log people out, one by one or everywhere."""
    stranger = account_site.form(account_site.move_in(OTHER, "bob"), "/logout")["csrf"]
    fields = {"none": {}, "made up": {"csrf": "A" * 23}, "another session": {"csrf": stranger}}[token]

    reply = ada.post(path, {"session": "00" * 16, **fields})

    assert reply.status == 403
    assert reply.cookies == []
    assert "This form was not accepted" in text(reply)
    assert account_site.is_in(ada.jar)


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
@pytest.mark.parametrize("path", ["/logout", "/account/sessions/end-all"])
def test_a_form_of_another_site_does_nothing(
    account_site: AccountSite, ada: Browser, path: str, headers: dict[str, str]
) -> None:
    """A leaked form token would be enough for another site."""
    fields = account_site.form(ada, "/logout")

    reply = ada.post(path, fields, **headers)

    assert reply.status == 403
    assert account_site.is_in(ada.jar)


def test_opening_the_logout_address_only_asks(account_site: AccountSite, ada: Browser) -> None:
    """An image on any page could log people out."""
    account_site.site.log_in()

    reply = ada.get("/logout")

    assert reply.status == 200
    assert "You are logged in as ada . You are also logged in at 1 other place." in text(reply)
    assert account_site.is_in(ada.jar)


def test_logging_out_here_ends_this_session_and_leaves_no_cookie(account_site: AccountSite, ada: Browser) -> None:
    """On a shared computer the next person could go on, or all other devices would be logged out too."""
    phone = account_site.site.log_in()
    stolen = ada.jar.duplicate()

    reply = ada.post("/logout", account_site.form(ada, "/logout", page="/logout"))

    assert (reply.status, reply.one("Location")) == (303, "/logout?done=here&with=demo")
    assert ada.jar == {}
    assert account_site.reason(stolen) == "logout"
    assert account_site.is_in(phone)
    assert [event.action for event in account_site.site.events] == ["logout"]


@pytest.mark.threat(58)
@pytest.mark.parametrize("path", ["/logout", "/account/sessions/end-all"])
def test_logging_out_clears_the_pages_that_the_browser_keeps(
    account_site: AccountSite, ada: Browser, path: str
) -> None:
    """Otherwise going back shows them to whoever sits there next. Other cookies and drafts are not ours to clear."""
    asked, ended = ada.get("/logout"), ada.post(path, account_site.form(ada, path))

    assert asked.one("Clear-Site-Data") is None
    assert (ended.status, ended.one("Clear-Site-Data")) == (303, '"cache"')


def test_after_the_logout_a_page_says_what_was_ended(account_site: AccountSite, ada: Browser) -> None:
    """People forget that the provider still knows them, and the next person logs in as them."""
    reply = ada.post("/logout", account_site.form(ada, "/logout"))

    page = text(ada.get(reply.one("Location") or ""))

    assert "You are logged out" in page
    assert "You may still be logged in at Demo" in page


def test_the_signed_out_page_names_configured_providers_only(account_site: AccountSite) -> None:
    """Anybody could make the page say that people are logged in somewhere, and send them there."""
    page = text(account_site.browser().get("/logout?done=here&with=evil.example"))

    assert "evil" not in page
    assert "the provider you used" in page


def test_an_old_token_is_logged_out_too(account_site: AccountSite, ada: Browser) -> None:
    """A jar with an older token beside the current one would keep it."""
    fields = account_site.form(ada, "/logout")
    for _ in range(3):
        account_site.site.clock.advance(16_000)
        ada.get("/account")
    assert ada.jar

    ada.post("/logout", fields)

    assert ada.jar == {}


def test_logging_out_twice_is_harmless(account_site: AccountSite, ada: Browser) -> None:
    """The second tab's logout would be an error page."""
    fields = account_site.form(ada, "/logout")
    second = ada.copy()
    ada.post("/logout", fields)

    reply = second.post("/logout", fields)

    assert (reply.status, reply.one("Location")) == (303, "/logout")
    assert second.jar == {}
    assert "You are not logged in" in text(second.get("/logout"))


def test_logging_out_everywhere_ends_every_session(account_site: AccountSite, ada: Browser) -> None:
    """A thief's session would survive what its owner was told ends all."""
    phone = account_site.site.log_in()

    reply = ada.post("/account/sessions/end-all", account_site.form(ada, "/account/sessions/end-all"))

    assert (reply.status, reply.one("Location")) == (303, "/logout?done=everywhere&with=demo")
    assert ada.jar == {}
    assert account_site.reason(phone) == "revoked"
    account = account_site.store.accounts.read(ACCOUNT)
    assert account is not None
    assert account.epoch == 2
    assert "You are logged out everywhere" in text(ada.get(reply.one("Location") or ""))


def test_everywhere_while_a_data_centre_is_away_has_ended_every_session_all_the_same(
    account_site: AccountSite, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that says "as soon as possible" would worry a person whose sessions are over."""
    monkeypatch.setattr(account_site.store.accounts, "read_everywhere", _away)

    reply = ada.post("/account/sessions/end-all", account_site.form(ada, "/account/sessions/end-all"))

    assert (reply.status, reply.one("Location")) == (303, "/logout?done=everywhere&with=demo")


def test_everywhere_while_sessions_cannot_be_reached_is_done_later(account_site: AccountSite, ada: Browser) -> None:
    """The person would believe that it failed, or that it was done, and neither would be true."""
    phone = account_site.site.log_in()
    fields = account_site.form(ada, "/account/sessions/end-all")
    account_site.site.ending.cut = True

    reply = ada.post("/account/sessions/end-all", fields)

    assert reply.status == 503
    assert reply.one("Retry-After") == "5"
    assert "soon everywhere" in text(reply)
    assert ada.jar == {}
    account_site.site.ending.cut = False
    assert account_site.accounts.retry_revocations() == 0
    assert account_site.reason(phone) == "revoked"


def test_a_merging_account_is_told_so(account_site: AccountSite, ada: Browser) -> None:
    """A refused "log out everywhere" would look like success."""
    fields = account_site.form(ada, "/account/sessions/end-all")
    account = account_site.store.accounts.read(ACCOUNT)
    assert account is not None
    merging = replace(account, status=AccountStatus.MERGING, op=uuid4())
    account_site.store.accounts.replace(merging, expected=account)

    reply = ada.post("/account/sessions/end-all", fields)

    assert reply.status == 403
    assert "Two accounts are being made one" in text(reply)
    assert account_site.is_in(ada.jar)


# --- logging out while stores are away


def test_logging_out_while_the_session_store_is_away(account_site: AccountSite, ada: Browser) -> None:
    """The person may be leaving a shared computer: the cookies must go now, the session as soon as it can."""
    fields = account_site.form(ada, "/logout")
    stolen = ada.jar.duplicate()
    account_site.take_sessions_away()

    reply = ada.post("/logout", fields)

    assert reply.status == 503
    assert reply.one("Retry-After") == "5"
    assert "Logged out in this browser" in text(reply)
    assert "tried again until it is done" in text(reply)
    assert ada.jar == {}
    account_site.give_sessions_back()
    assert account_site.accounts.retry_revocations() == 0
    assert account_site.reason(stolen) == "logout"
    assert [(e.action, e.facts["reached"]) for e in account_site.site.events] == [("logout", "later")]


def test_the_logout_page_works_while_the_session_store_is_away(account_site: AccountSite, ada: Browser) -> None:
    """Who opens the page during an outage could not even delete the cookies."""
    account_site.take_sessions_away()

    fields = account_site.form(ada, "/logout", page="/logout")
    reply = ada.post("/logout", fields)

    assert reply.status == 503
    assert ada.jar == {}
    assert "Logged out in this browser only" in text(reply)


def test_during_an_outage_a_visitor_without_tokens_is_told_of_it(account_site: AccountSite) -> None:
    """A form would be shown that can do nothing."""
    account_site.take_sessions_away()
    reply = account_site.browser().get("/logout")

    assert reply.status == 200
    assert "You are not logged in" in text(reply)


def test_during_an_outage_a_foreign_form_deletes_nothing(account_site: AccountSite, ada: Browser) -> None:
    """Another site could use an outage to log people out."""
    bob = account_site.move_in(OTHER, "bob")
    stranger = account_site.form(bob, "/logout")
    before = dict(ada.jar)
    account_site.take_sessions_away()

    reply = ada.post("/logout", stranger)

    assert reply.status == 403
    assert ada.jar == before
    assert account_site.store.revocations.open() == ()


@pytest.mark.parametrize("account", ["", "nonsense", str(OTHER)])
def test_during_an_outage_the_form_cannot_name_another_account(
    account_site: AccountSite, ada: Browser, account: str
) -> None:
    """A session would be queued under somebody else's account, or a bad id would be a 500."""
    fields = account_site.form(ada, "/logout")
    account_site.take_sessions_away()

    reply = ada.post("/logout", {**fields, "account": account})

    assert reply.status == 503
    assert "Logged out in this browser only" in text(reply)
    assert ada.jar == {}
    assert account_site.store.revocations.open() == ()


def test_with_both_stores_away_nothing_is_promised(
    account_site: AccountSite, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page would say that the logout is written down when it is not."""
    fields = account_site.form(ada, "/logout")
    account_site.take_sessions_away()
    monkeypatch.setattr(account_site.store.revocations, "add", _away)

    reply = ada.post("/logout", fields)

    assert reply.status == 503
    assert "Logged out in this browser only" in text(reply)
    assert ada.jar == {}


def test_a_session_that_cannot_be_ended_now_is_ended_later(account_site: AccountSite, ada: Browser) -> None:
    """The store may go away between the check and the end; a lost phone would stay logged in."""
    phone = account_site.site.log_in()
    fields = account_site.form(ada, "/account/sessions/end")
    account_site.lose_sessions_after(1)

    reply = ada.post("/account/sessions/end", fields)

    account_site.give_sessions_back()
    assert reply.status == 503
    assert "That session will be logged out soon" in text(reply)
    assert account_site.accounts.retry_revocations() == 0
    assert account_site.reason(phone) == "revoked"
    assert account_site.is_in(ada.jar)


def test_ending_another_session_promises_nothing_when_nothing_can_be_kept(
    account_site: AccountSite, ada: Browser, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[..., object]
) -> None:
    """The person would believe that the lost phone is taken care of."""
    account_site.site.log_in()
    fields = account_site.form(ada, "/account/sessions/end")
    monkeypatch.setattr(account_site.store.revocations, "add", _away)
    expect_log("identity.web", "store-unavailable")
    account_site.lose_sessions_after(1)

    reply = ada.post("/account/sessions/end", fields)

    assert reply.status == 503
    assert "soon" not in text(reply)
    assert "You are not logged out" in text(reply)


def test_a_logout_overtaken_by_an_outage_is_kept(account_site: AccountSite, ada: Browser) -> None:
    """The store may go away between the check and the end; the session would live on unnoticed."""
    stolen = ada.jar.duplicate()
    fields = account_site.form(ada, "/logout")
    account_site.lose_sessions_after(1)

    reply = ada.post("/logout", fields)

    account_site.give_sessions_back()
    assert reply.status == 503
    assert "Logged out in this browser" in text(reply)
    assert ada.jar == {}
    assert account_site.accounts.retry_revocations() == 0
    assert account_site.reason(stolen) == "logout"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_tokens_of_a_newer_release_are_left_to_it(
    account_site: AccountSite, method: str, expect_log: Callable[..., object]
) -> None:
    """During a key roll-out a daemon that is behind would delete, or refuse, what it cannot judge."""
    old = account_site.site.ring
    account_site.site.ring = old.with_key(Secret(b"n" * 32), now=0)
    browser = account_site.move_in(ACCOUNT, "ada")
    before = dict(browser.jar)
    account_site.site.ring = old
    expect_log("identity.web", "newer-key")

    reply = browser.get("/logout") if method == "GET" else browser.post("/logout", {"csrf": "A" * 23})

    assert reply.status == 503
    assert "This site is being updated" in text(reply)
    assert browser.jar == before


@pytest.mark.parametrize("path", ["/account/sessions/end", "/account/sessions/end-all"])
def test_the_address_of_a_form_leads_back_to_the_account(ada: Browser, path: str) -> None:
    """A login that interrupted the form leads there, and would end on an error."""
    reply = ada.get(path)

    assert (reply.status, reply.one("Location")) == (303, "/account")
