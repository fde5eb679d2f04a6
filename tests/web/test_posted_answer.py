"""Answers that a provider has the browser post (`response_mode=form_post`): carried on, and decided in our own GET."""

import secrets
import string
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest

from tests.support.guards import Expectation
from tests.support.logins import LoginSite, Visitor, location, query_of

URL = "/login/google/callback"
ExpectLog = Callable[..., Expectation]


@pytest.fixture
def browser(logins: LoginSite) -> Visitor:
    logins.google.posted = True
    return logins.browser()


def test_a_posted_answer_is_a_login(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise nobody logs in with Apple, or with a provider that answers by form."""
    state = browser.begin("google", return_to="/page")
    posted = browser.post_answer(state, code="ada")

    assert (posted.status, location(posted)) == (303, f"/login/google/finish?state={quote(state, safe='')}")
    assert logins.google.finished == []
    welcome = browser.get(location(browser.get(location(posted))))
    assert location(browser.choose(welcome, "ada")) == "/page"
    assert browser.whoami() == "ada"


def test_the_cookie_of_such_a_login_alone_comes_with_other_sites_forms(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise the provider's form comes without its login, or a form of any site with every login."""
    begun = browser.get("/login/google")
    other = browser.get("/login/github")

    assert [line for line in begun.cookies if "SameSite=None; Secure" in line and "HttpOnly" in line] == begun.cookies
    assert [line for line in other.cookies if "SameSite=Lax; Secure" in line] == other.cookies
    posted = browser.post_answer(query_of(location(begun))["state"], code="ada")
    assert [line for line in posted.cookies if "SameSite=Lax; Secure" in line] == posted.cookies
    assert len(posted.cookies) == 1
    assert logins.kept() == 0


@pytest.mark.threat(1)
def test_a_posted_answer_of_another_browsers_login_is_refused(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise a page that posts an attacker's answer logs its visitors in as the attacker (login CSRF)."""
    state = browser.begin("google")
    victim = logins.browser()
    victim.begin("google")

    refused = victim.post_answer(state, code="eve")

    assert refused.status == 400
    assert b"flow-invalid" in refused.body
    assert refused.cookies == []


@pytest.mark.threat(10)
def test_a_posted_answer_counts_once(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise who finds the form in a browser's memory sends it again, and is logged in."""
    state = browser.begin("google")
    before = dict(browser.jar.cookies)
    onward = location(browser.post_answer(state, code="ada"))
    carried = dict(browser.jar.cookies)
    browser.get(onward)

    assert browser.post_answer(state, code="ada").status == 400
    assert browser.get(onward).status == 400
    browser.jar.cookies = carried
    assert browser.get(onward).status == 400
    # The cookie as it was before the answer, kept by a thief: the marker of the first login is still there.
    browser.jar.cookies, browser.jar.cross_site = before, set(before)
    assert browser.get(location(browser.post_answer(state, code="bob"))).status == 400
    assert logins.google.finished == ["ada"]


@pytest.mark.threat(7)
def test_a_posted_answer_belongs_to_one_provider_and_one_way(browser: Visitor) -> None:
    """Otherwise one provider's answer finishes the login of another, or a form of any site that of a query."""
    state = browser.begin("google")
    assert browser.post_answer(state, provider="github", code="ada").status == 400
    assert browser.get(f"/login/google/finish?state={quote(state)}").status == 400

    asked = browser.begin("github")
    browser.jar.cross_site = set(browser.jar.cookies)  # a site of the same registrable domain
    refused = browser.post_answer(asked, provider="github", code="ada")

    assert (refused.status, refused.cookies) == (400, [])
    assert location(browser.come_back(asked, code="ada")).startswith("/welcome")


@pytest.mark.parametrize("origin", ["null", None, "https://google.example", "https://evil.example"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
def test_any_origin_may_post_because_the_cookie_decides(
    logins: LoginSite, browser: Visitor, origin: str | None, site: str | None
) -> None:
    """Otherwise browsers that hide where a form comes from (`Origin: null`) cannot log in."""
    state = browser.begin("google")
    said = {**browser.cross_site, "Origin": origin, "Sec-Fetch-Site": site}
    headers = {name: value for name, value in said.items() if value is not None}
    body = urlencode({"state": state, "code": "ada"}).encode()

    assert logins.public("POST", URL, headers=headers, body=body).status == 303


def test_who_says_no_by_post_is_led_to_the_ways_to_log_in(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise cancelling at Apple, whose answer has no code, is an error page."""
    state = browser.begin("google", return_to="/page")
    said = browser.get(location(browser.post_answer(state, error="access_denied")))

    assert query_of(location(said)) == {"reason": "provider-denied", "return_to": "/page"}
    nameless = browser.post_answer("", error="user_cancelled_authorize")
    assert query_of(location(nameless)) == {"reason": "provider-denied"}
    assert logins.google.finished == []


BROKEN = {
    "the state twice": (b"state=STATE&state=STATE&code=ada", 400),
    "the code twice": (b"state=STATE&code=ada&code=bob", 400),
    "the issuer twice": (b"state=STATE&code=ada&iss=a&iss=b", 400),
    "no state": (b"code=ada", 400),
    "an empty state": (b"state=&code=ada", 400),
    "another state": (b"state=wrong&code=ada", 400),
    "no code": (b"state=STATE", 400),
    "an empty code": (b"state=STATE&code=", 400),
    "not text": (b"state=STATE&code=%ff", 400),
    "a control character": (b"state=STATE&code=a%00", 400),
    "a long code": (b"state=STATE&code=" + b"c" * 8_193, 400),
    "nothing": (b"", 400),
    "too many fields": (b"state=STATE&code=ada" + b"&x=1" * 9_000, 413),
    "too long": (b"state=STATE&code=ada&x=" + b"y" * 32_768, 413),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_form_that_cannot_be_read_uses_no_login_up(logins: LoginSite, browser: Visitor, case: str) -> None:
    """Otherwise a damaged answer costs the person the login, or a stranger's form is a 500."""
    body, status = BROKEN[case]
    state = browser.begin("google")
    headers = browser.cross_site

    refused = logins.public("POST", URL, headers=headers, body=body.replace(b"STATE", quote(state).encode()))

    assert (refused.status, refused.cookies) == (status, [])
    assert browser.get(location(browser.post_answer(state, code="ada"))).status == 303


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/json", "x"])
def test_a_body_that_is_no_form_is_refused(browser: Visitor, kind: str) -> None:
    """Otherwise what another parser would read as something else is read as an answer."""
    state = browser.begin("google")

    assert browser.post_answer(state, kind=kind, code="ada").status in {400, 415}


@pytest.mark.parametrize("dest", ["iframe", "empty", "image"])
def test_an_answer_is_posted_by_a_page_alone(logins: LoginSite, browser: Visitor, dest: str) -> None:
    """Otherwise a hidden frame logs somebody in."""
    browser.begin("google")

    refused = logins.public("POST", URL, headers={**browser.cross_site, "Sec-Fetch-Dest": dest}, body=b"code=ada")

    assert (refused.status, refused.json()["error"]) == (400, "not-a-page")


def test_what_comes_beside_a_posted_answer_decides_nothing(browser: Visitor) -> None:
    """Otherwise a provider that posts a little more than we read logs nobody in."""
    more = {"session_state": "x" * 5_000, "scope": "a b", "": "1", "id_token": "e30", "expires_in": "soon"}
    onward = browser.post_answer(browser.begin("google"), **more, code="ada")

    assert len(onward.cookies[0]) < 1_000
    assert browser.get(location(onward)).status == 303


@pytest.mark.parametrize(("size", "status"), [(1_400, 303), (8_000, 502)])
def test_a_long_code_fits_or_is_said_not_to(browser: Visitor, size: int, status: int, expect_log: ExpectLog) -> None:
    """Otherwise a browser drops the cookie in silence, and the log does not say why nobody can log in."""
    code = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(size))
    state = browser.begin("google", return_to="/page?" + "x" * 900)
    expect_log("identity.web", "provider", required=status >= 500)

    assert browser.post_answer(state, code=code).status == status


def test_a_session_is_neither_asked_for_nor_written_at_the_post(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise somebody who is logged in is logged out, because their cookies do not come with the form."""
    browser.sign_up()
    tokens = dict(browser.tokens)
    logins.google.people["ada"] = logins.github.people["ada"]

    posted = browser.post_answer(browser.begin("google"), code="ada")

    assert len(posted.cookies) == 1
    assert browser.tokens == tokens
    assert browser.whoami() == "ada"


def test_a_head_and_a_prefetch_finish_nothing(browser: Visitor) -> None:
    """Otherwise a browser that loads ahead uses the login up."""
    onward = location(browser.post_answer(browser.begin("google"), code="ada"))

    assert browser.get(onward, method="HEAD").status == 204
    assert browser.get(onward, Sec_Purpose="prefetch").status == 204
    assert browser.get(onward).status == 303


def test_an_answer_that_waits_too_long_is_void(logins: LoginSite, browser: Visitor) -> None:
    """Otherwise an answer in a cookie is a login for as long as the browser keeps it."""
    onward = location(browser.post_answer(browser.begin("google"), code="ada"))
    logins.clock.advance(600_000)

    assert browser.get(onward).status == 400
