"""Configurations for tests: texts that are right but for one thing, and the problems they have."""

from collections.abc import Mapping
from pathlib import Path

from identity import config
from identity.errors import ConfigError

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
