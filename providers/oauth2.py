"""OAuth 2.0 (RFC 6749) with PKCE (RFC 7636): the family, and the kind `oauth2` for configuration alone.

Owns the two legs every OAuth 2 provider shares: the address the browser is sent to, and what it may
bring back; the POST that exchanges the code is `token_endpoint.py`. A provider of this family is an
`OAuth2Provider` with its endpoints and a function that turns an access token into a `ProviderProfile`.
Access tokens are used once, for the profile, and dropped, unless the operator has them kept (`base.KeepsTokens`).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

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
    ProviderProfile,
    RenewedGrant,
    SubjectScope,
)
from providers.kind import CLIENT_SECRET, ProviderKind, ProviderSettings
from providers.token_endpoint import Client, Grant, exchange, refusal, renew, take_back

_OK: Final = 200
_SIGNED: Final = "application/jwt"


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
    if not untrusted.same(params.get("state", ""), callback.start.state):
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
    revoke: str = ""
    """Where tokens are taken back (RFC 7009); empty if nowhere."""


@dataclass(frozen=True, slots=True)
class OAuth2Provider:
    """A provider of this family: its endpoints, our client, and how a profile is read."""

    name: str
    label: str
    client: Client
    endpoints: Endpoints
    read_profile: ReadProfile
    keeps_tokens: bool = False
    """Whether `finish` returns the login's tokens too."""

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
        profile = await self.read_profile(grant, http)
        return replace(profile, grant=grant.kept(ends.scope)) if self.keeps_tokens else profile

    async def refresh(self, refresh_token: str, http: Http) -> RenewedGrant:
        """Get a fresh access token. One POST. Raises GrantRefused or ProviderBroken."""
        ends = self.endpoints
        grant = await renew(http, ends.token, self.client, refresh_token, method=ends.method)
        return RenewedGrant(grant.kept())

    async def revoke(self, tokens: Iterable[str], http: Http) -> bool:
        """Take tokens back; False if there is no address for it. Raises ProviderBroken."""
        ends = self.endpoints
        return await take_back(http, ends.revoke, self.client, tokens, method=ends.method)


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
    revoke_url: str = option(
        optional_web_address, "", "Where tokens that were kept are taken back (RFC 7009), if anywhere."
    )
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
            revoke=given.revoke_url,
        ),
        read_profile=ConfiguredProfile(given.profile_url, profile_paths.paths_of(given)),
        keeps_tokens=settings.keep_tokens,
    )


KIND: Final = ProviderKind(
    name="oauth2",
    label="OAuth 2",
    protocol=True,
    subject="whatever `subject` points to; choose what never changes hands",
    options=OAuth2Options,
    scope=lambda given: SubjectScope(given.issuer or given.profile_url, given.subject),
    build=build,
    open_to_all=lambda _: False,
)
