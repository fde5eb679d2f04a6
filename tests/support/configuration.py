"""Configurations for tests: texts that are right but for one thing, and the problems they have."""

from collections.abc import Mapping
from pathlib import Path

from identity import config
from identity.errors import ConfigError
from options.option import BadOptions, options_of, values_of
from options.secret import Secret
from providers import REGISTRY

APP_SECRET = "f3b1c0a97d6e5842f3b1c0a97d6e5842-app"
"""Long and varied enough to be accepted; used nowhere but in tests."""


def problems_with(
    text: str = "",
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
    base: Path = Path(),
    demo: bool = False,
) -> tuple[str, ...]:
    """Return the problems of a configuration; none if it is accepted."""
    try:
        config.parse(text, base=base, environ=environ or {}, overrides=overrides or {}, demo=demo)
    except ConfigError as error:
        return error.problems
    return ()


def problems_of(text: str) -> tuple[str, ...]:
    """Return the problems of a configuration text."""
    return problems_with(text)


def provider_options(kind: str, texts: Mapping[str, str]) -> object:
    """Read the options of a kind of provider as the configuration does, but take any secret. Raises BadOptions."""
    section = REGISTRY[kind].options
    secrets = {
        each.field: Secret(texts[each.name]) for each in options_of(section) if each.secret and each.name in texts
    }
    plain = [each for each in options_of(section) if not each.secret]
    values, faults = values_of(plain, {name: text for name, text in texts.items() if text})
    if faults:
        raise BadOptions(faults.items())
    return section(**values, **secrets)
