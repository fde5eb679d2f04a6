"""A real browser through a real daemon: the main job, and the network at its worst."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as BrowserError

from tests.support.cassandra_accounts import sections as cassandra_sections
from tests.support.front import Front, Weather
from tests.support.memcached import MemcachedNode, free_port
from tests.support.running import Running
from tests.support.waiting import RealClock, elapse

TABS_S = 60
TOKEN_AGE_S = 1
GRACE_S = 3


def log_in(page: Page, url: str, *, person: str = "Ida Brook") -> None:
    """Go through the demonstration provider."""
    page.goto(f"{url}/login")
    page.get_by_role("link", name="Continue with Demo").click()
    page.get_by_role("button", name=re.compile(person)).click()


def sign_up(page: Page, url: str, username: str) -> None:
    """Log in for the first time and choose a username."""
    log_in(page, url)
    page.get_by_label("Username").fill(username)
    page.get_by_role("button", name="Create account").click()


@pytest.mark.chromium
def test_somebody_signs_up_and_is_still_known_after_a_restart(tmp_path: Path, browser: Browser) -> None:
    """The first five minutes of every newcomer."""
    with Running(tmp_path / "run", {"server": {"trusted_proxies": ""}}) as daemon:
        page = browser.new_context().new_page()
        sign_up(page, daemon.url, "Ida.B")
        assert page.url == f"{daemon.url}/account"
        assert "Ida.B" in page.inner_text("main")

        daemon.kill()
        daemon.start()
        page.goto(daemon.url)
        assert "because of a fault at this site" in page.inner_text("main")
        log_in(page, daemon.url)

        assert page.url == f"{daemon.url}/account"
        assert "Ida.B" in page.inner_text("main")


@pytest.mark.chromium
def test_pages_without_scripts_do_the_whole_job(tmp_path: Path, browser: Browser) -> None:
    """Whoever switched scripts off must be able to sign up, look and log out."""
    with Running(tmp_path / "run", {}) as daemon:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        sign_up(page, daemon.url, "ida")

        page.get_by_role("button", name="Log out here").click()

        assert "/account" not in page.url
        page.goto(f"{daemon.url}/account")
        assert "/login" in page.url


@pytest.fixture
def stormy(
    request: pytest.FixtureRequest, tmp_path: Path, memcached: list[MemcachedNode]
) -> Iterator[tuple[Running, Front]]:
    """Give a fast-rotating daemon with real memcached, behind a proxy on a bad network.

    Accounts are in a file unless the parameter is "cassandra".
    """
    in_cassandra = getattr(request, "param", "sqlite") == "cassandra"
    accounts = cassandra_sections(request.getfixturevalue("cassandra"), "walk") if in_cassandra else {}
    front = Front(free_port())
    nodes = " ".join(f"n{at}=127.0.0.1:{node.port}" for at, node in enumerate(memcached))
    sections = {
        "sessions": {"store": "memcached", "token_age_s": str(TOKEN_AGE_S), "grace_s": str(GRACE_S)},
        # On a busy machine a slow memcached must not look like a dead one: this is about the network.
        "memcached": {"nodes": nodes, "timeout_s": "10", "connect_timeout_s": "10"},
        **accounts,
    }
    running = Running(tmp_path / "run", sections, public_url=front.url)
    if in_cassandra:
        running.migrate("--create-keyspace", "DC1=1")
    with running as daemon:
        front.lead_to(daemon_port=daemon.port, internal_port=daemon.internal_port)
        with front:
            yield daemon, front


def reload_through(page: Page, url: str) -> None:
    """Load a page as a person does: once more when the connection broke."""
    for _ in range(8):
        try:
            page.goto(url, timeout=20_000)
        except BrowserError:
            continue
        if page.url == url:
            return


def refused(page: Page) -> list[int]:
    """Return the statuses of calls of this page that were refused."""
    return list(page.evaluate("window.seen ? window.seen.refused : []"))


@pytest.mark.slow
@pytest.mark.memcached
@pytest.mark.chromium
def test_three_busy_tabs_on_an_awful_network_are_never_logged_out(
    stormy: tuple[Running, Front], browser: Browser
) -> None:
    """If anybody ever notices the rotation, it is here: a token each second, answers late, lost, reordered."""
    daemon, front = stormy
    context = browser.new_context()
    tabs = [context.new_page() for _ in range(3)]
    sign_up(tabs[0], daemon.url, "ida")
    front.weather = Weather(drop=0.08, delay=0.5, most_s=1.5, random=Random(7))
    app = f"{front.url}/app"
    problems: list[str] = []

    end, turn = time.monotonic() + TABS_S, Random(3)
    while time.monotonic() < end:
        tab = turn.choice(tabs)
        problems += [f"call refused with {status}" for status in refused(tab)]
        reload_through(tab, app)
        if "/login" in tab.url:
            problems.append(f"logged out: {tab.url}")
            break
        elapse(turn.uniform(0.1, 1.5), RealClock.ARRIVALS)

    storm, front.weather = front.weather, Weather()
    assert problems == []
    assert storm.dropped > TABS_S / 3
    assert storm.delayed > TABS_S
    assert daemon.metric("identityd_sessions_ended_total") == 0
    assert daemon.metric("identityd_tokens_minted_total") > TABS_S / 3
    for tab in tabs:
        reload_through(tab, app)
        assert tab.inner_text("#user") == "ida"


@pytest.mark.memcached
@pytest.mark.chromium
@pytest.mark.parametrize("stormy", [pytest.param("cassandra", marks=pytest.mark.cassandra)], indirect=True)
def test_somebody_signs_up_logs_out_and_comes_back_on_an_awful_network(
    stormy: tuple[Running, Front], browser: Browser
) -> None:
    """The main job with all that several machines need: accounts in Cassandra, sessions in memcached."""
    daemon, front = stormy
    app = f"{front.url}/app/page"
    page = browser.new_context().new_page()
    front.weather = Weather(delay=0.5, most_s=1.0, random=Random(5))
    sign_up(page, daemon.url, "ida")
    reload_through(page, f"{front.url}/account")
    page.get_by_role("button", name="Log out here").click()
    page.wait_for_url(re.compile("^(?!.*/account)"))
    reload_through(page, app)
    assert "/login" in page.url

    log_in(page, daemon.url)
    page.wait_for_url(f"{front.url}/account")
    front.weather = Weather(drop=0.2, delay=0.5, most_s=1.0, random=Random(6))
    for _ in range(10):
        reload_through(page, app)
        assert "/login" not in page.url

    front.weather = Weather()
    reload_through(page, app)
    assert page.inner_text("#user") == "ida"
    assert daemon.metric("identityd_sessions_ended_total") == 1


def copied(context: BrowserContext, browser: Browser) -> BrowserContext:
    """Steal the jar."""
    thief = browser.new_context(user_agent="curl")
    thief.add_cookies(context.cookies())  # type: ignore[arg-type]  # what cookies() returns is what it takes
    return thief


@pytest.mark.memcached
@pytest.mark.chromium
def test_a_copied_cookie_is_refused_and_the_person_reads_why(stormy: tuple[Running, Front], browser: Browser) -> None:
    """The promise of the product: a copy is unmasked within seconds of the user's next page."""
    daemon, front = stormy
    app = f"{front.url}/app/page"
    context = browser.new_context()
    page = context.new_page()
    sign_up(page, daemon.url, "ida")
    page.goto(app)
    thief = copied(context, browser)
    stolen = thief.new_page()

    for _ in range(3):
        elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
        page.goto(app)
    elapse(GRACE_S + 0.1, RealClock.DAEMON)
    stolen.goto(app)

    assert "/login" in stolen.url
    page.goto(app)
    assert "/login" in page.url
    log_in(page, daemon.url)
    assert "two places" in page.inner_text("main")
    assert re.search("audit: (stale-copy|reuse)", daemon.log())
