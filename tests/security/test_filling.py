"""What a stranger can cause to be kept: nothing by beginning, a marker by what is genuine (row 48)."""

from collections.abc import Callable
from random import Random
from string import ascii_letters

import pytest

from tests.support.application_hosts import SHOP, WIKI, ApplicationHosts
from tests.support.guards import Expectation
from tests.support.logins import LoginSite, location

CHANCE = Random(1)


def address(length: int) -> str:
    """Return a path that does not compress."""
    return "/" + "".join(CHANCE.choices(ascii_letters, k=length - 1))


@pytest.mark.threat(48)
def test_a_login_that_never_comes_back_keeps_nothing(logins: LoginSite) -> None:
    """Anybody could fill the store that sessions live in, and then nobody could log in."""
    browsers = [logins.browser() for _ in range(20)]

    for number, browser in enumerate(browsers):
        browser.begin(return_to=address(1 + number * 100), stay="yes")

    assert logins.cache._items == {}


@pytest.mark.threat(48)
@pytest.mark.parametrize(
    "answer",
    [
        {"error": "access_denied"},
        {"error": "server_error"},
        {"code": "unknown"},
        {"state": "x" * 43, "code": "ada"},
        {"code": ""},
    ],
    ids=str,
)
def test_an_answer_that_proves_nobody_keeps_nothing(
    logins: LoginSite, answer: dict[str, str], expect_log: Callable[..., Expectation]
) -> None:
    """Bringing rubbish back would be the second way to fill it."""
    expect_log("identity.web", "provider", required=False)
    for _ in range(5):
        browser = logins.browser()
        browser.come_back(**{"state": browser.begin(), **answer})

    assert logins.cache._items == {}


@pytest.mark.threat(48)
def test_one_identity_that_comes_again_and_again_keeps_a_marker_each_time(logins: LoginSite) -> None:
    """One account at a provider must not be enough to fill the store with sign-ups."""
    browser = logins.browser()
    for _ in range(5):
        assert location(browser.log_in("ada", return_to=address(1_000))).startswith("/welcome")

    assert sum(len(item.value.data) for item in logins.cache._items.values()) <= 5 * 30


@pytest.mark.threat(48)
def test_a_way_to_an_application_that_is_not_gone_to_its_end_keeps_nothing(sites: ApplicationHosts) -> None:
    """Somebody who is logged in could fill the store by asking for start codes."""
    ada = sites.browser()
    ada.enter(f"{SHOP}/")
    before = sites.kept()

    codes = {ada.code(f"{WIKI}{address(10 + number * 300)}") for number in range(5)}

    assert len([code for code in codes if code.startswith(f"{WIKI}/.identityd/start?code=")]) == 5
    assert sites.kept() == before


@pytest.mark.threat(48)
def test_a_jar_stays_small_however_many_logins_are_begun(logins: LoginSite) -> None:
    """A page that opens logins with long addresses would make a jar that every proxy refuses."""
    browser = logins.browser()
    sizes = []
    for _ in range(30):
        browser.begin(return_to=address(2_000))
        sizes.append(len(browser.jar.header["Cookie"]))

    assert max(sizes) < 12_288
    assert sizes[-1] < 8_192
    assert browser.come_back(browser.begin(return_to="/page"), code="ada").status == 303


@pytest.mark.threat(48)
def test_a_head_that_begins_a_login_fits_the_buffers_of_proxies(logins: LoginSite) -> None:
    """Otherwise the longest addresses would be answered with the proxy's own 502."""
    browser = logins.browser()
    for _ in range(12):
        reply = browser.get(f"/login/github?return_to={address(2_040)}")

        assert reply.status == 302
        assert sum(len(f"{name}: {value}") + 2 for name, value in reply.headers) < 4_096
