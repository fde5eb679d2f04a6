"""What the conformance suite does when a browser comes to log out: checks, a token, a frame, and the way back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from providers.logout_token import EVENT
from tests.support.browser import Reply
from tests.support.posting import NAME, Posting
from tests.support.signing import SigningKey, ecdsa_key, rsa_key, unsigned
from tests.support.upstream import CLIENT_ID

Claims = dict[str, Any]
Signs = Callable[[SigningKey, Claims], str]
_BACK: Final = "oidcc-client-test-rp-backchannel-rpinitlogout"


def signed(key: SigningKey, claims: Claims) -> str:
    """Sign as a provider does."""
    return key.sign({"alg": key.alg, "kid": key.kid, "typ": "logout+jwt"}, claims)


def with_claims(**changed: Any) -> Signs:  # noqa: ANN401 - claims of any type
    """Return what signs other claims; None takes one out."""

    def sign(key: SigningKey, claims: Claims) -> str:
        return signed(key, {name: said for name, said in {**claims, **changed}.items() if said is not None})

    return sign


def unsigned_token(_: SigningKey, claims: Claims) -> str:
    """Return a token with `alg: none` and no signature."""
    return f"{unsigned({'alg': 'none'}, claims)}."


def by_another_algorithm(_: SigningKey, claims: Claims) -> str:
    """Sign with a key that is published too, and is of another algorithm than the client's."""
    return signed(ecdsa_key("ec-1"), claims)


SIGNS: Final[Mapping[str, Signs]] = {
    _BACK: signed,
    f"{_BACK}-alg-none": unsigned_token,
    f"{_BACK}-no-event": with_claims(events=None),
    f"{_BACK}-with-nonce": with_claims(nonce="of-some-login"),
    f"{_BACK}-wrong-alg": by_another_algorithm,
    f"{_BACK}-wrong-aud": with_claims(aud="another client"),
    f"{_BACK}-wrong-event": with_claims(events={"http://schemas.openid.net/event/foobar": {}}),
    f"{_BACK}-wrong-iss": with_claims(iss="https://evil.example"),
}
"""By module of the back-channel plan: how its logout token is made."""
STATES: Final[Mapping[str, Callable[[str], dict[str, str]]]] = {
    "oidcc-client-test-rp-init-logout": lambda state: {"state": state},
    "oidcc-client-test-rp-init-logout-other-state": lambda _: {"state": "another-one"},
    "oidcc-client-test-rp-init-logout-no-state": lambda _: {},
}
"""By module of the plan for RP-initiated logout: what it leads back with."""


@dataclass
class SuiteLogouts:
    """The suite's end of a logout, at our upstream.

    Args:
        op: the daemon and the upstream.
        back_channel: whether the client has an address for logout tokens.
        front_channel: whether it has one for frames, and wants the session named.
    """

    op: Posting
    back_channel: bool = False
    front_channel: bool = False
    issued: list[str] = field(default_factory=list)
    """Every ID token that left the upstream."""
    told: list[Reply] = field(default_factory=list)
    """What its logout tokens were answered."""
    framed: list[Reply] = field(default_factory=list)

    def __post_init__(self) -> None:
        upstream = self.op.upstream
        upstream.keys = [rsa_key("rsa-1"), ecdsa_key("ec-1")]
        upstream.signer = rsa_key("rsa-1")
        upstream.edit_discovery = lambda said: said.update(end_session_endpoint=f"{upstream.url}/end_session_endpoint")
        upstream.edit_token = self._issue

    def options(self) -> dict[str, str]:
        """Return the options of the provider's section, beside who it is."""
        wanted = {"backchannel_logout": self.back_channel, "frontchannel_logout": self.front_channel}
        return {"logout_at_provider": "offer", **{name: "yes" for name, needed in wanted.items() if needed}}

    def leads_back(self, location: str, module: str = "") -> str:
        """Check where a browser came to log out, tell the client of it, and return where the browser goes then."""
        address, _, query = location.partition("?")
        asked = dict(parse_qsl(query, strict_parsing=True))
        assert address == f"{self.op.upstream.url}/end_session_endpoint"
        assert asked["id_token_hint"] in self.issued
        assert asked["post_logout_redirect_uri"] == f"{self.op.site.public_url}/logged-out"
        assert asked["state"]
        if self.back_channel:
            self.tell(SIGNS.get(module, signed))
        if self.front_channel:
            self.frame()
        more = STATES.get(module, STATES["oidcc-client-test-rp-init-logout"])(asked["state"])
        back = urlsplit(asked["post_logout_redirect_uri"]).path
        return f"{back}?{urlencode(more)}" if more else back

    def tell(self, sign: Signs) -> Reply:
        """Send a logout token for the session there, beside a field that means nothing."""
        upstream, now = self.op.upstream, self.op.site.clock() // 1000
        claims = {"iss": upstream.url, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": f"jti-{len(self.told)}"}
        claims |= {"sub": upstream.person["sub"], "sid": upstream.person["sid"], "events": {EVENT: {}}}
        claims["ignored_claim"] = "what is not understood is ignored"
        fields = {"logout_token": sign(upstream.signer, claims), "ignored_parameter": "this, too"}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(fields).encode()
        self.told.append(self.op.site.public("POST", f"/login/{NAME}/backchannel", headers=headers, body=body))
        return self.told[-1]

    def frame(self) -> Reply:
        """Load the client's address as a frame of a page at the upstream does: without a cookie."""
        query = urlencode({"iss": self.op.upstream.url, "sid": self.op.upstream.person["sid"]})
        headers = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}
        self.framed.append(self.op.site.public("GET", f"/login/{NAME}/frontchannel?{query}", headers=headers))
        return self.framed[-1]

    def _issue(self, token: str) -> str:
        self.issued.append(token)
        return token
