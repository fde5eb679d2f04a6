"""What a provider sends the browser back with: what is not used decides nothing, and a no leads on."""

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.support.guards import Expectation
from tests.support.logins import LoginSite, location, query_of

ExpectLog = Callable[..., Expectation]


@pytest.mark.parametrize(
    "query",
    [
        "error=access_denied",
        "error=access_denied&state=",
        "error=user_cancelled_login&error_description=%3Cb%3E",
        "error=user_cancelled_authorize",
        "error=login_required",
        "error=permissions_error&error_code=200&error_reason=user_denied",
        "error_reason=user_denied",
    ],
)
def test_a_no_without_a_state_leads_to_the_ways_to_log_in(logins: LoginSite, query: str) -> None:
    """Otherwise who cancels at a provider that forgets the state ends on an error without a way back."""
    browser = logins.browser()
    state = browser.begin(return_to="/page")
    before = logins.actions()

    reply = browser.get(f"/login/github/callback?{query}")

    assert reply.status == 303
    assert query_of(location(reply)) == {"reason": "provider-denied"}
    assert b"The login was cancelled" in browser.get(location(reply)).body
    # Anybody may send this, so nothing is written down, and nobody's login is used up.
    assert logins.actions() == before
    assert reply.cookies == []
    assert location(browser.come_back(state, code="ada")).startswith("/welcome")


@pytest.mark.parametrize("query", ["", "code=ada", "state=", "error=server_error", "error=%3Cb%3E", "error=", "x=1"])
def test_an_answer_that_names_no_login_has_a_way_to_begin_again(logins: LoginSite, query: str) -> None:
    """Otherwise somebody whose provider lost the state is told that a link is wrong, and that is all."""
    reply = logins.browser().get(f"/login/github/callback?{query}")

    assert reply.status == 400
    assert b"parameter-missing" in reply.body
    assert b'href="/login/github"' in reply.body
    assert b"<b>" not in reply.body


def test_a_state_that_was_sent_twice_has_a_way_to_begin_again(logins: LoginSite) -> None:
    """Otherwise a mistake of a provider's is a dead end."""
    reply = logins.browser().get("/login/github/callback?state=a&state=b&code=ada")

    assert reply.status == 400
    assert b"parameter-repeated" in reply.body
    assert b'href="/login/github"' in reply.body


UNUSED = {
    "sent twice": "scope=a&scope=b&session_state=1&session_state=2",
    "a list": "scope[]=a&scope[]=b",
    "not text": "x=%ff%fe",
    "control characters": "x=%00%07",
    "very long": "x=" + "y" * 20_000,
    "many": "&".join(f"p{n}=1" for n in range(300)),
    "empty": "scope=&error_description=&error_uri=",
    "without a name": "=1&=2&&",
    "an empty error": "error=&error_reason=",
    "an issuer nobody asked for": "iss=https%3A%2F%2Fa.example&iss=x",
    "names that are no text": "%ff=1&%ff=2",
}


@pytest.mark.parametrize("case", UNUSED)
def test_what_a_provider_sends_beside_its_answer_decides_nothing(logins: LoginSite, case: str) -> None:
    """Otherwise a provider that sends a little more than we read logs nobody in."""
    browser = logins.browser()
    state = quote(browser.begin())

    reply = browser.get(f"/login/github/callback?{UNUSED[case]}&state={state}&code=ada")

    assert reply.status == 303, reply.body
    assert location(reply).startswith("/welcome")


@pytest.mark.parametrize("query", ["code=ada&code=ada", "code=ada&code=bob", "code=%ff", "code=ada&error=a&error=b"])
def test_what_is_used_and_cannot_be_read_uses_no_login_up(logins: LoginSite, query: str) -> None:
    """Otherwise a damaged answer costs the person the login that a reload would finish."""
    browser = logins.browser()
    state = browser.begin()

    reply = browser.get(f"/login/github/callback?{query}&state={quote(state)}")

    assert reply.status == 400
    assert reply.cookies == []
    assert location(browser.come_back(state, code="ada")).startswith("/welcome")
