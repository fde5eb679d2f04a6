"""How a client shows who it is at a token endpoint, as a provider looks at it."""

import base64
import hashlib
from urllib.parse import unquote_plus


def is_client(form: dict[str, str], authorization: str | None, *, known: tuple[str, str]) -> bool:
    """Tell whether a request shows the client that is known, in its form or by Basic authentication."""
    if authorization is None:
        return (form.get("client_id"), form.get("client_secret")) == known
    scheme, _, value = authorization.partition(" ")
    name, _, shown = base64.b64decode(value).decode().partition(":")
    # RFC 6749 §2.3.1: both were form-encoded before Basic.
    return scheme == "Basic" and (unquote_plus(name), unquote_plus(shown)) == known


def proves(challenge: str | None, verifier: str | None) -> bool:
    """Tell whether a verifier fits its challenge (RFC 7636, S256)."""
    if challenge is None:
        return verifier is None
    digest = hashlib.sha256((verifier or "").encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
