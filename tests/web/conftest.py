"""A running daemon for each module of web tests; a test that needs another one starts its own."""

from collections.abc import Iterator

import pytest

from tests.support.account_site import AccountSite
from tests.support.application_hosts import running_sites, sites  # noqa: F401 - fixtures
from tests.support.browser import Browser
from tests.support.logins import logins, running_logins  # noqa: F401 - fixtures
from tests.support.same_host_application import home  # noqa: F401 - a fixture
from tests.support.token_site import running_tokens, token_site  # noqa: F401 - fixtures
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
def account_site() -> Iterator[AccountSite]:
    """Give a daemon with accounts, of this test's own."""
    made = AccountSite()
    with made.site:
        yield made


@pytest.fixture
def ada(account_site: AccountSite) -> Browser:
    """Give the browser of somebody who is logged in there."""
    return account_site.move_in(ACCOUNT, "ada")
