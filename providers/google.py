"""Google: consumer accounts and Google Workspace.

The subject is `sub`. A consumer account may carry an address of any domain, so an address says nothing
about an employer; only the claim `hd` of the ID token does. The parameter `hd` of the request is a hint
for Google's page that the person can take out of the address.
https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
https://developers.google.com/identity/openid-connect/reference
"""

from dataclasses import dataclass
from typing import Final

from options import types
from options.option import option
from providers.base import Provider, ProviderDenied, ProviderProfile, SubjectScope
from providers.kind import ProviderKind, ProviderSettings
from providers.openid import OidcClientOptions, OidcService
from providers.openid_claims import Claims, profile_of

_ISSUER: Final = "https://accounts.google.com"
_OLD_ISSUER: Final = "accounts.google.com"
"""Google's reference allows this spelling in ID tokens too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleOptions(OidcClientOptions):
    """What an operator says of Google."""

    hd: tuple[str, ...] = option(
        types.words, (), "Workspace domains whose people may log in; left out, everybody with a Google account may."
    )


@dataclass(frozen=True, slots=True)
class GoogleProfile:
    """Reads a profile, if the account belongs to one of these domains."""

    domains: frozenset[str]

    def __call__(self, claims: Claims, more: Claims) -> ProviderProfile:
        """Raises ProviderDenied for an account of another domain, or of none."""
        domain = claims.get("hd")
        if self.domains and not (isinstance(domain, str) and domain.lower() in self.domains):
            raise ProviderDenied("the account is of none of the domains in hd")
        return profile_of(claims, more)


def build(settings: ProviderSettings[GoogleOptions]) -> Provider:
    """Make a Google provider. Raises BadOptions."""
    domains = [domain.lower() for domain in settings.options.hd]
    service = OidcService(
        issuer=_ISSUER,
        endpoint_hosts=("oauth2.googleapis.com", "www.googleapis.com"),
        authorize_params={"hd": domains[0] if len(domains) == 1 else "*"} if domains else {},
        proves_fresh_login=False,
        # Without consent Google gives a refresh token at a person's first login only, so one that was lost,
        # or refused, would never come again.
        offline_params={"access_type": "offline", "prompt": "consent"},
        issuer_of=lambda claims: _OLD_ISSUER if claims.get("iss") == _OLD_ISSUER else _ISSUER,
        read_profile=GoogleProfile(frozenset(domains)),
    )
    return service.build(settings)


KIND: Final = ProviderKind(
    name="google",
    label="Google",
    subject="`sub`",
    options=GoogleOptions,
    scope=lambda _: SubjectScope(_ISSUER, "sub"),
    build=build,
)
