"""Google: consumer accounts and Google Workspace.

The subject is `sub`. A consumer account may carry an address of any domain, so an address says nothing
about an employer; only the claim `hd` of the ID token does. The parameter `hd` of the request is a hint
for Google's page that the person can take out of the address.
https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
https://developers.google.com/identity/openid-connect/reference

Security events (Cross-Account Protection) are tokens of RFC 8417, pushed as RFC 8935 has it; the traps:
their issuer has a slash at its end, they tell of the past and do not expire, and one may come twice.
https://developers.google.com/identity/protocols/risc
"""

from dataclasses import dataclass
from typing import Final

from options import types
from options.option import option
from providers.base import Provider, ProviderBroken, ProviderDenied, ProviderProfile, SubjectScope
from providers.event_receiver import EventReceiver, EventService
from providers.facts import OF_CLAIMS
from providers.kind import ProviderKind, ProviderSettings
from providers.openid import OidcClientOptions, OidcProvider, OidcService
from providers.openid_claims import Claims, profile_of
from providers.security_events import WHAT, risc_events

_ISSUER: Final = "https://accounts.google.com"
_OLD_ISSUER: Final = "accounts.google.com"
"""Google's reference allows this spelling in ID tokens too."""
_KEY_HOSTS: Final = ("oauth2.googleapis.com", "www.googleapis.com", "openidconnect.googleapis.com")
_SENDERS: Final = (f"{_ISSUER}/", _ISSUER)
"""How security events spell the issuer."""
_SUBJECT_ISSUERS: Final = (*_SENDERS, _OLD_ISSUER)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleOptions(OidcClientOptions):
    """What an operator says of Google."""

    hd: tuple[str, ...] = option(
        types.words, (), "Workspace domains whose people may log in; left out, everybody with a Google account may."
    )
    security_events: bool = option(
        types.flag,
        False,
        "What Google says of its accounts (Cross-Account Protection) counts; register `/login/<name>/events` there.",
    )
    security_event_audiences: tuple[str, ...] = option(
        types.words, (), "Other client ids of the same project, for which these notices may be as well."
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


def token_in(body: bytes) -> str:
    """Return the token that a body is. Raises ProviderBroken."""
    try:
        return body.decode("ascii").strip()
    except UnicodeDecodeError:
        raise ProviderBroken(f"{WHAT} is not ASCII") from None


_EVENTS: Final = EventService(
    media_type="application/secevent+jwt",
    accepted=202,
    issuers=_SENDERS,
    configuration=f"{_ISSUER}/.well-known/risc-configuration",
    hosts=_KEY_HOSTS,
    expires=False,
    token_of=token_in,
    read_events=lambda claims: risc_events(claims, _SUBJECT_ISSUERS),
)


def build(settings: ProviderSettings[GoogleOptions]) -> Provider:
    """Make a Google provider. Raises BadOptions."""
    given = settings.options
    domains = [domain.lower() for domain in given.hd]
    service = OidcService(
        issuer=_ISSUER,
        endpoint_hosts=(*_KEY_HOSTS, "openidconnect.googleapis.com"),
        authorize_params={"hd": domains[0] if len(domains) == 1 else "*"} if domains else {},
        proves_fresh_login=False,
        facts=("hd",),
        # Without consent Google gives a refresh token at a person's first login only, so one that was lost,
        # or refused, would never come again.
        offline_params={"access_type": "offline", "prompt": "consent"},
        issuer_of=lambda claims: _OLD_ISSUER if claims.get("iss") == _OLD_ISSUER else _ISSUER,
        read_profile=GoogleProfile(frozenset(domains)),
    )
    audiences = (given.client_id, *given.security_event_audiences)
    events = EventReceiver(settings.name, _EVENTS, audiences=audiences, clock=settings.site.clock)
    return OidcProvider(settings, service, security_events=events if given.security_events else None)


KIND: Final = ProviderKind(
    name="google",
    label="Google",
    subject="`sub`",
    options=GoogleOptions,
    scope=lambda _: SubjectScope(_ISSUER, "sub"),
    build=build,
    facts=(*OF_CLAIMS, "hd"),
    open_to_all=lambda given: not given.hd,
)
