"""What the tests of logins share."""

import pytest

from tests.support.logins import LoginSite


@pytest.fixture
def site() -> LoginSite:
    """Give the services and stores of a daemon that is not started."""
    return LoginSite()
