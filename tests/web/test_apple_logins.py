"""Sign in with Apple from the button to the account, by answers that are really posted to the daemon."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.providers.test_apple import DOCUMENT, KEY, TEAM, secret_of
from tests.support.assertions import pem_of
from tests.support.guards import Expectation
from tests.support.logins import Browser, location, query_of, suggestion
from tests.support.posting import NAME, Posting, posting
from tests.support.rerouting import home
from tests.support.signing import SigningKey, rsa_key
from tests.support.upstream import CLIENT_ID, Fault
from tests.support.web import Reply

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
        options = {"client_id": CLIENT_ID, "team_id": TEAM, "key_id": KEY.kid or "", "key": pem_of(KEY)}
        made.use("apple", {**options, "security_events": "yes"})
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


def notify(apple: Posting, kind: str, *, key: SigningKey | None = None, **claims: object) -> Reply:
    """Send a notification about Ada as Apple's server does, signed by its key or another."""
    now, signer = apple.site.clock() // 1000, key or apple.upstream.signer
    said = {"iss": DOCUMENT["issuer"], "aud": CLIENT_ID, "iat": now, "exp": now + 86_400, "jti": f"jti-{kind}"}
    event = {"type": kind, "sub": "001234.abcdef", "event_time": now * 1000}
    token = signer.sign({"alg": "RS256", "kid": "rsa-1"}, {**said, "events": json.dumps(event), **claims})
    headers, body = {"Content-Type": "application/json"}, json.dumps({"payload": token}).encode()
    return apple.site.public("POST", f"/login/{NAME}/events", headers=headers, body=body)


def signed_up(apple: Posting) -> Browser:
    """Return a browser in which Ada is logged in."""
    browser = apple.site.browser()
    browser.choose(browser.get(location(apple.log_in(browser, user=USER))), "ada")
    assert browser.whoami() == "ada"
    return browser


def test_who_ends_the_use_of_this_service_at_apple_is_logged_out_and_may_come_back(apple: Posting) -> None:
    """Otherwise what a person switched off in the settings of the account goes on for months."""
    browser = signed_up(apple)

    reply = notify(apple, "consent-revoked")

    assert (reply.status, reply.body) == (200, b"")
    assert browser.whoami() is None
    apple.log_in(browser)
    assert browser.whoami() == "ada"


def test_who_deletes_the_apple_account_does_not_log_in_with_it_any_more(apple: Posting) -> None:
    """Otherwise a code from just before lets in whoever holds it."""
    browser = signed_up(apple)

    assert notify(apple, "account-delete").status == 200

    assert browser.whoami() is None
    refused = apple.log_in(browser)
    assert (refused.status, b"identity-suspended" in refused.body) == (403, True)


@pytest.mark.threat(64)
def test_a_notification_that_apple_did_not_sign_ends_nothing(apple: Posting) -> None:
    """Otherwise any stranger logs everybody out."""
    browser = signed_up(apple)

    forged, foreign = notify(apple, "account-delete", key=rsa_key("forged")), notify(apple, "account-delete", aud="b")

    assert [json.loads(each.body)["err"] for each in (forged, foreign)] == ["authentication_failed", "invalid_audience"]
    assert browser.whoami() == "ada"
