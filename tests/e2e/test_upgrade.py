"""Upgraded and rolled back by the link, under browsers, behind nginx: no request fails and no person is logged out."""

from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.upgrades import NEW, OLD, upgraded_and_back


@pytest.mark.memcached
@pytest.mark.nginx
@pytest.mark.parametrize(
    ("people", "per_second", "between", "unix"),
    [
        pytest.param(20, 15, 60, False, id="few", marks=pytest.mark.slow),
        pytest.param(10, 15, 60, True, id="few through Unix sockets", marks=pytest.mark.slow),
        pytest.param(200, 50, 1_500, False, id="many", marks=pytest.mark.nightly),
    ],
)
def test_no_browser_notices(
    tmp_path: Path, authority: Authority, people: int, per_second: float, between: int, *, unix: bool
) -> None:
    """Otherwise every release is an outage, so that there are few of them, and large ones."""
    went = upgraded_and_back(tmp_path, authority, people=people, per_second=per_second, between=between, unix=unix)

    assert [line.rpartition(" ")[2].strip() for line in went.said] == [OLD, NEW], went.said
    assert all(f"serves version {to}; before" in line for to, line in zip((NEW, OLD), went.said, strict=True))
    assert went.seen.failed == []
    assert went.logged_in == people
    assert {"account", "page", "form", "sign-up"} == went.seen.answers.keys()
