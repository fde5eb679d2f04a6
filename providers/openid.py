"""OpenID Connect by discovery: the family of all kinds that speak it.

Owns the order of things in a login; what each step believes is in `discovery`, `jwks` and
`idtoken`. With its document and keys at hand a login is exactly one outbound call, the code
exchange. One configured name is one issuer for ever: a subject means nothing without it.

A kind of this family is an `OidcProvider` with an `OidcService`: what is fixed about the service, and
a function for what is peculiar in its claims.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from joserfc.jwk import Key

from options import types
from options.option import BadOptions, option, required
from options.secret import Secret
from providers import facts, untrusted
from providers.addresses import host_and_port, with_query
from providers.back_channel import BackChannel
from providers.base import (
    Callback,
    Http,
    LoginBegun,
    LoginStart,
    LogoutNotice,
    LogoutThere,
    NoticeRefused,
    ProviderBroken,
    ProviderProfile,
    RenewedGrant,
)
from providers.discovery import Metadata, fetch_metadata
from providers.idtoken import Expected, Unverified, check, check_statement, read
from providers.jwks import ALGORITHMS, issuer_of
from providers.kind import CLIENT_SECRET, ProviderSettings
from providers.logout_token import TYPES, WHAT, notice_of, session_of
from providers.oauth2 import challenge, code_of, fetch_json, fetch_signed, location
from providers.offline import offline
from providers.openid_claims import Claims, profile_of, says_who
from providers.remembered import Remembered
from providers.security_notices import SecurityEventReceiver
from providers.signing_keys import SigningKeys
from providers.token_endpoint import Client, Grant, exchange, renew, take_back


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcClientOptions:
    """What an operator says of every OpenID provider."""

    client_id: str = required(types.text(), "The client this daemon is registered as.")
    client_secret: Secret = required(CLIENT_SECRET, "That client's secret.")
    scope: tuple[str, ...] = option(
        types.words, ("openid", "profile", "email"), "What is asked for; `openid` must be among it."
    )


OidcOptionsT = TypeVar("OidcOptionsT", bound=OidcClientOptions)


class Userinfo(Enum):
    """Whether the userinfo endpoint is asked, and how it answers."""

    UNASKED = "not asked"
    AUTO = "asked where the ID token calls the person nothing"
    JSON = "in JSON"
    SIGNED = "in a JWT of the issuer's"


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcService:
    """One OpenID provider as its kind knows it, or as the operator describes it."""

    issuer: str
    """As its discovery document writes it."""
    discovery_url: str = ""
    """Where that document is, if not below the issuer."""
    internal_url: str = ""
    """Scheme, host and port where the issuer's host is for us, if not where it is for browsers."""
    endpoint_hosts: tuple[str, ...] = ()
    """Besides the issuer's own."""
    metadata: Metadata | None = None
    """What discovery would say, where it is not asked."""
    client_auth: str = "auto"
    algorithms: tuple[str, ...] = ALGORITHMS
    userinfo: Userinfo = Userinfo.UNASKED
    authorize_params: Mapping[str, str] = field(default_factory=dict)
    """Further parameters for the browser's way there; they never replace one of ours."""
    token_params: Mapping[str, str] = field(default_factory=dict)
    """Further parameters for the token endpoint."""
    pkce: bool = True
    repeats_nonce: bool = True
    """Whether its ID tokens carry our nonce."""
    tells_logouts: bool = False
    """Whether its back-channel logouts count; only where the subject is the claim `sub`."""
    logout_frame: str = ""
    """The issuer, if its front-channel logouts count."""
    logout_there: LogoutThere = LogoutThere.NO
    proves_fresh_login: bool = True
    """Whether it knows `prompt=login` and says `auth_time`; if not, a fresh login is not asked for."""
    offline_params: Mapping[str, str] | None = None
    """What asks for a refresh token where tokens are kept; None: as OpenID has it (Core §11), if discovery knows it."""
    revocation_url: str = ""
    """Where tokens are taken back, if discovery does not say."""
    facts: tuple[str, ...] = ()
    """Claims that are facts by their own names."""
    issuer_of: Callable[[Claims], str] | None = None
    """What `iss` of these claims must be, where that is not `issuer`; may raise ProviderBroken."""
    read_profile: Callable[[Claims, Claims], ProviderProfile] = profile_of
    """Makes a profile of the ID token's claims and userinfo's; may raise ProviderDenied and ProviderBroken."""

    def build(self, settings: ProviderSettings[OidcOptionsT]) -> "OidcProvider":
        """Make a provider of this service. Raises BadOptions."""
        return OidcProvider(settings, self)


class OidcProvider:
    """One OpenID provider. Lives on one event loop, because it shares fetches between logins."""

    def __init__(
        self,
        settings: ProviderSettings[Any],
        service: OidcService,
        *,
        client: Client | None = None,
        security_events: SecurityEventReceiver | None = None,
    ) -> None:
        given = settings.options
        if "openid" not in given.scope:
            raise BadOptions([("scope", "must contain openid")])
        self.name = settings.name
        self.label = settings.label
        self.security_events: Final = security_events
        self._service = service
        self._scope = " ".join(given.scope)
        self.keeps_tokens = settings.keep_tokens
        self._facts = settings.facts
        self._client = client or Client(given.client_id, given.client_secret.text())
        self._clock = settings.site.clock
        self._metadata = Remembered(f"discovery of {self.name}", self._fetch_metadata, clock=self._clock)
        self._keys = SigningKeys(
            self.name, self._metadata, lambda found: found.jwks_url, clock=self._clock, trusted=self._trusted
        )

    async def begin(self, start: LoginStart, http: Http) -> LoginBegun:
        """Send the browser to the authorisation endpoint. Raises ProviderBroken. No call with warm caches."""
        service, metadata = self._service, await self._metadata.value(self._inside(http))
        more = {**service.authorize_params, "scope": self._scope, "nonce": start.nonce}
        if self.keeps_tokens:
            more = offline(more, service.offline_params, metadata)
        if service.pkce:
            more |= challenge(start)
        kept: dict[str, str] = {}
        if self._forced(start):
            prompt = "login consent" if more.get("prompt") == "consent" else "login"
            more |= {"prompt": prompt, "max_age": "0"}
            kept["asked_at"] = str(self._clock() // 1000)
        posted = more.get("response_mode") == "form_post"
        return LoginBegun(location(metadata.authorize_url, self._client, start, more), kept, posted)

    async def rehearse(self, http: Http) -> None:
        """Fetch the key set. Raises ProviderBroken."""
        await self._keys.fetch(self._inside(http))

    async def finish(self, callback: Callback, http: Http) -> ProviderProfile:
        """Exchange the code and verify the ID token. Raises ProviderDenied or ProviderBroken."""
        http, service = self._inside(http), self._service
        metadata = await self._metadata.value(http)
        # A template (Microsoft's) is no issuer's name; which tenant answered, the ID token says.
        issuer = "" if "{" in metadata.issuer else metadata.issuer
        code = code_of(callback, issuer=issuer, always_named=metadata.names_issuer)
        try:
            grant = await exchange(
                http,
                metadata.token_url,
                self._client,
                code,
                start=callback.start,
                method=self._method(metadata),
                pkce=service.pkce,
                added=service.token_params,
            )
        except ProviderBroken:
            # The endpoint may have moved. A code is not sent again; the next login shall know.
            self._metadata.doubt()
            raise
        claims = await self._verified(grant, callback, metadata, http)
        more = await self._more(metadata, grant, claims, callback, http)
        return self._leaving(service.read_profile(claims, more), claims, more, grant)

    @property
    def _always_asks(self) -> bool:
        return self._service.userinfo in (Userinfo.JSON, Userinfo.SIGNED)

    @property
    def _ruled(self) -> bool:
        """Whether rules ask about claims, which may be in userinfo alone."""
        return any(name.startswith(facts.CLAIM) for name in self._facts)

    @property
    def _userinfo_used(self) -> bool | Literal["if named", "if usable"]:
        if self._always_asks:
            return True
        if self._ruled:
            return "if named"
        return "if usable" if self._service.userinfo is Userinfo.AUTO else False

    async def _more(self, metadata: Metadata, grant: Grant, claims: Claims, callback: Callback, http: Http) -> Claims:
        """Return what userinfo says, where it is asked.

        it is asked                                                   | fails
        --------------------------------------------------------------+------------------------------
        always, as the kind or the operator says                      | no login
        for what rules ask about and the ID token lacks               | no login
        with `auto`, where the ID token calls the person nothing      | a login without a name; where
                                                                      | rules ask anything, no login
        """
        ruled = facts.lacks(self._facts, claims)
        nameless = self._service.userinfo is Userinfo.AUTO and not says_who(claims)
        if not (self._always_asks or (metadata.userinfo_url and (ruled or nameless))):
            return {}
        try:
            return await self._userinfo(metadata, grant, claims, callback, http)
        except ProviderBroken:
            if self._always_asks or self._facts:
                raise
            return {}

    def _leaving(self, profile: ProviderProfile, claims: Claims, more: Claims, grant: Grant) -> ProviderProfile:
        """Add what rules, logging out, or working there, will need, as far as the operator wants it."""
        service = self._service
        ends_here = service.tells_logouts or service.logout_frame
        return replace(
            profile,
            auth_proven=service.proves_fresh_login and profile.auth_at is not None,
            session=session_of(claims) if ends_here else "",
            id_token="" if service.logout_there is LogoutThere.NO else grant.id_token,
            grant=grant.kept(self._scope) if self.keeps_tokens else None,
            facts=facts.of_claims(self._facts, claims, more, named=service.facts),
        )

    async def refresh(self, refresh_token: str, http: Http) -> RenewedGrant:
        """Get a fresh access token. One POST. Raises GrantRefused, ProviderDenied or ProviderBroken.

        An ID token that comes along must be of the same issuer and for us (Core §12.2). Its signature is not
        checked: it comes straight from the token endpoint (Core §3.1.3.7), and a key set that cannot be fetched
        just now must not cost a refresh token that was exchanged already.
        """
        http, service = self._inside(http), self._service
        metadata = await self._metadata.value(http)
        grant = await renew(http, metadata.token_url, self._client, refresh_token, method=self._method(metadata))
        if not grant.id_token:
            return RenewedGrant(grant.kept())
        token = read(grant.id_token, service.algorithms)
        check_statement(token, self._issuer_of(token), self._client.id, now=self._clock() // 1000)
        return RenewedGrant(grant.kept(), service.read_profile(token.claims, {}))

    async def revoke(self, tokens: Iterable[str], http: Http) -> bool:
        """Take tokens back; False if there is no address for it. Raises ProviderBroken."""
        http = self._inside(http)
        metadata = await self._metadata.value(http)
        url = metadata.revocation_url or self._service.revocation_url
        return await take_back(http, url, self._client, tokens, method=self._method(metadata))

    def _method(self, metadata: Metadata) -> str:
        return metadata.client_auth if self._service.client_auth == "auto" else self._service.client_auth

    @property
    def proves_fresh_login(self) -> bool:
        """Whether it logs a person in again when asked to, and says when it did."""
        return self._service.proves_fresh_login

    @property
    def logout_there(self) -> LogoutThere:
        """Whether logging out here also ends the session there."""
        return self._service.logout_there

    @property
    def logout_frame(self) -> str:
        """The issuer whose logout page may load ours in a frame; empty for none."""
        return self._service.logout_frame

    async def logout_location(self, return_to: str, http: Http, *, hint: str = "") -> str:
        """Return where the browser ends its session there (RP-Initiated Logout 1.0 §2). Raises ProviderBroken.

        Without the ID token (`id_token_hint`) the provider may ask the person first.
        """
        url = (await self._metadata.value(self._inside(http))).end_session_url
        asked = {"client_id": self._client.id, "post_logout_redirect_uri": return_to, "state": self.name}
        shown = {"id_token_hint": hint} if hint else {}
        return with_query(url, shown | asked) if url else ""

    @property
    def tells_logouts(self) -> bool:
        """Whether the operator wants to hear of logouts there."""
        return self._service.tells_logouts

    async def read_logout(self, token: str, http: Http) -> LogoutNotice:
        """Verify a logout token. Raises NoticeRefused, and ProviderBroken if the keys cannot be fetched."""
        http = self._inside(http)
        algorithms = (await self._metadata.value(http)).algorithms
        agreed = [each for each in self._service.algorithms if each in algorithms]
        try:
            read_token = read(token, agreed, WHAT, types=TYPES)
            issuer, now = self._issuer_of(read_token), self._clock() // 1000
            notice = notice_of(read_token, issuer=issuer, client_id=self._client.id, now=now)
        except ProviderBroken as fault:
            raise NoticeRefused(str(fault)) from None
        # Last, so that what is not meant for us fetches no keys.
        if not await self._keys.signed(read_token, http):
            raise NoticeRefused(f"no key of the provider signed {WHAT}")
        return notice

    def _inside(self, http: Http) -> Http:
        """Return the client that goes to the provider's internal host, if it has one."""
        service = self._service
        public = host_and_port(urlsplit(service.issuer))
        return BackChannel(http, public, service.internal_url) if service.internal_url else http

    def _forced(self, start: LoginStart) -> bool:
        return start.force_login and self._service.proves_fresh_login

    async def _verified(self, grant: Grant, callback: Callback, metadata: Metadata, http: Http) -> Claims:
        token = read(grant.id_token, self._service.algorithms)
        if token.algorithm not in metadata.algorithms:
            metadata = await self._metadata.newer(http) or metadata
        if token.algorithm not in metadata.algorithms:
            raise ProviderBroken(f"the ID token's algorithm {token.algorithm} is not one of those agreed on")
        if not await self._keys.signed(token, http):
            raise ProviderBroken("no key of the provider signed the ID token")
        expected = Expected(
            issuer=self._issuer_of(token),
            client_id=self._client.id,
            nonce=callback.start.nonce,
            now=callback.now,
            access_token=grant.access_token,
            authenticated_since=_asked_at(callback) if self._forced(callback.start) else None,
            repeats_nonce=self._service.repeats_nonce,
        )
        check(token, expected)
        return token.claims

    def _issuer_of(self, token: Unverified) -> str:
        service = self._service
        return service.issuer_of(token.claims) if service.issuer_of else service.issuer

    def _trusted(self, token: Unverified, keys: Iterable[Key]) -> Iterable[Key]:
        """Return the keys that may sign for a token's issuer: a key set may be shared (Storm-0558)."""
        if not self._service.issuer_of:
            return keys
        owners = ("", self._service.issuer, self._issuer_of(token))
        return [key for key in keys if issuer_of(key) in owners]

    async def _userinfo(
        self, metadata: Metadata, grant: Grant, claims: Claims, callback: Callback, http: Http
    ) -> Claims:
        url = metadata.userinfo_url
        if self._service.userinfo is Userinfo.SIGNED:
            token = read(await fetch_signed(http, url, grant.access_token), self._service.algorithms, "userinfo")
            if not await self._keys.signed(token, http):
                raise ProviderBroken("no key of the provider signed userinfo")
            check_statement(token, self._issuer_of(token), self._client.id, now=callback.now)
            info: object = token.claims
        else:
            info = await fetch_json(http, url, grant.access_token)
        # Core §5.3.2: without this, another person's access token brings that person's address.
        if not isinstance(info, Mapping) or info.get("sub") != untrusted.subject(claims.get("sub")):
            raise ProviderBroken("userinfo is about somebody else")
        return info

    async def _fetch_metadata(self, http: Http) -> Metadata:
        service = self._service
        if service.metadata:
            return service.metadata
        hosts = [host.lower() for host in service.endpoint_hosts]
        if service.discovery_url:
            hosts.append(host_and_port(urlsplit(service.discovery_url)))
        return await fetch_metadata(
            http,
            service.issuer,
            hosts,
            userinfo=self._userinfo_used,
            logout=service.logout_there is not LogoutThere.NO,
            revocation=self.keeps_tokens,
            url=service.discovery_url,
            internal_url=service.internal_url,
        )


def _asked_at(callback: Callback) -> int:
    asked_at = callback.kept.get("asked_at", "")
    if not asked_at.isdecimal():
        raise ProviderBroken("it is not known when a fresh login was asked for")
    return int(asked_at)
