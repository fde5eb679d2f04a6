"""docs/providers.md says of every kind what the registry says."""

import re
from typing import Any, Final

import pytest

from options.option import Option, options_of
from providers import REGISTRY
from providers.kind import ProviderKind
from tests.support.configuration import problems_with
from tests.support.sources import ROOT

PAGE: Final = (ROOT / "docs" / "providers.md").read_text()
_OPTION: Final = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def _section(kind: str) -> str:
    found = re.search(rf"^## {kind}$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/providers.md has no section for {kind}"
    return found[1]


def _row(option: Option) -> tuple[str, str, str]:
    default = "*needed*" if option.default is None else f"`{option.default}`" if option.default else "*empty*"
    return option.name, default, option.sentence


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=lambda kind: kind.name)
def test_every_kind_has_its_row(kind: ProviderKind[Any]) -> None:
    """Otherwise an operator does not know what is compared when somebody logs in."""
    row = re.search(rf"^\| `{kind.name}` \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)

    assert row
    assert row[2] == kind.subject


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=lambda kind: kind.name)
def test_every_option_is_described_as_it_is(kind: ProviderKind[Any]) -> None:
    """Otherwise the page explains options that do not exist, or hides one that does."""
    assert _OPTION.findall(_section(kind.name)) == [_row(option) for option in options_of(kind.options)]


def test_no_kind_is_described_that_does_not_exist() -> None:
    """Otherwise an operator configures what the daemon refuses."""
    table = PAGE.partition("## The kinds")[2].partition("\n## ")[0]

    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == sorted(REGISTRY)


def test_the_examples_are_accepted() -> None:
    """Otherwise the first thing an operator copies is refused."""
    for example in re.findall(r"```ini\n(\[provider:\w+\]\n.*?)```", PAGE, re.DOTALL):
        # Their secrets are in files this machine does not have; nothing else may be missing or wrong.
        files = set(re.findall(r"^(\w+)_file = ", example, re.MULTILINE))
        text = re.sub(r"^\w+_file = .*\n", "", example, flags=re.MULTILINE)
        problems = problems_with(text)

        assert {re.findall(r"\] (\w+): is missing", problem)[0] for problem in problems} == files, problems
