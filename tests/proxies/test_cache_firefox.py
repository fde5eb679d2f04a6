"""After the logout the browser asks again: a real Firefox behind each proxy."""

from collections.abc import Iterator

import pytest

from tests.proxies.matrix import expected
from tests.support.firefox import Firefox, Tab
from tests.support.guarded_application import APPLICATION, GuardedApplication
from tests.support.waiting import until

pytestmark = [pytest.mark.memcached, pytest.mark.threat(58)]


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    """Give a running Firefox."""
    with Firefox() as running:
        yield running


def seen(tab: Tab) -> str:
    """Return what a tab shows."""
    return str(tab.evaluate("document.body ? document.body.innerText : ''"))


@pytest.mark.firefox
class TestFirefox:
    """The same in the other browser."""

    def test_a_guarded_page_is_asked_for_each_time(self, kept: GuardedApplication, firefox: Firefox) -> None:
        """And what the application allows to be kept is kept."""
        tab = firefox.tab()
        tab.show(kept.member().jar)
        for path in ("/old", "/echo"):
            tab.go(f"{kept.url}{APPLICATION}{path}")

        asked = kept.behind.asked
        tab.go(f"{kept.url}{APPLICATION}/old")
        assert kept.behind.asked == asked + 1
        tab.go(f"{kept.url}{APPLICATION}/echo")
        assert kept.behind.asked == asked + (2 if "always" in expected("no-store", kept.name) else 1)

    def test_after_the_logout_nothing_is_shown_again(self, kept: GuardedApplication, firefox: Firefox) -> None:
        """By its address or by going back: neither the application's pages nor the account."""
        tab = firefox.tab()
        tab.show(kept.member().jar)
        for place in (f"{APPLICATION}/old", f"{APPLICATION}/echo", "/account", "/logout"):
            tab.go(f"{kept.url}{place}")
        assert "member" in seen(tab)
        asked = kept.behind.asked
        tab.evaluate("(document.querySelector('form button').click(), null)")
        until(lambda: "done=here" in tab.url, within_s=60)

        for place in ("/logout", "/account", f"{APPLICATION}/echo", f"{APPLICATION}/old"):
            firefox.ask("browsingContext.traverseHistory", context=tab.context, delta=-1)
            until(lambda place=place: place in tab.url or place.replace("/", "%2F") in tab.url, within_s=60)  # type: ignore[misc]
            assert "member" not in seen(tab), tab.url
        for path in ("/old", "/echo"):
            tab.go(f"{kept.url}{APPLICATION}{path}")
            assert tab.url.startswith(f"{kept.url}/login?")
        assert kept.behind.asked == asked
