"""Member by member, what a provider's documents may say: needed, used if well-formed, or ignored.

The rows of docs/providers.md, "What is read", that the conformance kit does not try for every kind.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from providers.base import ProviderBroken, ProviderDenied
from providers.discovery import read_metadata
from providers.jwks import read_keys
from providers.refusals import is_no
from providers.token_endpoint import read_grant
from tests.contracts.provider_cases import SHAPES
from tests.providers.test_oidc import DISCOVERY, options
from tests.support.bench import Bench, bench
from tests.support.signing import ecdsa_key, rsa_key

ISSUER: Final = "https://id.example"
DOCUMENT: Final = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/a",
    "token_endpoint": f"{ISSUER}/t",
    "jwks_uri": f"{ISSUER}/k",
}


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return an OpenID provider and all around it."""
    with bench() as made:
        made.build("oidc", options(made))
        yield made


def saying(on: Bench, **members: object) -> Callable[[dict[str, Any]], None]:
    """Return an edit that sets these members."""
    del on
    return lambda document: document.update(members)


# --- discovery ---------------------------------------------------------------------------------------

USERINFO: Final = [
    "https://evil.example/u",
    "http://id.example/u",
    "javascript:x",
    7,
    None,
    "",
    [],
    "x" * 3000,
    {"a": 1},
]


@pytest.mark.parametrize("url", USERINFO)
def test_a_userinfo_endpoint_that_is_not_called_decides_nothing(on: Bench, url: object) -> None:
    """Otherwise an address nobody uses stops all logins."""
    on.upstream.edit_discovery = saying(on, userinfo_endpoint=url)

    assert on.log_in().subject


@pytest.mark.threat(2)
@pytest.mark.parametrize("url", USERINFO)
def test_a_userinfo_endpoint_that_is_called_must_be_right(on: Bench, url: object) -> None:
    """Otherwise whoever gets a wrong document in is sent everybody's access token."""
    on.build("oidc", options(on, userinfo="yes"))
    on.upstream.edit_discovery = saying(on, userinfo_endpoint=url)

    with pytest.raises(ProviderBroken, match="userinfo_endpoint"):
        on.begin()


@pytest.mark.parametrize("shape", SHAPES)
def test_members_of_discovery_that_are_not_used_decide_nothing(on: Bench, shape: str) -> None:
    """Otherwise a provider that writes null for what it does not have cannot be used."""
    unused = ("registration_endpoint", "end_session_endpoint", "scopes_supported", "claims_supported", "op_policy_uri")
    on.upstream.edit_discovery = saying(on, **dict.fromkeys(unused, SHAPES[shape]))

    assert on.log_in().subject


@pytest.mark.parametrize("value", [None, "", [], [None], 7, {}, "RS256", True])
def test_lists_of_discovery_that_say_nothing_are_absent(value: object) -> None:
    """Otherwise null instead of a list means that nothing is offered, and nobody can log in."""
    said = {"id_token_signing_alg_values_supported": value, "token_endpoint_auth_methods_supported": value}
    metadata = read_metadata(json.dumps({**DOCUMENT, **said}).encode(), ISSUER, ())

    assert (metadata.algorithms, metadata.client_auth) == (("RS256",), "basic")


@pytest.mark.parametrize("value", [None, "", "true", 1, [], {}, False])
def test_only_true_promises_an_issuer(value: object) -> None:
    """Otherwise answers are refused for lacking what was never promised."""
    said = {"authorization_response_iss_parameter_supported": value}

    assert not read_metadata(json.dumps({**DOCUMENT, **said}).encode(), ISSUER, ()).names_issuer


def test_hosts_that_are_refused_are_named_all_at_once_with_the_remedy() -> None:
    """Otherwise an operator starts the daemon once for each of Google's hosts."""
    said = {
        "token_endpoint": "https://t.example/t",
        "jwks_uri": "https://k.example:8443/k",
        "authorization_endpoint": 7,
    }

    with pytest.raises(ProviderBroken) as refused:
        read_metadata(json.dumps({**DOCUMENT, **said}).encode(), ISSUER, ())

    assert "authorization_endpoint is not text" in str(refused.value)
    assert "token_endpoint is on t.example" in str(refused.value)
    assert str(refused.value).endswith("set endpoint_hosts = t.example k.example:8443")


def test_an_issuer_that_differs_is_shown() -> None:
    """Otherwise the operator looks for a slash in the dark."""
    with pytest.raises(ProviderBroken, match=r"configured one: https://id\.example/$"):
        read_metadata(json.dumps({**DOCUMENT, "issuer": f"{ISSUER}/"}).encode(), ISSUER, ())


@pytest.mark.parametrize("name", DOCUMENT)
@pytest.mark.parametrize("value", [None, "", 7, True, ["x"], {"a": "b"}])
def test_what_is_needed_of_discovery_must_be_there(name: str, value: object) -> None:
    """Otherwise codes are sent to nowhere in particular."""
    with pytest.raises(ProviderBroken):
        read_metadata(json.dumps({**DOCUMENT, name: value}).encode(), ISSUER, ())


def test_a_needed_member_that_appears_twice_is_refused() -> None:
    """Otherwise parsers that disagree about which one counts are played off against each other."""
    text = json.dumps(DOCUMENT)

    with pytest.raises(ProviderBroken, match="token_endpoint"):
        read_metadata(f'{{"token_endpoint": "{ISSUER}/t", {text[1:]}'.encode(), ISSUER, ())


# --- keys ----------------------------------------------------------------------------------------------

KEYS: Final = {"RSA": rsa_key("k"), "EC": ecdsa_key("k")}


@pytest.mark.parametrize("family", KEYS)
@pytest.mark.parametrize("name", ["use", "key_ops", "alg", "x5c", "x5t", "nbf", "exp", "ext"])
def test_a_key_with_null_members_is_a_key(family: str, name: str) -> None:
    """Otherwise a provider that writes null for what it does not say has no key at all."""
    keys = read_keys(json.dumps({"keys": [KEYS[family].jwk(**{name: None})]}).encode())

    assert [key.kid for key in keys] == ["k"]


@pytest.mark.parametrize("curve", [None, "", 7, "P-256", ["x"]])
def test_a_curve_says_nothing_about_an_rsa_key(curve: object) -> None:
    """Otherwise a member that only other keys have decides about this one."""
    assert len(read_keys(json.dumps({"keys": [rsa_key("k").jwk(crv=curve)]}).encode())) == 1


@pytest.mark.parametrize("kid", [None, "", 7, ["k"]])
def test_a_key_whose_id_is_no_text_has_none(kid: object) -> None:
    """Otherwise a set is refused for one odd name."""
    assert [key.kid for key in read_keys(json.dumps({"keys": [rsa_key("k").jwk(kid=kid)]}).encode())] == [None]


def test_two_keys_of_one_id_are_both_tried(on: Bench) -> None:
    """Otherwise a provider that gives its RSA and its EC key one name logs nobody in."""
    on.upstream.keys = [ecdsa_key("ec-1", alg="ES384"), rsa_key("ec-1"), ecdsa_key("ec-1")]

    assert on.log_in().subject


@pytest.mark.parametrize("shape", SHAPES)
def test_members_of_a_key_set_that_are_no_keys_decide_nothing(shape: str) -> None:
    """Otherwise one entry of a kind nobody knows locks everybody out."""
    body = json.dumps({"keys": [SHAPES[shape], {"kty": SHAPES[shape]}, rsa_key("k").jwk()], "x": SHAPES[shape]})

    assert [key.kid for key in read_keys(body.encode())] == ["k"]


# --- the ID token ----------------------------------------------------------------------------------------

CLAIMS: Final = (
    "azp",
    "nbf",
    "at_hash",
    "auth_time",
    "acr",
    "amr",
    "email",
    "email_verified",
    "name",
    "picture",
    "jti",
)


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("nothing", [None, ""])
def test_a_claim_that_is_null_or_empty_is_absent(on: Bench, name: str, nothing: object) -> None:
    """Otherwise a provider that writes null, or nothing, for what it does not know logs nobody in."""
    on.upstream.edit_claims = saying(on, **{name: nothing})

    assert on.log_in().subject


@pytest.mark.parametrize("name", ["auth_time", "acr", "amr", "email", "email_verified", "name", "picture", "locale"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_claim_that_is_only_information_decides_nothing(on: Bench, name: str, shape: str) -> None:
    """Otherwise an address that is a list is a failed login."""
    on.upstream.edit_claims = saying(on, **{name: SHAPES[shape]})

    assert on.log_in().email_verified is False


@pytest.mark.parametrize("header", [{"kid": None}, {"kid": ""}, {"typ": None}, {"typ": ""}, {"typ": "application/jwt"}])
def test_a_header_may_leave_its_names_empty(on: Bench, header: dict[str, object]) -> None:
    """Otherwise providers that fill in a template cannot be used."""
    on.upstream.edit_header = saying(on, **header)

    assert on.log_in().subject


@pytest.mark.parametrize("audience", [[None], ["", None]])
def test_null_is_no_audience(on: Bench, audience: list[object]) -> None:
    """Otherwise an empty place in the list asks for an `azp` that nobody needs."""
    on.upstream.edit_claims = lambda claims: claims.update(aud=[claims["aud"], *audience])

    assert on.log_in().subject


SAID: Final[dict[str, tuple[Callable[[str], str], str]]] = {
    "missing": (lambda _: "", "is missing from the token answer"),
    "encrypted": (lambda _: "a.b.c.d.e", "is encrypted .JWE., which is not supported: switch"),
    "two parts": (lambda _: "a.b", "of 2 parts"),
    "long": (lambda token: token + "A" * 70_000, "longer than 65536"),
}


@pytest.mark.parametrize("case", SAID)
def test_a_failure_over_an_id_token_says_what_it_was(on: Bench, case: str) -> None:
    """Otherwise the operator cannot tell a setting over there from an attack."""
    on.upstream.edit_token, said = SAID[case]

    with pytest.raises(ProviderBroken, match=said):
        on.log_in()


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "secevent+jwt"])
def test_a_type_that_is_refused_is_named(on: Bench, typ: str) -> None:
    """Otherwise the log says "(unreadable)" of a word that everybody can read."""
    on.upstream.edit_header = saying(on, typ=typ)

    with pytest.raises(ProviderBroken, match=typ.replace("+", r"\+")):
        on.log_in()


@pytest.mark.parametrize("value", [None, 7, ["x"], {"a": 1}, ""])
def test_a_grant_whose_id_token_is_none_says_so(on: Bench, value: object) -> None:
    """Otherwise null instead of a token looks like a token of no parts."""
    on.upstream.edit_grant = saying(on, id_token=value)

    with pytest.raises(ProviderBroken, match="ID token is missing"):
        on.log_in()


# --- userinfo ----------------------------------------------------------------------------------------------


def with_userinfo(on: Bench, **said: object) -> Bench:
    """Let userinfo say this beside what the ID token says."""
    on.build("oidc", options(on, userinfo="yes"))
    own = {"email": "own@x.example", "email_verified": True, "name": "Own", "preferred_username": "own"}
    on.upstream.person = {"sub": "a"}
    on.upstream.edit_claims = saying(on, **own)
    on.upstream.edits = {"/userinfo": lambda value: {**value, **said}}
    return on


@pytest.mark.parametrize("nothing", [None, ""])
def test_what_userinfo_does_not_know_the_id_token_may_say(on: Bench, nothing: object) -> None:
    """Otherwise null in the one takes away what the other said."""
    names = ("email", "email_verified", "name", "preferred_username", "picture")
    profile = with_userinfo(on, **dict.fromkeys(names, nothing)).log_in()

    assert (profile.email, profile.email_verified, profile.name, profile.handle) == (
        "own@x.example",
        True,
        "Own",
        "own",
    )


@pytest.mark.parametrize("email", [7, True, ["a@x.example"], {"a": 1}, "nobody", "a b@x.example", "@"])
def test_an_address_of_userinfo_that_is_none_takes_away_no_other(on: Bench, email: object) -> None:
    """Otherwise a member that cannot be used takes away the address the ID token said, and that it was checked."""
    profile = with_userinfo(on, email=email, email_verified=False).log_in()

    assert (profile.email, profile.email_verified) == ("own@x.example", True)


def test_userinfo_that_is_signed_is_named_as_that(on: Bench) -> None:
    """Otherwise a setting at the provider looks like broken JSON."""
    on.build("oidc", options(on, userinfo="yes"))
    on.upstream.headers = {"/userinfo": {"Content-Type": "application/jwt; charset=utf-8"}}

    with pytest.raises(ProviderBroken, match="signed or encrypted"):
        on.log_in()


# --- the token endpoint, without a login ------------------------------------------------------------------

GRANTS: Final = {
    "null beside a good token": (200, b'{"access_token": "a", "error": null}', None),
    "an unused member twice": (200, b'{"scope": 1, "access_token": "a", "scope": 2}', None),
    "a form with empty members": (200, b"access_token=a&scope=&error=&token_type=", None),
    "a form with an unused member that is no text": (200, b"access_token=a&scope=%ff", None),
    "a form of many members": (200, b"access_token=a&" + b"&".join(b"a%d=1" % n for n in range(200)), None),
    "a form with a line end": (200, b"access_token=a&token_type=bearer\n", None),
    "the token twice": (200, b'{"access_token": "a", "access_token": "a"}', ProviderBroken),
    "an error twice": (200, b'{"error": null, "access_token": "a", "error": null}', ProviderBroken),
    "Facebook's error": (400, b'{"error": {"message": "x", "type": "OAuthException", "code": 100}}', ProviderBroken),
    "an error that is a list": (400, b'{"error": ["access_denied"]}', ProviderBroken),
    "a no": (401, b'{"error": "user_denied"}', ProviderDenied),
    "null": (400, b'{"error": null}', ProviderBroken),
    "a list": (400, b"[]", ProviderBroken),
    "a page": (502, b"<html>", ProviderBroken),
}


@pytest.mark.parametrize("case", GRANTS)
def test_a_token_answer_is_read_by_what_it_needs(case: str) -> None:
    """Otherwise a member that nobody reads fails a login, or one of another shape is our fault."""
    status, body, refusal = GRANTS[case]
    if refusal is None:
        assert read_grant(status, body).access_token == "a"
    else:
        with pytest.raises(refusal):
            read_grant(status, body)


def test_facebooks_error_is_named_by_its_type() -> None:
    """Otherwise the operator reads "(unreadable)" and nothing else."""
    with pytest.raises(ProviderBroken, match="says OAuthException"):
        read_grant(400, b'{"error": {"message": "<b>", "type": "OAuthException", "code": 100}}')


@pytest.mark.parametrize(
    "word",
    [
        "server_error",
        "temporarily_unavailable",
        "invalid_scope",
        "invalid_request",
        "unauthorized_client",
        "",
        "x" * 999,
    ],
)
def test_a_fault_is_not_taken_for_a_no(word: str) -> None:
    """Otherwise a broken configuration looks as if everybody had changed their mind."""
    assert not is_no(word)


def test_discovery_is_where_the_tables_think_it_is(on: Bench) -> None:
    """Otherwise the edits above change nothing, and every row passes."""
    on.upstream.edits = {DISCOVERY: lambda _: {"issuer": "https://evil.example"}}

    with pytest.raises(ProviderBroken):
        on.begin()
