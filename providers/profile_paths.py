"""A profile read by dotted paths, for the kinds that configuration alone describes.

Pure. Owns what each path is for, and the reading; where the JSON comes from is the kind's.
"""

from collections.abc import Mapping
from typing import Final

from providers import untrusted
from providers.base import ProviderProfile

PATHS: Final = ("subject", "handle", "display_name", "email", "email_verified", "picture")
"""The options that hold one; an empty path finds nothing."""

_PATH: Final = "a dotted path in the profile's JSON, for example `data.id`"
SUBJECT: Final = f"The id that never changes hands: {_PATH}."
HANDLE: Final = f"The name to suggest as username: {_PATH}."
DISPLAY_NAME: Final = f"The name to show: {_PATH}."
EMAIL: Final = f"The e-mail address: {_PATH}."
EMAIL_VERIFIED: Final = f"Whether the provider checked the address, never so if empty: {_PATH}."
PICTURE: Final = f"The address of a picture: {_PATH}."


def paths_of(options: object) -> dict[str, str]:
    """Return the paths in a kind's options."""
    return {name: getattr(options, name) for name in PATHS}


def profile_at(paths: Mapping[str, str], found: object) -> ProviderProfile:
    """Read a profile from JSON. Raises ProviderBroken if the subject is missing or unusable."""
    values = {name: untrusted.find(found, path) if path else None for name, path in paths.items()}
    email = untrusted.email(values["email"])
    subject = values["subject"]
    return ProviderProfile(
        # An id may be a number or text here; both are written the same way for ever.
        subject=untrusted.subject(subject) if isinstance(subject, str) else untrusted.numeric_subject(subject),
        email_verified=bool(email) and untrusted.truth(values["email_verified"]),
        handle=untrusted.shown(values["handle"]),
        name=untrusted.shown(values["display_name"]),
        email=email,
        picture=untrusted.address(values["picture"]),
    )
