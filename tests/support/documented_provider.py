"""A pytest plugin that puts the provider of docs/adding-a-provider.md into the registry, as a newcomer would."""

import importlib.util
import os
import re
import sys
from typing import Final

import providers
from tests.support.sources import ROOT

PAGE: Final = ROOT / "docs" / "adding-a-provider.md"
NAME: Final = "providers.acme"
SPOILT: Final = "IDENTITYD_TESTS_SPOILT"
INSTEAD: Final = "IDENTITYD_TESTS_INSTEAD"
"""Variables that exchange a piece of the provider for another, to see that the kit notices."""


def block(file: str) -> str:
    """Return the code that the page gives for a file."""
    found = re.search(rf"`{re.escape(file)}`:\n\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found, file
    return found[1]


def _load() -> None:
    spec = importlib.util.spec_from_loader(NAME, loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    text = block("providers/acme.py").replace(os.environ[SPOILT] or "\0", os.environ[INSTEAD])
    exec(compile(text, str(PAGE), "exec"), vars(module))  # noqa: S102 - the page's own


def pytest_configure() -> None:
    """Register the kind before anything is collected."""
    _load()
    providers.REGISTRY = providers.KindRegistry(*providers.REGISTRY, "acme")  # type: ignore[misc]
