"""Whose pages these are: the name, logo, colour and contact that an operator gives.

Owns what a logo may be. It is shown as an image alone, from our own address, and the policy stays as it is. SVG is
refused: opened by itself it is a document of this origin that may hold scripts, and cleaning one is a parser's work.
Whether it is a picture its first bytes say, never its name.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from identity.web.pages.icons import favicon
from identity.web.pages.style import STYLESHEET, Stylesheet

LOGO: Final = "/.identityd/logo"
LOGO_BYTES: Final = 131_072
"""Enough for a picture that is 64 pixels high, and no burden to a page."""
CONTACT_CHARS: Final = 200
NAME: Final = "identityd"
_KEY: Final = "#3a72c4"
"""Seen on light and dark tabs."""
_PICTURES: Final = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
)
_MAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_LINK: Final = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#][!-~]*)?")


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture as it is served."""

    body: bytes
    media_type: str

    @property
    def version(self) -> str:
        """Return a hash of its content, so that it may be cached for ever."""
        return sha256(self.body).hexdigest()[:16]

    @property
    def url(self) -> str:
        """Return the address pages show it from."""
        return f"{LOGO}?v={self.version}"


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom a person can ask: a text, and where it leads."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Branding:
    """What the pages show of the operator. Immutable: another one is other pages."""

    name: str = NAME
    contact: Contact | None = None
    logo: Logo | None = None
    stylesheet: Stylesheet = STYLESHEET
    colour: str = ""

    @property
    def favicon(self) -> str:
        """Return the picture of the tab; without one, browsers ask the site for /favicon.ico."""
        return self.logo.url if self.logo else favicon(self.colour or _KEY)


PLAIN: Final = Branding()
"""An operator who said nothing."""


def logo_of(body: bytes) -> Logo:
    """Return the picture a file holds. Raises ValueError with a sentence that completes "[site] logo: …"."""
    if len(body) > LOGO_BYTES:
        raise ValueError(f"is larger than {LOGO_BYTES // 1024} KiB; export it smaller, 64 to 128 pixels high is enough")
    for media_type, begins in _PICTURES:
        if begins.match(body):
            return Logo(body, media_type)
    kind = "is SVG, which can hold scripts" if b"<svg" in body[:1_024].lower() else "is no PNG, JPEG or WebP picture"
    raise ValueError(f"{kind}; export it as PNG or WebP")


def contact_of(text: str) -> Contact:
    """Return a mail address or an https address as a link, anything else as it is. Raises ValueError."""
    if len(text) > CONTACT_CHARS or not text.isprintable():
        raise ValueError(f"needs one line of at most {CONTACT_CHARS} characters")
    if _MAIL.fullmatch(text):
        return Contact(text, f"mailto:{quote(text, safe='@')}")
    if "://" in text.partition(" ")[0] and not _LINK.fullmatch(text):
        raise ValueError(f"{text!r} is no https address; write a mail address, an https address or a line of text")
    return Contact(text, text if _LINK.fullmatch(text) else "")
