"""Choosing a username at the first login, over real sockets and the real services."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from identity.config.model import UsernamesSection
from identity.login.flow import SIGN_UP_MS
from tests.support.browser import Reply
from tests.support.guards import Expectation
from tests.support.logins import WIKI, LoginSite, form_of, location, suggestion, welcomed
from tests.support.scripted import person
from tests.support.web import LOCAL

ExpectLog = Callable[..., Expectation]


def location_of_again(page: Reply) -> str:
    """Return where "Try again" leads."""
    text = page.body.decode()
    return text[: text.index(">Try again</a>")].rpartition('href="')[2].rstrip('"')


def test_a_first_login_asks_for_a_username(logins: LoginSite) -> None:
    """Otherwise nobody could choose what applications call them."""
    browser, page = welcomed(logins)
    text = page.body.decode()

    assert page.status == 200
    assert "GitHub confirmed that you are <strong>ada</strong>." in text
    assert suggestion(page) == "ada"
    assert browser.tokens == {}


def test_nothing_is_made_before_the_name_is_chosen(logins: LoginSite) -> None:
    """Otherwise somebody who only looked would hold a name for ever."""
    welcomed(logins)

    assert list(logins.store.identities.scan()) == []
    assert list(logins.store.usernames.scan()) == []
    assert list(logins.store.accounts.scan()) == []


def test_choosing_a_name_makes_the_account_and_signs_in(logins: LoginSite) -> None:
    """Otherwise the daemon would have no people."""
    browser, page = welcomed(logins)

    reply = browser.choose(page, "Ada.L")

    assert reply.status == 303
    assert location(reply) == "/account"
    assert browser.whoami() == "Ada.L"
    assert logins.actions() == ["sign-up", "login"]
    assert browser.jar.named("__Host-iddu-") == {}
    assert logins.kept() == len(("the login was used", "the form was used", "a name was asked for"))


def test_the_account_lists_what_the_person_is_known_by_there(logins: LoginSite) -> None:
    """Otherwise the account page would show ways to log in that nobody recognises."""
    browser, page = welcomed(logins)
    browser.choose(page, "ada")

    account = logins.accounts.account(logins.row("github:ada").account_id)
    assert account is not None
    assert [linked.label for linked in account.identities.values()] == ["ada"]


def test_the_suggestion_is_free(logins: LoginSite) -> None:
    """Otherwise the page would propose what it refuses."""
    logins.browser().sign_up("ada")
    logins.google.people["ada"] = person("ada")
    browser = logins.browser()

    page = browser.get(location(browser.log_in("ada", provider="google")))

    assert suggestion(page) != "ada"
    assert browser.choose(page, suggestion(page)).status == 303


def test_a_taken_name_is_asked_again_with_free_ones(logins: LoginSite) -> None:
    """Otherwise losing a name would end the sign-up."""
    logins.browser().sign_up("bob", username="Ada")
    browser, page = welcomed(logins)

    again = browser.choose(page, "ada")
    text = again.body.decode()

    assert again.status == 409
    assert "This name is taken." in text
    assert text.count('name="username"') == 4
    assert browser.choose(again, "ada2").status == 303
    assert browser.whoami() == "ada2"


def test_a_lost_name_keeps_the_same_claim(logins: LoginSite) -> None:
    """Otherwise a second try would be blocked for half a minute by the first one's own claim."""
    logins.browser().sign_up("bob", username="taken")
    browser, page = welcomed(logins)

    again = browser.choose(page, "taken")
    claim = logins.row("github:ada").claim
    browser.choose(again, "ada")

    assert logins.row("github:ada").claim == claim


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "Type a username."),
        ("ab", "at least 3"),
        ("a" * 33, "32 characters is the most"),
        ("a b c", "Only letters a to z"),
        (".ada", "begins and ends with"),
        ("a..da", "two dots"),
        ("admin", "reserved"),
        ("ada\u200b", "cannot be seen"),
        ("<script>alert(1)</script>", "Only letters a to z"),
    ],
)
def test_a_name_that_cannot_be_had_is_asked_again_with_the_reason(logins: LoginSite, typed: str, says: str) -> None:
    """Otherwise people would guess what is wrong with a name."""
    browser, page = welcomed(logins)

    again = browser.choose(page, typed)

    assert again.status == 422
    assert says in again.body.decode()
    assert "<script>" not in again.body.decode()
    assert form_of(again)["username"] == typed
    assert browser.choose(again, "ada").status == 303


def test_the_page_says_the_lengths_that_are_configured() -> None:
    """Otherwise the page would promise names that are refused."""
    with LoginSite(trusted=(LOCAL,), policy=UsernamesSection(min_length=5, max_length=9)) as site:
        browser, page = welcomed(site)
        assert "5 to 9 letters" in page.body.decode()
        assert "at least 5" in browser.choose(page, "adal").body.decode()


def test_two_people_who_want_one_name_both_end_with_an_account(logins: LoginSite) -> None:
    """Otherwise one of two newcomers would lose the sign-up, or both have the name."""
    both = [welcomed(logins, code) for code in ("ada", "bob")]
    with ThreadPoolExecutor(2) as threads:
        replies = list(threads.map(lambda each: each[0].choose(each[1], "same"), both))

    assert sorted(reply.status for reply in replies) == [303, 409]
    for (browser, _), reply in zip(both, replies, strict=True):
        if reply.status == 409:
            assert browser.choose(reply, "other").status == 303
    assert {browser.whoami() for browser, _ in both} == {"same", "other"}


def test_one_newcomer_in_two_browsers_ends_with_one_account(logins: LoginSite) -> None:
    """Otherwise one person would own two accounts without knowing."""
    both = [welcomed(logins), welcomed(logins)]
    with ThreadPoolExecutor(2) as threads:
        replies = list(threads.map(lambda each: each[0].choose(each[1], "ada"), both))

    assert {reply.status for reply in replies} <= {303, 409}
    assert 303 in {reply.status for reply in replies}
    assert len(list(logins.store.accounts.scan())) == 1


def test_a_claim_of_another_window_is_said_and_can_be_tried_again(logins: LoginSite) -> None:
    """Otherwise the second window would show a fault, or make a second account."""
    logins.browser().sign_up("bob", username="taken")
    first, first_page = welcomed(logins)
    second, second_page = welcomed(logins)
    first.choose(first_page, "taken")

    busy = second.choose(second_page, "ada")
    logins.clock.advance(31_000)
    later = second.get(location_of_again(busy))

    assert busy.status == 409
    assert b"being-finished" in busy.body
    assert second.choose(later, "ada").status == 303


def test_an_identity_that_was_known_meanwhile_is_signed_in(logins: LoginSite) -> None:
    """Otherwise a form that was left open in another browser would end in an error."""
    late, page = welcomed(logins)
    logins.browser().sign_up("ada", username="first")

    reply = late.choose(page, "second")

    assert reply.status == 303
    assert late.whoami() == "first"


def test_an_account_that_was_disabled_meanwhile_is_refused(logins: LoginSite) -> None:
    """Otherwise an open form would be a way around an operator's decision."""
    late, page = welcomed(logins)
    logins.browser().sign_up("ada", username="first")
    logins.disable("github:ada")

    reply = late.choose(page, "second")

    assert reply.status == 403
    assert b"account-disabled" in reply.body
    assert late.tokens == {}
    assert late.jar.named("__Host-iddu-") == {}


def test_a_reload_after_the_form_was_sent_leads_to_the_account(logins: LoginSite) -> None:
    """Otherwise going back after a sign-up would look like a failure."""
    browser, page = welcomed(logins)
    browser.choose(page, "ada")

    reply = browser.get(f"/welcome?s={form_of(page)['s']}")

    assert reply.status == 303
    assert location(reply) == "/account"


def test_a_form_that_is_sent_twice_makes_one_account(logins: LoginSite) -> None:
    """Otherwise a double click would show an error and leave it open what happened."""
    browser, page = welcomed(logins)
    cookies = dict(browser.jar.cookies)
    browser.choose(page, "ada")
    second = logins.browser()
    second.jar.cookies |= cookies

    reply = second.choose(page, "ada")

    assert reply.status == 400
    assert b"sign-up-invalid" in reply.body
    assert b"Log in again: you are signed in if your account exists" in reply.body
    assert len(list(logins.store.accounts.scan())) == 1


def test_looking_at_the_form_uses_nothing_up(logins: LoginSite) -> None:
    """Otherwise a reload would end the sign-up."""
    browser, page = welcomed(logins)
    address = f"/welcome?s={form_of(page)['s']}"

    assert [browser.get(address).status for _ in range(3)] == [200, 200, 200]
    assert browser.choose(page, "ada").status == 303


def test_a_form_is_open_for_a_quarter_of_an_hour(logins: LoginSite) -> None:
    """Otherwise a proof of identity would stay open on a shared computer."""
    browser, page = welcomed(logins)
    logins.clock.advance(SIGN_UP_MS)

    assert browser.choose(page, "ada").status == 400
    assert browser.get(f"/welcome?s={form_of(page)['s']}").status == 400


def test_asking_again_does_not_extend_the_quarter_of_an_hour(logins: LoginSite) -> None:
    """Otherwise somebody could keep a proof open for ever."""
    browser, page = welcomed(logins)
    logins.clock.advance(SIGN_UP_MS - 1_000)
    again = browser.choose(page, "x")
    logins.clock.advance(1_000)

    assert again.status == 422
    assert browser.choose(again, "ada").status == 400


def test_an_outage_of_the_account_store_keeps_the_sign_up(logins: LoginSite, expect_log: ExpectLog) -> None:
    """Otherwise somebody would have to begin anew because a server was restarted."""
    expect_log("identity.web", "store-unavailable")
    browser, page = welcomed(logins)

    with logins.accounts_away():
        away = browser.choose(page, "ada")

    assert away.status == 503
    assert location_of_again(away) == f"/welcome?s={form_of(page)['s']}"
    assert browser.choose(page, "ada").status == 303
    assert browser.whoami() == "ada"


def test_an_outage_after_the_account_was_made_signs_in_at_the_next_try(
    logins: LoginSite, expect_log: ExpectLog
) -> None:
    """Otherwise the account would exist and its owner be told that the form is over."""
    expect_log("identity.web", "store-unavailable")
    browser, page = welcomed(logins)

    with logins.sessions_full():
        away = browser.choose(page, "ada")

    assert away.status == 503
    assert browser.choose(page, "ada").status == 303
    assert browser.whoami() == "ada"
    assert logins.actions().count("sign-up") == 1


def test_an_outage_of_everything_says_so_and_leaves_a_way_on(logins: LoginSite, expect_log: ExpectLog) -> None:
    """Otherwise a full store would be a 500, or a half-made account that nobody can enter."""
    expect_log("identity.web", "store-unavailable")
    browser, page = welcomed(logins)

    with logins.sessions_full(), logins.records_full():
        away = browser.choose(page, "ada")

    assert away.status == 503
    assert browser.choose(page, "ada").status == 303
    assert browser.whoami() == "ada"


def test_a_sign_up_may_end_at_an_application(logins: LoginSite) -> None:
    """Otherwise the browser would refuse the redirect after the form, and the person see nothing happen."""
    browser, page = welcomed(logins, return_to=f"{WIKI}/Main")

    assert f"form-action 'self' {WIKI};" in (page.one("Content-Security-Policy") or "")
    assert location(browser.choose(page, "ada")) == f"{WIKI}/Main"


def test_a_provider_that_was_switched_off_finishes_no_sign_up(logins: LoginSite) -> None:
    """Otherwise its people could go on making accounts for a quarter of an hour."""
    browser, page = welcomed(logins)
    del logins.providers["github"]

    assert browser.get(f"/welcome?s={form_of(page)['s']}").status == 404
    assert browser.choose(page, "ada").status == 404
    assert list(logins.store.accounts.scan()) == []


@pytest.mark.parametrize("query", ["", "?s=", "?s=x", "?s=a&s=b", "?s=" + "a" * 65, "?s=%ff"])
def test_the_form_without_a_sign_up_is_a_400(logins: LoginSite, query: str) -> None:
    """Otherwise an old link would be a fault of ours."""
    assert logins.browser().get(f"/welcome{query}").status == 400


def test_head_requests_use_nothing_up(logins: LoginSite) -> None:
    """Otherwise a link checker would end somebody's sign-up."""
    browser, page = welcomed(logins)
    address = f"/welcome?s={form_of(page)['s']}"

    assert browser.get(address, method="HEAD").status == 200
    assert browser.choose(page, "ada").status == 303
