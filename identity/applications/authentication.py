"""Which application asks: client id and secret by HTTP Basic (RFC 7617).

Pure. An unknown id takes as long as a wrong secret and gets the same answer, so that a caller cannot
learn which applications there are.
"""

import base64
import binascii
import hmac
from collections.abc import Callable
from typing import ClassVar, Final, TypeAlias

from identity.applications.application import MOST_SECRETS, Application
from identity.errors import BadInput
from identity.types import ClientId
from options.secret import Secret

Find: TypeAlias = Callable[[ClientId], Application | None]

_LONGEST: Final = 1_024
_NO_SECRETS: Final = (Secret(b"\0" * 32),) * MOST_SECRETS


class ClientUnknown(BadInput):
    """The caller is no registered application, or did not prove it."""

    status: ClassVar[int] = 401
    default_code = "client"
    default_public = "Send a registered client id and its secret by HTTP Basic authentication."


def authenticate(authorization: str, find: Find) -> Application:
    """Return the application that proved itself. Raises ClientUnknown."""
    client_id, secret = _credentials(authorization)
    app = find(client_id)
    # Compared as digests, so that neither length nor content of a secret shows in the time.
    # The same number of comparisons for every id, or the time would tell which ids there are.
    known = app.secrets if app else ()
    matches = [_same(secret, each.reveal()) for each in (*known, *_NO_SECRETS)[:MOST_SECRETS]]
    if app is None or not any(matches[: len(known)]):
        raise ClientUnknown
    return app


def claimed(authorization: str, find: Find) -> ClientId | None:
    """Return the id of the registered application that is named, proven or not; None if none is."""
    try:
        client_id, _ = _credentials(authorization)
    except ClientUnknown:
        return None
    return client_id if find(client_id) else None


def _same(shown: bytes, known: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(b"identityd", shown, "sha256"), hmac.digest(b"identityd", known, "sha256"))


def _credentials(authorization: str) -> tuple[ClientId, bytes]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _LONGEST:
        raise ClientUnknown
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
        client_id, colon, secret = decoded.partition(b":")
        if not colon:
            raise ClientUnknown
        return ClientId(client_id.decode()), secret
    except (binascii.Error, ValueError):
        raise ClientUnknown from None
