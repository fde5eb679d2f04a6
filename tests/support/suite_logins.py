"""What the conformance suite does in the modules of its login plans, done by our signing upstream."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from tests.support.signing import SigningKey, b64, rsa_key
from tests.support.upstream import Upstream

Edit = Callable[[Upstream], None]
OTHER: Final = "https://evil.example"


def claims(**changed: Any) -> Edit:  # noqa: ANN401 - claims of any type
    """Return an edit of the ID token's claims; None takes one out."""

    def edit(said: dict[str, Any]) -> None:
        said.update(changed)
        for name in [name for name, value in changed.items() if value is None]:
            said.pop(name)

    return lambda upstream: setattr(upstream, "edit_claims", edit)


def nameless(*keys: str) -> Edit:
    """Return an edit that signs with the first of these RSA keys, and publishes all, without names."""

    def edit(upstream: Upstream) -> None:
        upstream.keys = [replace(rsa_key(key), kid=None) for key in keys]
        upstream.signer = upstream.keys[0]
        upstream.edit_header = lambda header: header.pop("kid")

    return edit


def unsigned_token(upstream: Upstream) -> None:
    """Send `alg: none` and no signature."""
    header = b64(b'{"alg":"none"}')
    upstream.edit_token = lambda token: f"{header}.{token.split('.')[1]}."


def spoilt(upstream: Upstream) -> None:
    """Sign, and change the signature."""
    upstream.edit_token = lambda token: f"{token.rpartition('.')[0]}.{b64(bytes(256))}"


def other_person(upstream: Upstream) -> None:
    """Say at the userinfo endpoint that it is another person."""
    upstream.edits["/userinfo"] = lambda said: {**said, "sub": "another"}


def names_in_userinfo(upstream: Upstream) -> None:
    """Say names and addresses at the userinfo endpoint alone."""
    upstream.edits["/userinfo"] = lambda said: {**said, "preferred_username": "of-userinfo"}
    upstream.edit_claims = lambda said: said.pop("name")


def basic_only(upstream: Upstream) -> None:
    """Take the secret in the header alone, and say so."""
    upstream.client_auth = "basic"


def keys_elsewhere(upstream: Upstream) -> None:
    """Have the keys at another address than usual."""
    upstream.places["/jwksQxWzVnTbLk"] = upstream.places.pop("/jwks")
    upstream.edit_discovery = lambda said: said.update(jwks_uri=f"{upstream.url}/jwksQxWzVnTbLk")


def other_issuer(upstream: Upstream) -> None:
    """Name another issuer in the discovery document."""
    upstream.edit_discovery = lambda said: said.update(issuer=OTHER)


def replace_keys(upstream: Upstream, name: str = "new") -> None:
    """Make and publish a new key in the place of all others."""
    new: SigningKey = rsa_key(name)
    upstream.keys, upstream.signer = [new], new


def replace_keys_before_signing(upstream: Upstream) -> None:
    """Do so when the claims are made and not signed yet."""
    upstream.edit_claims = lambda _: replace_keys(upstream)
    upstream.edit_header = lambda header: header.update(kid=upstream.signer.kid)


def nothing(_: Upstream) -> None:
    """Answer as it should."""


DOES: Final[Mapping[str, Edit]] = {
    "oidcc-client-test": nothing,
    "oidcc-client-test-invalid-iss": claims(iss=OTHER),
    "oidcc-client-test-missing-sub": claims(sub=None),
    "oidcc-client-test-invalid-aud": claims(aud="another client"),
    "oidcc-client-test-missing-iat": claims(iat=None),
    "oidcc-client-test-kid-absent-single-jwks": nameless("one"),
    "oidcc-client-test-kid-absent-multiple-jwks": nameless("one", "two"),
    "oidcc-client-test-idtoken-sig-rs256": nothing,
    "oidcc-client-test-idtoken-sig-none": unsigned_token,
    "oidcc-client-test-invalid-sig-rs256": spoilt,
    "oidcc-client-test-userinfo-invalid-sub": other_person,
    "oidcc-client-test-nonce-invalid": claims(nonce="another"),
    "oidcc-client-test-scope-userinfo-claims": names_in_userinfo,
    "oidcc-client-test-client-secret-basic": basic_only,
    "oidcc-client-test-discovery-openid-config": nothing,
    "oidcc-client-test-discovery-jwks-uri-keys": keys_elsewhere,
    "oidcc-client-test-discovery-issuer-mismatch": other_issuer,
    "oidcc-client-test-signing-key-rotation-just-before-signing": replace_keys_before_signing,
    "oidcc-client-test-signing-key-rotation": nothing,
}
"""By module. All sign with RS256, as the suite does for a client that is registered so."""


def as_the_suite(upstream: Upstream, document: dict[str, Any]) -> None:
    """Say what the suite's discovery documents say beside what ours do."""
    document.update(
        id_token_signing_alg_values_supported=["none", "HS256", "RS256", "PS256", "ES256", "EdDSA"],
        response_types_supported=["code", "id_token code", "token code id_token", "id_token", "token code"],
        token_endpoint_auth_methods_supported=["client_secret_basic"],
        registration_endpoint=f"{upstream.url}/register",
        claims_parameter_supported=True,
        userinfo_encryption_alg_values_supported=["RSA-OAEP", "dir"],
    )
