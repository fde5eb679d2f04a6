"""docs/certification.md lists the modules that the tests walk, and no others."""

import re
from typing import Final

import pytest

from tests.support.openid_plans import COUNTS, PLANS, Plan
from tests.support.sources import ROOT

PAGE: Final = (ROOT / "docs" / "certification.md").read_text()
_ROW: Final = re.compile(r"^\| `([a-z0-9-]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def _section(plan: Plan) -> str:
    found = re.search(rf"^## {plan.profile}$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/certification.md has no section for {plan.profile}"
    return found[1]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_a_plan_has_its_modules(plan: Plan) -> None:
    """Otherwise the page claims a module that is not tried, or hides one that is."""
    section = _section(plan)

    assert f"Plan `{plan.name}`, modules: {len(plan.modules)}." in section
    assert _ROW.findall(section) == [(each.name, each.does, each.ends.value) for each in plan.modules]


def test_no_module_is_lost() -> None:
    """The suite's own lists are this long; a module that drops out of ours would drop out of the page as well."""
    assert tuple(len(plan.modules) for plan in PLANS) == COUNTS
    assert f"All {sum(COUNTS)} modules of six plans hold." in PAGE


def test_no_section_is_of_a_plan_that_is_not_tried() -> None:
    """Otherwise the page claims a profile that no test holds."""
    assert re.findall(r"^Plan `(.+?)`", PAGE, re.MULTILINE) == [plan.name for plan in PLANS]
