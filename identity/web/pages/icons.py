"""The few line drawings on the pages: our own, monochrome, decoration only.

Invariant: a drawing never says anything the text beside it does not, so it is hidden from
screen readers.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from markupsafe import Markup

_SHAPES: Final = MappingProxyType(
    {
        "key": '<circle cx="8" cy="16" r="4.5"/><path d="M11.2 12.8 20 4m-3.5 3.5 2.5 2.5m-5.5.5 2 2"/>',
        "branch": (
            '<circle cx="7" cy="5" r="2.2"/><circle cx="7" cy="19" r="2.2"/><circle cx="17" cy="8" r="2.2"/>'
            '<path d="M7 7.2v9.6m10-6.6c0 4-6 3-9.2 6.2"/>'
        ),
        "envelope": '<rect x="3" y="5.5" width="18" height="13" rx="2"/><path d="m3.8 7.2 8.2 6.3 8.2-6.3"/>',
        "building": '<path d="M5 20.5v-16h9v16m0-11h5v11m-16 0h18m-13-12h3m-3 4h3m-3 4h3"/>',
        "bubble": '<path d="M4 5h16a1 1 0 0 1 1 1v9.5a1 1 0 0 1-1 1h-8.5l-4.5 4v-4H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1Z"/>',
        "flask": '<path d="M9 3.5h6m-4.5 0v6L5 18.5a1.4 1.4 0 0 0 1.2 2h11.6a1.4 1.4 0 0 0 1.2-2l-5.5-9v-6m-5.7 6h8"/>',
        "phone": '<rect x="7" y="3" width="10" height="18" rx="2"/><path d="M11 17.8h2"/>',
        "desktop": '<rect x="3" y="4.5" width="18" height="12" rx="1.5"/><path d="M8.5 20.5h7m-3.5-4v4"/>',
        "program": '<rect x="3" y="4.5" width="18" height="15" rx="1.5"/><path d="m7 9.5 3 2.5-3 2.5m5.5.5h4"/>',
        "note": '<path d="M9 18V6l10-2v12"/><circle cx="6.5" cy="18" r="2.5"/><circle cx="16.5" cy="16" r="2.5"/>',
        "parcel": '<path d="m12 3 8 4.5v9L12 21l-8-4.5v-9L12 3Zm0 9v9m0-9 8-4.5M12 12 4 7.5"/>',
        "screen": '<path d="M4 5h16v11h-5l-3.5 3.5V16H4V5Zm6.5 3.5V12m4-3.5V12"/>',
        "leaf": '<path d="M5 19C5 10 10 5 20 4c0 10-4 15-12 14.5M5 21c1-5 4-8.5 8-10.5"/>',
        "alert": '<circle cx="12" cy="12" r="9"/><path d="M12 7.5v5.5m0 3v.2"/>',
    }
)

_PROVIDERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "branch": ("github", "gitlab", "gitea", "forgejo", "codeberg", "bitbucket"),
        "envelope": ("google", "yahoo", "fastmail"),
        "building": ("microsoft", "entra", "okta", "keycloak", "linkedin", "company", "work"),
        "bubble": ("twitter", "twitter1", "x", "facebook", "mastodon", "discord", "line", "slack"),
        "note": ("spotify",),
        "parcel": ("amazon",),
        "screen": ("twitch",),
        "leaf": ("apple",),
        "flask": ("demo",),
    }
)
_PHONES: Final = (" on iPhone", " on iPad", " on Android")


def icon(name: str) -> Markup:
    """Return the drawing as part of a page."""
    return Markup(  # noqa: S704 - constants of this module
        '<svg class="icon" viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" '
        'stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">'
        f"{_SHAPES[name]}</svg>"
    )


def favicon(colour: str) -> str:
    """Return the key as an address of its own."""
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" '
        f'stroke="{colour}" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round">{_SHAPES["key"]}</svg>'
    )
    return f"data:image/svg+xml,{quote(drawing)}"


def provider_icon(provider: str, kinds: Mapping[str, str] = MappingProxyType({})) -> Markup:
    """Return the drawing for a provider: of its kind, else of the name it was given, else a key.

    Our own: most services allow their trademark only as their guidelines draw it, and those change.
    """
    shapes = (shape for word in (kinds.get(provider), provider) for shape, names in _PROVIDERS.items() if word in names)
    return icon(next(shapes, "key"))


def device_icon(agent: str) -> Markup:
    """Return the drawing for a browser by its summary (`Firefox on Linux`)."""
    if agent.endswith(_PHONES):
        return icon("phone")
    return icon("desktop" if " on " in agent or agent.startswith("Unknown") else "program")
