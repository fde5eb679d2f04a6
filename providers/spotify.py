"""Spotify.

The subject is `id`, which is text. The e-mail address is what the person typed when the account was made; Spotify
says itself that nothing proves it belongs to them. It needs the scope `user-read-email`, and an
application in development mode does not get it at all.
https://developer.spotify.com/documentation/web-api/reference/get-current-users-profile
https://developer.spotify.com/documentation/web-api/tutorials/february-2026-migration-guide
https://developer.spotify.com/documentation/web-api/tutorials/code-flow
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from options import types
from options.option import option
from providers import untrusted
from providers.authorize_params import ADDED, AuthorizeParams, params_of
from providers.base import ProviderProfile, SubjectScope
from providers.kind import ProviderKind
from providers.oauth2_service import OAuth2Service, ObjectAt, ServiceOptions

_PARAMS: Final = params_of("show_dialog")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotifyOptions(ServiceOptions):
    """What an operator says of Spotify."""

    scope: tuple[str, ...] = option(types.words, ("user-read-email",), "What is asked for.")
    authorize_params: AuthorizeParams = option(_PARAMS, (), ADDED)


def read(user: Mapping[str, object]) -> ProviderProfile:
    """Read the profile of the person who is asking. Raises ProviderBroken."""
    images = user.get("images")
    first = images[0] if isinstance(images, list) and images else None
    return ProviderProfile(
        subject=untrusted.subject(user.get("id")),
        email_verified=False,
        name=untrusted.shown(user.get("display_name")),
        email=untrusted.email(user.get("email")),
        picture=untrusted.address(untrusted.find(first, "url")),
    )


KIND: Final = ProviderKind(
    name="spotify",
    label="Spotify",
    subject="`id`, which is text",
    options=SpotifyOptions,
    scope=lambda _: SubjectScope("https://accounts.spotify.com", "id"),
    build=OAuth2Service(
        authorize="https://accounts.spotify.com/authorize",
        token="https://accounts.spotify.com/api/token",  # noqa: S106 - an address
        read_profile=ObjectAt("https://api.spotify.com/v1/me", read),
        method="basic",
    ).build,
)
