"""What providers say about people, made fit to be stored.

Pure. Such text is information and never a key. It comes from strangers: it is cut to a length
and loses what cannot be printed (control and format characters, lone surrogates).
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
    return _plain(text)[:LABEL]


def storable(profile: Profile) -> Profile:
    """Return the profile with every text cut to its length; a picture's address is kept whole or not at all."""
    return replace(
        profile,
        display_name=_plain(profile.display_name)[:NAME],
        email=_plain(profile.email)[:EMAIL],
        picture=profile.picture if len(profile.picture) <= ADDRESS and profile.picture.isprintable() else "",
    )


def _plain(text: str) -> str:
    return "".join(c for c in text[:ADDRESS] if c.isprintable()).strip()
