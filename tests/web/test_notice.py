"""After a login: "your session was used in two places", until it is answered."""

import re
from html import unescape

import pytest

from identity.types import DAY
from tests.support.account_site import text
from tests.support.browser import Jar, Reply
from tests.support.logins import LoginSite, Visitor, form_of, location

NOTICE = "/account/notice"


@pytest.fixture
def warned(logins: LoginSite) -> Visitor:
    """Give the browser of somebody who was robbed and has logged in again."""
    browser = logins.browser()
    browser.sign_up()
    logins.steal_from(browser)
    assert location(browser.log_in(return_to="/page")).startswith(NOTICE)
    return browser


def answers(page: Reply) -> dict[str, dict[str, str]]:
    """Return the fields of each of the page's forms, by the answer it gives."""
    forms = re.findall(rf'<form[^>]*action="{NOTICE}".*?</form>', page.body.decode(), re.DOTALL)
    fields = [dict(re.findall(r'name="([^"]*)" value="([^"]*)"', form)) for form in forms]
    return {each["answer"]: {name: unescape(value) for name, value in each.items()} for each in fields}


def test_the_page_can_be_loaded_again(warned: Visitor) -> None:
    """The warning must not be gone because somebody pressed reload, or the browser did."""
    pages = [warned.get(f"{NOTICE}?return_to=%2Fpage") for _ in range(3)]

    assert [page.status for page in pages] == [200] * 3
    assert all("Your session was used in two places" in text(page) for page in pages)


def test_it_comes_back_at_every_login_until_it_is_answered(warned: Visitor) -> None:
    """Closing the page is no answer."""
    warned.get(NOTICE)

    assert location(warned.log_in()) == NOTICE
    assert "used in two places" in text(warned.get(NOTICE))


def test_it_says_both_places(warned: Visitor) -> None:
    """Without them nobody can tell whether it was himself."""
    page = text(warned.get(NOTICE))

    assert "Logged in Unknown browser , this computer" in page
    assert "Also used Unknown browser , this computer" in page


def test_it_was_me_ends_nothing_and_is_not_asked_again(logins: LoginSite, warned: Visitor) -> None:
    """Otherwise a restored backup would cost all devices, or be asked about for a month."""
    other = logins.browser()
    other.log_in()
    form = answers(warned.get(f"{NOTICE}?return_to=%2Fpage"))["mine"]

    done = warned.post(NOTICE, form)

    assert (done.status, location(done)) == (303, "/page")
    assert (warned.whoami(), other.whoami()) == ("ada", "ada")
    assert location(warned.log_in()) == "/account"
    assert (logins.events[-2].action, logins.events[-2].facts["answer"]) == ("notice", "mine")


def test_logging_out_elsewhere_leaves_this_browser_alone(logins: LoginSite, warned: Visitor) -> None:
    """The one who answers keeps working; whoever else is in is out."""
    other = logins.browser()
    other.log_in()
    form = answers(warned.get(NOTICE))["elsewhere"]

    done = warned.post(NOTICE, form)

    assert location(done) == "/account"
    assert (warned.whoami(), other.whoami()) == ("ada", None)
    assert logins.check(Jar.of(other.tokens)).json()["reason"] == "revoked"
    assert location(warned.log_in()) == "/account"


def test_an_answer_sent_twice_is_harmless(warned: Visitor) -> None:
    """People press twice, and browsers send again."""
    form = answers(warned.get(NOTICE))["mine"]

    assert [warned.post(NOTICE, form).status for _ in range(2)] == [303, 303]


def test_an_answer_does_not_take_what_came_after_the_page(logins: LoginSite, warned: Visitor) -> None:
    """A second theft while the page was open must not be answered unseen."""
    form = answers(warned.get(NOTICE))["mine"]
    victim = logins.browser()
    victim.log_in()
    logins.steal_from(victim)

    warned.post(NOTICE, form)

    assert NOTICE in location(victim.log_in())


@pytest.mark.parametrize("changed", [{"csrf": "x" * 23}, {"answer": "both"}, {"answer": ""}, {"seen": "x"}])
def test_only_the_pages_own_form_answers(warned: Visitor, changed: dict[str, str]) -> None:
    """A foreign page must not silence the warning, nor log somebody out everywhere."""
    form = answers(warned.get(NOTICE))["elsewhere"]

    assert warned.post(NOTICE, {**form, **changed}).status in (400, 403)
    assert "used in two places" in text(warned.get(NOTICE))


def test_nothing_is_told_before_a_login(logins: LoginSite) -> None:
    """The reader may be the thief."""
    browser = logins.browser()
    browser.sign_up()
    logins.steal_from(browser)

    reply = browser.get(NOTICE)
    while reply.status in (303, 307):
        reply = browser.get(location(reply))

    assert "logged out for safety" in text(reply)
    assert "copy" not in text(reply)


def outrun(logins: LoginSite) -> tuple[Visitor, Visitor]:
    """Return a browser, and the thief who moved its line on and left it behind."""
    owner = logins.browser()
    owner.sign_up()
    thief = logins.browser()
    thief.jar.cookies |= owner.tokens
    for _ in range(4):
        logins.clock.advance(20_000)
        assert thief.get("/account").status == 200
    return owner, thief


def test_who_comes_to_the_login_page_first_is_told_as_well(logins: LoginSite) -> None:
    """The new login takes the place of the session the thief holds: nobody would ever see that there was one."""
    owner, thief = outrun(logins)

    bounced = owner.get("/login?return_to=%2Fpage")
    page = owner.get(location(bounced))

    assert (bounced.status, page.status) == (307, 200)
    assert "logged out for safety" in text(page)
    assert owner.tokens == {}
    assert location(owner.log_in()).startswith(NOTICE)
    assert thief.whoami() is None


def test_the_login_page_opens_although_the_marker_of_its_bounce_is_lost(logins: LoginSite) -> None:
    """A browser or proxy that drops it must not lock anybody out of logging in."""
    owner, _ = outrun(logins)

    place = location(owner.get("/login?return_to=%2Fpage"))
    owner.jar.cookies = owner.tokens
    page = owner.get(place)

    assert (page.status, "GitHub" in text(page)) == (200, True)
    assert location(owner.log_in()) == "/account"


def test_a_session_from_before_the_copy_is_told_nothing_and_answers_nothing(logins: LoginSite) -> None:
    """Whoever copied one session of a person may hold another: he would read the warning first and silence it."""
    owner, copied_too = logins.browser(), logins.browser()
    owner.sign_up()
    copied_too.log_in()
    logins.steal_from(owner)

    early = copied_too.get(f"{NOTICE}?return_to=%2Fpage")
    owner.log_in()
    form = answers(owner.get(NOTICE))["mine"]
    csrf = form_of(copied_too.get("/account"))["csrf"]
    silenced = copied_too.post(NOTICE, {**form, "csrf": csrf})

    assert (early.status, location(early)) == (303, "/page")
    assert silenced.status == 303
    assert "used in two places" in text(owner.get(NOTICE))


def test_a_login_at_a_server_whose_clock_is_behind_is_told_all_the_same(logins: LoginSite) -> None:
    """What came first is said by the record, not by clocks: a minute between two servers must hide nothing."""
    owner = logins.browser()
    owner.sign_up()
    logins.steal_from(owner)
    logins.clock.advance(-60_000)

    assert location(owner.log_in()).startswith(NOTICE)
    assert "used in two places" in text(owner.get(NOTICE))


def test_a_session_opened_at_a_server_whose_clock_is_ahead_is_told_nothing(logins: LoginSite) -> None:
    """The same the other way round: it would look younger than the copy, and be the thief's."""
    owner, copied_too = logins.browser(), logins.browser()
    owner.sign_up()
    logins.clock.advance(600_000)
    copied_too.log_in()
    logins.clock.advance(-600_000)
    logins.steal_from(owner)

    assert location(copied_too.get(NOTICE)) == "/account"
    owner.log_in()
    assert "used in two places" in text(owner.get(NOTICE))


def test_it_leads_only_where_a_login_may_lead(warned: Visitor) -> None:
    """The address of the page can be put into any link."""
    page = warned.get(f"{NOTICE}?return_to=https%3A%2F%2Fevil.example%2F")
    form = answers(page)["mine"]

    assert "evil.example" not in page.body.decode()
    assert location(warned.post(NOTICE, {**form, "return_to": "https://evil.example/"})) == "/account"


def test_where_there_is_nothing_to_tell_it_leads_on(logins: LoginSite) -> None:
    """A bookmark, or the back button after the answer."""
    browser = logins.browser()
    browser.sign_up()

    assert location(browser.get(f"{NOTICE}?return_to=%2Fpage")) == "/page"


def test_a_login_that_was_asked_for_on_the_page_leads_to_it_once(warned: Visitor) -> None:
    """Addresses within addresses would grow with every login."""
    assert location(warned.log_in(return_to=f"{NOTICE}?return_to=/page")) == f"{NOTICE}?return_to=/page"


def test_it_is_told_for_thirty_days(logins: LoginSite, warned: Visitor) -> None:
    """What nobody answered in a month nobody remembers."""
    logins.clock.advance(30 * DAY + 1)

    assert location(warned.log_in()) == "/account"


def test_a_login_that_came_too_late_says_who_is_logged_in_already(logins: LoginSite) -> None:
    """Reloading the callback, or a second tab, must not look like being locked out."""
    browser = logins.browser()
    browser.sign_up()

    inside, outside = browser.come_back("used", code="ada"), logins.browser().come_back("used", code="ada")

    assert (inside.status, outside.status) == (400, 400)
    assert "You are logged in in this browser as ada" in text(inside)
    assert 'href="/account"' in inside.body.decode()
    assert "You are logged in" not in text(outside)
    assert 'href="/login"' in outside.body.decode()


def test_a_long_jar_is_deleted_thirty_names_at_a_time(logins: LoginSite) -> None:
    """An answer too large for a proxy is lost, and with it every deletion: nobody could log out."""
    browser = logins.browser()
    browser.sign_up()
    form = form_of(browser.get("/logout"))
    browser.jar.cookies |= {f"__Host-idd-junk{n:07}": "x" for n in range(40)}

    gone = browser.post("/logout", form)

    assert len([line for line in gone.cookies if "Max-Age=0" in line]) == 30
    assert not any(len(value) == 100 for value in browser.tokens.values())
