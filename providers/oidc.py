"""OpenID Connect by discovery: any provider that publishes `/.well-known/openid-configuration`.

Owns the order of things in a login; what each step believes is in `discovery`, `jwks` and
`idtoken`. With its document and keys at hand a login is exactly one outbound call, the code
exchange. One configured name is one issuer for ever: a subject means nothing without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from providers import untrusted
from providers.base import Begun, Callback, Http, Profile, Provider, ProviderBroken, Start
from providers.discovery import Metadata, fetch_metadata
from providers.idtoken import Expected, Unverified, check, read
from providers.jwks import ALGORITHMS, PublicKey, read_keys
from providers.oauth2 import Client, Grant, challenge, code_of, exchange, fetch_json, location
from providers.options import BadOptions, Form, Kind, Option, Settings
from providers.remembered import Remembered

_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator wants of an OpenID provider."""

    issuer: str
    scope: str
    client_auth: str
    endpoint_hosts: tuple[str, ...]
    algorithms: tuple[str, ...]
    userinfo: bool


class OidcProvider:
    """One OpenID provider. Lives on one event loop, because it shares fetches between logins."""

    def __init__(self, settings: Settings, client: Client, wishes: Wishes) -> None:
        self.name = settings.name
        self.label = settings.label
        self._client = client
        self._wishes = wishes
        self._clock = settings.site.clock
        self._metadata = Remembered(f"discovery of {self.name}", self._fetch_metadata, clock=self._clock)
        self._keys = Remembered(f"key set of {self.name}", self._fetch_keys, clock=self._clock)

    async def begin(self, start: Start, http: Http) -> Begun:
        """Send the browser to the authorisation endpoint. Raises ProviderBroken. No call with warm caches."""
        metadata = await self._metadata.value(http)
        more = {"scope": self._wishes.scope, "nonce": start.nonce, **challenge(start)}
        kept: dict[str, str] = {}
        if start.force_login:
            more |= {"prompt": "login", "max_age": "0"}
            kept["asked_at"] = str(self._clock() // 1000)
        return Begun(location(metadata.authorize_url, self._client, start, more), kept)

    async def finish(self, callback: Callback, http: Http) -> Profile:
        """Exchange the code and verify the ID token. Raises ProviderDenied or ProviderBroken."""
        metadata = await self._metadata.value(http)
        code = code_of(callback, issuer=metadata.issuer, always_named=metadata.names_issuer)
        method = metadata.client_auth if self._wishes.client_auth == "auto" else self._wishes.client_auth
        grant = await exchange(http, metadata.token_url, self._client, code, start=callback.start, method=method)
        claims = await self._verified(grant, callback, metadata, http)
        subject = untrusted.subject(claims.get("sub"))
        more = await self._userinfo(metadata, grant, subject, http) if self._wishes.userinfo else {}
        return profile_of(subject, claims, more)

    async def _verified(self, grant: Grant, callback: Callback, metadata: Metadata, http: Http) -> Mapping[str, object]:
        allowed = [name for name in metadata.algorithms if name in self._wishes.algorithms]
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
        wishes = self._wishes
        return await fetch_metadata(http, wishes.issuer, wishes.endpoint_hosts, userinfo=wishes.userinfo)

    async def _fetch_keys(self, http: Http) -> tuple[PublicKey, ...]:
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


def profile_of(subject: str, claims: Mapping[str, object], more: Mapping[str, object]) -> Profile:
    """Make a profile of verified claims; what userinfo says well-formed counts before the ID token's.

    An address and whether it is verified are always taken from the same place.
    """
    addressed = next((said for said in (more, claims) if untrusted.email(said.get("email"))), claims)
    email = untrusted.email(addressed.get("email"))

    def shown(*names: str) -> str:
        found = (untrusted.shown(said.get(name)) for name in names for said in (more, claims))
        return next(filter(None, found), "")

    return Profile(
        subject=subject,
        email_verified=bool(email) and untrusted.truth(addressed.get("email_verified")),
        handle=shown("preferred_username", "nickname"),
        name=shown("name"),
        email=email,
        picture=untrusted.address(more.get("picture")) or untrusted.address(claims.get("picture")),
        auth_at=untrusted.seconds(claims.get("auth_time")),
    )


def build(settings: Settings) -> Provider:
    """Make an OpenID provider. Raises BadOptions."""
    wishes = Wishes(
        issuer=settings.text("issuer"),
        scope=" ".join(settings.words("scope")),
        client_auth=settings.text("client_auth"),
        endpoint_hosts=tuple(host.lower() for host in settings.words("endpoint_hosts")),
        algorithms=settings.words("algorithms"),
        userinfo=settings.flag("userinfo"),
    )
    problems: list[tuple[str, str]] = []
    if "openid" not in settings.words("scope"):
        problems.append(("scope", "must contain openid"))
    if "?" in wishes.issuer:
        problems.append(("issuer", "must not have a query (OpenID Connect Discovery §2)"))
    unknown = [name for name in wishes.algorithms if name not in ALGORITHMS]
    if unknown:
        problems.append(("algorithms", f"may hold {', '.join(ALGORITHMS)}"))
    if problems:
        raise BadOptions(tuple(problems))
    client = Client(settings.text("client_id"), settings.text("client_secret"))
    return OidcProvider(settings, client, wishes)


KIND: Final = Kind(
    name="oidc",
    label="OpenID Connect",
    subject="`sub`; one configured name is one issuer",
    options=(
        Option("issuer", "The provider's issuer, exactly as it writes it itself.", form=Form.URL, required=True),
        Option("client_id", "The client this daemon is registered as.", required=True),
        Option("client_secret", "That client's secret.", required=True, secret=True),
        Option(
            "scope",
            "What is asked for; `openid` must be among it.",
            form=Form.WORDS,
            default="openid profile email",
        ),
        Option(
            "client_auth",
            "How the secret is shown at the token endpoint; `auto` takes what discovery offers, `basic` first.",
            form=Form.CHOICE,
            default="auto",
            choices=("auto", "basic", "post"),
        ),
        Option(
            "endpoint_hosts",
            "Hosts (`host` or `host:port`) besides the issuer's own on which discovery may name endpoints.",
            form=Form.WORDS,
        ),
        Option(
            "algorithms",
            "Signatures accepted on ID tokens, as far as discovery offers them too.",
            form=Form.WORDS,
            default=" ".join(ALGORITHMS),
        ),
        Option(
            "userinfo",
            "Ask the userinfo endpoint too, for providers that keep names out of ID tokens; one more call per login.",
            form=Form.FLAG,
            default="no",
        ),
    ),
    build=build,
)
