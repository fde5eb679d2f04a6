"""Generic OAuth 1.0a: the kit, and what configuration alone must get right."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from providers.base import HttpResponse, ProviderBroken
from providers.oauth1 import failure
from tests.contracts.provider_cases import MISSING
from tests.contracts.provider_oauth1 import OAuth1Contract
from tests.support.bench import Bench, bench
from tests.support.oauth1 import ACCESS_TOKEN, AUTHENTICATE, CONSUMER_KEY, CONSUMER_SECRET, OWN_PROFILE, REQUEST_TOKEN


def options(on: Bench, **more: str) -> dict[str, str]:
    """Return the options of a provider whose profile is nested."""
    url = on.upstream.url
    return {
        "request_token_url": f"{url}{REQUEST_TOKEN}",
        "authorize_url": f"{url}{AUTHENTICATE}",
        "access_token_url": f"{url}{ACCESS_TOKEN}",
        "profile_url": f"{url}{OWN_PROFILE}?fields=a%20b,c%2Bd&empty=",
        "consumer_key": CONSUMER_KEY,
        "consumer_secret": CONSUMER_SECRET,
        "subject": "data.id",
        "display_name": "data.name",
        "handle": "data.handle",
        "email": "data.mail",
        "email_verified": "data.mail_ok",
        "picture": "data.face",
        **more,
    }


def tell(on: Bench, name: str, value: object) -> None:
    """Make the profile say something."""
    data: dict[str, Any] = on.upstream.oauth1.documents[OWN_PROFILE]["data"]
    data.pop(name, None)
    if value is not MISSING:
        data[name] = value


class TestOAuth1(OAuth1Contract):
    """A provider that nobody wrote code for."""

    KIND = "oauth1"
    CALLS = (REQUEST_TOKEN, ACCESS_TOKEN, OWN_PROFILE)
    WARM_CALLS = CALLS
    SUBJECT_OF: ClassVar = {"text": "Abc-1", "a number": "12345", "with a colon": "a:b", "with a newline": "a\nb"}

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options."""
        return options(on)

    def tell_subject(self, on: Bench, subject: object) -> None:
        """Set `data.id`."""
        tell(on, "id", subject)

    def tell_name(self, on: Bench, name: object) -> None:
        """Set `data.name`."""
        tell(on, "name", name)

    def tell_email(self, on: Bench, email: object, verified: object) -> None:
        """Set `data.mail` and `data.mail_ok`."""
        tell(on, "mail", email)
        tell(on, "mail_ok", verified)


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return a configured provider and all around it."""
    with bench() as made:
        made.build("oauth1", options(made))
        yield made


def test_everything_the_profile_says_is_found_by_its_path(on: Bench) -> None:
    """Otherwise an operator configures paths and gets half a person."""
    data = {"id": 7, "handle": "ada", "mail": "a@x.example", "mail_ok": True, "face": "https://x.example/a.png"}
    on.upstream.oauth1.documents[OWN_PROFILE] = {"data": data}

    profile = on.log_in()

    assert (profile.subject, profile.handle) == ("7", "ada")
    assert (profile.email, profile.email_verified) == ("a@x.example", True)
    assert profile.picture == "https://x.example/a.png"


def test_a_login_costs_three_calls_and_keeps_little(on: Bench) -> None:
    """Otherwise a login costs bandwidth nobody asked for, or fits no cookie."""
    login = on.begin()
    on.finish(login, on.come_back(login))

    assert [call.method for call in on.called] == ["POST", "POST", "GET"]
    assert sorted(login.begun.kept) == ["secret", "token"]


def test_requests_may_be_signed_with_sha256(on: Bench) -> None:
    """Otherwise services that refuse SHA-1 cannot be used."""
    on.upstream.oauth1.methods = frozenset({"HMAC-SHA256"})
    with pytest.raises(ProviderBroken, match="signature_method_rejected"):
        on.begin()

    on.build("oauth1", options(on, signature="HMAC-SHA256"))

    assert on.log_in().subject == "4711"


def test_an_address_that_has_a_query_keeps_it(on: Bench) -> None:
    """Otherwise an authorisation address with a language in its query loses it."""
    on.build("oauth1", options(on, authorize_url=f"{on.upstream.url}{AUTHENTICATE}?lang=a%26b"))

    assert f"{AUTHENTICATE}?lang=a%26b&oauth_token=" in on.begin().begun.location
    assert on.log_in().subject == "4711"


def test_a_fresh_login_is_not_asked_for_where_nobody_knows_how(on: Bench) -> None:
    """Otherwise a parameter of one service is sent to all."""
    assert "force" not in on.begin(force_login=True).begun.location


def test_without_a_path_an_address_is_never_verified(on: Bench) -> None:
    """Otherwise leaving an option out means yes."""
    on.build("oauth1", options(on, email_verified=""))
    tell(on, "mail", "a@x.example")
    tell(on, "mail_ok", True)

    assert on.log_in().email_verified is False


def test_an_access_token_of_another_person_reads_no_profile_of_ours(on: Bench) -> None:
    """Otherwise a token answer mixed up on its way logs somebody in as another person's token says."""
    secrets: list[str] = []

    def crossed(said: dict[str, Any]) -> dict[str, Any]:
        secrets.append(said["oauth_token_secret"])
        return {**said, "oauth_token_secret": secrets[0]}

    on.upstream.edits = {ACCESS_TOKEN: crossed}
    on.log_in()

    with pytest.raises(ProviderBroken, match="401"):
        on.log_in()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"oauth_problem=token_rejected&oauth_problem_advice=%3Cb%3E", "token_rejected"),
        (403, b'{"errors": [{"code": 415, "message": "Callback URL not approved"}]}', "415"),
        (401, b'{"errors": [{"code": "<b>"}]}', "nothing readable"),
        (401, b'{"errors": []}', "nothing readable"),
        (401, b'{"oauth_problem": ["x"]}', "(unreadable)"),
        (500, b"<h1>Oops</h1>", "nothing readable"),
        (201, b"oauth_token=a&oauth_token_secret=b", "nothing readable"),
    ],
)
def test_a_refusal_says_what_it_is_in_a_word(status: int, body: bytes, said: str) -> None:
    """Otherwise an operator cannot tell an unregistered callback from a wrong key, or reads a stranger's text."""
    refused = str(failure("request token", HttpResponse(status, {}, body)))

    assert refused == f"the address for the request token, which answered {status}, says {said}"
