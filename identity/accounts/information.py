"""What providers say about people, made fit to be stored.

Pure. The one place that does so: a login cleans what it keeps for the username form, and the
account service what it stores. Such text is information and never a key. It comes from strangers:
it is cut to a length and loses what cannot be printed (control and format characters, lone
surrogates). Providers check claims of their own (`providers.untrusted`), because whether an
address counts decides which of two sources is believed.
"""

from dataclasses import replace
from typing import Final

from identity.accounts.store import Profile

LABEL: Final = 100
NAME: Final = 200
EMAIL: Final = 320
ADDRESS: Final = 2_000


def label(text: str) -> str:
    """Return what a person will recognise a way to log in by."""
    return plain(text, LABEL)


def storable(profile: Profile) -> Profile:
    """Return the profile with every text cut to its length; a picture's address is kept whole or not at all."""
    return replace(
        profile,
        display_name=plain(profile.display_name, NAME),
        email=plain(profile.email, EMAIL),
        picture=profile.picture if len(profile.picture) <= ADDRESS and profile.picture.isprintable() else "",
    )


def plain(text: str, limit: int) -> str:
    """Return what can be printed of a text, without space around it, cut to a number of characters."""
    return "".join(c for c in text[:ADDRESS] if c.isprintable()).strip()[:limit]
