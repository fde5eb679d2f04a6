"""What an operator is told when a proxy drops our cookies."""

from collections.abc import Callable, Iterator

import pytest

from identity.sessions.delivery import ENOUGH, WINDOW_MS
from tests.support.browser import Jar
from tests.support.guards import Expectation
from tests.support.web import LOCAL, Site

LOG = "identity.web.state.dropped_cookies"
ExpectLog = Callable[..., Expectation]


@pytest.fixture
def fresh() -> Iterator[Site]:
    """Give a daemon that has counted nothing yet."""
    with Site(trusted=(LOCAL,)) as made:
        yield made


def visits(site: Site, jar: Jar, *, keep: bool, times: int = ENOUGH + 2) -> None:
    """Load pages through a proxy that hands our cookies on, or does not."""
    for _ in range(times):
        site.clock.advance(WINDOW_MS // ENOUGH)
        reply = site.auth(jar=jar, headers={"Sec-Fetch-Mode": "navigate"})
        assert reply.status == 200
        if keep:
            jar.take(reply)


def warned(site: Site) -> list[str]:
    """Return the parts of `/readyz` that have a warning."""
    reply = site.internal("GET", "/readyz")
    assert reply.status == 200
    return [part["name"] for part in reply.json()["parts"] if part["warning"]]


def test_a_proxy_that_drops_our_cookies_is_named_in_the_log_and_by_readyz(fresh: Site, expect_log: ExpectLog) -> None:
    """Nobody is logged out by it, so an operator would never hear that copies go unnoticed."""
    heard = expect_log(LOG, "cookies-dropped: the proxy in front of ")

    visits(fresh, fresh.log_in(), keep=False)

    assert len(warned(fresh)) == 1
    assert len(heard.records) == 1


def test_the_log_says_it_once_an_hour(fresh: Site, expect_log: ExpectLog) -> None:
    """A line for each page would hide all others."""
    heard = expect_log(LOG, "cookies-dropped")

    visits(fresh, fresh.log_in(), keep=False, times=8 * ENOUGH)

    assert len(heard.records) == 2


def test_a_proxy_that_hands_them_on_is_not_accused(fresh: Site) -> None:
    """An alarm without a cause is switched off, and then the next one is missed."""
    visits(fresh, fresh.log_in(), keep=True)

    assert warned(fresh) == []
