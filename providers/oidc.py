"""OpenID Connect by discovery: any provider that publishes `/.well-known/openid-configuration`.

Owns the order of things in a login; what each step believes is in `discovery`, `jwks` and
`idtoken`. With its document and keys at hand a login is exactly one outbound call, the code
exchange. One configured name is one issuer for ever: a subject means nothing without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from joserfc.jwk import Key

from options import types
from options.option import BadOptions, option, required
from options.secret import Secret
from providers import untrusted
from providers.addresses import web_address
from providers.base import (
    Callback,
    Http,
    LoginBegun,
    LoginStart,
    Provider,
    ProviderBroken,
    ProviderProfile,
    SubjectScope,
)
from providers.discovery import Metadata, fetch_metadata
from providers.idtoken import Expected, Unverified, check, read
from providers.jwks import ALGORITHMS, read_keys
from providers.kind import CLIENT_SECRET, ProviderKind, ProviderSettings
from providers.oauth2 import Client, Grant, challenge, code_of, exchange, fetch_json, location
from providers.remembered import Remembered

_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcOptions:
    """What an operator says of an OpenID provider."""

    issuer: str = required(web_address, "The provider's issuer, exactly as it writes it itself.")
    client_id: str = required(types.text(), "The client this daemon is registered as.")
    client_secret: Secret = required(CLIENT_SECRET, "That client's secret.")
    scope: tuple[str, ...] = option(
        types.words, ("openid", "profile", "email"), "What is asked for; `openid` must be among it."
    )
    client_auth: str = option(
        types.word("auto", "basic", "post"),
        "auto",
        "How the secret is shown at the token endpoint; `auto` takes what discovery offers, `basic` first.",
    )
    endpoint_hosts: tuple[str, ...] = option(
        types.words,
        (),
        "Hosts (`host` or `host:port`) besides the issuer's own on which discovery may name endpoints.",
    )
    algorithms: tuple[str, ...] = option(
        types.words, ALGORITHMS, "Signatures accepted on ID tokens, as far as discovery offers them too."
    )
    userinfo: bool = option(
        types.flag,
        False,
        "Ask the userinfo endpoint too, for providers that keep names out of ID tokens; one more call per login.",
    )


class OidcProvider:
    """One OpenID provider. Lives on one event loop, because it shares fetches between logins."""

    def __init__(self, settings: ProviderSettings[OidcOptions]) -> None:
        self.name = settings.name
        self.label = settings.label
        self._options = given = settings.options
        self._client = Client(given.client_id, given.client_secret.text())
        self._clock = settings.site.clock
        self._metadata = Remembered(f"discovery of {self.name}", self._fetch_metadata, clock=self._clock)
        self._keys = Remembered(f"key set of {self.name}", self._fetch_keys, clock=self._clock)

    async def begin(self, start: LoginStart, http: Http) -> LoginBegun:
        """Send the browser to the authorisation endpoint. Raises ProviderBroken. No call with warm caches."""
        metadata = await self._metadata.value(http)
        more = {"scope": " ".join(self._options.scope), "nonce": start.nonce, **challenge(start)}
        kept: dict[str, str] = {}
        if start.force_login:
            more |= {"prompt": "login", "max_age": "0"}
            kept["asked_at"] = str(self._clock() // 1000)
        return LoginBegun(location(metadata.authorize_url, self._client, start, more), kept)

    async def finish(self, callback: Callback, http: Http) -> ProviderProfile:
        """Exchange the code and verify the ID token. Raises ProviderDenied or ProviderBroken."""
        metadata = await self._metadata.value(http)
        code = code_of(callback, issuer=metadata.issuer, always_named=metadata.names_issuer)
        method = metadata.client_auth if self._options.client_auth == "auto" else self._options.client_auth
        grant = await exchange(http, metadata.token_url, self._client, code, start=callback.start, method=method)
        claims = await self._verified(grant, callback, metadata, http)
        subject = untrusted.subject(claims.get("sub"))
        more = await self._userinfo(metadata, grant, subject, http) if self._options.userinfo else {}
        return profile_of(subject, claims, more)

    async def _verified(self, grant: Grant, callback: Callback, metadata: Metadata, http: Http) -> Mapping[str, object]:
        allowed = [name for name in metadata.algorithms if name in self._options.algorithms]
        token = read(grant.id_token, allowed)
        if not await self._genuine(token, http):
            raise ProviderBroken("no key of the provider signed the ID token")
        asked_at = _asked_at(callback) if callback.start.force_login else None
        expected = Expected(
            issuer=metadata.issuer,
            client_id=self._client.id,
            nonce=callback.start.nonce,
            now=callback.now,
            access_token=grant.access_token,
            authenticated_since=asked_at,
        )
        check(token, expected)
        return token.claims

    async def _genuine(self, token: Unverified, http: Http) -> bool:
        keys = await self._keys.value(http)
        if token.signed_by(keys):
            return True
        # A named key that is here and does not fit its signature is a forgery; one that is not
        # here, or no name at all, may be a key rotated in since.
        if token.kid is not None and token.fitting(keys):
            return False
        newer = await self._keys.newer(http)
        return newer is not None and token.signed_by(newer)

    async def _userinfo(self, metadata: Metadata, grant: Grant, subject: str, http: Http) -> Mapping[str, object]:
        info = await fetch_json(http, metadata.userinfo_url, grant.access_token)
        # Core §5.3.2: without this, somebody else's access token brings somebody else's address.
        if not isinstance(info, Mapping) or info.get("sub") != subject:
            raise ProviderBroken("userinfo is about somebody else")
        return info

    async def _fetch_metadata(self, http: Http) -> Metadata:
        given = self._options
        hosts = [host.lower() for host in given.endpoint_hosts]
        return await fetch_metadata(http, given.issuer, hosts, userinfo=given.userinfo)

    async def _fetch_keys(self, http: Http) -> tuple[Key, ...]:
        metadata = await self._metadata.value(http)
        answer = await http.fetch("GET", metadata.jwks_url, headers={"Accept": "application/json"})
        if answer.status != _OK:
            raise ProviderBroken(f"the key set's address answered {answer.status}")
        return read_keys(answer.body)


def _asked_at(callback: Callback) -> int:
    asked_at = callback.kept.get("asked_at", "")
    if not asked_at.isdecimal():
        raise ProviderBroken("it is not known when a fresh login was asked for")
    return int(asked_at)


def profile_of(subject: str, claims: Mapping[str, object], more: Mapping[str, object]) -> ProviderProfile:
    """Make a profile of verified claims; what userinfo says well-formed counts before the ID token's.

    An address and whether it is verified are always taken from the same place.
    """
    addressed = next((said for said in (more, claims) if untrusted.email(said.get("email"))), claims)
    email = untrusted.email(addressed.get("email"))

    def shown(*names: str) -> str:
        found = (untrusted.shown(said.get(name)) for name in names for said in (more, claims))
        return next(filter(None, found), "")

    return ProviderProfile(
        subject=subject,
        email_verified=bool(email) and untrusted.truth(addressed.get("email_verified")),
        handle=shown("preferred_username", "nickname"),
        name=shown("name"),
        email=email,
        picture=untrusted.address(more.get("picture")) or untrusted.address(claims.get("picture")),
        auth_at=untrusted.seconds(claims.get("auth_time")),
    )


def build(settings: ProviderSettings[OidcOptions]) -> Provider:
    """Make an OpenID provider. Raises BadOptions."""
    given = settings.options
    problems = []
    if "openid" not in given.scope:
        problems.append(("scope", "must contain openid"))
    if "?" in given.issuer:
        problems.append(("issuer", "must not have a query (OpenID Connect Discovery §2)"))
    if not set(ALGORITHMS).issuperset(given.algorithms):
        problems.append(("algorithms", f"may hold {', '.join(ALGORITHMS)}"))
    if problems:
        raise BadOptions(problems)
    return OidcProvider(settings)


KIND: Final = ProviderKind(
    name="oidc",
    label="OpenID Connect",
    subject="`sub`; one configured name is one issuer",
    options=OidcOptions,
    scope=lambda given: SubjectScope(given.issuer, "sub"),
    build=build,
)
