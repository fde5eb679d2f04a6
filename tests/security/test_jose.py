"""What JOSE libraries were fooled by (threats row 55): each shape is refused here, and none raises."""

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import ProviderBroken
from providers.idtoken import read
from providers.jwks import ALGORITHMS, read_keys
from tests.providers.test_oidc import options
from tests.security.test_id_tokens import forging
from tests.support.bench import Bench, bench
from tests.support.signing import b64, ecdsa_key, rsa_key, unsigned

pytestmark = pytest.mark.threat(55)

HONEST: Final = ecdsa_key("ec-1")
ATTACKER: Final = rsa_key("attacker")
Forge = Callable[[dict[str, Any], dict[str, Any]], str]


def encrypted(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return what looks like an encrypted token whose parts are the claims in the clear."""
    return ".".join(
        (b64(json.dumps(header).encode()), "", b64(b"i" * 12), b64(json.dumps(claims).encode()), b64(b"t" * 16))
    )


def deflated(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return a token that is signed over compressed claims."""
    body = zlib.compress(json.dumps(claims).encode())
    return HONEST.sign_bytes({**header, "zip": "DEF"}, body)


FORGED: Final[dict[str, Forge]] = {
    "crit": lambda header, claims: HONEST.sign({**header, "crit": ["x"], "x": 1}, claims),
    "crit of what is known": lambda header, claims: HONEST.sign({**header, "crit": ["exp"]}, claims),
    "crit that is empty": lambda header, claims: HONEST.sign({**header, "crit": []}, claims),
    "crit that is null": lambda header, claims: HONEST.sign({**header, "crit": None}, claims),
    "crit that is text": lambda header, claims: HONEST.sign({**header, "crit": "b64"}, claims),
    "unencoded": lambda header, claims: HONEST.sign({**header, "b64": False}, claims),
    "unencoded and critical": lambda header, claims: HONEST.sign({**header, "b64": False, "crit": ["b64"]}, claims),
    "its own key": lambda header, claims: ATTACKER.sign({**header, "alg": "RS256", "jwk": ATTACKER.jwk()}, claims),
    "its own key, named as a known one": lambda header, claims: ATTACKER.sign(
        {**header, "alg": "RS256", "kid": "rsa-1", "jwk": ATTACKER.jwk(kid="rsa-1")}, claims
    ),
    "compressed": deflated,
    "encrypted and compressed": lambda header, claims: encrypted({**header, "enc": "A128GCM", "zip": "DEF"}, claims),
    "encrypted with a password": lambda _, claims: encrypted(
        {"alg": "PBES2-HS256+A128KW", "p2c": 2**31, "enc": "x"}, claims
    ),
    "a plain token in an encrypted one": lambda _, claims: encrypted(
        {"alg": "dir", "enc": "A256GCM", "cty": "JWT"}, {"jwt": f"{unsigned({'alg': 'none'}, claims)}."}
    ),
    "a plain token in a signed one": lambda header, claims: HONEST.sign_bytes(
        {**header, "cty": "JWT"}, f"{unsigned({'alg': 'none'}, claims)}.".encode()
    ),
    "the JSON form": lambda _, claims: json.dumps({"payload": b64(json.dumps(claims).encode()), "protected": "x"}),
    "a header of 100 KB": lambda header, claims: HONEST.sign({**header, "x": "y" * 100_000}, claims),
    "claims of 100 KB": lambda header, claims: HONEST.sign(header, {**claims, "x": "y" * 100_000}),
    "a header that is deep": lambda _, claims: HONEST.sign_raw(b'{"alg":' + b"[" * 20_000, json.dumps(claims).encode()),
    "a header that is a list": lambda _, claims: HONEST.sign_raw(b"[]", json.dumps(claims).encode()),
    "claims that are text": lambda header, _: HONEST.sign_bytes(header, b'"sub"'),
    "the algorithm twice": lambda _, claims: HONEST.sign_raw(
        b'{"alg":"ES256","alg":"none","kid":"ec-1"}', json.dumps(claims).encode()
    ),
}


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return an OpenID provider and all around it."""
    with bench() as made:
        made.build("oidc", options(made))
        yield made


@pytest.mark.parametrize("case", FORGED)
def test_a_token_that_fooled_a_library_is_refused(on: Bench, case: str) -> None:
    """Otherwise an old advisory is a way to be anybody here, or a 500."""
    forging(on, FORGED[case])

    with pytest.raises(ProviderBroken):
        on.log_in()


def test_the_forge_itself_makes_good_tokens(on: Bench) -> None:
    """Otherwise the tokens above are refused for a mistake of this test's."""
    forging(on, HONEST.sign)

    assert on.log_in().subject


MALFORMED: Final[dict[str, Any]] = {
    "nothing": {},
    "no numbers": {"kty": "RSA"},
    "numbers that are none": {"kty": "RSA", "n": "!!", "e": "AQAB"},
    "empty numbers": {"kty": "RSA", "n": "", "e": ""},
    "an exponent of nothing": rsa_key("k").jwk(e="AA"),
    "an exponent of one": rsa_key("k").jwk(e="AQ"),
    "a list for a number": rsa_key("k").jwk(n=["a"]),
    "a point at nowhere": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
    "half a point": {"kty": "EC", "crv": "P-256", "x": ecdsa_key("k").jwk()["x"]},
    "a point of another curve": {**ecdsa_key("k").jwk(), "crv": "P-521"},
    "an empty point": {"kty": "OKP", "crv": "Ed25519", "x": ""},
    "a short point": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
    "a secret": {"kty": "oct", "k": b64(b"k" * 32)},
    "null": None,
    "a number": 7,
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_key_that_is_malformed_is_passed_over(case: str) -> None:
    """Otherwise one broken entry of a key set is a 500 for everybody."""
    keys = read_keys(json.dumps({"keys": [MALFORMED[case], rsa_key("good").jwk()]}).encode())

    assert [key.kid for key in keys] == ["good"]


ODD: Final = (
    None,
    "",
    "RSA",
    "EC",
    "OKP",
    "oct",
    "P-256",
    "Ed25519",
    "AQAB",
    "sig",
    "!",
    7,
    True,
    -1.5,
    [],
    ["verify"],
    {},
)
MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e", "use", "alg", "key_ops", "kid")


@given(st.lists(st.dictionaries(st.sampled_from(MEMBERS), st.sampled_from(ODD), max_size=5), max_size=5))
def test_no_key_set_whatever_raises(keys: list[dict[str, Any]]) -> None:
    """Otherwise a shape nobody thought of does."""
    found = read_keys(json.dumps({"keys": [*keys[:90], rsa_key("good").jwk()]}).encode())

    assert found[-1].kid == "good"


@given(st.text(alphabet="eyJhbGciOi.-_+/=\x00é", max_size=80))
def test_no_text_whatever_raises(token: str) -> None:
    """Otherwise a token endpoint's garbage is a traceback."""
    with pytest.raises(ProviderBroken):
        read(token, ALGORITHMS)
