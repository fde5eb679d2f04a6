"""A service that speaks OAuth 2 at addresses of its own: what such kinds share.

A kind of this shape is its addresses, its quirks, and one function that reads a profile out of the
JSON object its profile address answers with. The function gets an object and nothing else of the
network, so it is pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from options import types
from options.option import option, required
from options.secret import Secret
from providers.authorize_params import AuthorizeParams
from providers.base import Http, Provider, ProviderBroken, ProviderProfile
from providers.kind import CLIENT_SECRET, ProviderSettings
from providers.oauth2 import Endpoints, OAuth2Provider, ReadProfile, fetch_json
from providers.token_endpoint import Client, Grant

ReadMembers: TypeAlias = Callable[[Mapping[str, object]], ProviderProfile]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """What an operator says of any such service; a kind gives `scope` its default, and may allow parameters."""

    client_id: str = required(types.text(), "The application this daemon is registered as.")
    client_secret: Secret = required(CLIENT_SECRET, "That application's secret.")
    scope: tuple[str, ...] = option(types.words, (), "What is asked for.")
    authorize_params: AuthorizeParams = ()


ServiceT = TypeVar("ServiceT", bound=ServiceOptions)


@dataclass(frozen=True, slots=True)
class ObjectAt:
    """Reads a profile from the JSON object at an address."""

    url: str
    read: ReadMembers

    async def __call__(self, grant: Grant, http: Http) -> ProviderProfile:
        """Fetch and read it. One GET. Raises ProviderBroken."""
        found = await fetch_json(http, self.url, grant.access_token)
        if not isinstance(found, Mapping):
            raise ProviderBroken("the profile is not a JSON object")
        return self.read(found)


@dataclass(frozen=True, slots=True)
class OAuth2Service:
    """Where a service is and how it is spoken to; `build` makes a provider of it."""

    authorize: str
    token: str
    read_profile: ReadProfile
    method: str = "post"
    """How the secret is shown: `basic` or `post`."""
    pkce: bool = True
    forced: Mapping[str, str] = field(default_factory=dict)
    """Parameters that ask for a fresh login; empty if the service cannot be asked."""
    revoke: str = ""
    """Where tokens are taken back (RFC 7009); empty if nowhere."""
    offline_scope: str = ""
    """What asks for a refresh token, where tokens are kept; empty if one comes anyway, or never."""

    def build(self, settings: ProviderSettings[ServiceT]) -> Provider:
        """Make a provider of this service."""
        given = settings.options
        offline = [self.offline_scope] if settings.keep_tokens and self.offline_scope else []
        return OAuth2Provider(
            name=settings.name,
            label=settings.label,
            client=Client(given.client_id, given.client_secret.text()),
            endpoints=Endpoints(
                authorize=self.authorize,
                token=self.token,
                scope=" ".join(dict.fromkeys((*given.scope, *offline))),
                method=self.method,
                pkce=self.pkce,
                added=dict(given.authorize_params),
                forced=self.forced,
                revoke=self.revoke,
            ),
            read_profile=self.read_profile,
            keeps_tokens=settings.keep_tokens,
        )
