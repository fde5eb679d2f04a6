"""OAuth 2.0 (RFC 6749) with PKCE (RFC 7636): the family, and the kind `oauth2` for configuration alone.

Owns the two legs every OAuth 2 provider shares: the address the browser is sent to, what it may
bring back, and the one POST that exchanges the code. A provider of this family is an
`OAuth2Provider` with its endpoints and a function that turns an access token into a `ProviderProfile`.
Access tokens are used once, for the profile, and dropped.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from urllib.parse import quote_plus

from authlib.common.urls import add_params_to_qs
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from options import types
from options.option import option, required
from options.secret import Secret
from providers import profile_paths, refusals, untrusted
from providers.addresses import optional_web_address, web_address, with_query
from providers.authorize_params import ADDED, AuthorizeParams, params_of
from providers.base import (
    Callback,
    Http,
    HttpResponse,
    LoginBegun,
    LoginStart,
    Provider,
    ProviderBroken,
    ProviderDenied,
    ProviderProfile,
    SubjectScope,
)
from providers.kind import CLIENT_SECRET, ProviderKind, ProviderSettings

_OK: Final = 200
_CREATED: Final = 201
_FORM: Final = "application/x-www-form-urlencoded"
_SIGNED: Final = "application/jwt"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def _assert(
    client: ClientAuth, _method: str, url: str, headers: dict[str, str], body: str
) -> tuple[str, dict[str, str], str]:
    """Put an assertion in the place of a secret (RFC 7523 §2.2), as the library's own methods do theirs."""
    shown = [("client_id", client.client_id), ("client_assertion_type", _ASSERTION)]
    return url, headers, add_params_to_qs(body, [*shown, ("client_assertion", client.client_secret)])


_METHODS: Final[Mapping[str, object]] = {
    "basic": "client_secret_basic",
    "post": "client_secret_post",
    "private_key_jwt": _assert,
}


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are at a provider."""

    id: str
    secret: str | Callable[[str], str] = field(repr=False)
    """Or what makes it for each exchange, told the token endpoint."""

    def secret_at(self, url: str) -> str:
        """Return what proves at this token endpoint that we are it."""
        return self.secret if isinstance(self.secret, str) else self.secret(url)


@dataclass(frozen=True, slots=True)
class Grant:
    """What the token endpoint answered."""

    access_token: str = field(repr=False)
    id_token: str = field(default="", repr=False)


def location(endpoint: str, client: Client, start: LoginStart, more: Mapping[str, str]) -> str:
    """Return where the browser is sent for a code."""
    asked = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": start.redirect_uri,
        "state": start.state,
        **more,
    }
    return with_query(endpoint, asked)


def challenge(start: LoginStart) -> dict[str, str]:
    """Return the PKCE parameters of a login; always S256."""
    return {"code_challenge": create_s256_code_challenge(start.verifier), "code_challenge_method": "S256"}


def code_of(callback: Callback, *, issuer: str = "", always_named: bool = False) -> str:
    """Return the code the browser brought back.

    Args:
        callback: the browser's answer.
        issuer: what `iss` must be if it is there (RFC 9207).
        always_named: whether a code without `iss` is refused.

    Raises:
        ProviderDenied: the person said no.
        ProviderBroken: the answer is of another login or provider, or no answer at all.
    """
    params = callback.params
    if not same(params.get("state", ""), callback.start.state):
        raise ProviderBroken("the answer belongs to another login (state)")
    named = params.get("iss") if issuer else None
    if named and named != issuer:
        raise ProviderBroken("the answer is of another issuer (RFC 9207)")
    # Before the code: on a refusal there is none, and that it is missing is not what happened.
    said = params.get("error") or ("" if params.get("code") else params.get("error_reason"))
    if said:
        raise refusal(said, "the provider's answer", no=refusals.says_no(params))
    if issuer and always_named and not named:
        raise ProviderBroken("the answer does not name its issuer although discovery promised it (RFC 9207)")
    return untrusted.token(params.get("code"), "the code")


def refusal(error: object, where: str, *, no: bool = False) -> ProviderDenied | ProviderBroken:
    """Return the exception for an `error` an upstream sent; only a harmless word of it is kept.

    `no` says that it is known already to be a denial, whatever the word.
    """
    said = error
    if isinstance(error, Mapping):
        # Facebook's are objects ({"message": …, "type": "OAuthException", "code": 190}), and Google's of some APIs.
        said = next(filter(None, map(error.get, ("type", "status"))), None)
    word = untrusted.word(said)
    text = f"{where} says {word}"
    return ProviderDenied(text) if no or refusals.is_no(said) else ProviderBroken(text, said=word)


async def exchange(
    http: Http,
    url: str,
    client: Client,
    code: str,
    *,
    start: LoginStart,
    method: str,
    pkce: bool = True,
    added: Mapping[str, str] | None = None,
) -> Grant:
    """Exchange a code at the token endpoint: one POST, never repeated.

    Args:
        http: the outbound client.
        url: the token endpoint.
        client: who we are.
        code: what `code_of` returned.
        start: the login it belongs to.
        method: how the secret is shown, `basic` or `post`.
        pkce: whether a challenge was sent.
        added: further parameters of this service's own.

    Raises:
        ProviderDenied: the provider refused the person here.
        ProviderBroken: anything else but a grant.
    """
    body = prepare_token_request(
        "authorization_code",
        redirect_uri=start.redirect_uri,
        code=code,
        code_verifier=start.verifier if pkce else None,
        **(added or {}),
    )
    headers = {"Accept": "application/json", "Content-Type": _FORM}
    target, headers, body = _show_client(client, method, url).prepare("POST", url, headers, body)
    answer = await http.fetch("POST", target, headers=headers, body=body.encode())
    return read_grant(answer.status, answer.body)


def _show_client(client: Client, method: str, url: str) -> ClientAuth:
    # RFC 6749 §2.3.1 form-encodes both before Basic; the library leaves that to its caller.
    basic, secret = method == "basic", client.secret_at(url)
    return ClientAuth(
        quote_plus(client.id) if basic else client.id, quote_plus(secret) if basic else secret, _METHODS[method]
    )


def read_grant(status: int, body: bytes) -> Grant:
    """Read the token endpoint's answer. Raises ProviderDenied or ProviderBroken."""
    if status not in {_OK, _CREATED}:
        raise _failure(status, body)
    members = untrusted.fields(body, "the token answer")
    # Some answer 200 with an error inside; others put an empty one beside a good token.
    if error := members.get("error"):
        raise refusal(error, "the token endpoint")
    kind = members.get("token_type")
    if untrusted.given(kind) and not (isinstance(kind, str) and kind.lower() == "bearer"):
        raise ProviderBroken(f"the access token is of type {untrusted.word(kind)}, and only Bearer is known")
    id_token = members.get("id_token")
    return Grant(
        access_token=untrusted.token(members.get("access_token"), "the access token"),
        id_token=id_token if isinstance(id_token, str) else "",
    )


def _failure(status: int, body: bytes) -> ProviderDenied | ProviderBroken:
    where = f"the token endpoint, which answered {status},"
    try:
        error = untrusted.fields(body, "the token answer").get("error")
    except ProviderBroken:
        error = None
    return refusal(error, where) if error else ProviderBroken(f"{where} says nothing readable")


async def fetch_json(http: Http, url: str, access_token: str, *, headers: Mapping[str, str] | None = None) -> object:
    """Fetch a JSON value with a bearer token in the header, never in the address. Raises ProviderBroken."""
    return await get_json(http, url, {"Authorization": f"Bearer {access_token}", **(headers or {})})


async def get_json(http: Http, url: str, headers: Mapping[str, str]) -> object:
    """Fetch a profile's JSON value with these headers. Raises ProviderBroken."""
    answer = await _get(http, url, {"Accept": "application/json", **headers})
    if _type_of(answer) == _SIGNED:
        raise ProviderBroken("the profile is signed or encrypted, which this kind, or its options, do not expect")
    return untrusted.json_value(answer.body, "the profile")


async def fetch_signed(http: Http, url: str, access_token: str) -> str:
    """Fetch a profile that is a JWT, and not yet verified, with a bearer token. Raises ProviderBroken."""
    answer = await _get(http, url, {"Accept": _SIGNED, "Authorization": f"Bearer {access_token}"})
    if _type_of(answer) != _SIGNED:
        raise ProviderBroken("the profile is not signed although the options say so")
    return untrusted.token(answer.body.decode(errors="replace").strip(), "the profile")


async def _get(http: Http, url: str, headers: Mapping[str, str]) -> HttpResponse:
    answer = await http.fetch("GET", url, headers=headers)
    if answer.status != _OK:
        limited = "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"
        raise Answered(answer.status, busy=limited)
    return answer


def _type_of(answer: HttpResponse) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


class Answered(ProviderBroken):
    """A profile endpoint answered with a status that is no success."""

    def __init__(self, status: int, *, busy: bool) -> None:
        self.status = status
        self.busy = busy
        """Whether it is asked too often, and would answer later."""
        super().__init__(f"the profile endpoint answered {status}")


def same(one: str, other: str) -> bool:
    """Compare what a browser brought with what it was given, in constant time."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


ReadProfile: TypeAlias = Callable[[Grant, Http], Awaitable[ProviderProfile]]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where an OAuth 2 provider is, and how it wants to be spoken to."""

    authorize: str
    token: str
    scope: str = ""
    method: str = "basic"
    """How the secret is shown: `basic` or `post`."""
    pkce: bool = True
    issuer: str = ""
    """What `iss` must be if the answer has it (RFC 9207)."""
    added: Mapping[str, str] = field(default_factory=dict)
    """Parameters the operator adds where the browser is sent."""
    forced: Mapping[str, str] = field(default_factory=dict)
    """Parameters that ask for a fresh login there."""


@dataclass(frozen=True, slots=True)
class OAuth2Provider:
    """A provider of this family: its endpoints, our client, and how a profile is read."""

    name: str
    label: str
    client: Client
    endpoints: Endpoints
    read_profile: ReadProfile

    async def begin(self, start: LoginStart, http: Http) -> LoginBegun:  # noqa: ARG002 - the family needs no call here
        """Send the browser to the authorisation endpoint. No call."""
        ends = self.endpoints
        more = {**ends.added, **(ends.forced if start.force_login else {})}
        if ends.pkce:
            more |= challenge(start)
        if ends.scope:
            more["scope"] = ends.scope
        return LoginBegun(location(ends.authorize, self.client, start, more))

    async def finish(self, callback: Callback, http: Http) -> ProviderProfile:
        """Exchange the code and read the profile. Raises ProviderDenied or ProviderBroken."""
        ends = self.endpoints
        code = code_of(callback, issuer=ends.issuer)
        grant = await exchange(
            http, ends.token, self.client, code, start=callback.start, method=ends.method, pkce=ends.pkce
        )
        return await self.read_profile(grant, http)


@dataclass(frozen=True, slots=True)
class ConfiguredProfile:
    """Reads a profile by dotted paths, for the kind `oauth2`. An empty path finds nothing."""

    url: str
    paths: Mapping[str, str]

    async def __call__(self, grant: Grant, http: Http) -> ProviderProfile:
        """Fetch and read it. One GET. Raises ProviderBroken."""
        return profile_paths.profile_at(self.paths, await fetch_json(http, self.url, grant.access_token))


_OPTIONAL: Final = types.text(empty=True)
_PARAMS: Final = params_of(
    *("access_type", "acr_values", "audience", "display", "domain_hint", "login_hint", "prompt", "ui_locales")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Options:
    """What an operator says of an OAuth 2 provider."""

    authorize_url: str = required(web_address, "Where the browser is sent.")
    token_url: str = required(web_address, "Where the code is exchanged.")
    profile_url: str = required(web_address, "Answers a bearer token with a JSON object.")
    client_id: str = required(types.text(), "The client this daemon is registered as.")
    client_secret: Secret = required(CLIENT_SECRET, "That client's secret.")
    scope: tuple[str, ...] = option(types.words, (), "What is asked for.")
    client_auth: str = option(types.word("basic", "post"), "basic", "How the secret is shown at the token endpoint.")
    issuer: str = option(
        optional_web_address, "", "What `iss` in the answer must be (RFC 9207), if the provider sends it."
    )
    authorize_params: AuthorizeParams = option(_PARAMS, (), ADDED)
    pkce: bool = option(types.flag, True, "Send a PKCE challenge; `no` only for a provider that refuses it.")
    subject: str = required(types.text(), profile_paths.SUBJECT)
    handle: str = option(_OPTIONAL, "", profile_paths.HANDLE)
    display_name: str = option(_OPTIONAL, "", profile_paths.DISPLAY_NAME)
    email: str = option(_OPTIONAL, "", profile_paths.EMAIL)
    email_verified: str = option(_OPTIONAL, "", profile_paths.EMAIL_VERIFIED)
    picture: str = option(_OPTIONAL, "", profile_paths.PICTURE)


def build(settings: ProviderSettings[OAuth2Options]) -> Provider:
    """Make a provider of the kind `oauth2`."""
    given = settings.options
    return OAuth2Provider(
        name=settings.name,
        label=settings.label,
        client=Client(given.client_id, given.client_secret.text()),
        endpoints=Endpoints(
            authorize=given.authorize_url,
            token=given.token_url,
            scope=" ".join(given.scope),
            method=given.client_auth,
            pkce=given.pkce,
            issuer=given.issuer,
            added=dict(given.authorize_params),
        ),
        read_profile=ConfiguredProfile(given.profile_url, profile_paths.paths_of(given)),
    )


KIND: Final = ProviderKind(
    name="oauth2",
    label="OAuth 2",
    subject="whatever `subject` points to; choose what never changes hands",
    options=OAuth2Options,
    scope=lambda given: SubjectScope(given.issuer or given.profile_url, given.subject),
    build=build,
)
