"""Any OpenID provider that publishes `/.well-known/openid-configuration`, by configuration alone.

Owns what an operator may say, what of it cannot be, and registering as a client there. The login itself is
`openid.OidcProvider`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from options import types
from options.option import BadOptions, option, required
from options.secret import Secret
from providers.addresses import host_and_port, optional_web_address, web_address
from providers.assertions import KEY_ALGORITHMS, OPTIONAL_PRIVATE_KEY, Assertion, signer
from providers.authorize_params import ADDED, AuthorizeParams, params_of
from providers.back_channel import BackChannel
from providers.base import Http, HttpResponse, LogoutThere, Provider, ProviderBroken, SubjectScope
from providers.discovery import fetch_metadata
from providers.facts import OF_CLAIMS
from providers.jwks import ALGORITHMS
from providers.kind import OPTIONAL_CLIENT_SECRET, ProviderKind, ProviderSettings
from providers.openid import OidcClientOptions, OidcProvider, OidcService, Userinfo
from providers.registration import ClientToRegister, RegisteredClient, read_registered
from providers.token_endpoint import Client
from providers.untrusted import json_object, word

_NEEDS_TOKEN: Final = frozenset({401, 403})
_PARAMS: Final = params_of(
    *("prompt", "login_hint", "hd", "domain_hint", "ui_locales", "claims_locales", "acr_values", "display"),
    *("kc_idp_hint", "connection", "audience", "organization", "access_type", "screen_hint", "identity_provider"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcOptions(OidcClientOptions):
    """What an operator says of any OpenID provider."""

    client_secret: Secret = option(
        OPTIONAL_CLIENT_SECRET, Secret(""), "That client's secret; needed unless `client_auth` is `private_key_jwt`."
    )
    issuer: str = required(web_address, "The provider's issuer, exactly as it writes it itself.")
    discovery_url: str = option(
        optional_web_address, "", "Where the discovery document is, if not at its usual place below the issuer."
    )
    internal_url: str = option(
        optional_web_address, "", "Where this daemon reaches the issuer's host, if not where browsers do."
    )
    client_auth: str = option(
        types.word("auto", "basic", "post", "private_key_jwt"),
        "auto",
        "How the client proves itself at the token endpoint; `auto` takes what discovery offers, `basic` first.",
    )
    key: Secret = option(
        OPTIONAL_PRIVATE_KEY,
        Secret(""),
        "The private key for `private_key_jwt` (EC, RSA or Ed25519, without a passphrase).",
    )
    key_id: str = option(types.text(empty=True), "", "What the provider calls that key (`kid`), if it has several.")
    key_algorithm: str = option(
        types.word("auto", *KEY_ALGORITHMS), "auto", "What is signed with it; `auto` is RS256 for an RSA key."
    )
    key_audience: str = option(
        types.word("issuer", "token_endpoint"),
        "issuer",
        "Whom an assertion is for; some providers, Microsoft among them, want their token endpoint.",
    )
    response_mode: str = option(
        types.word("query", "form_post"),
        "query",
        "How the answer comes: in the address, or as a form that the browser posts from the provider's page.",
    )
    authorize_params: AuthorizeParams = option(_PARAMS, (), ADDED)
    endpoint_hosts: tuple[str, ...] = option(
        types.words,
        (),
        "Hosts (`host` or `host:port`) besides the issuer's own on which discovery may name endpoints.",
    )
    algorithms: tuple[str, ...] = option(
        types.words, ALGORITHMS, "Signatures accepted on ID tokens, as far as discovery offers them too."
    )
    userinfo: str = option(
        types.word("auto", "yes", "no"),
        "auto",
        "Whether the userinfo endpoint is asked too, one more call per login; `auto` does where the ID token has "
        "neither name, handle nor e-mail.",
    )
    backchannel_logout: bool = option(
        types.flag,
        False,
        "Logging out at the provider ends the sessions here; register `/login/<name>/backchannel` there.",
    )
    frontchannel_logout: bool = option(
        types.flag,
        False,
        "The same by a frame in the provider's logout page; register `/login/<name>/frontchannel` there.",
    )
    logout_at_provider: str = option(
        types.word("no", "offer", "yes"),
        "no",
        "Whether logging out here also ends the session at the provider; register `/logged-out` there.",
    )
    userinfo_signed: bool = option(
        types.flag, False, "Userinfo comes signed, because this client is registered so; plain JSON is refused."
    )


def problems_of(given: OidcOptions) -> Iterator[tuple[str, str]]:
    """Yield what no single option shows: its name, and why it cannot be."""
    if "?" in given.issuer:
        yield "issuer", "must not have a query (OpenID Connect Discovery §2)"
    if not set(ALGORITHMS).issuperset(given.algorithms):
        yield "algorithms", f"may hold {', '.join(ALGORITHMS)}"
    internal = urlsplit(given.internal_url)
    if internal.path.strip("/") or internal.query:
        yield "internal_url", "must be scheme, host and port alone; the paths are the public ones"
    yield from _proof_problems(given)
    if given.userinfo_signed and given.userinfo != "yes":
        yield "userinfo_signed", "needs userinfo = yes"


def build(settings: ProviderSettings[OidcOptions]) -> Provider:
    """Make an OpenID provider. Raises BadOptions."""
    given = settings.options
    if problems := [*problems_of(given)]:
        raise BadOptions(problems)
    form_post = {"response_mode": "form_post"} if given.response_mode == "form_post" else {}
    asked = {"auto": Userinfo.AUTO, "yes": Userinfo.JSON, "no": Userinfo.UNASKED}[given.userinfo]
    service = OidcService(
        issuer=given.issuer,
        discovery_url=given.discovery_url,
        internal_url=given.internal_url.rstrip("/"),
        endpoint_hosts=given.endpoint_hosts,
        client_auth=given.client_auth,
        algorithms=given.algorithms,
        userinfo=Userinfo.SIGNED if given.userinfo_signed else asked,
        tells_logouts=given.backchannel_logout,
        logout_frame=given.issuer if given.frontchannel_logout else "",
        logout_there=LogoutThere(given.logout_at_provider),
        authorize_params={**dict(given.authorize_params), **form_post},
    )
    return OidcProvider(settings, service, client=_signing_client(settings) if given.key else None)


def _proof_problems(given: OidcOptions) -> list[tuple[str, str]]:
    """Say what is missing to prove who we are, and what would not be used."""
    signs = given.client_auth == "private_key_jwt"
    needed, other = ("key", "client_secret") if signs else ("client_secret", "key")
    problems = []
    if not getattr(given, needed):
        problems.append((needed, f"is missing; give it here, in {needed}_file, or in the environment"))
    if getattr(given, other):
        problems.append((other, f"is not used with client_auth = {given.client_auth}; leave it out"))
    return problems


def _signing_client(settings: ProviderSettings[OidcOptions]) -> Client:
    given = settings.options
    sign = signer(given.key, algorithm=given.key_algorithm, key_id=given.key_id, option="key")
    audience = given.issuer if given.key_audience == "issuer" else ""
    return Client(given.client_id, Assertion(sign, given.client_id, audience, settings.site))


async def register(given: OidcOptions, client: ClientToRegister, http: Http) -> RegisteredClient:
    """Register a client where discovery says (RFC 7591): one GET, one POST. Raises ProviderBroken."""
    internal = given.internal_url.rstrip("/")
    inside = BackChannel(http, host_and_port(urlsplit(given.issuer)), internal) if internal else http
    hosts = {host.lower() for host in given.endpoint_hosts}
    if given.discovery_url:
        hosts.add(host_and_port(urlsplit(given.discovery_url)))
    metadata = await fetch_metadata(
        inside, given.issuer, hosts, registration=True, url=given.discovery_url, internal_url=internal
    )
    if not metadata.registration_url:
        raise ProviderBroken("its discovery names no registration_endpoint; register a client by hand")
    method = metadata.client_auth if given.client_auth == "auto" else given.client_auth
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if client.initial_token:
        headers["Authorization"] = f"Bearer {client.initial_token.text()}"
    body = json.dumps(_metadata_of(given, client, method)).encode()
    answer = await inside.fetch("POST", metadata.registration_url, headers=headers, body=body)
    if answer.status in _NEEDS_TOKEN and not client.initial_token:
        raise ProviderBroken(f"it registers no stranger ({answer.status}); get an initial access token there")
    return replace(read_registered(answer, client.redirect_uri), more=_settled(answer, method, given))


def _metadata_of(given: OidcOptions, client: ClientToRegister, method: str) -> dict[str, object]:
    """Return what is said of the client (RFC 7591 §2, and the logout specifications' own members)."""
    base = f"{client.public_url}/login/{client.name}"
    said: dict[str, object] = {
        "client_name": client.client_name,
        "client_uri": client.public_url,
        "application_type": "web",
        "redirect_uris": [client.redirect_uri],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "scope": " ".join(given.scope),
        "token_endpoint_auth_method": f"client_secret_{method}",
    }
    if given.backchannel_logout:
        said |= {"backchannel_logout_uri": f"{base}/backchannel", "backchannel_logout_session_required": True}
    if given.frontchannel_logout:
        said |= {"frontchannel_logout_uri": f"{base}/frontchannel", "frontchannel_logout_session_required": True}
    if given.logout_at_provider != LogoutThere.NO.value:
        said["post_logout_redirect_uris"] = [f"{client.public_url}/logged-out"]
    return said


def _settled(answer: HttpResponse, asked: str, given: OidcOptions) -> dict[str, str]:
    """Return the options that must change, because the provider replaced what was asked (RFC 7591 §3.2.1)."""
    settled = json_object(answer.body, "the answer to the registration").get("token_endpoint_auth_method")
    if settled is None or settled == f"client_secret_{asked}":
        return {}
    if settled not in ("client_secret_basic", "client_secret_post"):
        raise ProviderBroken(f"it wants the client to prove itself by {word(settled)}; register a client by hand")
    method = str(settled).removeprefix("client_secret_")
    return {} if method == given.client_auth else {"client_auth": method}


KIND: Final = ProviderKind(
    name="oidc",
    label="OpenID Connect",
    protocol=True,
    subject="`sub`; one configured name is one issuer",
    options=OidcOptions,
    scope=lambda given: SubjectScope(given.issuer, "sub"),
    build=build,
    register=register,
    facts=OF_CLAIMS,
    open_to_all=lambda _: False,
)
