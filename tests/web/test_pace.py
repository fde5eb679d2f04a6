"""How many logins may come from one address, as its people meet it."""

from collections.abc import Iterator

import pytest

from tests.support.browser import Reply
from tests.support.logins import LoginSite, Visitor
from tests.support.web import LOCAL

MOST = 6
BUSY, OTHER = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def listed() -> Iterator[LoginSite]:
    """Give a daemon behind a listed proxy, which takes few logins a minute."""
    with LoginSite(trusted=(LOCAL,), logins_per_minute=MOST) as site:
        yield site


@pytest.fixture
def direct() -> Iterator[LoginSite]:
    """Give one that lists no proxy."""
    with LoginSite(logins_per_minute=MOST) as site:
        yield site


def start(browser: Visitor, address: str = BUSY, **headers: str) -> Reply:
    """Begin a login from this address."""
    return browser.get("/login/github?return_to=/page", **{"X_Forwarded_For": address, **headers})


def busy(site: LoginSite) -> None:
    """Use up what one address may begin."""
    for _ in range(MOST):
        assert start(site.browser()).status == 302


@pytest.mark.threat(48)
def test_one_address_has_to_wait_and_is_told_how_long(listed: LoginSite) -> None:
    """One machine could keep the daemon busy with logins that nobody finishes."""
    busy(listed)

    reply = start(listed.browser())

    assert reply.status == 429
    assert 0 < int(reply.one("Retry-After") or "") <= 61
    assert b"too-many-logins" in reply.body
    assert b"Wait a minute, then try again" in reply.body
    assert reply.cookies == []
    assert listed.counted("slowed") == 1


@pytest.mark.threat(48)
def test_other_addresses_are_let_in_at_once(listed: LoginSite) -> None:
    """A limit that strangers share is a way to lock people out."""
    busy(listed)

    assert start(listed.browser(), OTHER).status == 302


def test_the_address_is_let_in_after_the_wait(listed: LoginSite) -> None:
    """A wait that is too short would be a second refusal."""
    busy(listed)
    wait = int(start(listed.browser()).one("Retry-After") or "")

    listed.clock.advance(wait * 1_000)

    assert start(listed.browser()).status == 302


@pytest.mark.threat(60)
@pytest.mark.parametrize("spelt", ["::ffff:198.51.100.7", "::FFFF:C633:6407", "0:0:0:0:0:ffff:198.51.100.7"])
def test_the_address_spelt_otherwise_waits_too(listed: LoginSite, spelt: str) -> None:
    """Authelia CVE-2026-47203: another spelling was another limit."""
    busy(listed)

    assert start(listed.browser(), spelt).status == 429


@pytest.mark.threat(37, 60)
def test_an_address_made_up_by_the_browser_does_not_help(listed: LoginSite) -> None:
    """Whoever may choose an address has as many limits as there are addresses."""
    busy(listed)

    assert start(listed.browser(), f"{OTHER}, {BUSY}").status == 429


def test_answers_are_slowed_before_the_provider_is_asked(listed: LoginSite) -> None:
    """One login could be brought back without end, and each time the provider be asked."""
    browser = listed.browser()
    state = browser.begin()
    binding = dict(browser.jar.cookies)

    statuses = []
    for _ in range(MOST + 1):
        browser.jar.cookies = dict(binding)
        path = f"/login/github/callback?state={state}&error=access_denied"
        statuses.append(browser.get(path, X_Forwarded_For=BUSY).status)

    assert statuses == [303] * MOST + [429]
    browser.jar.cookies = dict(binding)
    assert browser.get(f"/login/github/callback?state={state}&code=ada", X_Forwarded_For=OTHER).status == 303


def test_an_answer_that_has_to_wait_keeps_its_login(listed: LoginSite) -> None:
    """The page says to try again; the login must still be there."""
    browser = listed.browser()
    state = browser.begin()
    for _ in range(MOST):
        other = listed.browser()
        answer = f"/login/github/callback?state={other.begin()}&code=ada"
        other.get(answer, X_Forwarded_For=BUSY)
    mine = f"/login/github/callback?state={state}&code=ada"
    waits = browser.get(mine, X_Forwarded_For=BUSY)

    listed.clock.advance(int(waits.one("Retry-After") or "") * 1_000)

    assert (waits.status, browser.get(mine, X_Forwarded_For=BUSY).status) == (429, 303)


def test_whoever_comes_directly_is_counted(direct: LoginSite) -> None:
    """Without a proxy the address is the connection's own."""
    browser = direct.browser()

    statuses = [browser.get("/login/github").status for _ in range(MOST + 1)]

    assert statuses == [302] * MOST + [429]


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "X_Real_IP"])
def test_everybody_behind_a_proxy_that_is_not_listed_is_not_one_person(direct: LoginSite, header: str) -> None:
    """A setting that was forgotten would let six people a minute log in."""
    statuses = {direct.browser().get("/login/github", **{header: OTHER}).status for _ in range(MOST * 2)}

    assert statuses == {302}


def test_nor_are_those_whom_a_listed_proxy_does_not_name(listed: LoginSite) -> None:
    """A proxy that sends no address, or nonsense, would be one address for all."""
    statuses = {listed.browser().get("/login/github", X_Forwarded_For=told).status for told in ["", "unknown"] * MOST}

    assert statuses == {302}


def test_a_store_that_is_away_slows_nobody(listed: LoginSite) -> None:
    """An outage of the counters would be an outage of logins."""
    busy(listed)

    with listed.store_away():
        assert start(listed.browser()).status == 302


def test_a_full_store_slows_nobody(listed: LoginSite) -> None:
    """What cannot be counted cannot be held against anybody."""
    with listed.records_full():
        statuses = {start(listed.browser()).status for _ in range(MOST * 2)}

    assert statuses == {302}


def test_what_begins_nothing_is_not_counted(listed: LoginSite) -> None:
    """Prefetches, link checkers and broken links would use up people's logins."""
    for _ in range(MOST * 2):
        listed.browser().get("/login/github", method="HEAD", X_Forwarded_For=BUSY)
        listed.browser().get("/login/nobody", X_Forwarded_For=BUSY)
        listed.browser().get("/login", X_Forwarded_For=BUSY)

    assert start(listed.browser()).status == 302
