"""One guarded application per proxy and file; every test of the file meets all that can carry it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.proxies.matrix import NEEDS_COOKIES
from tests.support.certificates import Authority
from tests.support.guarded_application import APPLICATION, GuardedApplication
from tests.support.planted import EVIL, LOGIN, WIKI
from tests.support.proxies import DELIVERING, KINDS, NAMES
from tests.support.siblings import Sibling

UNMINTED: Final = {"static_paths": f"{APPLICATION}/old {APPLICATION}/echo /old /echo"}
"""A page without a token: one with a token is never kept."""

GATES: Final = ("guarded", "kept", "corp", "closed")
"""Fixtures that are asked for which proxy they stand behind."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test behind every proxy that can carry it."""
    names = DELIVERING if metafunc.function.__name__ in NEEDS_COOKIES else NAMES
    for gate in set(GATES) & set(metafunc.fixturenames):
        metafunc.parametrize(
            gate, [pytest.param(name, marks=marks(name)) for name in names], indirect=True, scope="module"
        )


def marks(name: str) -> list[pytest.MarkDecorator]:
    """Return what a test behind this proxy needs."""
    return [getattr(pytest.mark, name), *([pytest.mark.nightly] if KINDS[name].nightly else [])]


@pytest.fixture(scope="module")
def guarded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[GuardedApplication]:
    """Give a running gate; what a test stops, it starts again."""
    folder: Path = tmp_path_factory.mktemp(request.param) / "run"
    with GuardedApplication(request.param, folder, authority) as running:
        yield running


@pytest.fixture(scope="module")
def kept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[GuardedApplication]:
    """Give a gate whose application's pages may carry no token."""
    with GuardedApplication(
        request.param, tmp_path_factory.mktemp(request.param) / "run", authority, app=UNMINTED
    ) as running:
        yield running


@pytest.fixture(scope="module")
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
