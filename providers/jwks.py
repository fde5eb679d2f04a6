"""Key sets (RFC 7517): which public keys of a provider may verify which signatures.

Pure. joserfc imports the keys, knows which signatures a key fits, and verifies; so choosing a key can
neither mix families (an RSA key as HMAC secret, CVE-2024-37568) nor use a key meant for encryption.
By hand is what it leaves open: limits on numbers, members that are null, and that what is not
understood is passed over, as RFC 7517 §5 has it. Private and symmetric keys never count.
"""

from collections.abc import Mapping
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwa import JWS_ALGORITHMS
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import CompactSignature, JWSRegistry, validate_compact
from joserfc.util import base64_to_int

from providers.base import ProviderBroken
from providers.untrusted import given, json_object

_MOST_KEYS: Final = 100
_LONGEST: Final = 1_400
"""Of a member in base64url: an RSA modulus of 8,192 bits. Larger keys only cost time."""
_SMALLEST_RSA: Final = 2_048
"""Bits (NIST SP 800-131A). The library warns of smaller ones, and takes them."""
_LARGEST_EXPONENT: Final = 32
# Given private numbers, the library would take them, and may factor a modulus for it.
_PUBLIC: Final[Mapping[str, tuple[str, ...]]] = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}

ALGORITHMS: Final = (
    "RS256",
    "PS256",
    "ES256",
    "Ed25519",
    "EdDSA",
    "RS384",
    "RS512",
    "PS384",
    "PS512",
    "ES384",
    "ES512",
)
"""Asymmetric signatures only: `none` and HMAC have no place in a token signed for the public (RFC 8725 §3.1)."""


class _Signatures(JWSRegistry):
    """The algorithms above; what a header holds besides them is judged where a token is read."""

    algorithms = {alg.name: alg for alg in JWS_ALGORITHMS if alg.name in ALGORITHMS}  # noqa: RUF012 - as inherited
    # RFC 9864 gives `EdDSA` the name of its curve; the old name is what most providers still write.
    algorithms["EdDSA"] = algorithms["Ed25519"]
    default_header_registry = {}  # noqa: RUF012 - as inherited
    max_header_length = max_signature_length = 65_536


SIGNATURES: Final = _Signatures(algorithms=ALGORITHMS, strict_check_header=False)


def fits(key: Key, algorithm: str) -> bool:
    """Tell whether a key may verify this algorithm's signatures: by family, curve, and what it was made for."""
    try:
        SIGNATURES.get_alg(algorithm).check_key(key)
    except JoseError:
        return False
    return True


def issuer_of(key: Key) -> str:
    """Return whose key it is where a set is shared, as Microsoft's are; empty if it does not say."""
    return str(key.get("issuer") or "")


def verifies(key: Key, token: CompactSignature) -> bool:
    """Tell whether a token's signature is this key's. Never raises."""
    try:
        return validate_compact(token, key, registry=SIGNATURES)
    except (JoseError, ValueError):
        return False


def read_keys(body: bytes) -> tuple[Key, ...]:
    """Read a JWK Set. Raises ProviderBroken if it holds no key that can verify anything."""
    members = json_object(body, "the key set").get("keys")
    if not isinstance(members, list) or len(members) > _MOST_KEYS:
        raise ProviderBroken("the key set has no list of keys, or too long a one")
    keys = tuple(key for member in members if (key := _read_key(member)))
    if not keys:
        raise ProviderBroken("the key set has no key that can verify an ID token")
    return keys


def _read_key(member: object) -> Key | None:
    if not isinstance(member, dict) or not _for_signatures(member):
        return None
    kty, alg = member.get("kty"), member.get("alg")
    numbers = {name: member.get(name) for name in _PUBLIC.get(kty, ())} if isinstance(kty, str) else {}
    if not numbers or not all(isinstance(value, str) and len(value) <= _LONGEST for value in numbers.values()):
        return None
    # One name of the Edwards curve stands for both.
    designed = given(alg) and not (kty == "OKP" and alg in ("EdDSA", "Ed25519"))
    named = {name: value for name in ("kid", "issuer") if isinstance(value := member.get(name), str) and value}
    key = _import({"kty": kty, **numbers, **named, **({"alg": alg} if designed else {})})
    return key if key and any(fits(key, name) for name in ALGORITHMS) else None


def _for_signatures(member: Mapping[str, object]) -> bool:
    use, operations = member.get("use"), member.get("key_ops")
    verifies = not given(operations) or (isinstance(operations, list) and "verify" in operations)
    return verifies and (not given(use) or use == "sig")


def _import(public: dict[str, Any]) -> Key | None:
    try:
        if public["kty"] == "RSA" and not (
            base64_to_int(public["n"]).bit_length() >= _SMALLEST_RSA
            and base64_to_int(public["e"]).bit_length() <= _LARGEST_EXPONENT
        ):
            return None
        return JWKRegistry.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):  # the last for a curve that the library does not know
        return None
