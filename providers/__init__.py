"""The kinds of login providers there are, and making one by its kind. Nothing else lives here.

To add a kind, write its file and name it in `REGISTRY`; the conformance kit must know it too
(docs/adding-a-provider.md).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from options.option import BadOptions
from providers import (
    amazon,
    apple,
    demo,
    discord,
    facebook,
    github,
    gitlab,
    google,
    line,
    linkedin,
    mastodon,
    microsoft,
    oauth1,
    oauth2,
    oidc,
    slack,
    spotify,
    twitch,
    twitter,
    twitter1,
    yahoo,
)
from providers.base import Provider, SubjectScope
from providers.kind import ProviderKind, ProviderSettings, ProviderSite

_KINDS: Final[tuple[ProviderKind[Any], ...]] = (
    amazon.KIND,
    apple.KIND,
    demo.KIND,
    discord.KIND,
    facebook.KIND,
    github.KIND,
    gitlab.KIND,
    google.KIND,
    line.KIND,
    linkedin.KIND,
    mastodon.KIND,
    microsoft.KIND,
    oauth1.KIND,
    oauth2.KIND,
    oidc.KIND,
    slack.KIND,
    spotify.KIND,
    twitch.KIND,
    twitter.KIND,
    twitter1.KIND,
    yahoo.KIND,
)
REGISTRY: Final[Mapping[str, ProviderKind[Any]]] = {kind.name: kind for kind in _KINDS}

_NAME: Final = re.compile(r"[a-z0-9-]{1,32}")


def build(kind: str, name: str, options: object, *, site: ProviderSite, label: str = "") -> Provider:
    """Make one configured provider. No I/O. Raises BadOptions with every problem found.

    Args:
        kind: a name in `REGISTRY`.
        name: what the configuration calls it; the first part of its people's identity keys.
        options: an object of the kind's class of options.
        site: what the daemon tells providers of itself.
        label: what people call it; the kind's own label if empty.
    """
    if kind not in REGISTRY:
        raise BadOptions([("kind", f"must be one of {', '.join(sorted(REGISTRY))}")])
    if not _NAME.fullmatch(name):
        raise BadOptions([("name", "may hold a-z, 0-9 and -, 1 to 32 of them")])
    chosen = REGISTRY[kind]
    return chosen.build(ProviderSettings(name, label or chosen.label, site, options))


def scope_of(kind: str, options: object) -> SubjectScope:
    """Return within what the subjects of a configured provider are unique."""
    return REGISTRY[kind].scope(options)
