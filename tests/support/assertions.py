"""What a token endpoint does with a JWT that proves who a client is; without the library that made it."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.support.signing import SigningKey


def pem_of(key: SigningKey) -> str:
    """Return the private key as an operator has it."""
    return key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def proven(token: str, key: SigningKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a JWT that this key signed. Raises InvalidSignature."""
    message, _, signature = token.rpartition(".")
    header, claims = (json.loads(_raw(part)) for part in message.split("."))
    _check(key, header["alg"], message.encode(), _raw(signature))
    return header, claims


def _check(key: SigningKey, algorithm: str, message: bytes, signature: bytes) -> None:
    public = key.private.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(signature, message)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        half = len(signature) // 2
        numbers = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        public.verify(encode_dss_signature(*numbers), message, ec.ECDSA(hashes.SHA256()))
    elif algorithm == "PS256":
        public.verify(signature, message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    else:
        public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
