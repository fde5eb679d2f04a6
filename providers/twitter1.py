"""Twitter, now X, with OAuth 1.0a, which tells the e-mail address; its OAuth 2 does not.

The subject is `id_str`: the number as text, because `id` is too large for many JSON parsers. A
`screen_name` changes hands and is a suggestion only. An address is sent only if Twitter checked it
("if the email address is not verified, null will be returned"), and only to apps that may ask for it.
https://developer.x.com/en/docs/apps/callback-urls
https://developer.x.com/en/docs/twitter-api/v1/accounts-and-users/manage-account-settings/api-reference/get-account-verify_credentials
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from options import types
from options.option import option, required
from options.secret import Secret
from providers import untrusted
from providers.addresses import web_address
from providers.base import Provider, ProviderBroken, ProviderProfile, SubjectScope
from providers.kind import CLIENT_SECRET, ProviderKind, ProviderSettings
from providers.oauth1 import OAuth1Endpoints, OAuth1Provider, Signer
from providers.oauth1_signing import Credentials

_ID: Final = re.compile(r"[1-9][0-9]{0,19}")
_PROFILE: Final = "1.1/account/verify_credentials.json?include_email=true&include_entities=false&skip_status=true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Twitter1Options:
    """What an operator says of Twitter."""

    consumer_key: str = required(types.text(), "The app's API key.")
    consumer_secret: Secret = required(CLIENT_SECRET, "The app's API key secret.")
    url: str = option(web_address, "https://api.x.com", "Where Twitter's API is.")


def read_user(user: object) -> ProviderProfile:
    """Read a profile from `verify_credentials`. Raises ProviderBroken."""
    if not isinstance(user, Mapping):
        raise ProviderBroken("the profile is not a JSON object")
    subject = untrusted.subject(user.get("id_str"))
    if not _ID.fullmatch(subject):
        raise ProviderBroken("id_str is not a whole number")
    email = untrusted.email(user.get("email"))
    return ProviderProfile(
        subject=subject,
        email_verified=bool(email),
        handle=untrusted.shown(user.get("screen_name")),
        name=untrusted.shown(user.get("name")),
        email=email,
        picture=untrusted.address(user.get("profile_image_url_https")),
    )


def build(settings: ProviderSettings[Twitter1Options]) -> Provider:
    """Make a Twitter provider."""
    given = settings.options
    url = given.url.rstrip("/")
    return OAuth1Provider(
        name=settings.name,
        label=settings.label,
        signer=Signer(Credentials(given.consumer_key, given.consumer_secret.text()), settings.site),
        endpoints=OAuth1Endpoints(
            request_token=f"{url}/oauth/request_token",
            # Unlike /oauth/authorize it does not ask again who approved the app before.
            authorize=f"{url}/oauth/authenticate",
            access_token=f"{url}/oauth/access_token",
            profile=f"{url}/{_PROFILE}",
            forced={"force_login": "true"},
        ),
        read_profile=read_user,
    )


KIND: Final = ProviderKind(
    name="twitter1",
    label="X (Twitter)",
    subject="`id_str`, a number; never the handle, which changes hands",
    options=Twitter1Options,
    scope=lambda given: SubjectScope(given.url.rstrip("/"), "id"),
    build=build,
)
