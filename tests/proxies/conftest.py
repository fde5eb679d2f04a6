"""One guarded application per proxy and file; every test of the file meets all four."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.gate import Gate
from tests.support.proxies import NAMES


@pytest.fixture(scope="module", params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in NAMES])
def gate(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[Gate]:
    """Give a running gate; what a test stops, it starts again."""
    folder: Path = tmp_path_factory.mktemp(request.param) / "run"
    with Gate(request.param, folder, authority) as running:
        yield running
