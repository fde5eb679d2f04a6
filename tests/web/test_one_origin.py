"""An application on the login's own host, in Chromium: what its scripts can read and send."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser

from tests.support.account_site import AccountSite
from tests.support.same_host_application import MARK, READS, Visit, sends, worker
from tests.support.web import ACCOUNT

pytestmark = pytest.mark.threat(49)

END_ALL: Final = "/account/sessions/end-all"
HOW: Final = ("pass", "anew", "preload")


@pytest.fixture
def visit(home: AccountSite, browser: Browser) -> Iterator[Visit]:
    """Give somebody who is logged in there with Chromium."""
    visitor = home.move_in(ACCOUNT, "ada")
    context = browser.new_context()
    url = home.site.public_url
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in visitor.jar.items()])
    page = context.new_page()
    yield Visit(home, visitor, page.goto, page.evaluate)
    context.close()


def test_the_person_sees_the_page_that_no_script_reads(visit: Visit) -> None:
    """Otherwise the attempts below would prove nothing: there would be no page, or no form in it."""
    assert MARK in visit.browser.get("/account").body.decode()

    assert MARK in visit.at("/account", "document.documentElement.innerHTML")


@pytest.mark.parametrize("way", READS)
def test_no_script_of_the_application_reads_the_account(visit: Visit, way: str) -> None:
    """Otherwise one application sees where its visitors are logged in, and gets the token of their forms."""
    assert MARK not in visit.at_the_application(READS[way])


@pytest.mark.parametrize("way", sends(END_ALL, ""))
def test_no_script_of_the_application_sends_a_form(visit: Visit, way: str) -> None:
    """Otherwise whoever got hold of a form's token logs its owner out everywhere, out of sight."""
    fields = urlencode(visit.account_site.form(visit.browser, END_ALL))

    visit.at_the_application(sends(END_ALL, fields)[way])

    assert visit.account_site.is_in(visit.browser.jar)


@pytest.mark.parametrize("how", HOW)
def test_a_service_worker_over_the_whole_host_reads_no_page(visit: Visit, how: str) -> None:
    """Otherwise a proxy that lets `Service-Worker-Allowed` through hands every visit of /account to a script."""
    heard = visit.at_the_application(worker(how))

    assert heard
    assert MARK not in heard


@pytest.mark.parametrize("policy", ["same-origin", "same-origin-allow-popups", "noopener-allow-popups"])
def test_an_application_with_a_policy_of_its_own_looks_into_no_window(visit: Visit, policy: str) -> None:
    """Otherwise an application that asks for the same isolation as ours is let into it."""
    assert MARK not in visit.at_the_application(READS["a window"], opener=policy)
