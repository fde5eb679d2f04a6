"""Proving to a token endpoint who we are with a key of our own (RFC 7523 §2.2): no secret is shared.

Owns the private key as an operator gives it, which signatures it can make, and the assertion that is made
for one exchange. Apple's client secret is signed with the same signer. Pure but for the clock and the
random bytes of the site.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from warnings import catch_warnings, simplefilter

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key, RSAKey
from joserfc.jws import serialize_compact

from options.option import BadOptions
from options.secret import Secret
from options.types import OptionType, or_empty
from providers.jwks import SIGNATURES, fits
from providers.kind import ProviderSite
from providers.untrusted import to_base64url

KEY_ALGORITHMS: Final = ("ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA")
"""In the order in which they are chosen for a key."""
LASTS_S: Final = 120
"""Of an assertion: a minute's difference of clocks, and the way there."""
_FAMILIES: Final = ("EC", "RSA", "OKP")
_SMALLEST_RSA: Final = 2_048


def _imported(pem: bytes) -> Key | None:
    """Return the private key in a PEM text; None if there is none, or it needs a passphrase."""
    for family in _FAMILIES:
        try:
            with catch_warnings():
                simplefilter("ignore", SecurityWarning)  # a short RSA key is refused in words, by `signer`
                key = JWKRegistry.import_key(pem, family)
        except (JoseError, ValueError, TypeError):
            continue
        return key if key.is_private else None
    return None


def _read_key(given: str) -> Secret:
    if _imported(given.encode()) is None:
        raise ValueError("holds no private key (EC, RSA or Ed25519, in PEM, without a passphrase)")
    return Secret(given)


PRIVATE_KEY: Final = OptionType("private key, PEM", _read_key, secret=True)
OPTIONAL_PRIVATE_KEY: Final = or_empty(PRIVATE_KEY)


@dataclass(frozen=True, slots=True)
class JwtSigner:
    """Signs claims with one key."""

    key: Key = field(repr=False)
    algorithm: str
    key_id: str
    """What the other side calls the key; empty if it has one only."""

    def sign(self, claims: Mapping[str, object]) -> str:
        """Return a JWT (RFC 7519) in compact form."""
        header = {"alg": self.algorithm, "typ": "JWT", **({"kid": self.key_id} if self.key_id else {})}
        return serialize_compact(header, json.dumps(claims, separators=(",", ":")), self.key, registry=SIGNATURES)


def signer(pem: Secret, *, algorithm: str, key_id: str, option: str) -> JwtSigner:
    """Return what signs with this key. Raises BadOptions, for this option, if it cannot sign so.

    Args:
        pem: the private key.
        algorithm: one of `KEY_ALGORITHMS`, or `auto` for the first of them that fits.
        key_id: see `JwtSigner`.
        option: what the key is called in the configuration.
    """
    key = _imported(pem.reveal())
    fitting = [name for name in KEY_ALGORITHMS if key and fits(key, name)]
    if key is None or not fitting:
        raise BadOptions([(option, "needs a private key (EC P-256, P-384 or P-521, RSA, or Ed25519)")])
    if isinstance(key, RSAKey) and key.raw_value.key_size < _SMALLEST_RSA:
        raise BadOptions([(option, f"needs an RSA key of at least {_SMALLEST_RSA} bits")])
    chosen = fitting[0] if algorithm == "auto" else algorithm
    if chosen not in fitting:
        raise BadOptions([(option, f"is a key that signs with {' or '.join(fitting)}, and not with {chosen}")])
    return JwtSigner(key, chosen, key_id)


@dataclass(frozen=True, slots=True)
class Assertion:
    """Makes what proves that we are a client, anew for each exchange (`private_key_jwt`)."""

    signer: JwtSigner
    client_id: str
    audience: str
    """Whom it is for; empty is the token endpoint."""
    site: ProviderSite

    def __call__(self, url: str) -> str:
        """Return an assertion for this token endpoint."""
        now = self.site.clock() // 1_000
        return self.signer.sign(
            {
                "iss": self.client_id,
                "sub": self.client_id,
                "aud": self.audience or url,
                "jti": to_base64url(self.site.random_bytes(16)),
                "iat": now,
                "exp": now + LASTS_S,
            }
        )
