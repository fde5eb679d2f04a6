"""The stylesheet as it is served: its bytes, and an address that changes when they do."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from identity.web.pages.colour import DARK, LIGHT, Accent, accent

PATH: Final = "/.identityd/style.css"


@dataclass(frozen=True, slots=True)
class Stylesheet:
    """One CSS file. `version` is a hash of its content, so that it may be cached for ever."""

    body: bytes
    version: str

    @property
    def url(self) -> str:
        """Return the address pages link to."""
        return f"{PATH}?v={self.version}"


def in_colour(colour: str) -> Stylesheet:
    """Return the stylesheet with an operator's colour in the place of ours."""
    light, dark = _set(accent(colour, LIGHT)), _set(accent(colour, DARK))
    return _sheet(STYLESHEET.body + f"\n{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n".encode())


def _set(one: Accent) -> str:
    return f":root {{ --accent: {one.accent}; --accent-ink: {one.ink}; --accent-wash: {one.wash}; }}"


def _sheet(body: bytes) -> Stylesheet:
    return Stylesheet(body, sha256(body).hexdigest()[:16])


STYLESHEET: Final = _sheet(Path(__file__).with_name("style.css").read_bytes())
