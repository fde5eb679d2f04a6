"""A login provider on loopback that signs, remembers and refuses, as a real one does.

Speaks OpenID Connect (discovery, keys, tokens, userinfo), plain OAuth 2, GitHub's dialect and OAuth 1.0a
(`tests/support/oauth1.py`), on a real socket. Codes work once and are bound to client, redirect address and
PKCE challenge; access tokens are checked; ID tokens are signed with real keys, by `cryptography` itself and
not by the library the providers verify with. A test makes it lie by changing its attributes, and break by
putting a `Fault` on a path. What goes over the socket is in `upstream_http.py`.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.support.client_proofs import is_client, proves
from tests.support.clock import ManualClock
from tests.support.crowd import Crowded
from tests.support.faults import Fault
from tests.support.oauth1 import OAuth1Server
from tests.support.rerouting import home, rerouted
from tests.support.signing import SigningKey, ecdsa_key, rsa_key
from tests.support.upstream_http import Seen, UpstreamHandler

CLIENT_ID: Final = "identityd at example:8443"
"""With characters that Basic authentication and forms must encode."""
CLIENT_SECRET: Final = "canary-s%2Fecret/+ä"
ACCESS_TOKEN_PREFIX: Final = "canary-token-"
CODE_PREFIX: Final = "canary-code-"
_DISCOVERY: Final = "/.well-known/openid-configuration"


class Stranded(AssertionError):
    """A browser was sent where the provider knows of no login, and stays there."""


@dataclass(frozen=True, slots=True)
class _Code:
    redirect_uri: str
    challenge: str | None
    nonce: str | None
    forced: bool


@dataclass
class Upstream(Crowded):
    """The provider. Use as a context manager; attributes may be changed between requests."""

    clock: ManualClock
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "248289761001", "name": "Ada Quill"})
    """Claims of the ID token and answer of `/userinfo`."""
    profile: Any = field(default_factory=lambda: {"data": {"id": 4711}})
    """Answer of `/profile`."""
    user: Any = field(default_factory=lambda: {"id": 583231, "login": "ada-q", "name": "Ada Quill"})
    """Answer of GitHub's `/user`."""
    emails: Any = field(default_factory=list)
    """Answer of GitHub's `/user/emails`."""
    keys: list[SigningKey] = field(default_factory=lambda: [rsa_key("rsa-1"), ecdsa_key("ec-1")])
    """Published at `/jwks`."""
    signer: SigningKey = field(default_factory=lambda: ecdsa_key("ec-1"))
    """Signs ID tokens, published or not."""
    names_issuer: bool = True
    """Whether answers carry `iss` (RFC 9207), and discovery says so."""
    answers_in_forms: bool = False
    is_client: Callable[[dict[str, str]], bool] | None = None
    """Checks who asks for a token, in the place of the secret."""
    edit_discovery: Callable[[dict[str, Any]], None] = lambda _: None
    edit_header: Callable[[dict[str, Any]], None] = lambda _: None
    edit_claims: Callable[[dict[str, Any]], None] = lambda _: None
    edit_grant: Callable[[dict[str, Any]], None] = lambda _: None
    edit_token: Callable[[str], str] = lambda token: token
    answers: dict[str, Any] = field(default_factory=dict)
    """By path: further documents that want an access token."""
    guards: dict[str, Callable[[dict[str, str], str], Any]] = field(default_factory=dict)
    """By path: what is wrong with a query and an access token there, as it is answered with 400; None if nothing."""
    secret: str = CLIENT_SECRET
    registered: str = ""
    """The callback address that an operator entered; empty takes any."""
    client_auth: str = ""
    """The one way a client may show its secret, `basic` or `post`; both if empty."""
    edit_request: Callable[[dict[str, str]], object] = lambda _: None
    """What becomes of the query a browser brings for a code."""
    edit_failure: Callable[[dict[str, Any]], Any] = lambda failure: failure
    """What a token endpoint of this dialect says when it refuses."""
    edits: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    """By path: what becomes of an answer that says 200; bytes are sent as they are."""
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    """By path: headers of its answers, in the place of those of the same name."""
    faults: dict[str, Fault] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    """Requests of the daemon; what a browser asks is not among them."""
    document: dict[str, Any] | None = None
    """The discovery document of the service it stands for, as that service publishes it."""
    places: dict[str, str] = field(default_factory=lambda: {_DISCOVERY: "discovery", "/jwks": "jwks"})
    """By path: which of the public documents is there."""

    def __post_init__(self) -> None:
        self.oauth1 = OAuth1Server(self.clock)
        self._codes: dict[str, _Code] = {}
        self._tokens: set[str] = set()
        self._lock = threading.Lock()
        self.listen(type("Handler", (UpstreamHandler,), {"upstream": self}))

    @property
    def url(self) -> str:
        """Its address, which is its issuer too."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def issuer(self) -> str:
        """What it calls itself."""
        return str(self.document["issuer"]) if self.document else self.url

    def stand_for(self, document: dict[str, Any], *, discovery: str) -> None:
        """Be the service that publishes this document at that address."""
        self.document = document
        self.names_issuer = document.get("authorization_response_iss_parameter_supported", False)
        self.places = {home(discovery): "discovery", home(document["jwks_uri"]): "jwks"}
        if "ES256" not in document["id_token_signing_alg_values_supported"]:
            self.signer = rsa_key("rsa-1")

    @property
    def calls(self) -> Counter[str]:
        """How often each path was asked by the daemon."""
        return Counter(request.path for request in self.seen)

    # --- what a browser does -------------------------------------------------------------

    def visit(self, location: str, *, allow: bool = True) -> dict[str, str]:
        """Go where the daemon sent the browser, answer, and return the parameters it comes back with."""
        parts = urlsplit(rerouted(location, self.url))
        target = f"{parts.path}?{parts.query}&{urlencode({'choice': 'allow' if allow else 'deny'})}"
        connection = HTTPConnection("127.0.0.1", parts.port or 80, timeout=5)
        try:
            connection.request("GET", target, headers={"X-Browser": "yes"})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 302:
            raise Stranded(body)
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query, keep_blank_values=True))

    # --- its endpoints -------------------------------------------------------------------

    def authorize(self, query: dict[str, str]) -> tuple[int, str]:
        """Check a request for a code; status, and where the browser goes or what is wrong."""
        self.edit_request(query)
        if query.get("client_id") != CLIENT_ID or query.get("response_type") != "code":
            return 400, "unknown client or response type"
        if "code_challenge" in query and query.get("code_challenge_method") != "S256":
            return 400, "the challenge is not S256"
        back = {"state": query["state"]}
        if self.names_issuer:
            back["iss"] = self.issuer
        if query["choice"] == "deny":
            return 302, f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', **back})}"
        code = CODE_PREFIX + secrets.token_urlsafe(16)
        forced = query.get("prompt") == "login" and query.get("max_age") == "0"
        with self._lock:
            self._codes[code] = _Code(query["redirect_uri"], query.get("code_challenge"), query.get("nonce"), forced)
        return 302, f"{query['redirect_uri']}?{urlencode({'code': code, **back})}"

    def token(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Exchange a code; status and answer."""
        shown = "post" if authorization is None else "basic"
        known = (CLIENT_ID, self.secret)
        proven = self.is_client(form) if self.is_client else is_client(form, authorization, known=known)
        if self.client_auth not in {"", shown} or not proven:
            return 401, {"error": "invalid_client"}
        with self._lock:
            code = self._codes.pop(form.get("code", ""), None)
        if code is None or form.get("grant_type") != "authorization_code":
            return 400, {"error": "invalid_grant"}
        if code.redirect_uri != form.get("redirect_uri") or not proves(code.challenge, form.get("code_verifier")):
            return 400, {"error": "invalid_grant", "error_description": "<b>no</b>"}
        token = self.issue_token(ACCESS_TOKEN_PREFIX)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        if code.nonce is not None:
            answer["id_token"] = self.id_token(code.nonce, token, forced=code.forced)
        self.edit_grant(answer)
        return 200, answer

    def issue_token(self, prefix: str) -> str:
        """Return a new access token that begins like this."""
        token = prefix + secrets.token_urlsafe(16)
        with self._lock:
            self._tokens.add(token)
        return token

    def id_token(self, nonce: str, access_token: str, *, forced: bool = False) -> str:
        """Sign an ID token for the person."""
        now = self.clock() // 1000
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce, **self.person}
        claims["at_hash"] = self.signer.half_hash(access_token)
        if forced:
            claims["auth_time"] = now
        header = {"alg": self.signer.alg, "typ": "JWT", "kid": self.signer.kid}
        self.edit_claims(claims)
        self.edit_header(header)
        return self.edit_token(self.signer.sign(header, claims))

    def discovery(self) -> dict[str, Any]:
        """Return the discovery document."""
        document = self.document or {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "PS256", "EdDSA"],
            "authorization_response_iss_parameter_supported": self.names_issuer,
        }
        document = {**document}
        self.edit_discovery(document)
        return document

    def get(self, path: str, query: str, authorization: str) -> tuple[int, Any]:
        """Answer a GET of the daemon; status and JSON."""
        if path in self.statuses:
            return self.statuses[path], {"message": "as the test wants it"}
        public: dict[str, Callable[[], dict[str, Any]]] = {
            "discovery": self.discovery,
            "jwks": lambda: {"keys": [key.jwk() for key in self.keys]},
        }
        if path in self.places:
            return 200, public[self.places[path]]()
        if path == "/authorize":
            asked = dict(parse_qsl(query))
            known = asked.get("client_id") == CLIENT_ID and self.registered in {"", asked.get("redirect_uri")}
            return 200 if known else 400, {}
        private = {
            "/userinfo": self.person,
            "/profile": self.profile,
            "/api/v3/user": self.user,
            "/api/v3/user/emails": self.emails,
            **self.answers,
        }
        if path not in private:
            return 404, {}
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or token not in self._tokens:
            return 401, {}
        guard = self.guards.get(path)
        wrong = guard and guard(dict(parse_qsl(query)), token)
        return (400, wrong) if wrong else (200, private[path])

    def wait_for_end(self) -> None:
        """Hold a request until the server ends."""
        self.over.wait(10)
