"""Generic OAuth 2: the kit, and what configuration alone must get right."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from providers.base import ProviderBroken, ProviderDenied
from providers.token_endpoint import read_grant
from tests.contracts.provider import ProviderContract
from tests.contracts.provider_cases import MISSING
from tests.support.bench import Bench, bench
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET


def options(on: Bench, **more: str) -> dict[str, str]:
    """Return the options of a provider whose profile is nested."""
    return {
        "authorize_url": f"{on.upstream.url}/authorize",
        "token_url": f"{on.upstream.url}/token",
        "profile_url": f"{on.upstream.url}/profile",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "issuer": on.upstream.url,
        "scope": "profile, email",
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
    data: dict[str, Any] = on.upstream.profile["data"]
    data.pop(name, None)
    if value is not MISSING:
        data[name] = value


class TestOAuth2(ProviderContract):
    """A provider that nobody wrote code for."""

    KIND = "oauth2"
    CALLS = ("/token", "/profile")
    WARM_CALLS = CALLS
    SUBJECT_OF: ClassVar = {"text": "Abc-1", "a number": "12345", "with a colon": "a:b", "with a newline": "a\nb"}
    INAPPLICABLE: ClassVar = {}

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
        made.build("oauth2", options(made))
        yield made


def test_everything_the_profile_says_is_found_by_its_path(on: Bench) -> None:
    """Otherwise an operator configures paths and gets half a person."""
    on.upstream.profile = {
        "data": {"id": 7, "handle": "ada", "mail": "a@x.example", "mail_ok": True, "face": "https://x.example/a.png"}
    }

    profile = on.log_in()

    assert profile.handle == "ada"
    assert (profile.email, profile.email_verified) == ("a@x.example", True)
    assert profile.picture == "https://x.example/a.png"


@pytest.mark.parametrize(
    "face", ["http://x.example/a.png", "javascript:alert(1)", "data:image/png,x", 7, "https://a b"]
)
def test_a_picture_that_a_page_should_not_load_is_dropped(on: Bench, face: object) -> None:
    """Otherwise a profile runs a script, or loads over an open line, on the account page."""
    tell(on, "face", face)

    assert on.log_in().picture == ""


def test_without_a_path_an_address_is_never_verified(on: Bench) -> None:
    """Otherwise leaving an option out means yes."""
    on.build("oauth2", options(on, email_verified=""))
    tell(on, "mail", "a@x.example")
    tell(on, "mail_ok", True)

    assert on.log_in().email_verified is False


@pytest.mark.parametrize("profile", [None, [], "x", 7, {"data": None}, {"data": [1]}, {"data": {"id": {"a": 1}}}])
def test_a_profile_of_another_shape_is_refused(on: Bench, profile: object) -> None:
    """Otherwise nobody in particular is logged in."""
    on.upstream.profile = profile

    with pytest.raises(ProviderBroken):
        on.log_in()


def test_a_secret_may_be_shown_in_the_body(on: Bench) -> None:
    """Otherwise providers that do not know Basic cannot be used."""
    on.build("oauth2", options(on, client_auth="post"))

    assert on.log_in().subject == "4711"
    assert "authorization" not in next(seen for seen in on.upstream.seen if seen.path == "/token").headers


def test_a_provider_that_refuses_a_challenge_can_be_used_without(on: Bench) -> None:
    """Otherwise old providers cannot be used at all."""
    on.build("oauth2", options(on, pkce="no"))

    assert "code_challenge" not in on.begin().begun.location
    assert on.log_in().subject == "4711"


def test_without_a_scope_none_is_asked_for(on: Bench) -> None:
    """Otherwise a provider that refuses an empty scope cannot be used."""
    on.build("oauth2", options(on, scope=""))

    assert "scope" not in on.begin().begun.location


def test_an_operator_may_add_parameters_where_the_browser_is_sent(on: Bench) -> None:
    """Otherwise a provider that wants a hint, or an audience, needs a kind of its own."""
    on.build("oauth2", options(on, authorize_params="login_hint=ada%40example.org audience=api"))

    assert "&login_hint=ada%40example.org&audience=api&" in on.begin().begun.location
    assert on.log_in().subject == "4711"


def test_an_answer_of_another_issuer_is_refused(on: Bench) -> None:
    """Otherwise RFC 9207 is configured and not checked."""
    login = on.begin()

    with pytest.raises(ProviderBroken, match="issuer"):
        on.finish(login, {**on.come_back(login), "iss": "https://evil.example"})


def test_an_address_that_has_a_query_keeps_it(on: Bench) -> None:
    """Otherwise an authorisation endpoint with a tenant in its query loses it."""
    on.build("oauth2", options(on, authorize_url=f"{on.upstream.url}/authorize?tenant=a%26b"))

    assert "/authorize?tenant=a%26b&response_type=code&" in on.begin().begun.location
    assert on.log_in().subject == "4711"


@pytest.mark.parametrize(
    ("status", "body", "refusal"),
    [
        (400, b'{"error": "access_denied"}', ProviderDenied),
        (400, b"error=access_denied", ProviderDenied),
        (400, b'{"error": "invalid_grant"}', ProviderBroken),
        (503, b"<html>", ProviderBroken),
        (204, b"", ProviderBroken),
        (302, b'{"access_token": "a"}', ProviderBroken),
        (200, b"", ProviderBroken),
        (200, b"access_token=a&access_token=b", ProviderBroken),
        (200, b"access_token=%ff", ProviderBroken),
        (200, b"&".join(b"a%d=1" % n for n in range(60)), ProviderBroken),
        (200, '{"access_token": "ä"}'.encode("utf-16"), ProviderBroken),
        (200, b'{"access_token": NaN}', ProviderBroken),
        (200, b'{"access_token": ' + b"9" * 10_000 + b"}", ProviderBroken),
    ],
)
def test_only_a_grant_is_read_as_one(status: int, body: bytes, refusal: type[Exception]) -> None:
    """Otherwise parsers that disagree about an answer are played off against each other."""
    with pytest.raises(refusal):
        read_grant(status, body)


def test_a_created_grant_is_a_grant() -> None:
    """Otherwise providers that answer 201 cannot be used."""
    assert read_grant(201, b'{"access_token": "a"}').access_token == "a"
