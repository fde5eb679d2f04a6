"""Sign in with Apple from the button to the account, by answers that are really posted to the daemon."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.providers.test_apple import DOCUMENT, KEY, TEAM, secret_of
from tests.support.assertions import pem_of
from tests.support.guards import Expectation
from tests.support.logins import location, query_of, suggestion
from tests.support.posting import Posting, posting
from tests.support.rerouting import home
from tests.support.upstream import CLIENT_ID, Fault

ExpectLog = Callable[..., Expectation]
USER = json.dumps({"name": {"firstName": "Ada", "lastName": "Quill"}, "email": "ada@example.org"})


@pytest.fixture
def apple() -> Iterator[Posting]:
    """Give a daemon whose people log in with Apple."""
    with posting() as made:
        made.upstream.stand_for(DOCUMENT, discovery="")
        made.upstream.person = {
            "sub": "001234.abcdef",
            "email": "x7@privaterelay.appleid.com",
            "email_verified": "true",
        }
        made.upstream.is_client = lambda form: secret_of(form)["iss"] == TEAM
        made.use("apple", {"client_id": CLIENT_ID, "team_id": TEAM, "key_id": KEY.kid or "", "key": pem_of(KEY)})
        yield made


def test_somebody_signs_up_with_apple_and_keeps_the_name(apple: Posting) -> None:
    """Otherwise people who log in with Apple have no name, or lose it with the second login."""
    browser = apple.site.browser()
    welcome = browser.get(location(apple.log_in(browser, user=USER)))
    assert suggestion(welcome) == "Ada.Quill"
    browser.choose(welcome, "ada")

    later = apple.site.browser()
    apple.log_in(later)

    assert later.whoami() == "ada"
    kept = apple.site.profile_of("op:001234.abcdef")
    assert (kept.name, kept.email, kept.email_verified) == ("Ada Quill", "x7@privaterelay.appleid.com", True)


@pytest.mark.parametrize("place", ["token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.RESET, Fault.HTML])
def test_the_name_is_there_after_any_call_failed(
    apple: Posting, place: str, fault: Fault, expect_log: ExpectLog
) -> None:
    """Otherwise a bad minute at Apple costs a person's name for ever."""
    expect_log("identity.web", "provider")
    expect_log("providers.remembered", "", required=False)
    browser = apple.site.browser()
    apple.upstream.faults = {home(str(DOCUMENT[place])): fault}
    assert apple.log_in(browser, user=USER).status == 502
    apple.upstream.faults = {}
    apple.site.clock.advance(60_000)

    assert suggestion(browser.get(location(apple.log_in(browser)))) == "Ada.Quill"


def test_who_cancels_at_apple_is_led_to_the_ways_to_log_in(apple: Posting) -> None:
    """Otherwise the Cancel button is an error page."""
    ended = apple.log_in(apple.site.browser(), allow=False, error="user_cancelled_authorize")

    assert query_of(location(ended)) == {"reason": "provider-denied"}


@pytest.mark.threat(8)
def test_an_answer_posted_in_another_browser_is_refused(apple: Posting) -> None:
    """Otherwise a page that posts an attacker's answer logs its visitors in as the attacker."""
    mine, victim = apple.site.browser(), apple.site.browser()
    state = mine.begin("op")
    victim.begin("op")

    assert victim.post_answer(state, provider="op", code="anything", user=USER).status == 400
    assert "__Host-iddn" not in victim.jar.cookies
