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
from providers.base import ProviderProfile, SubjectScope
from providers.kind import ProviderKind
from providers.oauth2_service import OAuth2Service, ObjectAt, ServiceOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class AmazonOptions(ServiceOptions):
    """What an operator says of Amazon."""

    scope: tuple[str, ...] = option(
        types.words, ("profile",), "What is asked for; `profile:user_id` for neither name nor address."
    )


def read(customer: Mapping[str, object]) -> ProviderProfile:
    """Read a customer's profile. Raises ProviderBroken."""
    return ProviderProfile(
        subject=untrusted.subject(customer.get("user_id")),
        email_verified=False,
        name=untrusted.shown(customer.get("name")),
        email=untrusted.email(customer.get("email")),
    )


KIND: Final = ProviderKind(
    name="amazon",
    label="Amazon",
    subject="`user_id`, which is another one for each company",
    options=AmazonOptions,
    scope=lambda _: SubjectScope("https://www.amazon.com", "user_id"),
    build=OAuth2Service(
        authorize="https://www.amazon.com/ap/oa",
        token="https://api.amazon.com/auth/o2/token",  # noqa: S106 - an address
        read_profile=ObjectAt("https://api.amazon.com/user/profile", read),
    ).build,
)
