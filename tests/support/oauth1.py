"""An OAuth 1.0a server on loopback, written from RFC 5849 and from nothing the providers sign with.

Verifies signature, timestamp and nonce of every request of the daemon. A request token is approved
once and exchanged once, with the verifier its own browser was given; an access token reads its
owner's profile. `tests/support/upstream.py` gives it its socket, its faults and its edits.
"""

import base64
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tests.support.clock import ManualClock

CONSUMER_KEY: Final = "identityd at example:8443/%2F+"
"""With characters that must be encoded once in the header and twice in what is signed."""
CONSUMER_SECRET: Final = "canary-c&nsumer%26/+"
REQUEST_TOKEN: Final = "/oauth/request_token"
AUTHENTICATE: Final = "/oauth/authenticate"
ACCESS_TOKEN: Final = "/oauth/access_token"
VERIFY_CREDENTIALS: Final = "/1.1/account/verify_credentials.json"
OWN_PROFILE: Final = "/oauth/me"
_HASHES: Final = {"HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256"}
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_TOLERANCE_S: Final = 300
_NEEDED: Final = frozenset(
    {"oauth_consumer_key", "oauth_signature_method", "oauth_signature", "oauth_timestamp", "oauth_nonce"}
)


# --- what is signed (RFC 5849 §3.4, §3.6) ------------------------------------------------------------


def encoded(text: str) -> str:
    """Return text percent-encoded (§3.6): everything but unreserved characters, in upper case."""
    return "".join(chr(octet) if octet in _UNRESERVED else f"%{octet:02X}" for octet in text.encode())


def base_text(method: str, url: str, parameters: Sequence[tuple[str, str]]) -> str:
    """Return the signature base string (§3.4.1) of a request without a body."""
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), parts.netloc.lower().removesuffix(_DEFAULT_PORTS[parts.scheme.lower()])
    everything = [*parse_qsl(parts.query, keep_blank_values=True), *parameters]
    pairs = sorted((encoded(name), encoded(value)) for name, value in everything if name != "oauth_signature")
    normalized = "&".join(f"{name}={value}" for name, value in pairs)
    return "&".join(encoded(part) for part in (method.upper(), f"{scheme}://{host}{parts.path or '/'}", normalized))


def signed(base: str, method: str, client_secret: str, token_secret: str) -> str:
    """Return the signature of a base string (§3.4.2)."""
    key = f"{encoded(client_secret)}&{encoded(token_secret)}"
    return base64.b64encode(hmac.digest(key.encode(), base.encode(), _HASHES[method])).decode()


def parameters_of(header: str) -> list[tuple[str, str]]:
    """Read an `Authorization` header (§3.5.1); `realm` is no parameter of the protocol."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "oauth":
        return []
    pairs = (pair.strip().partition("=") for pair in rest.split(","))
    read = [(unquote(name), unquote(value.removeprefix('"').removesuffix('"'))) for name, _, value in pairs]
    return [(name, value) for name, value in read if name != "realm"]


# --- the server ---------------------------------------------------------------------------------------


class Problem(Exception):
    """A request that is refused, with its word in OAuth Problem Reporting."""


@dataclass
class _Pending:
    secret: str
    callback: str
    verifier: str = ""
    approved: bool = False


@dataclass
class OAuth1Server:
    """The server's state. Attributes may be changed between requests."""

    clock: ManualClock
    confirms: str | None = "true"
    """What it says of the callback address; None leaves it out, as OAuth 1.0 did."""
    methods: frozenset[str] = frozenset({"HMAC-SHA1"})
    documents: dict[str, Any] = field(
        default_factory=lambda: {
            OWN_PROFILE: {"data": {"id": 4711}},
            VERIFY_CREDENTIALS: {"id": 38895958, "id_str": "38895958", "screen_name": "ada_q", "name": "Ada Quill"},
        }
    )
    """What a signed request may read, by path."""

    def __post_init__(self) -> None:
        self._pending: dict[str, _Pending] = {}
        self._owners: dict[str, str] = {}
        self._nonces: set[tuple[str, str, str]] = set()

    def post(self, url: str, header: str) -> tuple[int, dict[str, Any]]:
        """Answer for a token; status, and the members of a form."""
        try:
            return 200, self._given_token(url, header) if urlsplit(url).path == REQUEST_TOKEN else self._exchanged(
                url, header
            )
        except Problem as problem:
            return 401, {"oauth_problem": str(problem)}

    def get(self, url: str, header: str) -> tuple[int, Any]:
        """Answer for a profile; status and JSON."""
        try:
            self.verified("GET", url, header, self._owners)
        except Problem as problem:
            return 401, {"errors": [{"code": 32, "message": f"<b>{problem}</b>"}]}
        path = urlsplit(url).path
        return (200, self.documents[path]) if path in self.documents else (404, {})

    def authenticate(self, query: Mapping[str, str]) -> tuple[int, str]:
        """Let the person answer, once for each request token; status, and where the browser goes."""
        pending = self._pending.get(query.get("oauth_token", ""))
        if pending is None or pending.approved:
            return 403, "unknown or used request token"
        token = query["oauth_token"]
        if query["choice"] == "deny":
            del self._pending[token]
            return 302, _beside(pending.callback, {"denied": token})
        pending.approved, pending.verifier = True, f"canary-verifier-{secrets.token_urlsafe(16)}"
        return 302, _beside(pending.callback, {"oauth_token": token, "oauth_verifier": pending.verifier})

    def verified(self, method: str, url: str, header: str, known: Mapping[str, str] | None) -> dict[str, str]:
        """Return the parameters of a request that is genuine and new (§3.2). Raises Problem.

        `known` has the secret of each token that may be named; None means that none is.
        """
        listed = parameters_of(header)
        told = dict(listed)
        if len(told) != len(listed) or not told.keys() >= _NEEDED or told.get("oauth_version", "1.0") != "1.0":
            raise Problem("parameter_rejected")
        if told["oauth_consumer_key"] != CONSUMER_KEY:
            raise Problem("consumer_key_unknown")
        if told["oauth_signature_method"] not in self.methods:
            raise Problem("signature_method_rejected")
        token = told.get("oauth_token", "")
        if (known is None) != ("oauth_token" not in told) or (known is not None and token not in known):
            raise Problem("token_rejected")
        base = base_text(method, url, listed)
        secret = known[token] if known is not None else ""
        expected = signed(base, told["oauth_signature_method"], CONSUMER_SECRET, secret)
        if not hmac.compare_digest(expected, told["oauth_signature"]):
            raise Problem("signature_invalid")
        self._fresh(told, token)
        return told

    def _fresh(self, told: Mapping[str, str], token: str) -> None:
        at, nonce = told["oauth_timestamp"], told["oauth_nonce"]
        if not at.isdecimal() or abs(int(at) - self.clock() // 1000) > _TOLERANCE_S:
            raise Problem("timestamp_refused")
        if not nonce or (at, nonce, token) in self._nonces:
            raise Problem("nonce_used")
        self._nonces.add((at, nonce, token))

    def _given_token(self, url: str, header: str) -> dict[str, Any]:
        told = self.verified("POST", url, header, None)
        callback = urlsplit(told.get("oauth_callback", ""))
        if callback.scheme not in {"http", "https"} or not callback.netloc:
            raise Problem("parameter_absent")
        token, secret = f"canary-request-{secrets.token_urlsafe(16)}", f"canary-secret-{secrets.token_urlsafe(16)}"
        self._pending[token] = _Pending(secret, told["oauth_callback"])
        said = {} if self.confirms is None else {"oauth_callback_confirmed": self.confirms}
        return {"oauth_token": token, "oauth_token_secret": secret, **said}

    def _exchanged(self, url: str, header: str) -> dict[str, Any]:
        told = self.verified("POST", url, header, {token: each.secret for token, each in self._pending.items()})
        # Whatever comes of it, a request token is exchanged once (§2.3).
        pending = self._pending.pop(told["oauth_token"])
        if not pending.approved or not hmac.compare_digest(pending.verifier, told.get("oauth_verifier", "")):
            raise Problem("verifier_invalid")
        token, secret = f"canary-token-{secrets.token_urlsafe(16)}", f"canary-secret-{secrets.token_urlsafe(16)}"
        self._owners[token] = secret
        return {"oauth_token": token, "oauth_token_secret": secret, "user_id": "38895958", "screen_name": "ada_q"}


def _beside(callback: str, more: Mapping[str, str]) -> str:
    return f"{callback}{'&' if '?' in callback else '?'}{urlencode(more)}"


def form_of(value: object) -> bytes:
    """Return an answer as a form (§2.1); what is no object is written as text, which is no form."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, Mapping):
        return str(value).encode(errors="replace")
    return urlencode({name: said for name, said in value.items() if said is not None}, errors="replace").encode()
