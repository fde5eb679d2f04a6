"""Real keys that sign JWTs, made once per run; independent of the library that verifies them."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_HASHES: Final = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES: Final = {"ES256": ("P-256", 32), "ES384": ("P-384", 48), "ES512": ("P-521", 66)}
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def b64(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return header and payload as a JWS signs them."""
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"


@dataclass(frozen=True)
class SigningKey:
    """A private key, the name it is published under, and the algorithm it signs with."""

    kid: str | None
    alg: str
    private: PrivateKey = field(repr=False)

    def jwk(self, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members of a JWK
        """Return the public key as a JWK."""
        named = {} if self.kid is None else {"kid": self.kid}
        return {**self._members(), **named, "use": "sig", **more}

    def _members(self) -> dict[str, str]:
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {"kty": "RSA", "n": _number(numbers.n, (public.key_size + 7) // 8), "e": _number(numbers.e, 3)}
        if isinstance(public, ec.EllipticCurvePublicKey):
            curve, size = _CURVES[self.alg]
            point = public.public_numbers()
            return {"kty": "EC", "crv": curve, "x": _number(point.x, size), "y": _number(point.y, size)}
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}

    def public_pem(self) -> bytes:
        """Return the public key as anybody can download it."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """Return a compact JWS."""
        return self.sign_bytes(header, json.dumps(claims).encode())

    def sign_bytes(self, header: dict[str, Any], payload: bytes) -> str:
        """Return a compact JWS over any bytes."""
        return self.sign_raw(json.dumps(header).encode(), payload)

    def sign_raw(self, header: bytes, payload: bytes) -> str:
        """Return a compact JWS whose header need not even be JSON."""
        message = f"{b64(header)}.{b64(payload)}"
        return f"{message}.{b64(self._signature(message.encode()))}"

    def _signature(self, message: bytes) -> bytes:
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        digest = _HASHES[self.alg[2:]]
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            size = _CURVES[self.alg][1]
            one, other = decode_dss_signature(self.private.sign(message, ec.ECDSA(digest)))
            return one.to_bytes(size, "big") + other.to_bytes(size, "big")
        if self.alg.startswith("PS"):
            scheme: padding.AsymmetricPadding = padding.PSS(padding.MGF1(digest), digest.digest_size)
        else:
            scheme = padding.PKCS1v15()
        return self.private.sign(message, scheme, digest)

    def half_hash(self, text: str) -> str:
        """Return `at_hash` of an access token (OpenID Connect Core §3.1.3.6)."""
        digest = hashlib.new("sha512" if self.alg == "EdDSA" else f"sha{self.alg[2:]}", text.encode()).digest()
        return b64(digest[: len(digest) // 2])


def _number(value: int, size: int) -> str:
    return b64(value.to_bytes(size, "big"))


def signed_with_text(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    """Return a JWS whose HMAC key is some public text, as in key confusion attacks."""
    message = unsigned(header, claims)
    return f"{message}.{b64(hmac.digest(key, message.encode(), 'sha256'))}"


@cache
def rsa_key(kid: str | None, *, alg: str = "RS256", size: int = 2048) -> SigningKey:
    """Return an RSA key; the same for the same arguments."""
    return SigningKey(kid, alg, rsa.generate_private_key(65537, size))


@cache
def ecdsa_key(kid: str | None, *, alg: str = "ES256") -> SigningKey:
    """Return an elliptic curve key; the same for the same arguments."""
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    return SigningKey(kid, alg, ec.generate_private_key(curves[alg]))


@cache
def eddsa_key(kid: str | None) -> SigningKey:
    """Return an Ed25519 key; the same for the same argument."""
    return SigningKey(kid, "EdDSA", ed25519.Ed25519PrivateKey.generate())
