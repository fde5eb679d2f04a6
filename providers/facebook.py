"""Facebook.

The subject is `id`, which is this application's own: another application sees another id for the
same person, so another `client_id` is another issuer.
https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow

A challenge (PKCE) is kept only in the flow of OpenID Connect, which is what `openid` among the scopes asks for.
Without it Facebook drops the challenge and then refuses the verifier, so none is sent.
https://developers.facebook.com/documentation/facebook-login/guides/advanced/oidc-token
https://github.com/NangoHQ/nango/pull/7156

Every Graph call carries `appsecret_proof`, so that a stolen token is worth nothing without the secret
once the application requires it. The token itself goes into a header; addresses are logged by others.
https://developers.facebook.com/docs/graph-api/guides/secure-requests

An address is not verified: Facebook does not say whether it checked this one.
https://developers.facebook.com/docs/graph-api/reference/user

The version of the Graph API is pinned, because an address without one follows the application's oldest.
https://developers.facebook.com/docs/graph-api/changelog
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from options import types
from options.option import option
from providers import untrusted
from providers.authorize_params import ADDED, AuthorizeParams, params_of
from providers.base import Http, Provider, ProviderProfile, SubjectScope
from providers.kind import ProviderKind, ProviderSettings
from providers.oauth2_service import OAuth2Service, ObjectAt, ServiceOptions
from providers.token_endpoint import Grant

_GRAPH: Final = "https://graph.facebook.com"
_VERSION: Final = types.text(pattern=r"v[1-9][0-9]{0,2}\.[0-9]", instead="needs a version like v26.0")
_PARAMS: Final = params_of("auth_type", "config_id", "display")


@dataclass(frozen=True, slots=True, kw_only=True)
class FacebookOptions(ServiceOptions):
    """What an operator says of Facebook."""

    scope: tuple[str, ...] = option(
        types.words, ("openid", "public_profile", "email"), "What is asked for; PKCE is used if `openid` is among it."
    )
    version: str = option(_VERSION, "v26.0", "The version of the Graph API; each is kept for about two years.")
    authorize_params: AuthorizeParams = option(_PARAMS, (), ADDED)


def read(user: Mapping[str, object]) -> ProviderProfile:
    """Read a user of the Graph API. Raises ProviderBroken."""
    return ProviderProfile(
        subject=untrusted.digits_subject(user.get("id")),
        email_verified=False,
        name=untrusted.shown(user.get("name")),
        email=untrusted.email(user.get("email")),
        picture=untrusted.address(untrusted.find(user, "picture.data.url")),
    )


@dataclass(frozen=True, slots=True)
class FacebookProfile:
    """Reads a profile with the proof that the token is used by us."""

    url: str
    secret: str = field(repr=False)

    async def __call__(self, grant: Grant, http: Http) -> ProviderProfile:
        """Fetch and read it. One GET. Raises ProviderBroken."""
        proof = hmac.digest(self.secret.encode(), grant.access_token.encode(), "sha256").hex()
        return await ObjectAt(f"{self.url}&appsecret_proof={proof}", read)(grant, http)


def build(settings: ProviderSettings[FacebookOptions]) -> Provider:
    """Make a Facebook provider."""
    given = settings.options
    graph = f"{_GRAPH}/{given.version}"
    return OAuth2Service(
        authorize=f"https://www.facebook.com/{given.version}/dialog/oauth",
        token=f"{graph}/oauth/access_token",
        read_profile=FacebookProfile(f"{graph}/me?fields=id,name,email,picture", given.client_secret.text()),
        pkce="openid" in given.scope,
        forced={"auth_type": "reauthenticate"},
    ).build(settings)


KIND: Final = ProviderKind(
    name="facebook",
    label="Facebook",
    subject="`id`, which is another one for each application",
    options=FacebookOptions,
    scope=lambda given: SubjectScope(f"https://www.facebook.com/{given.client_id}", "id"),
    build=build,
    facts=(),
)
