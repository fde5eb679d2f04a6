"""LINE Login v2.1.

The subject is `sub`, which each LINE provider (the owner of channels) gets of its own. LINE's trap: a web
login gets an ID token signed with the channel secret by HMAC (HS256), although discovery offers ES256
alone. `id_token_key_type=JWK` at the token endpoint asks for ES256, and only that is accepted: a
leaked channel secret would otherwise sign as LINE.
https://developers.line.biz/en/docs/line-login/verify-id-token/
https://developers.line.biz/en/docs/line-login/integrate-line-login/
"""

from typing import Final

from providers.base import SubjectScope
from providers.facts import OF_CLAIMS
from providers.kind import ProviderKind
from providers.openid import OidcClientOptions, OidcService

_SERVICE: Final = OidcService(
    issuer="https://access.line.me",
    endpoint_hosts=("api.line.me",),
    client_auth="post",
    algorithms=("ES256",),
    token_params={"id_token_key_type": "JWK"},
)


KIND: Final = ProviderKind(
    name="line",
    label="LINE",
    subject="`sub`, another one for each LINE provider",
    options=OidcClientOptions,
    scope=lambda _: SubjectScope(_SERVICE.issuer, "sub"),
    build=_SERVICE.build,
    facts=OF_CLAIMS,
)
