"""Proving to an OpenID provider who we are with a key (`private_key_jwt`): the kit, and each kind of key."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs

import pytest

from options.option import BadOptions
from providers.base import ProviderBroken
from tests.providers import test_oidc
from tests.support.assertions import pem_of, proven
from tests.support.bench import Bench, bench
from tests.support.signing import SigningKey, ecdsa_key, eddsa_key, rsa_key
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET

KEY: Final = ecdsa_key("ours")
BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def options(on: Bench, key: SigningKey = KEY, **more: str) -> dict[str, str]:
    """Return the options of the upstream's issuer, with a key in the place of a secret."""
    given = {"issuer": on.upstream.url, "client_id": CLIENT_ID, "client_auth": "private_key_jwt", "key": pem_of(key)}
    return {**given, **more}


def assertions_of(on: Bench, key: SigningKey = KEY) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return header and claims of the assertions that were sent."""
    forms = [parse_qs(each.body.decode(), strict_parsing=True) for each in on.upstream.seen if each.path == "/token"]
    assert all(form["client_assertion_type"] == [BEARER] and "client_secret" not in form for form in forms)
    return [proven(form["client_assertion"][0], key) for form in forms]


class TestOidcWithAKey(test_oidc.TestOidc):
    """Any provider with a discovery document, which knows us by our key and is answered by form."""

    INAPPLICABLE: ClassVar = {}

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options."""
        return options(on, response_mode="form_post")

    def prepare(self, made: Bench) -> None:
        """Let the upstream check the assertion."""
        made.upstream.is_client = lambda form: (
            proven(form["client_assertion"], KEY)[1]["sub"] == form["client_id"] == CLIENT_ID
        )
        super().prepare(made)


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return the provider and all around it."""
    with bench() as made:
        TestOidcWithAKey().prepare(made)
        yield made


def test_an_assertion_is_for_one_exchange_and_two_minutes(on: Bench) -> None:
    """Otherwise one that was seen on its way proves a stranger to be us (RFC 7523 §3)."""
    on.log_in()
    on.log_in()

    (header, one), (_, other) = assertions_of(on)
    now = on.clock() // 1_000
    assert header == {"alg": "ES256", "typ": "JWT"}
    assert (one["iss"], one["sub"], one["aud"]) == (CLIENT_ID, CLIENT_ID, on.upstream.url)
    assert (one["iat"], one["exp"]) == (now, now + 120)
    assert one["jti"] != other["jti"]


def test_an_assertion_may_be_for_the_token_endpoint_and_name_its_key(on: Bench) -> None:
    """Otherwise providers that want that, and those that know several keys of ours, cannot be used."""
    on.build("oidc", options(on, key_audience="token_endpoint", key_id="ours"))
    on.log_in()

    ((header, claims),) = assertions_of(on)
    assert (header["kid"], claims["aud"]) == ("ours", f"{on.upstream.url}/token")


@pytest.mark.parametrize(
    ("key", "asked", "signed"),
    [
        (ecdsa_key("e"), "auto", "ES256"),
        (rsa_key("r"), "auto", "RS256"),
        (rsa_key("r"), "PS256", "PS256"),
        (eddsa_key("d"), "auto", "EdDSA"),
    ],
)
def test_every_kind_of_key_signs(on: Bench, key: SigningKey, asked: str, signed: str) -> None:
    """Otherwise a provider that demands one of them cannot be used."""
    on.upstream.is_client = lambda form: proven(form["client_assertion"], key)[0]["alg"] == signed
    on.build("oidc", options(on, key, key_algorithm=asked))

    assert on.log_in().subject


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"key": pem_of(rsa_key("small", size=1024))}, "key: needs an RSA key of at least 2048 bits"),
        ({"key_algorithm": "RS256"}, "key: is a key that signs with ES256, and not with RS256"),
        ({"client_secret": CLIENT_SECRET}, "client_secret: is not used"),
        ({"key": ""}, "key: is missing"),
        ({"client_auth": "basic", "client_secret": CLIENT_SECRET}, "key: is not used"),
        ({"client_auth": "auto"}, "client_secret: is missing"),
    ],
)
def test_what_does_not_fit_is_said_at_the_start(on: Bench, more: dict[str, str], fault: str) -> None:
    """Otherwise the first person to log in finds out, or a key that is given proves nothing."""
    with pytest.raises(BadOptions, match=fault):
        on.build("oidc", {**options(on), **more})


def test_nothing_shows_the_key(on: Bench) -> None:
    """Otherwise a log or a traceback holds what proves that somebody is us."""
    on.upstream.is_client = lambda _: False
    with pytest.raises(ProviderBroken) as refused:
        on.log_in()

    key = pem_of(KEY).splitlines()[1]
    assert key not in f"{refused.value!r} {on.provider!r} {vars(on.provider)!r}"
