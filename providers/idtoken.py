"""ID tokens (OpenID Connect Core §3.1.3.7): whether one is genuine, for us, and for this login.

Pure. `read` takes a token apart and believes nothing; `signed_by` verifies it; `check` holds its
claims against what this login expects. No claim may be used before both have passed. The algorithm
is one the provider's discovery offers and we allow; the token's own header only chooses among them.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import new as new_hash
from typing import Final

from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import CompactSignature, extract_compact

from providers.base import LoginStale, ProviderBroken
from providers.jwks import SIGNATURES, fits, verifies
from providers.untrusted import base64url, given, json_object, same, seconds, subject, to_base64url, word

SKEW_S: Final = 60
_LONGEST: Final = 65_536
_PARTS: Final = 3
_ENCRYPTED_PARTS: Final = 5
_TYPES: Final = frozenset({"jwt", "id_token+jwt"})
_MOST_AUDIENCES: Final = 50


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token taken apart. `claims` must not be believed before `signed_by`."""

    algorithm: str
    kid: str | None
    what: str
    """What messages call it."""
    signed: CompactSignature = field(repr=False)
    claims: Mapping[str, object] = field(repr=False)

    def signed_by(self, keys: Iterable[Key]) -> bool:
        """Tell whether one of the keys that fit signed it."""
        return any(verifies(key, self.signed) for key in self.fitting(keys))

    def fitting(self, keys: Iterable[Key]) -> tuple[Key, ...]:
        """Return the keys that may have signed it: by `kid` if it names one, always by algorithm."""
        return tuple(key for key in keys if self.kid in (None, key.kid) and fits(key, self.algorithm))


@dataclass(frozen=True, slots=True)
class Expected:
    """What the claims of a token for this login must say."""

    issuer: str
    client_id: str
    nonce: str = field(repr=False)
    now: int
    access_token: str = field(default="", repr=False)
    authenticated_since: int | None = None
    """For a forced login: the second it was asked for."""
    repeats_nonce: bool = True
    """Whether a token without a nonce is refused; one with another nonce always is."""


def read(
    token: str, algorithms: Iterable[str], what: str = "the ID token", *, types: Collection[str] = _TYPES
) -> Unverified:
    """Take a compact JWS apart. Raises ProviderBroken for anything but one of these algorithms and types."""
    parts = _parts(token, what)
    header = json_object(base64url(parts[0], what), f"{what}'s header")
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in tuple(algorithms) or not isinstance(algorithm, str):
        raise ProviderBroken(f"{what}'s algorithm {word(algorithm)} is not one of those agreed on")
    if "crit" in header or "b64" in header:
        raise ProviderBroken(f"{what} has extensions that must be understood, and none is (RFC 7515 §4.1.11)")
    if kid == "":
        kid = None
    if kid is not None and not isinstance(kid, str):
        raise ProviderBroken(f"{what}'s key id is not text")
    _check_type(header.get("typ"), what, types)
    base64url(parts[2], what)
    try:
        signed = extract_compact(token.encode(), registry=SIGNATURES)
    except JoseError:
        raise ProviderBroken(f"{what} is not base64url") from None
    return Unverified(algorithm, kid, what, signed, json_object(signed.payload, what))


def _parts(token: str, what: str) -> list[str]:
    """Divide a compact JWS; what is none is refused by name."""
    if not token:
        raise ProviderBroken(f"{what} is missing from the token answer; is openid among the scopes granted?")
    if len(token) > _LONGEST:
        raise ProviderBroken(f"{what} is longer than {_LONGEST} characters")
    parts = token.split(".")
    if len(parts) == _ENCRYPTED_PARTS:
        raise ProviderBroken(
            f"{what} is encrypted (JWE), which is not supported: "
            "switch its encryption off for this client at the provider"
        )
    if len(parts) != _PARTS:
        raise ProviderBroken(f"{what} is of {len(parts)} parts, and a signed one has three")
    return parts


def _check_type(kind: object, what: str, types: Collection[str]) -> None:
    """Refuse tokens that say they are something else, such as a logout token (RFC 8725 §3.11)."""
    if given(kind) and not (isinstance(kind, str) and kind.lower().removeprefix("application/") in types):
        raise ProviderBroken(f"what came as {what} is of type {word(kind)}, which is another kind of token")


def check(token: Unverified, expected: Expected) -> None:
    """Hold the claims of a verified token against what is expected. Raises ProviderBroken."""
    claims = token.claims
    check_parties(token, expected.issuer, expected.client_id)
    check_times(token, expected.now)
    subject(claims.get("sub"))
    nonce = claims.get("nonce")
    needed = expected.repeats_nonce or given(nonce)
    if needed and not (isinstance(nonce, str) and same(nonce, expected.nonce)):
        raise ProviderBroken("the ID token was not made for this login (nonce)")
    _check_access_token(token, expected.access_token)
    if expected.authenticated_since is not None:
        _check_fresh(claims.get("auth_time"), expected.authenticated_since)


def check_statement(token: Unverified, issuer: str, client_id: str, *, now: int) -> None:
    """Hold a verified userinfo answer (Core §5.3.2) against who must have made it, and for whom.

    It need not say when it was made; where it says until when it is good, that counts. Raises ProviderBroken.
    """
    check_parties(token, issuer, client_id)
    expires_at = token.claims.get("exp")
    if given(expires_at) and not ((at := seconds(expires_at)) is not None and at + SKEW_S > now):
        raise ProviderBroken(f"{token.what} is expired")


def check_parties(token: Unverified, issuer: str, client_id: str) -> None:
    """Raise ProviderBroken unless this issuer made the token for this client."""
    claims, what = token.claims, token.what
    if claims.get("iss") != issuer:
        raise ProviderBroken(f"{what} is of another issuer")
    audience = claims.get("aud")
    audiences = [each for each in audience if given(each)] if isinstance(audience, list) else [audience]
    if client_id not in audiences or len(audiences) > _MOST_AUDIENCES:
        raise ProviderBroken(f"{what} is for another client")
    party = claims.get("azp")
    if party != client_id and (given(party) or len(audiences) > 1):
        raise ProviderBroken(f"{what} was issued to another client (azp)")


def check_times(token: Unverified, now: int) -> None:
    """Raise ProviderBroken unless the token says when it was issued and expires, and counts now (Unix seconds)."""
    claims, what = token.claims, token.what
    expires_at, issued_at = seconds(claims.get("exp")), seconds(claims.get("iat"))
    if expires_at is None or expires_at + SKEW_S <= now:
        raise ProviderBroken(f"{what} is expired, or does not say when it is")
    if issued_at is None or issued_at - SKEW_S > now:
        raise ProviderBroken(f"{what} is from the future, or does not say when it was issued")
    if given(claims.get("nbf")):
        begins_at = seconds(claims["nbf"])
        if begins_at is None or begins_at - SKEW_S > now:
            raise ProviderBroken(f"{what} is not valid yet")


def _check_access_token(token: Unverified, access_token: str) -> None:
    """Compare `at_hash` (Core §3.1.3.6): an access token swapped on the way is not the person's."""
    claimed = token.claims.get("at_hash")
    if not given(claimed) or not access_token:
        return
    digest = new_hash(_hash_of(token.algorithm), access_token.encode()).digest()
    if not isinstance(claimed, str) or not same(claimed, to_base64url(digest[: len(digest) // 2])):
        raise ProviderBroken("the access token does not belong to the ID token (at_hash)")


def _hash_of(algorithm: str) -> str:
    return "sha512" if algorithm in {"EdDSA", "Ed25519"} else f"sha{algorithm[2:]}"


def _check_fresh(auth_time: object, since: int) -> None:
    at = seconds(auth_time)
    if at is None or at + SKEW_S < since:
        raise LoginStale("the provider did not log the person in again as asked (auth_time)")
