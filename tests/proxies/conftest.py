"""One guarded application per proxy and file; every test of the file meets all four."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.certificates import Authority
from tests.support.gate import APPLICATION, Gate
from tests.support.proxies import NAMES

UNMINTED: Final = {"static_paths": f"{APPLICATION}/old {APPLICATION}/echo /old /echo"}
"""A page without a token: one with a token is never kept."""


@pytest.fixture(scope="module", params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in NAMES])
def gate(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[Gate]:
    """Give a running gate; what a test stops, it starts again."""
    folder: Path = tmp_path_factory.mktemp(request.param) / "run"
    with Gate(request.param, folder, authority) as running:
        yield running


@pytest.fixture(scope="module", params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in NAMES])
def kept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[Gate]:
    """Give a gate whose application's pages may carry no token."""
    with Gate(request.param, tmp_path_factory.mktemp(request.param) / "run", authority, app=UNMINTED) as running:
        yield running
