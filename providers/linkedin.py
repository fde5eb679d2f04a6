"""LinkedIn, by "Sign In with LinkedIn using OpenID Connect".

The subject is `sub`, which each application gets of its own. LinkedIn leaves the nonce out of its ID
tokens, and answers a code exchange that carries a PKCE verifier with `invalid_client`. So of the three
bonds between a browser and its login only `state` is left here; no other kind goes without the others.
A nonce, should LinkedIn ever send one, must be right.
https://learn.microsoft.com/en-us/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2
https://learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow
https://github.com/teamhanko/hanko/pull/2405
"""

from typing import Final

from providers.base import SubjectScope
from providers.facts import OF_CLAIMS
from providers.kind import ProviderKind
from providers.openid import OidcClientOptions, OidcService

_SERVICE: Final = OidcService(
    issuer="https://www.linkedin.com/oauth",
    client_auth="post",
    pkce=False,
    repeats_nonce=False,
    proves_fresh_login=False,
)


KIND: Final = ProviderKind(
    name="linkedin",
    label="LinkedIn",
    subject="`sub`, another one for each application",
    options=OidcClientOptions,
    scope=lambda _: SubjectScope(_SERVICE.issuer, "sub"),
    build=_SERVICE.build,
    facts=OF_CLAIMS,
)
