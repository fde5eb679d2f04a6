"""Userinfo that comes as a JWT of the issuer's (OpenID Connect Core §5.3.2)."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from options.option import BadOptions
from providers.base import ProviderBroken
from tests.contracts.provider_cases import MISSING
from tests.providers.test_discovery import rotate
from tests.providers.test_oidc import options
from tests.support.bench import Bench, bench
from tests.support.signing import ecdsa_key, signed_with_text, unsigned
from tests.support.upstream import CLIENT_ID


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return a provider whose client is registered for signed userinfo, and all around it."""
    with bench() as made:
        made.build("oidc", options(made, userinfo="yes", userinfo_signed="yes"))
        made.upstream.headers = {"/userinfo": {"Content-Type": "application/jwt"}}
        say(made)
        yield made


def say(on: Bench, *, header: dict[str, Any] | None = None, **claims: object) -> None:
    """Let userinfo be a JWT with these claims besides the usual ones."""

    def signed(person: dict[str, Any]) -> bytes:
        said = {"iss": on.upstream.issuer, "aud": CLIENT_ID, **person, "email": "ada@x.example", **claims}
        signer = on.upstream.signer
        kept = {name: value for name, value in said.items() if value is not MISSING}
        return signer.sign({"alg": signer.alg, "kid": signer.kid, **(header or {})}, kept).encode()

    on.upstream.edits["/userinfo"] = signed


def test_what_it_says_counts(on: Bench) -> None:
    """Otherwise providers that sign userinfo cannot be used with the names that only userinfo has."""
    say(on, email_verified=True, name="Signed")
    profile = on.log_in()

    assert (profile.email, profile.email_verified, profile.name) == ("ada@x.example", True, "Signed")


def test_a_list_of_audiences_may_hold_us(on: Bench) -> None:
    """Otherwise Keycloak's, which lists them, is refused."""
    say(on, aud=[CLIENT_ID], exp=on.clock() // 1000 + 60)

    assert on.log_in().email == "ada@x.example"


WRONG: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "another issuer": ({"iss": "https://evil.example"}, "of another issuer"),
    "no issuer": ({"iss": MISSING}, "of another issuer"),
    "another audience": ({"aud": "somebody-else"}, "for another client"),
    "no audience": ({"aud": MISSING}, "for another client"),
    "issued to another": ({"azp": "somebody-else"}, "to another client"),
    "somebody else": ({"sub": "eve"}, "about somebody else"),
    "nobody": ({"sub": MISSING}, "about somebody else"),
    "expired": ({"exp": 1}, "expired"),
    "an expiry in text": ({"exp": "soon"}, "expired"),
}


@pytest.mark.parametrize("case", WRONG)
def test_it_must_be_of_the_issuer_for_us_about_this_person(on: Bench, case: str) -> None:
    """Otherwise a statement made for another client, or about somebody else, brings an address."""
    claims, said = WRONG[case]
    say(on, **claims)

    with pytest.raises(ProviderBroken, match=f"userinfo is {said}|userinfo was issued {said}"):
        on.log_in()


FORGED: Final[dict[str, Callable[[Bench, dict[str, Any]], str]]] = {
    "unsigned": lambda _, claims: f"{unsigned({'alg': 'none'}, claims)}.",
    "signed with the public key as a secret": lambda on, claims: signed_with_text(
        {"alg": "HS256"}, claims, on.upstream.signer.public_pem()
    ),
    "signed by another": lambda _, claims: ecdsa_key("forger").sign({"alg": "ES256", "kid": "ec-1"}, claims),
    "encrypted": lambda _on, _claims: "a.b.c.d.e",
    "no token": lambda _on, _claims: "not a token",
    "empty": lambda _on, _claims: "",
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forgery_is_refused(on: Bench, case: str) -> None:
    """Otherwise a signature that is asked for is not looked at."""
    claims = {"iss": on.upstream.issuer, "aud": CLIENT_ID, **on.upstream.person}
    token = FORGED[case](on, claims)
    on.upstream.edits["/userinfo"] = lambda _: token.encode()

    with pytest.raises(ProviderBroken):
        on.log_in()


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt"])
def test_another_kind_of_token_is_refused(on: Bench, typ: str) -> None:
    """Otherwise an access token in the place of userinfo says who somebody is (RFC 8725 §3.11)."""
    say(on, header={"typ": typ})

    with pytest.raises(ProviderBroken, match="another kind of token"):
        on.log_in()


def test_plain_json_is_refused_where_a_signature_is_registered(on: Bench) -> None:
    """Otherwise whoever is on the line leaves the signature out."""
    on.upstream.headers = {}
    on.upstream.edits = {}

    with pytest.raises(ProviderBroken, match="not signed although"):
        on.log_in()


def test_a_key_that_was_rotated_in_signs_userinfo_too(on: Bench) -> None:
    """Otherwise the call after the ID token's fails for the time of a rotation."""
    on.log_in()
    rotate(on, "ec-2")
    on.upstream.seen.clear()

    assert on.log_in().email == "ada@x.example"
    assert on.upstream.calls["/jwks"] == 1


def test_the_signature_needs_userinfo_to_be_asked(on: Bench) -> None:
    """Otherwise an option does nothing, and nobody notices."""
    with pytest.raises(BadOptions, match="needs userinfo = yes"):
        on.build("oidc", options(on, userinfo_signed="yes"))
