"""One guarded application per proxy and file; every test of the file meets all four."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.certificates import Authority
from tests.support.guarded_application import APPLICATION, GuardedApplication
from tests.support.planted import EVIL, LOGIN, WIKI
from tests.support.proxies import NAMES
from tests.support.siblings import Sibling

UNMINTED: Final = {"static_paths": f"{APPLICATION}/old {APPLICATION}/echo /old /echo"}
"""A page without a token: one with a token is never kept."""


@pytest.fixture(scope="module", params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in NAMES])
def guarded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[GuardedApplication]:
    """Give a running gate; what a test stops, it starts again."""
    folder: Path = tmp_path_factory.mktemp(request.param) / "run"
    with GuardedApplication(request.param, folder, authority) as running:
        yield running


@pytest.fixture(scope="module", params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in NAMES])
def kept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[GuardedApplication]:
    """Give a gate whose application's pages may carry no token."""
    with GuardedApplication(
        request.param, tmp_path_factory.mktemp(request.param) / "run", authority, app=UNMINTED
    ) as running:
        yield running


@pytest.fixture(scope="module", params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in NAMES])
def corp(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[GuardedApplication]:
    """Give a running gate whose hosts have a domain in common with a sibling."""
    folder: Path = tmp_path_factory.mktemp(request.param) / "run"
    guarded = GuardedApplication(request.param, folder, authority, hosts=(LOGIN, WIKI))
    # Two dozen cookies of any length belong to the application, too.
    guarded.behind.longest_header = 65_536
    with guarded as running:
        yield running


@pytest.fixture(scope="module")
def sibling(authority: Authority) -> Iterator[Sibling]:
    """Give the sibling host."""
    with Sibling(EVIL, authority.issue(EVIL)) as running:
        yield running
