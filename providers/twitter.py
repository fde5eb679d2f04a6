"""Twitter, now called X, with OAuth 2.

The subject is the numeric `id`. A username changes hands and is a suggestion only. There is no
e-mail address: X gives one with a permission that an application must apply for. OAuth 2 needs PKCE, and an
application with a secret shows it with Basic.
https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token

The user stands in `data`. Errors may stand beside it, about fields that were left out; without a
user the answer is one of errors alone, with the status of a success.
https://docs.x.com/x-api/users/user-lookup-me
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
class TwitterOptions(ServiceOptions):
    """What an operator says of Twitter."""

    scope: tuple[str, ...] = option(types.words, ("users.read", "tweet.read"), "What is asked for; both are needed.")


def read(found: Mapping[str, object]) -> ProviderProfile:
    """Read the answer about the person who is asking. Raises ProviderBroken."""
    return ProviderProfile(
        subject=untrusted.digits_subject(untrusted.find(found, "data.id")),
        email_verified=False,
        handle=untrusted.shown(untrusted.find(found, "data.username")),
        name=untrusted.shown(untrusted.find(found, "data.name")),
        picture=untrusted.address(untrusted.find(found, "data.profile_image_url")),
    )


KIND: Final = ProviderKind(
    name="twitter",
    label="X (Twitter)",
    subject="numeric `id`; never the username, which changes hands",
    options=TwitterOptions,
    scope=lambda _: SubjectScope("https://api.x.com", "id"),
    build=OAuth2Service(
        authorize="https://x.com/i/oauth2/authorize",
        token="https://api.x.com/2/oauth2/token",  # noqa: S106 - an address
        read_profile=ObjectAt("https://api.x.com/2/users/me?user.fields=profile_image_url", read),
        method="basic",
        revoke="https://api.x.com/2/oauth2/revoke",
        offline_scope="offline.access",
    ).build,
    facts=(),
)
