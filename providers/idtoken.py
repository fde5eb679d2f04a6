"""ID tokens (OpenID Connect Core §3.1.3.7): whether one is genuine, for us, and for this login."""

from typing import Final

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
