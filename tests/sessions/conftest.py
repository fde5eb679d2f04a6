"""A daemon over a memory store, and a browser that is logged in."""

import pytest

from tests.support.daemons import Daemons
from tests.support.jars import BrowserJar


@pytest.fixture
def daemons() -> Daemons:
    return Daemons()


@pytest.fixture
def jar(daemons: Daemons) -> BrowserJar:
    """A browser that is logged in."""
    browser = BrowserJar()
    daemons.login(browser)
    return browser
