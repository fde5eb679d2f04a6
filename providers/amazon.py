"""Login with Amazon.

The subject is `user_id`: one for each customer and each company that registers applications.
Amazon does not say that an e-mail address was checked, so none is called verified. Its access tokens hold `|`.
https://developer.amazon.com/docs/login-with-amazon/customer-profile.html
https://developer.amazon.com/docs/login-with-amazon/authorization-code-grant.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from options import types
from options.option import option
from providers import untrusted
from providers.base import Provider, ProviderProfile, SubjectScope
from providers.kind import ProviderKind, ProviderSettings
from providers.oauth2_service import OAuth2Service, ObjectAt, ServiceOptions

_HOSTS: Final = {
    "na": ("www.amazon.com", "api.amazon.com"),
    "eu": ("eu.account.amazon.com", "api.amazon.co.uk"),
    "fe": ("apac.account.amazon.com", "api.amazon.co.jp"),
}
"""By region: where customers log in, and the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmazonOptions(ServiceOptions):
    """What an operator says of Amazon."""

    scope: tuple[str, ...] = option(
        types.words, ("profile",), "What is asked for; `profile:user_id` for neither name nor address."
    )
    region: str = option(
        types.word(*_HOSTS), "na", "Whose customers log in: North America's, Europe's (`eu`) or the Far East's (`fe`)."
    )


def read(customer: Mapping[str, object]) -> ProviderProfile:
    """Read a customer's profile. Raises ProviderBroken."""
    return ProviderProfile(
        subject=untrusted.subject(customer.get("user_id")),
        email_verified=False,
        name=untrusted.shown(customer.get("name")),
        email=untrusted.email(customer.get("email")),
    )


def build(settings: ProviderSettings[AmazonOptions]) -> Provider:
    """Make an Amazon provider."""
    login, api = _HOSTS[settings.options.region]
    return OAuth2Service(
        authorize=f"https://{login}/ap/oa",
        token=f"https://{api}/auth/o2/token",
        read_profile=ObjectAt(f"https://{api}/user/profile", read),
    ).build(settings)


KIND: Final = ProviderKind(
    name="amazon",
    label="Amazon",
    subject="`user_id`, which is another one for each company",
    options=AmazonOptions,
    scope=lambda _: SubjectScope("https://www.amazon.com", "user_id"),
    build=build,
    facts=(),
)
