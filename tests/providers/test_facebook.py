"""Facebook: the kit, and its own traps."""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from providers import scope_of
from providers.base import ProviderBroken, ProviderDenied
from providers.facebook import read
from tests.contracts import oauth2_service
from tests.support.bench import Bench, bench
from tests.support.configuration import provider_options
from tests.support.upstream import CLIENT_SECRET

TOKEN: Final = "/graph.facebook.com/v26.0/oauth/access_token"
ME: Final = "/graph.facebook.com/v26.0/me"
PICTURE: Final = "https://lookaside.example/face.jpg"


def refuses_without_proof(query: dict[str, str], token: str) -> dict[str, Any] | None:
    """Do as Facebook does for an application that requires the proof."""
    proof = hmac.new(CLIENT_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
    if query.get("appsecret_proof") == proof:
        return None
    return {"error": {"message": "Invalid appsecret_proof provided", "type": "GraphMethodException", "code": 100}}


def as_an_object(failure: dict[str, Any]) -> dict[str, Any]:
    """Say a failure of the token endpoint as the Graph API does."""
    return {
        "error": {"message": f"<b>{failure['error']}</b>", "type": "OAuthException", "code": 100, "fbtrace_id": "A"}
    }


def drops_the_challenge(query: dict[str, str]) -> None:
    """Do as Facebook does outside the flow of OpenID Connect; its token endpoint then refuses a verifier."""
    if "openid" not in query["scope"].split():
        query.pop("code_challenge", None)


class TestFacebook(oauth2_service.ServiceContract):
    """The Graph API, with the proof required."""

    KIND = "facebook"
    SCOPE = ("https://www.facebook.com/{client_id}", "id")
    CALLS = (TOKEN, ME)
    PROFILE: ClassVar = {"id": "10224000000000001", "name": "Ada", "picture": {"data": {"url": PICTURE}}}
    SUBJECT_OF: ClassVar = {"a number": "12345"}
    VERIFIED_OF: ClassVar = oauth2_service.UNVERIFIED
    FORCED: ClassVar = {"auth_type": "reauthenticate"}

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options, and let the upstream speak the dialect."""
        on.upstream.edit_request = drops_the_challenge
        on.upstream.edit_failure = as_an_object
        on.upstream.guards[ME] = refuses_without_proof
        return super().options(on)


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return a Facebook provider and all around it."""
    with bench() as made:
        made.build("facebook", TestFacebook().options(made))
        yield made


def test_a_call_without_the_right_proof_is_refused_there(on: Bench) -> None:
    """Otherwise a secret that was copied wrongly looks like a fault of Facebook's, or the proof is not sent at all."""
    on.upstream.guards[ME] = lambda query, token: refuses_without_proof(query, f"{token}x")

    with pytest.raises(ProviderBroken, match="answered 400"):
        on.log_in()


def test_nothing_but_the_fields_and_the_proof_is_in_the_address(on: Bench) -> None:
    """Otherwise what the logs of proxies hold is more than a request without its token."""
    asked: list[dict[str, str]] = []
    on.upstream.guards[ME] = lambda query, _: asked.append(query)

    on.log_in()

    assert [set(query) for query in asked] == [{"fields", "appsecret_proof"}]


def test_an_address_is_never_called_verified(on: Bench) -> None:
    """Otherwise an address Facebook says nothing about counts as proven."""
    on.upstream.answers[ME] |= {"email": "ada@example.org", "verified": True, "email_verified": True}

    profile = on.log_in()

    assert (profile.email, profile.email_verified) == ("ada@example.org", False)


@pytest.mark.parametrize("shown", ["12345", 12345], ids=repr)
def test_an_id_is_the_same_as_text_and_as_a_number(shown: object) -> None:
    """Otherwise people become strangers when a version of the API writes ids the other way."""
    assert read({"id": shown}).subject == "12345"


@pytest.mark.parametrize("shown", ["0", "012", "+1", "1.0", "\u0661", "1 ", "ada.quill", "9" * 40])
def test_an_id_that_is_not_one_is_refused(shown: str) -> None:
    """Otherwise a vanity name, or one id in two spellings, is a subject."""
    with pytest.raises(ProviderBroken):
        read({"id": shown})


def test_the_picture_is_found_where_the_graph_keeps_it() -> None:
    """Otherwise account pages have no pictures."""
    assert read({"id": "1", "picture": {"data": {"url": PICTURE, "is_silhouette": False}}}).picture == PICTURE


def test_an_error_that_is_an_object_is_said_in_one_word(on: Bench) -> None:
    """Otherwise the log says nothing of an expired code, or shows what a stranger wrote."""
    login = on.begin()
    params = on.come_back(login)
    on.finish(login, params)

    with pytest.raises(ProviderBroken, match="answered 400, says OAuthException"):
        on.finish(login, params)


def test_a_no_with_facebooks_own_words_is_one(on: Bench) -> None:
    """Otherwise the cancel button leads to an error page."""
    login = on.begin()
    said = {"error": "access_denied", "error_code": "200", "error_reason": "user_denied"}

    with pytest.raises(ProviderDenied):
        on.finish(login, {"state": login.start.state, **said})


def test_without_openid_facebook_is_sent_no_challenge_that_it_would_drop(on: Bench) -> None:
    """Otherwise every login fails at an application that does not offer `openid`: the verifier has no challenge."""
    on.build("facebook", {**TestFacebook().options(on), "scope": "public_profile"})

    assert "code_challenge" not in on.begin().begun.location
    assert on.log_in().subject == "10224000000000001"


def test_the_version_of_the_graph_is_the_configured_one_everywhere(on: Bench) -> None:
    """Otherwise an operator who waits with a version is moved at one address and not at the other."""
    on.build("facebook", {**TestFacebook().options(on), "version": "v25.0"})
    on.upstream.answers["/graph.facebook.com/v25.0/me"] = {"id": "7"}

    assert on.begin().begun.location.startswith("https://www.facebook.com/v25.0/dialog/oauth?")
    assert on.log_in().subject == "7"


def test_another_application_is_another_issuer() -> None:
    """Otherwise a section that is given a new application lets people into each other's accounts."""
    values = {"client_id": "1", "client_secret": "canary-secret"}
    scopes = {scope_of("facebook", provider_options("facebook", {**values, "client_id": own})) for own in ("1", "2")}

    assert len(scopes) == 2


def test_a_fresh_login_counts_more_than_what_the_operator_adds(on: Bench) -> None:
    """Otherwise `auth_type=rerequest` in the configuration switches confirmations off."""
    on.build("facebook", {**TestFacebook().options(on), "authorize_params": "auth_type=rerequest display=popup"})

    forced = parse_qs(urlsplit(on.begin(force_login=True).begun.location).query)
    usual = parse_qs(urlsplit(on.begin().begun.location).query)

    assert (forced["auth_type"], forced["display"]) == (["reauthenticate"], ["popup"])
    assert usual["auth_type"] == ["rerequest"]
