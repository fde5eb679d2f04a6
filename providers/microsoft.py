"""Microsoft: accounts of organisations (Entra) and personal ones.

The subject is `oid` within the tenant `tid`. Traps: the issuer in the discovery document that tenants
share is a template, so the token's must be that with `{tenantid}` replaced by its own `tid`, which must
be a tenant that is allowed; keys of a shared key set say whose they are. An address is whatever an
administrator wrote, so none is verified (nOAuth). `oid` is only there with the scope `profile`.
https://learn.microsoft.com/en-us/entra/identity-platform/claims-validation
https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference
https://learn.microsoft.com/en-us/entra/identity-platform/access-tokens#validate-the-issuer
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from options import types
from options.option import BadOptions, option, required
from providers import untrusted
from providers.base import Provider, ProviderBroken, ProviderDenied, ProviderProfile, SubjectScope
from providers.facts import CLAIM, TENANT
from providers.kind import ProviderKind, ProviderSettings
from providers.openid import OidcClientOptions, OidcService
from providers.openid_claims import Claims, profile_of

_HOST: Final = "https://login.microsoftonline.com"
_PERSONAL: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal accounts."""
_ID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SHARED: Final = ("common", "organizations")


@dataclass(frozen=True, slots=True, kw_only=True)
class MicrosoftOptions(OidcClientOptions):
    """What an operator says of Microsoft."""

    tenant: str = required(
        types.text(
            "common, organizations, consumers, or a tenant's id", pattern=f"common|organizations|consumers|{_ID}"
        ),
        "Whose accounts: `organizations`, `consumers`, `common` for both, or the id of the one tenant.",
    )
    tenants: tuple[str, ...] = option(
        types.words, (), "Ids of the tenants whose people may log in; left out, people of any that `tenant` admits."
    )


def tenant_of(claims: Claims) -> str:
    """Return the tenant a token is of. Raises ProviderBroken."""
    tenant = claims.get("tid")
    if not isinstance(tenant, str) or not re.fullmatch(_ID, tenant):
        raise ProviderBroken("the ID token names no tenant (tid)")
    return tenant


@dataclass(frozen=True, slots=True)
class MicrosoftProfile:
    """Reads a profile of a person in one of these tenants."""

    tenants: frozenset[str]
    personal: bool

    def __call__(self, claims: Claims, more: Claims) -> ProviderProfile:
        """Raises ProviderDenied for a tenant that is not allowed."""
        tenant = tenant_of(claims)
        if (self.tenants and tenant not in self.tenants) or (tenant == _PERSONAL and not self.personal):
            raise ProviderDenied("the account is of a tenant that may not log in")
        subject = untrusted.subject(claims.get("oid"))
        return replace(profile_of(claims, more), subject=subject, tenant=tenant, email_verified=False)


def build(settings: ProviderSettings[MicrosoftOptions]) -> Provider:
    """Make a Microsoft provider. Raises BadOptions."""
    given = settings.options
    if "profile" not in given.scope:
        raise BadOptions([("scope", "must contain profile, without which there is no oid")])
    if not all(re.fullmatch(_ID, tenant) for tenant in given.tenants):
        raise BadOptions([("tenants", "may hold ids of tenants, like 72f988bf-86f1-41af-91ab-2d7cd011db47")])
    named = {"consumers": _PERSONAL, **dict.fromkeys(_SHARED, "{tenantid}")}.get(given.tenant, given.tenant)
    service = OidcService(
        issuer=f"{_HOST}/{named}/v2.0",
        discovery_url=f"{_HOST}/{given.tenant}/v2.0/.well-known/openid-configuration",
        client_auth="post",
        issuer_of=lambda claims: f"{_HOST}/{tenant_of(claims) if given.tenant in _SHARED else named}/v2.0",
        read_profile=MicrosoftProfile(frozenset(given.tenants), given.tenant != "organizations"),
    )
    return service.build(settings)


KIND: Final = ProviderKind(
    name="microsoft",
    label="Microsoft",
    subject="`oid` within the tenant `tid`; never the address",
    options=MicrosoftOptions,
    scope=lambda _: SubjectScope(_HOST, "oid"),
    build=build,
    facts=(CLAIM, TENANT),
    open_to_all=lambda given: given.tenant in (*_SHARED, "consumers") and not given.tenants,
)
