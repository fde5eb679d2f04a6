"""Forged ID tokens (THREATS 3): nothing that everybody knows signs one, and no bytes do more than be refused."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.base import ProviderBroken
from tests.providers.test_oidc import options
from tests.support.bench import Bench, bench
from tests.support.signing import SigningKey, ecdsa_key, eddsa_key, rsa_key, signed_with_text, unsigned

pytestmark = pytest.mark.threat(3)

KEYS: Final = {"RSA": rsa_key("k"), "EC": ecdsa_key("k"), "OKP": eddsa_key("k")}
PUBLIC: Final[dict[str, Callable[[SigningKey], bytes]]] = {
    "the PEM": lambda key: key.public_pem(),
    "the PEM without its last line end": lambda key: key.public_pem().rstrip(),
    "the DER": lambda key: base64.b64decode(b"".join(key.public_pem().splitlines()[1:-1])),
    "the JWK": lambda key: json.dumps(key.jwk()).encode(),
    "its first number": lambda key: str(key.jwk().get("n", key.jwk().get("x"))).encode(),
    "nothing": lambda _: b"",
}


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return an OpenID provider and all around it, after a first login."""
    with bench() as made:
        made.build("oidc", options(made))
        yield made


def forging(on: Bench, forge: Callable[[dict[str, Any], dict[str, Any]], str]) -> None:
    """Let the token endpoint answer with what `forge` makes of an honest token's header and claims."""

    def edit(token: str) -> str:
        header, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
        return forge(json.loads(header), json.loads(claims))

    on.upstream.edit_token = edit


@pytest.mark.parametrize("offered", [["RS256", "ES256", "EdDSA"], ["RS256", "HS256", "none"], ["HS256"]])
@pytest.mark.parametrize("secret", PUBLIC)
@pytest.mark.parametrize("family", KEYS)
def test_a_public_key_is_no_secret(on: Bench, family: str, secret: str, offered: list[str]) -> None:
    """Otherwise whoever downloads the provider's key is everybody (RS/HS confusion)."""
    key = KEYS[family]
    on.upstream.keys = [key]
    on.upstream.edit_discovery = lambda d: d.update(id_token_signing_alg_values_supported=offered)
    forging(on, lambda header, claims: signed_with_text({**header, "alg": "HS256"}, claims, PUBLIC[secret](key)))

    with pytest.raises(ProviderBroken, match="HS256"):
        on.log_in()


def test_the_clients_own_secret_signs_nothing(on: Bench) -> None:
    """Otherwise an application that shares the client's secret makes itself anybody."""
    secret = options(on)["client_secret"].encode()
    forging(on, lambda header, claims: signed_with_text({**header, "alg": "HS256"}, claims, secret))

    with pytest.raises(ProviderBroken):
        on.log_in()


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", " none"])
@pytest.mark.parametrize("offered", [["none"], ["RS256"]])
def test_an_unsigned_token_is_nobodys(on: Bench, alg: str, offered: list[str]) -> None:
    """Otherwise a token needs no key at all, as soon as discovery says so."""
    on.upstream.edit_discovery = lambda d: d.update(id_token_signing_alg_values_supported=offered)
    forging(on, lambda header, claims: f"{unsigned({**header, 'alg': alg}, claims)}.")

    with pytest.raises(ProviderBroken):
        on.log_in()


@pytest.mark.parametrize("how", ["jwk", "jku", "x5u", "x5c"])
def test_a_token_does_not_bring_its_own_key(on: Bench, how: str) -> None:
    """Otherwise the attacker signs with a key he sends along, or makes us fetch it."""
    attacker = rsa_key("attacker")
    brought = {
        "jwk": attacker.jwk(),
        "jku": f"{on.upstream.url}/evil",
        "x5u": f"{on.upstream.url}/evil",
        "x5c": [base64.b64encode(attacker.public_pem()).decode()],
    }
    forging(on, lambda header, claims: attacker.sign({**header, "alg": "RS256", how: brought[how]}, claims))

    with pytest.raises(ProviderBroken):
        on.log_in()
    assert on.upstream.calls["/evil"] == 0


def test_a_signature_covers_the_header(on: Bench) -> None:
    """Otherwise a token is verified as one thing and read as another."""
    honest = on.upstream.signer
    forging(
        on,
        lambda header, claims: ".".join(
            [unsigned({**header, "x": 1}, claims), honest.sign(header, claims).rpartition(".")[2]]
        ),
    )

    with pytest.raises(ProviderBroken):
        on.log_in()


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES: Final = ("iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "azp", "at_hash", "auth_time", "email", "name")


def test_no_claims_do_more_than_log_in_or_be_refused(on: Bench) -> None:
    """Otherwise a provider's mistake is our 500."""

    @settings(max_examples=150)
    @given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), JSON, max_size=4))
    def answer_with(said: dict[str, Any]) -> None:
        on.upstream.edit_claims = lambda claims: claims.update(said)
        try:
            profile = on.log_in()
        except ProviderBroken:
            return
        assert profile.subject == said.get("sub", "248289761001")

    answer_with()


def test_no_header_does_more_than_be_refused(on: Bench) -> None:
    """Otherwise a stranger's header reaches a library that expects more."""

    @settings(max_examples=100)
    @given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "zip"]), JSON, max_size=3))
    def answer_with(said: dict[str, Any]) -> None:
        on.upstream.edit_header = lambda header: header.update(said)
        try:
            profile = on.log_in()
        except ProviderBroken:
            return
        assert profile.subject == "248289761001"

    answer_with()


def test_no_bytes_do_more_than_be_refused(on: Bench) -> None:
    """Otherwise garbage from a token endpoint is a traceback."""

    @settings(max_examples=150)
    @given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}"))
    def answer_with(token: str) -> None:
        on.upstream.edit_token = lambda _: token
        with pytest.raises(ProviderBroken):
            on.log_in()

    answer_with()


def test_no_damage_to_an_honest_token_goes_unnoticed(on: Bench) -> None:
    """Otherwise a token can be changed on its way."""

    @settings(max_examples=150)
    @given(st.data())
    def damage(data: st.DataObject) -> None:
        def edit(token: str) -> str:
            at = data.draw(st.integers(0, len(token) - 1))
            mark = data.draw(st.sampled_from("ABCxyz019-_.=+/ \x00é").filter(lambda each: each != token[at]))
            return token[:at] + mark + token[at + 1 :]

        on.upstream.edit_token = edit
        with pytest.raises(ProviderBroken):
            on.log_in()

    damage()
