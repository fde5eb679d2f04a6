"""Which application asks: client id and secret by HTTP Basic (RFC 7617).

Pure. An unknown id takes as long as a wrong secret and gets the same answer, so nobody learns
which applications there are.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import ClassVar, Final

from identity.errors import BadInput
from identity.types import ClientId
from identity.web.state.context import RegisteredApp
from options.secret import Secret

_LONGEST: Final = 1_024
_COMPARED: Final = 2
"""An application has one secret, or two while it is changed."""
_NOBODY: Final = (Secret(b"\0" * 32),) * _COMPARED


class CallerUnknown(BadInput):
    """The caller is no registered application, or did not prove it."""

    status: ClassVar[int] = 401
    default_code = "client"
    default_public = "Send a registered client id and its secret by HTTP Basic authentication."


def identify(authorization: str, apps: Mapping[ClientId, RegisteredApp]) -> RegisteredApp:
    """Return the application that proved itself. Raises CallerUnknown."""
    client_id, secret = _credentials(authorization)
    app = apps.get(ClientId(client_id))
    # Compared as digests, so that neither length nor content of a secret shows in the time.
    # As many comparisons for everybody, or the time would tell which ids there are.
    known = app.secrets if app else ()
    matches = [_same(secret, each.reveal()) for each in (*known, *_NOBODY)[:_COMPARED]]
    if app is None or not any(matches[: len(known)]):
        raise CallerUnknown
    return app


def named(authorization: str, apps: Mapping[ClientId, RegisteredApp]) -> ClientId | None:
    """Return the registered application that is named, proven or not; None if none is."""
    try:
        client_id, _ = _credentials(authorization)
    except CallerUnknown:
        return None
    return ClientId(client_id) if ClientId(client_id) in apps else None


def _same(shown: bytes, known: bytes) -> bool:
    return bool(known) and hmac.compare_digest(
        hmac.digest(b"identityd", shown, "sha256"), hmac.digest(b"identityd", known, "sha256")
    )


def _credentials(authorization: str) -> tuple[str, bytes]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _LONGEST:
        raise CallerUnknown
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
        client_id, colon, secret = decoded.partition(b":")
        if not colon:
            raise CallerUnknown
        return client_id.decode(), secret
    except (binascii.Error, ValueError):
        raise CallerUnknown from None
