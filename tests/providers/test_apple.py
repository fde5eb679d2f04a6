"""Apple: the kit, the secret we sign, and the name that comes once."""

import json
from collections.abc import Iterator
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from options.option import BadOptions
from providers import REGISTRY
from providers.base import ProviderBroken, ProviderDenied
from tests.contracts import oidc_preset
from tests.support.assertions import pem_of, proven
from tests.support.bench import Bench, bench
from tests.support.rerouting import home
from tests.support.signing import ecdsa_key, eddsa_key, rsa_key
from tests.support.upstream import CLIENT_ID

KEY: Final = ecdsa_key("ABC123DEFG")
TEAM: Final = "TEAM012345"
DOCUMENT: Final = {
    "issuer": "https://appleid.apple.com",
    "authorization_endpoint": "https://appleid.apple.com/auth/authorize",
    "token_endpoint": "https://appleid.apple.com/auth/token",
    "jwks_uri": "https://appleid.apple.com/auth/keys",
    "id_token_signing_alg_values_supported": ["RS256"],
    "token_endpoint_auth_methods_supported": ["client_secret_post"],
}


class TestApple(oidc_preset.OidcPreset):
    """Apple as it publishes itself; the addresses are ours, nothing is discovered."""

    KIND = "apple"
    DOCUMENT: ClassVar = DOCUMENT

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options."""
        del on
        return {"client_id": CLIENT_ID, "team_id": TEAM, "key_id": "ABC123DEFG", "key": pem_of(KEY)}

    def prepare(self, made: Bench) -> None:
        """Stand for Apple, which knows us by the key."""
        made.upstream.is_client = lambda form: secret_of(form)["sub"] == form["client_id"] == CLIENT_ID
        super().prepare(made)


TestApple.CALLS = (home(DOCUMENT["token_endpoint"]), home(DOCUMENT["jwks_uri"]))


def secret_of(form: dict[str, str]) -> dict[str, Any]:
    """Return the claims of the client secret, which our key signed."""
    header, claims = proven(form["client_secret"], KEY)
    assert (header["alg"], header["kid"]) == ("ES256", KEY.kid)
    return claims


def secrets_of(on: Bench) -> list[dict[str, Any]]:
    """Return the claims of the client secrets that were sent."""
    forms = [parse_qs(each.body.decode()) for each in on.upstream.seen if each.path.endswith("/token")]
    return [secret_of({name: values[0] for name, values in form.items()}) for form in forms]


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return Apple and all around it."""
    with bench() as made:
        TestApple().prepare(made)
        made.upstream.person.pop("name")
        yield made


def test_the_answer_is_asked_for_as_a_form_and_the_name_with_it(on: Bench) -> None:
    """Otherwise Apple refuses a request for a name, and the cookie of the login does not come back."""
    begun = on.begin().begun
    asked = parse_qs(urlsplit(begun.location).query)

    assert begun.posted
    assert (asked["response_mode"], asked["scope"]) == (["form_post"], ["openid name email"])
    assert "secret" not in begun.location


def test_the_secret_says_what_apple_wants_and_is_renewed(on: Bench) -> None:
    """Otherwise all logins end six months after somebody made a secret by hand."""
    on.log_in()
    on.clock.advance(3_599_000)
    on.log_in()
    on.clock.advance(1_000)
    on.log_in()
    on.clock.advance(-7_200_000)
    on.log_in()

    made = secrets_of(on)
    now = on.clock() // 1_000
    assert made[0] == made[1]
    assert [each["iat"] - now for each in made] == [3_600, 3_600, 7_200, 0]
    for each in made:
        assert (each["iss"], each["aud"]) == (TEAM, "https://appleid.apple.com")
        assert each["exp"] - each["iat"] == 7_200


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ({"name": {"firstName": "Ada", "lastName": "Quill"}, "email": "eve@evil.example"}, "Ada Quill"),
        ({"name": {"firstName": "陳", "lastName": None}}, "陳"),
        ({"name": {"lastName": "Quill"}}, "Quill"),
        ({"name": {"firstName": "<b>\u202e", "lastName": "x\r\ny"}}, "<b> xy"),
        ({"name": {"firstName": 7, "lastName": ["x"]}}, ""),
        ({"name": "Ada"}, ""),
        ({"name": None}, ""),
        ([], ""),
        ("x" * 5_000, ""),
    ],
)
def test_the_name_comes_from_beside_the_code_and_nothing_else_does(on: Bench, user: object, name: str) -> None:
    """Otherwise people have no name, or an address that nobody signed counts."""
    login = on.begin()

    profile = on.finish(login, {**on.come_back(login), "user": json.dumps(user)})

    assert (profile.name, profile.email) == (name, "")


@pytest.mark.parametrize("user", ["", "{", "\ud800", '{"name":{},"name":{}}', "[" * 5_000])
def test_a_field_that_is_no_json_costs_nobody_the_login(on: Bench, user: str) -> None:
    """Otherwise what Apple writes beside a good answer decides."""
    login = on.begin()

    assert on.finish(login, {**on.come_back(login), "user": user}).name == ""


@pytest.mark.parametrize("verified", [True, "true"])
@pytest.mark.parametrize("relay", [True, "true", False, "false"])
def test_an_address_of_the_relay_is_an_address(on: Bench, verified: object, relay: object) -> None:
    """Otherwise people who hide theirs have none."""
    on.upstream.person |= {
        "email": "x7@privaterelay.appleid.com",
        "email_verified": verified,
        "is_private_email": relay,
    }

    assert (on.log_in().email, on.log_in().email_verified) == ("x7@privaterelay.appleid.com", True)


def test_both_names_of_the_issuer_are_apple_and_no_other_is(on: Bench) -> None:
    """Otherwise nobody logs in while Apple calls itself otherwise, as in June 2025, or another issuer does."""
    on.upstream.edit_claims = lambda claims: claims.update(iss="https://account.apple.com")
    assert on.log_in().subject
    on.upstream.edit_claims = lambda claims: claims.update(iss="https://account.apple.com.evil.example")
    with pytest.raises(ProviderBroken, match="issuer"):
        on.log_in()


def test_cancelling_is_no_fault(on: Bench) -> None:
    """Otherwise who presses Cancel at Apple is told of an error."""
    login = on.begin()

    with pytest.raises(ProviderDenied):
        on.finish(login, {"state": login.start.state, "error": "user_cancelled_authorize"})


@pytest.mark.parametrize("key", [rsa_key("r"), ecdsa_key("e", alg="ES384"), eddsa_key("d")])
def test_a_key_of_another_kind_is_refused_at_the_start(on: Bench, key: Any) -> None:  # noqa: ANN401 - of any algorithm
    """Otherwise the first person to log in finds out."""
    with pytest.raises(BadOptions, match="not with ES256"):
        on.build("apple", {**TestApple().options(on), "key": pem_of(key)})


@pytest.mark.parametrize(
    "text", ["", "x", KEY.public_pem().decode(), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
def test_a_file_that_holds_no_private_key_is_said_to(text: str) -> None:
    """Otherwise a certificate, or a public key, in its place is found out by the first login."""
    option = next(each for each in REGISTRY["apple"].options.__dataclass_fields__.values() if each.name == "key")

    with pytest.raises(ValueError, match="holds no private key"):
        option.metadata["option"][0].read(text)
