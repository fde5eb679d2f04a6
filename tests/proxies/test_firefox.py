"""A second real browser behind each proxy: Firefox decides differently about cookies and redirects."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.browser import Browser
from tests.support.firefox import Firefox, Tab
from tests.support.guarded_application import APPLICATION, GRACE_S, TOKEN_AGE_S, GuardedApplication
from tests.support.waiting import RealClock, elapse

pytestmark = [pytest.mark.memcached, pytest.mark.firefox]

RENEWALS: Final = 3


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    """Give a running Firefox."""
    with Firefox() as running:
        yield running


def renewed_on_the_way(tab: Tab, after: Browser) -> int:
    """Let requests go on until the script's one is answered; give the present cookies to whatever is bounced."""
    bounces, firefox = 0, tab.firefox
    while True:
        event = firefox.events.pop(0) if firefox.events else firefox.hear()
        if event.get("method") != "network.responseStarted" or not event["params"]["isBlocked"]:
            continue
        status = event["params"]["response"]["status"]
        if status == 307:
            bounces += 1
            tab.show(after.jar)
        firefox.ask("network.continueResponse", request=event["params"]["request"]["request"])
        if status != 307:
            return bounces


@pytest.mark.parametrize("size", [0, 1 << 20])
def test_firefox_sends_a_bounced_call_again_with_its_body(
    guarded: GuardedApplication, firefox: Firefox, size: int
) -> None:
    """Otherwise uploads fail in one browser and nobody knows why."""
    before, after = guarded.parted()
    tab = firefox.tab()
    tab.show(after.jar)
    tab.go(f"{guarded.url}{APPLICATION}/still")
    firefox.ask("storage.deleteCookies", partition=tab.jar)
    tab.show(before.jar)
    firefox.ask("session.subscribe", events=["network.responseStarted"], contexts=[tab.context])
    pattern = {"type": "pattern", "pathname": f"{APPLICATION}/echo"}
    intercept = firefox.ask("network.addIntercept", phases=["responseStarted"], urlPatterns=[pattern])["intercept"]
    how = f'{{method: "POST", body: new Uint8Array({size})}}' if size else "{}"
    tab.begin(f'fetch("{APPLICATION}/echo", {how}).then(a => a.json())')

    bounces = renewed_on_the_way(tab, after)

    firefox.ask("network.removeIntercept", intercept=intercept)
    assert tab.evaluate("window.outcome")["body_bytes"] == size
    assert bounces == 1


def test_firefox_is_never_logged_out_and_its_thief_is(guarded: GuardedApplication, firefox: Firefox) -> None:
    """The two promises of the product, in the other browser."""
    app = f"{guarded.url}{APPLICATION}/page"
    tab, problems = firefox.tab(), []
    tab.show(guarded.member().jar)
    tab.go(app)
    minted = guarded.daemon.metric("identityd_tokens_minted_total")
    ended = guarded.daemon.metric("identityd_sessions_ended_total")

    for _ in range(RENEWALS):
        elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
        problems += tab.evaluate("window.seen.refused")
        tab.go(app)
        assert tab.evaluate("document.getElementById('user').textContent").startswith("member")
    assert problems == []
    assert guarded.daemon.metric("identityd_tokens_minted_total") >= minted + 2
    assert guarded.daemon.metric("identityd_sessions_ended_total") == ended

    thief = firefox.tab()
    thief.show({name: value for name, value in tab.cookies().items() if name.startswith("__Host-idd-")})
    for _ in range(RENEWALS):
        elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
        tab.go(app)
    elapse(GRACE_S + 0.1, RealClock.DAEMON)
    thief.go(app)

    assert "/login" in thief.url
