"""One Mastodon instance, or another server that speaks its API.

The subject is `id`, which is the instance's own: the same id at another instance is another person, so one
configured name is one instance. It is text, of digits at Mastodon and of letters too elsewhere. A
username can be free again when its account is deleted. There is no e-mail address.
https://docs.joinmastodon.org/methods/accounts/#verify_credentials
https://docs.joinmastodon.org/methods/oauth/
https://docs.joinmastodon.org/methods/apps/#create
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from options import types
from options.option import option, required
from providers import untrusted
from providers.addresses import web_address
from providers.authorize_params import ADDED, AuthorizeParams, params_of
from providers.base import Http, Provider, ProviderProfile, SubjectScope
from providers.kind import ProviderKind, ProviderSettings
from providers.oauth2_service import OAuth2Service, ObjectAt, ServiceOptions
from providers.registration import ClientToRegister, RegisteredClient, read_registered

_PARAMS: Final = params_of("lang")


@dataclass(frozen=True, slots=True, kw_only=True)
class MastodonOptions(ServiceOptions):
    """What an operator says of a Mastodon instance."""

    scope: tuple[str, ...] = option(
        types.words, ("profile",), "What is asked for; `read:accounts` for a server that does not know `profile`."
    )
    url: str = required(web_address, "Where the instance is.")
    authorize_params: AuthorizeParams = option(_PARAMS, (), ADDED)


def read(account: Mapping[str, object]) -> ProviderProfile:
    """Read an account. Raises ProviderBroken."""
    return ProviderProfile(
        subject=untrusted.subject(account.get("id")),
        email_verified=False,
        handle=untrusted.shown(account.get("username")),
        name=untrusted.shown(account.get("display_name")),
        picture=untrusted.address(account.get("avatar")),
    )


def build(settings: ProviderSettings[MastodonOptions]) -> Provider:
    """Make a provider of one instance."""
    url = settings.options.url.rstrip("/")
    return OAuth2Service(
        authorize=f"{url}/oauth/authorize",
        token=f"{url}/oauth/token",
        read_profile=ObjectAt(f"{url}/api/v1/accounts/verify_credentials", read),
        forced={"force_login": "true"},
        revoke=f"{url}/oauth/revoke",
    ).build(settings)


async def register(options: MastodonOptions, client: ClientToRegister, http: Http) -> RegisteredClient:
    """Register an application at the instance, which asks for no account. One POST. Raises ProviderBroken."""
    asked = {
        "client_name": client.client_name,
        "redirect_uris": client.redirect_uri,
        "scopes": " ".join(options.scope),
        "website": client.public_url,
    }
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    url = f"{options.url.rstrip('/')}/api/v1/apps"
    return read_registered(
        await http.fetch("POST", url, headers=headers, body=urlencode(asked).encode()), client.redirect_uri
    )


KIND: Final = ProviderKind(
    name="mastodon",
    label="Mastodon",
    subject="`id`, which is the instance's own",
    options=MastodonOptions,
    scope=lambda given: SubjectScope(given.url.rstrip("/"), "id"),
    build=build,
    register=register,
    facts=(),
    open_to_all=lambda _: False,
)
