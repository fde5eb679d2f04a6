"""GitLab: gitlab.com, or a GitLab of one's own.

The subject is `sub`, the number of the account on that GitLab. The issuer is the address of the GitLab,
so one configured name is one GitLab.
https://docs.gitlab.com/integration/openid_connect_provider/
"""

from dataclasses import dataclass
from typing import Final

from options.option import option
from providers.addresses import web_address
from providers.base import Provider, SubjectScope
from providers.facts import OF_CLAIMS
from providers.kind import ProviderKind, ProviderSettings
from providers.openid import OidcClientOptions, OidcService


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabOptions(OidcClientOptions):
    """What an operator says of a GitLab."""

    url: str = option(web_address, "https://gitlab.com", "Where GitLab is; another address for one of your own.")


def build(settings: ProviderSettings[GitLabOptions]) -> Provider:
    """Make a GitLab provider. Raises BadOptions."""
    return OidcService(issuer=settings.options.url.rstrip("/")).build(settings)


KIND: Final = ProviderKind(
    name="gitlab",
    label="GitLab",
    subject="`sub`, the number of the account on that GitLab",
    options=GitLabOptions,
    scope=lambda given: SubjectScope(given.url.rstrip("/"), "sub"),
    build=build,
    facts=OF_CLAIMS,
    open_to_all=lambda given: given.url.rstrip("/") == "https://gitlab.com",
)
