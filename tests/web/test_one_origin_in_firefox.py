"""The same attempts in Firefox, which must not share its module with Chromium's event loop."""

from collections.abc import Iterator

import pytest

from tests.support.account_site import AccountSite
from tests.support.firefox import Firefox
from tests.support.same_host_application import Visit
from tests.support.web import ACCOUNT
from tests.web.test_one_origin import (  # noqa: F401 - run here once more
    test_a_service_worker_over_the_whole_host_reads_no_page,
    test_no_script_of_the_application_reads_the_account,
    test_no_script_of_the_application_sends_a_form,
    test_the_person_sees_the_page_that_no_script_reads,
)

pytestmark = [pytest.mark.threat(49), pytest.mark.firefox]


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    """Give a running Firefox."""
    with Firefox() as running:
        yield running


@pytest.fixture
def visit(home: AccountSite, firefox: Firefox) -> Visit:
    """Give somebody who is logged in there with Firefox."""
    browser, tab = home.move_in(ACCOUNT, "ada"), firefox.tab()
    tab.show(browser.jar)
    return Visit(home, browser, tab.go, tab.evaluate)
