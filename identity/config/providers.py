"""The options of each kind of login provider, as the provider's own file describes them.

Owns the translation between `providers.options` and this package, so that providers know nothing
of identityd's configuration and it knows nothing of any single provider.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from identity.config import kinds
from identity.config.model import Config
from identity.config.option import Option
from identity.config.rules import Rule
from providers import REGISTRY, build
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


def buildable(config: Config) -> Iterator[str]:
    """A provider is made at the start, so that none fails at somebody's login. Making one calls nobody."""
    site = theirs.Site(str(config.server.public_url), clock=lambda: 0, random_bytes=bytes, demo=config.demo)
    for section in config.providers:
        try:
            build(section.kind, section.name, section.texts, site=site, label=section.label)
        except theirs.BadOptions as error:
            yield from (f"[provider:{section.name}] {option}: {reason}" for option, reason in error.problems)


RULES: Final = (Rule(buildable, ("server.public_url",)),)


def _translated(option: theirs.Option) -> Option:
    return Option(
        name=option.name,
        type_name=_type_name(option),
        default=None if option.required else option.default,
        sentence=option.help,
        secret=option.secret,
        read=kinds.secret(SHORTEST_SECRET, theirs=True).read if option.secret else str,
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
