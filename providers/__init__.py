"""The kinds of login providers there are, and making one by its kind. Nothing else lives here.

A kind costs a start nothing unless the configuration names it. To add one, write its file and name it
in `REGISTRY`; the conformance kit must know it too (docs/adding-a-provider.md).
"""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final

from options.option import BadOptions
from providers.base import KeepsTokens, Provider, SubjectScope
from providers.kind import ProviderKind, ProviderSettings, ProviderSite


class KindRegistry(Mapping[str, ProviderKind[Any]]):
    """The kinds by name. Each is `KIND` in the file of its name, which is imported when the kind is asked for."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __getitem__(self, name: str) -> ProviderKind[Any]:
        if name not in self._names:
            raise KeyError(name)
        kind: ProviderKind[Any] = import_module(f"providers.{name}").KIND
        return kind

    def __contains__(self, name: object) -> bool:
        return name in self._names  # without importing it

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


REGISTRY: Final = KindRegistry(
    "amazon",
    "apple",
    "demo",
    "discord",
    "facebook",
    "github",
    "gitlab",
    "google",
    "line",
    "linkedin",
    "mastodon",
    "microsoft",
    "oauth1",
    "oauth2",
    "oidc",
    "slack",
    "spotify",
    "twitch",
    "twitter",
    "twitter1",
    "yahoo",
)

_NAME: Final = re.compile(r"[a-z0-9-]{1,32}")


def build(
    kind: str,
    name: str,
    options: object,
    *,
    site: ProviderSite,
    label: str = "",
    keep_tokens: bool = False,
    facts: frozenset[str] = frozenset(),
) -> Provider:
    """Make one configured provider. No I/O. Raises BadOptions with every problem found.

    Args:
        kind: a name in `REGISTRY`.
        name: what the configuration calls it; the first part of its people's identity keys.
        options: an object of the kind's class of options.
        site: what the daemon tells providers of itself.
        label: what people call it; the kind's own label if empty.
        keep_tokens: whether the tokens of logins are kept for applications.
        facts: names of what the operator's rules ask about (`facts`).
    """
    if kind not in REGISTRY:
        raise BadOptions([("kind", f"must be one of {', '.join(sorted(REGISTRY))}")])
    if not _NAME.fullmatch(name):
        raise BadOptions([("name", "may hold a-z, 0-9 and -, 1 to 32 of them")])
    chosen = REGISTRY[kind]
    made = chosen.build(ProviderSettings(name, label or chosen.label, site, options, keep_tokens, facts))
    if keep_tokens and not isinstance(made, KeepsTokens):
        raise BadOptions([("keep_tokens", f"kind {kind} has no tokens that an application could use; write no")])
    return made


def scope_of(kind: str, options: object) -> SubjectScope:
    """Return within what the subjects of a configured provider are unique."""
    return REGISTRY[kind].scope(options)
