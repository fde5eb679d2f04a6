"""OpenID Connect: the ID token, claim by claim and header by header (Core §3.1.3.7)."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from providers.base import ProviderBroken
from tests.contracts.provider_cases import MISSING
from tests.providers.test_oidc import options, tell
from tests.support.bench import Bench, bench
from tests.support.signing import SigningKey, b64, ecdsa_key, eddsa_key, rsa_key, unsigned
from tests.support.upstream import CLIENT_ID


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return an OpenID provider and all around it."""
    with bench() as made:
        made.build("oidc", options(made))
        yield made


@pytest.mark.parametrize("nonce", ["", "another", None, 7, MISSING, ["x"], "\ud800"])
def test_a_token_of_another_login_is_refused(on: Bench, nonce: object) -> None:
    """Otherwise a token stolen from one login is a second one (Core §15.5.2)."""
    tell(on, "nonce", nonce)
    on.upstream.edit_claims = lambda claims: claims.pop("nonce") if nonce is MISSING else None

    with pytest.raises(ProviderBroken, match="nonce"):
        on.log_in()


CLAIMS: Final[dict[str, tuple[dict[str, Any], bool]]] = {
    "another issuer": ({"iss": "https://evil.example"}, False),
    "the issuer with a slash": ({"iss": "{url}/"}, False),
    "no issuer": ({"iss": MISSING}, False),
    "a list of issuers": ({"iss": ["{url}"]}, False),
    "another audience": ({"aud": "somebody-else"}, False),
    "no audience": ({"aud": MISSING}, False),
    "an empty list of audiences": ({"aud": []}, False),
    "an audience that contains us": ({"aud": f"x{CLIENT_ID}"}, False),
    "us in a list": ({"aud": [CLIENT_ID]}, True),
    "us among others, and nobody named": ({"aud": [CLIENT_ID, "other"]}, False),
    "us among others, and us named": ({"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}, True),
    "us among others, and another named": ({"aud": [CLIENT_ID, "other"], "azp": "other"}, False),
    "us, and another named": ({"azp": "other"}, False),
    "us, and null named": ({"azp": None}, True),
    "us, and us named": ({"azp": CLIENT_ID}, True),
    "a crowd of audiences": ({"aud": [CLIENT_ID] * 60, "azp": CLIENT_ID}, False),
    "no expiry": ({"exp": MISSING}, False),
    "an expiry in text": ({"exp": "4102444800"}, False),
    "an expiry that is true": ({"exp": True}, False),
    "an endless expiry": ({"exp": 1e400}, False),
    "expired within the skew": ({"exp": -59}, True),
    "expired beyond the skew": ({"exp": -60}, False),
    "no time of issue": ({"iat": MISSING}, False),
    "issued ahead within the skew": ({"iat": 60}, True),
    "issued ahead beyond the skew": ({"iat": 61}, False),
    "a fractional time of issue": ({"iat": 0.5}, True),
    "valid from within the skew": ({"nbf": 60}, True),
    "valid from beyond the skew": ({"nbf": 61}, False),
    "valid from nonsense": ({"nbf": "soon"}, False),
    "a wrong access token hash": ({"at_hash": b64(b"x" * 16)}, False),
    "an access token hash that is no text": ({"at_hash": 7}, False),
    "no access token hash": ({"at_hash": MISSING}, True),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_claims_are_held_against_this_login(on: Bench, case: str) -> None:
    """Otherwise a token made for somebody or something else logs in here (Core §3.1.3.7)."""
    said, accepted = CLAIMS[case]

    def edit(claims: dict[str, Any]) -> None:
        for name, value in said.items():
            claims.pop(name) if value is MISSING else claims.update({name: _filled(on, name, value)})

    on.upstream.edit_claims = edit

    if accepted:
        assert on.log_in().subject == "248289761001"
    else:
        with pytest.raises(ProviderBroken):
            on.log_in()


def _filled(on: Bench, name: str, value: object) -> object:
    """Times in the table are relative, and the issuer is not known before the upstream runs."""
    if name in ("exp", "iat", "nbf") and isinstance(value, int | float) and value is not True and value < 1e9:
        return on.clock() // 1000 + value
    if isinstance(value, str):
        return value.replace("{url}", on.upstream.url)
    return [on.upstream.url] if value == ["{url}"] else value


SIGNERS: Final = [
    rsa_key("k"),
    rsa_key("k", alg="PS256"),
    ecdsa_key("k"),
    ecdsa_key("k", alg="ES384"),
    ecdsa_key("k", alg="ES512"),
    eddsa_key("k"),
]


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda key: key.alg)
def test_every_asymmetric_signature_is_understood(on: Bench, signer: SigningKey) -> None:
    """Otherwise providers with newer keys cannot be used."""
    offered = [signer.alg]
    on.upstream.edit_discovery = lambda d: d.update(id_token_signing_alg_values_supported=offered)
    on.upstream.keys, on.upstream.signer = [rsa_key("other"), signer], signer

    assert on.log_in().subject == "248289761001"


def test_the_name_of_ed25519_may_be_the_new_one(on: Bench) -> None:
    """Otherwise providers that follow RFC 9864 cannot be used."""
    on.upstream.edit_discovery = lambda d: d.update(id_token_signing_alg_values_supported=["Ed25519"])
    on.upstream.keys, on.upstream.signer = [eddsa_key("k")], eddsa_key("k")
    on.upstream.edit_header = lambda header: header.update(alg="Ed25519")

    assert on.log_in().subject == "248289761001"


def test_an_algorithm_that_discovery_does_not_offer_is_refused(on: Bench) -> None:
    """Otherwise the token chooses how it is verified."""
    on.upstream.edit_discovery = lambda d: d.update(id_token_signing_alg_values_supported=["RS256"])

    with pytest.raises(ProviderBroken, match="ES256"):
        on.log_in()


def test_an_algorithm_that_the_operator_does_not_allow_is_refused(on: Bench) -> None:
    """Otherwise the option `algorithms` is decoration."""
    on.build("oidc", options(on, algorithms="RS256 PS256"))

    with pytest.raises(ProviderBroken, match="ES256"):
        on.log_in()


def test_without_a_word_about_algorithms_it_is_rs256(on: Bench) -> None:
    """Otherwise a provider with a sparse document cannot be used, or anything goes with it."""
    on.upstream.edit_discovery = lambda d: d.pop("id_token_signing_alg_values_supported")
    on.upstream.signer = rsa_key("rsa-1")

    assert on.log_in().subject == "248289761001"


HEADERS: Final[dict[str, dict[str, Any]]] = {
    "crit": {"crit": ["exp"]},
    "unencoded": {"b64": False},
    "a logout token": {"typ": "logout+jwt"},
    "an access token": {"typ": "at+jwt"},
    "no type anybody knows": {"typ": 7},
    "a key id that is no text": {"kid": 7},
    "an algorithm that is no text": {"alg": ["ES256"]},
    "no algorithm": {"alg": None},
    "none": {"alg": "none"},
    "None": {"alg": "NoNe"},
    "HMAC": {"alg": "HS256"},
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_that_asks_for_something_else_is_refused(on: Bench, case: str) -> None:
    """Otherwise a token says itself how little it must be checked (RFC 8725)."""
    on.upstream.edit_header = lambda header: header.update(HEADERS[case])

    with pytest.raises(ProviderBroken):
        on.log_in()


@pytest.mark.parametrize("typ", ["jwt", "JWT", "id_token+jwt"])
def test_a_token_may_say_what_it_is(on: Bench, typ: str) -> None:
    """Otherwise providers that spell the type differently cannot be used."""
    on.upstream.edit_header = lambda header: header.update(typ=typ)

    assert on.log_in().subject == "248289761001"


def _second_spelling(token: str) -> str:
    """Return the token with other trailing bits in its signature, which decode to the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


MANGLED: Final = {
    "empty": lambda _: "",
    "two parts": lambda token: token.rpartition(".")[0],
    "four parts": lambda token: f"{token}.x",
    "a padded signature": lambda token: f"{token}==",
    "a second spelling": _second_spelling,
    "no signature": lambda token: f"{token.rpartition('.')[0]}.",
    "another signature": lambda token: f"{token.rpartition('.')[0]}.{b64(b's' * 64)}",
    "a truncated signature": lambda token: token[:-8],
    "a changed letter": lambda token: token.replace("e", "f", 1),
    "letters of the other alphabet": lambda token: token.replace(".", ".+", 1),
    "not ASCII": lambda token: token.replace(".", ".é", 1),
    "100,000 characters": lambda token: token + "A" * 100_000,
    "unsigned": lambda _: f"{unsigned({'alg': 'none'}, {'sub': 'a'})}.",
}


@pytest.mark.parametrize("case", MANGLED)
def test_a_token_that_is_not_whole_is_refused(on: Bench, case: str) -> None:
    """Otherwise what was verified is not what is read."""
    on.upstream.edit_token = MANGLED[case]

    with pytest.raises(ProviderBroken):
        on.log_in()


def test_a_grant_without_a_token_is_refused(on: Bench) -> None:
    """Otherwise an OAuth 2 answer counts as an OpenID login."""
    on.upstream.edit_grant = lambda grant: grant.pop("id_token")

    with pytest.raises(ProviderBroken):
        on.log_in()
