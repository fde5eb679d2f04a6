"""A running daemon for each module of web tests; a test that needs another one starts its own."""

from collections.abc import Iterator

import pytest

from tests.support.browser import Jar
from tests.support.house import House
from tests.support.logins import logins, running_logins  # noqa: F401 - fixtures
from tests.support.neighbour import home  # noqa: F401 - a fixture
from tests.support.realm import realm, running_realm  # noqa: F401 - fixtures
from tests.support.web import ACCOUNT, LOCAL, Site


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    """Give a daemon that trusts loopback as a proxy."""
    with Site(trusted=(LOCAL,)) as site:
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    """Give the module's daemon with no session in it."""
    running.forget_everything()
    return running


@pytest.fixture
def house() -> Iterator[House]:
    """Give a daemon with accounts, of this test's own."""
    made = House()
    with made.site:
        yield made


@pytest.fixture
def ada(house: House) -> Jar:
    """Give the browser of somebody who is logged in there."""
    return house.move_in(ACCOUNT, "ada")
