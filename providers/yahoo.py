"""Yahoo.

The subject is `sub`. Yahoo wants a nonce in every request, and repeats it in the ID token: what binds a
code to the browser, because Yahoo refuses a PKCE challenge of a client that has a secret, and calls the
client unknown instead of saying so.
https://developer.yahoo.com/oauth2/guide/openid_connect/getting_started.html
https://github.com/openid/AppAuth-iOS/issues/305
"""

from typing import Final

from providers.base import SubjectScope
from providers.facts import OF_CLAIMS
from providers.kind import ProviderKind
from providers.openid import OidcClientOptions, OidcService

_SERVICE: Final = OidcService(issuer="https://api.login.yahoo.com", pkce=False)


KIND: Final = ProviderKind(
    name="yahoo",
    label="Yahoo",
    subject="`sub`",
    options=OidcClientOptions,
    scope=lambda _: SubjectScope(_SERVICE.issuer, "sub"),
    build=_SERVICE.build,
    facts=OF_CLAIMS,
)
