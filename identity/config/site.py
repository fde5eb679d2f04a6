"""The options of what people see of the operator.

Owns the section `[site]`, one part of `model.py` in a file of its own. Must not read the logo: `files` does.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from identity.web.pages import colour
from identity.web.pages.branding import Contact, contact_of
from options import types
from options.option import option
from options.types import OptionType

_TITLE: Final = types.text("text of at most 64 characters", pattern=r"[^\x00-\x1f\x7f]{1,64}", empty=True)
_COLOUR: Final = OptionType("colour", lambda text: colour.read(text) if text else "")
_CONTACT: Final = OptionType(
    "mail address, https address or text",
    lambda text: contact_of(text) if text else None,
    write=lambda given: given.text if given else "",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSection:
    """What people see of the operator: the pages' name, logo and colour, and whom to ask."""

    name: str = option(
        _TITLE,
        "",
        "What people know this login as, in titles and headings; empty is the host of public_url, and identityd on "
        "localhost.",
        live=True,
    )
    logo: Path | None = option(
        types.optional_path,
        None,
        "Picture beside the name: a PNG, JPEG or WebP file of at most 128 KiB; SVG is refused.",
        live=True,
    )
    colour: str = option(
        _COLOUR,
        "",
        "Colour of links and of the main button, like #1f4e8c; made darker, and lighter for dark screens, until it "
        "can be read.",
        live=True,
    )
    contact: Contact | None = option(
        _CONTACT, None, "Whom a person can ask, on pages that refuse them or say that something failed.", live=True
    )
