"""Signatures of OAuth 1.0a (RFC 5849 §3): what goes into the `Authorization` header of a request.

No clock, no chance, no I/O: nonce and time are arguments. Bodies are never signed here, because none is sent: protocol
parameters travel in the header only, others in the address.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from authlib.oauth1.rfc5849.parameters import prepare_headers
from authlib.oauth1.rfc5849.signature import normalize_base_string_uri, normalize_parameters
from authlib.oauth1.rfc5849.util import escape

METHODS: Final[Mapping[str, str]] = {"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256"}
"""Signature methods, each with its hash. The second is no part of the RFC; services offer it all the same."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An identifier with its shared secret (RFC 5849 §1.1): a client's, a request token's, an access token's."""

    id: str
    secret: str = field(repr=False)


def authorization(
    method: str, url: str, *, client: Credentials, token: Credentials | None, given: Mapping[str, str]
) -> str:
    """Return the header that signs a request without a body.

    Args:
        method: of HTTP.
        url: the whole address; its query is signed too.
        client: who we are.
        token: for whom, if that is known already.
        given: `oauth_…` parameters: nonce, timestamp, signature method, and those of the step.
    """
    named = {"oauth_token": token.id} if token else {}
    told = {"oauth_consumer_key": client.id, **named, "oauth_version": "1.0", **given}
    base = base_string(method, url, told)
    key = f"{escape(client.secret)}&{escape(token.secret if token else '')}"
    digest = hmac.digest(key.encode(), base.encode(), METHODS[told["oauth_signature_method"]])
    headers: dict[str, str] = prepare_headers([*told.items(), ("oauth_signature", b64encode(digest).decode())])
    return headers["Authorization"]


def base_string(method: str, url: str, told: Mapping[str, str]) -> str:
    """Return the text that is signed (RFC 5849 §3.4.1).

    The library's own function for the whole of it decodes percent signs inside `oauth_…` values, so a
    callback address or token that holds one would be signed as something else than is sent.
    """
    asked = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    signed = normalize_parameters([*asked, *told.items()])
    return "&".join(map(escape, (method.upper(), normalize_base_string_uri(url), signed)))
