"""The options of each kind of login provider, as the provider's own file describes them.

Owns the translation between `providers.options` and this package, so that providers know nothing
of identityd's configuration and it knows nothing of any single provider.
"""

from collections.abc import Mapping
from typing import Final

from identity.config import kinds
from identity.config.option import Option
from providers import REGISTRY
from providers import options as theirs

SHORTEST_SECRET: Final = 8
"""Providers choose the length of the secrets they give out; fewer characters than this are a slip."""


def names() -> tuple[str, ...]:
    """Return the kinds there are."""
    return tuple(REGISTRY)


def options_of(kind: str) -> tuple[Option, ...]:
    """Return the options of a kind; none for an unknown one."""
    return tuple(_translated(option) for option in REGISTRY[kind].options) if kind in REGISTRY else ()


def label_of(kind: str) -> str:
    """Return what people call a provider of this kind unless the configuration says otherwise."""
    return REGISTRY[kind].label


def settle(kind: str, texts: Mapping[str, str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the kind's options complete, and a problem for each that is at fault."""
    try:
        return theirs.settle(REGISTRY[kind].options, texts), {}
    except theirs.BadOptions as error:
        return {}, dict(error.problems)


def _translated(option: theirs.Option) -> Option:
    return Option(
        name=option.name,
        type_name=_type_name(option),
        default=None if option.required else option.default,
        sentence=option.help,
        secret=option.secret,
        read=kinds.secret(SHORTEST_SECRET).read if option.secret else str,
    )


def _type_name(option: theirs.Option) -> str:
    if option.secret:
        return kinds.secret(SHORTEST_SECRET).name
    match option.form:
        case theirs.Form.CHOICE:
            return " | ".join(option.choices)
        case theirs.Form.URL:
            return "web address"
        case theirs.Form.WORDS:
            return "list of words"
        case theirs.Form.FLAG:
            return kinds.flag.name
        case theirs.Form.TEXT:
            return "text"
