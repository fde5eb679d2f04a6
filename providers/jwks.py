"""Key sets (RFC 7517): which public keys of a provider may verify which signatures.

Pure. Reads a JWK Set into keys that know the algorithms they fit, so that choosing a key can
neither mix families (an RSA key as HMAC secret, CVE-2024-37568) nor use a key meant for encryption.
What is not understood is skipped, as RFC 7517 §5 has it; private and symmetric keys never count.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from joserfc.errors import JoseError
from joserfc.jwa import JWS_ALGORITHMS
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from providers.base import ProviderBroken
from providers.untrusted import base64url, given, json_object

_MOST_KEYS: Final = 100
_LONGEST: Final = 1_400
"""Of a member in base64url: an RSA modulus of 8,192 bits. Larger keys only cost time."""
_SMALLEST_RSA: Final = 2_048
"""Bits (NIST SP 800-131A)."""
_LARGEST_EXPONENT: Final = 32

_RSA: Final = ("RS256", "PS256", "RS384", "RS512", "PS384", "PS512")
_FITS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("RSA", ""): _RSA,
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("Ed25519", "EdDSA"),
}
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}

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

# RFC 9864 gives `EdDSA` the name of its curve; the old name is what most providers still write.
_VERIFIERS: Final = {alg.name: alg for alg in JWS_ALGORITHMS if alg.name in ALGORITHMS}
_VERIFIERS["EdDSA"] = _VERIFIERS["Ed25519"]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key and what it may verify."""

    kid: str | None
    algorithms: frozenset[str]
    key: Key = field(repr=False)

    def verifies(self, algorithm: str, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature is this key's. Never raises."""
        if algorithm not in self.algorithms:
            return False
        try:
            return _VERIFIERS[algorithm].verify(message, signature, self.key)
        except (JoseError, ValueError):
            return False


def read_keys(body: bytes) -> tuple[PublicKey, ...]:
    """Read a JWK Set. Raises ProviderBroken if it holds no key that can verify anything."""
    members = json_object(body, "the key set").get("keys")
    if not isinstance(members, list) or len(members) > _MOST_KEYS:
        raise ProviderBroken("the key set has no list of keys, or too long a one")
    keys = tuple(key for member in members if (key := _read_key(member)))
    if not keys:
        raise ProviderBroken("the key set has no key that can verify an ID token")
    return keys


def _read_key(member: object) -> PublicKey | None:
    if not isinstance(member, dict) or not _for_signatures(member):
        return None
    algorithms = _algorithms(member)
    if not algorithms:
        return None
    kty = member["kty"]
    public = {name: member.get(name) for name in _MEMBERS[kty]}
    if not all(isinstance(value, str) and len(value) <= _LONGEST for value in public.values()):
        return None
    kid = member.get("kid")
    key = _import(kty, {"kty": kty, **{name: str(value) for name, value in public.items()}})
    return PublicKey(kid if isinstance(kid, str) and kid else None, algorithms, key) if key else None


def _for_signatures(member: Mapping[str, object]) -> bool:
    use, operations = member.get("use"), member.get("key_ops")
    verifies = not given(operations) or (isinstance(operations, list) and "verify" in operations)
    return verifies and (not given(use) or use == "sig")


def _algorithms(member: Mapping[str, object]) -> frozenset[str]:
    kty = member.get("kty")
    curve = "" if kty == "RSA" else member.get("crv")
    if not isinstance(kty, str) or not isinstance(curve, str):
        return frozenset()
    fitting = _FITS.get((kty, curve), ())
    named = member.get("alg")
    if not given(named) or (named in fitting and kty == "OKP"):
        return frozenset(fitting)
    return frozenset(name for name in fitting if name == named)


def _import(kty: str, public: dict[str, str | list[str]]) -> Key | None:
    try:
        if kty == "RSA" and not (_bits(public["n"]) >= _SMALLEST_RSA and _bits(public["e"]) <= _LARGEST_EXPONENT):
            return None
        match kty:
            case "RSA":
                return RSAKey.import_key(public)
            case "EC":
                return ECKey.import_key(public)
            case _:
                return OKPKey.import_key(public)
    except (JoseError, ProviderBroken, ValueError, TypeError):
        return None


def _bits(number: object) -> int:
    return int.from_bytes(base64url(str(number), "a key")).bit_length()
