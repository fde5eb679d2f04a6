"""Discord.

The subject is `id`, a snowflake: a whole number written as text. A username can be changed and then
taken by another person. `verified` is about the e-mail address, which comes with the scope `email`.
https://discord.com/developers/docs/resources/user#user-object

A picture is a hash, of which an address is made.
https://discord.com/developers/docs/reference#image-formatting
"""

import re
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

_HASH: Final = re.compile(r"(a_)?[0-9a-f]{32}")
_API: Final = "https://discord.com/api/v10"
_PARAMS: Final = params_of("prompt")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordOptions(ServiceOptions):
    """What an operator says of Discord."""

    scope: tuple[str, ...] = option(types.words, ("identify", "email"), "What is asked for.")
    authorize_params: AuthorizeParams = option(_PARAMS, (), ADDED)


def read(user: Mapping[str, object]) -> ProviderProfile:
    """Read a user. Raises ProviderBroken."""
    subject = untrusted.digits_subject(user.get("id"))
    email = untrusted.email(user.get("email"))
    return ProviderProfile(
        subject=subject,
        email_verified=bool(email) and user.get("verified") is True,
        handle=untrusted.shown(user.get("username")),
        name=untrusted.shown(user.get("global_name")),
        email=email,
        picture=picture(subject, user.get("avatar")),
    )


def picture(subject: str, avatar: object) -> str:
    """Return the address of a person's picture, or nothing."""
    known = isinstance(avatar, str) and _HASH.fullmatch(avatar)
    return f"https://cdn.discordapp.com/avatars/{subject}/{avatar}.png" if known else ""


KIND: Final = ProviderKind(
    name="discord",
    label="Discord",
    subject="`id`, a snowflake; never the username, which changes hands",
    options=DiscordOptions,
    scope=lambda _: SubjectScope("https://discord.com", "id"),
    build=OAuth2Service(
        authorize="https://discord.com/oauth2/authorize",
        token=f"{_API}/oauth2/token",
        read_profile=ObjectAt(f"{_API}/users/@me", read),
        revoke=f"{_API}/oauth2/token/revoke",
    ).build,
)
