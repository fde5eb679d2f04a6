"""Twitch, by its OpenID Connect.

The subject is `sub`, the id of the account; `preferred_username` is the display name, which changes.
Twitch knows no scope `profile` or `email`: what an ID token shall say is asked for claim by claim, with
the parameter `claims` (OpenID Connect Core §5.5), and the address needs the scope `user:read:email` too.
https://dev.twitch.tv/docs/authentication/getting-tokens-oidc/
"""

import json
from dataclasses import dataclass
from typing import Final

from options import types
from options.option import option
from providers.base import SubjectScope
from providers.facts import OF_CLAIMS
from providers.kind import ProviderKind
from providers.openid import OidcClientOptions, OidcService

_CLAIMS: Final = {"id_token": dict.fromkeys(("email", "email_verified", "picture", "preferred_username"))}
_SERVICE: Final = OidcService(
    issuer="https://id.twitch.tv/oauth2",
    client_auth="post",
    authorize_params={"claims": json.dumps(_CLAIMS, separators=(",", ":"))},
    proves_fresh_login=False,
    revocation_url="https://id.twitch.tv/oauth2/revoke",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwitchOptions(OidcClientOptions):
    """What an operator says of Twitch."""

    scope: tuple[str, ...] = option(
        types.words, ("openid", "user:read:email"), "What is asked for; `openid` must be among it."
    )


KIND: Final = ProviderKind(
    name="twitch",
    label="Twitch",
    subject="`sub`, the id of the account; never the name",
    options=TwitchOptions,
    scope=lambda _: SubjectScope(_SERVICE.issuer, "sub"),
    build=_SERVICE.build,
    facts=OF_CLAIMS,
)
