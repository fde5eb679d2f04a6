"""From the username form to the old account: the new login is linked to it, and no second account is made."""

import re
from html import unescape

import pytest

from identity.types import MINUTE
from tests.support.account_site import text
from tests.support.browser import Reply
from tests.support.logins import LoginSite, Visitor, form_of, location, query_of
from tests.web.test_login_begin import ways
from tests.web.test_ways import confirmed


@pytest.fixture
def site(logins: LoginSite) -> LoginSite:
    """Give a daemon at which GitHub and Google prove no presence, as most providers."""
    return logins


@pytest.fixture
def ada(site: LoginSite) -> Visitor:
    """Give the browser of a person who signed up with GitHub a moment ago."""
    browser = site.browser()
    browser.sign_up("ada", return_to="/account")
    return browser


def newcomer(site: LoginSite, code: str = "bob") -> tuple[Visitor, Reply]:
    """Return a browser at the username form, and the page it is led to by "I already have an account"."""
    browser = site.browser()
    welcome = browser.get(location(browser.log_in(code, provider="google")))
    found = re.search(r'href="(/welcome/existing[^"]*)">I already have an account<', welcome.body.decode())
    assert found, welcome.body
    return browser, browser.get(unescape(found[1]))


def returned(browser: Visitor, page: Reply, code: str = "ada", *, provider: str = "github") -> Reply:
    """Log in from the page, and follow where that leads."""
    [way] = [each for each in ways(page) if each.startswith(f"/login/{provider}?")]
    back = browser.come_back(query_of(location(browser.get(way)))["state"], provider=provider, code=code)
    return browser.get(location(back)) if back.status == 303 else back


@pytest.mark.usefixtures("ada")
def test_i_already_have_an_account_ends_with_the_new_way_linked_to_it(site: LoginSite) -> None:
    """The second account made by accident, which is what people complain about most."""
    browser, page = newcomer(site)
    assert "Your login with Google as bob waits" in text(page)

    adopted = returned(browser, page)
    done = confirmed(browser, adopted)

    assert location(done) == "/account?done=linked"
    assert browser.whoami() == "ada"
    other = site.browser()
    other.log_in("bob", provider="google")
    assert other.whoami() == "ada"
    assert len(list(site.store.accounts.scan())) == 1


@pytest.mark.usefixtures("ada")
def test_a_person_who_tried_a_name_first_can_still_link(site: LoginSite) -> None:
    """The claim of the name that was taken would keep the identity for a quarter of an hour."""
    browser = site.browser()
    welcome = browser.get(location(browser.log_in("bob", provider="google")))
    taken = browser.choose(welcome, "ada")
    assert taken.status == 409
    page = browser.get(f"/welcome/existing?s={form_of(taken)['s']}")

    assert location(confirmed(browser, returned(browser, page))) == "/account?done=linked"


@pytest.mark.usefixtures("ada")
def test_a_way_that_leads_to_no_account_is_said_to_and_the_login_waits(site: LoginSite) -> None:
    """Otherwise a wrong guess begins a second sign-up, and the first is lost from sight."""
    browser, page = newcomer(site)

    wrong = returned(browser, page, "eve")

    assert wrong.status == 403
    assert "account-unknown" in text(wrong)
    again = re.search(r'href="(/account/ways/adopt[^"]*)"', wrong.body.decode())
    assert again
    page = browser.get(location(browser.get(unescape(again[1]))))
    assert location(confirmed(browser, returned(browser, page))) == "/account?done=linked"


@pytest.mark.usefixtures("ada")
def test_the_sign_up_can_still_be_finished_instead(site: LoginSite) -> None:
    """A person who finds that they have no account here."""
    browser, page = newcomer(site)
    back = re.search(r'href="(/welcome\?[^"]*)"', page.body.decode())
    assert back

    browser.choose(browser.get(unescape(back[1])), "roberta")

    assert browser.whoami() == "roberta"


def test_who_is_logged_in_already_goes_straight_to_the_confirmation(ada: Visitor) -> None:
    """The person has proven both within ten minutes; a third login would be for nothing."""
    welcome = ada.get(location(ada.log_in("bob", provider="google")))

    reply = ada.get(f"/account/ways/adopt?s={form_of(welcome)['s']}")

    assert location(confirmed(ada, reply)) == "/account?done=linked"


@pytest.mark.usefixtures("ada")
def test_a_sign_up_whose_username_was_sent_links_nothing(site: LoginSite) -> None:
    """Otherwise going back in the browser moves a fresh account's only way elsewhere."""
    browser, page = newcomer(site)
    back = re.search(r'href="(/welcome\?[^"]*)"', page.body.decode())
    assert back
    kept = dict(browser.jar.cookies)
    browser.choose(browser.get(unescape(back[1])), "roberta")
    browser.jar.cookies |= {name: value for name, value in kept.items() if "iddu" in name}

    reply = browser.get(f"/account/ways/adopt?s={query_of(unescape(back[1]))['s']}")

    assert reply.status == 400
    assert site.row("google:bob").username == "roberta"


@pytest.mark.usefixtures("ada")
def test_a_way_proven_too_long_ago_is_proven_again(site: LoginSite) -> None:
    """Both proofs belong to one sitting of one person."""
    browser, page = newcomer(site)
    site.clock.advance(10 * MINUTE)

    reply = returned(browser, page)

    assert (reply.status, "link-invalid" in text(reply)) == (400, True)
