"""Attacks on logins in progress: foreign browsers, foreign providers, foreign states, replays."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from tests.support.logins import LoginSite, form_of, welcomed

SECRET = "s" * 43


def accounts(logins: LoginSite) -> int:
    """Return how many accounts there are."""
    return len(list(logins.store.accounts.scan()))


@pytest.mark.threat(1)
def test_a_login_begun_in_one_browser_is_not_finished_in_another(logins: LoginSite) -> None:
    """Otherwise one click on a link would sign a victim in as the attacker, or link the attacker's identity."""
    logins.browser().sign_up("eve")
    attacker, victim = logins.browser(), logins.browser()
    state = attacker.begin()

    reply = victim.come_back(state, code="eve")

    assert reply.status == 400
    assert b"flow-invalid" in reply.body
    assert victim.tokens == {}
    assert logins.github.finished == ["eve"]


@pytest.mark.threat(1)
def test_somebody_elses_attempt_does_not_use_a_login_up(logins: LoginSite) -> None:
    """Otherwise a scanner that fetches addresses out of mail or history would break people's logins."""
    logins.browser().sign_up()
    browser = logins.browser()
    state = browser.begin()
    logins.browser().come_back(state, code="ada")

    assert browser.come_back(state, code="ada").status == 303


@pytest.mark.threat(1)
def test_a_binding_of_another_login_does_not_help(logins: LoginSite) -> None:
    """Otherwise having begun any login would be enough to finish somebody else's."""
    attacker, victim = logins.browser(), logins.browser()
    state, own = attacker.begin(), victim.begin()
    victim.jar.cookies[f"__Host-iddf-{state[:8]}"] = victim.jar.cookies[f"__Host-iddf-{own[:8]}"]

    reply = victim.come_back(state, code="eve")

    assert reply.status == 400
    assert logins.github.finished == []


@pytest.mark.threat(1)
def test_a_binding_that_stands_twice_in_the_header_counts_as_none(logins: LoginSite) -> None:
    """Otherwise a cookie planted from a sibling host would stand in for the browser's own."""
    browser = logins.browser()
    state = browser.begin()
    own = browser.jar.header["Cookie"]
    name = f"__Host-iddf-{state[:8]}"

    reply = logins.public(
        "GET",
        f"/login/github/callback?{urlencode({'state': state, 'code': 'ada'})}",
        headers={"Cookie": f"{name}=6b49d200.{SECRET}; {own}"},
    )

    assert reply.status == 400
    assert logins.github.finished == []


@pytest.mark.threat(1)
def test_nobody_is_logged_in_as_somebody_else_by_a_link(logins: LoginSite) -> None:
    """Otherwise an attacker would collect what the victim enters into the attacker's account (login CSRF)."""
    logins.browser().sign_up("eve")
    victim = logins.browser()
    victim.sign_up("ada")
    attacker = logins.browser()
    state = attacker.begin()

    reply = victim.come_back(state, code="eve")

    assert reply.status == 400
    assert victim.whoami() == "ada"


@pytest.mark.threat(9)
def test_a_pending_sign_up_is_not_resumed_in_another_browser(logins: LoginSite) -> None:
    """Otherwise a link would make a victim finish an account that the attacker's identity opens."""
    attacker, page = welcomed(logins, "eve")
    victim = logins.browser()

    shown = victim.get(f"/welcome?s={form_of(page)['s']}")
    sent = victim.choose(page, "victim")

    assert (shown.status, sent.status) == (400, 400)
    assert accounts(logins) == 0
    assert attacker.choose(page, "eve").status == 303


@pytest.mark.threat(7)
def test_a_state_of_one_provider_is_refused_at_another(logins: LoginSite) -> None:
    """Otherwise a hostile provider could answer for an honest one."""
    browser = logins.browser()
    state = browser.begin("google")

    reply = browser.come_back(state, provider="github", code="eve")

    assert reply.status == 400
    assert logins.github.finished == logins.google.finished == []


@pytest.mark.threat(8)
@pytest.mark.parametrize("change", ["cut", "longer", "other tail", "other case"])
def test_a_state_that_is_not_the_flows_is_refused_with_a_valid_code(logins: LoginSite, change: str) -> None:
    """Otherwise the state would be received and not compared."""
    browser = logins.browser()
    state = browser.begin()
    forged = {
        "cut": state[:-1],
        "longer": state + "A",
        "other tail": state[:-1] + ("A" if state[-1] != "A" else "B"),
        "other case": state[:8] + state[8:].swapcase(),
    }[change]

    reply = browser.come_back(forged, code="ada")

    assert reply.status == 400
    assert logins.github.finished == []
    assert browser.come_back(state, code="ada").status == 303


@pytest.mark.threat(8)
def test_an_answer_without_a_state_is_refused(logins: LoginSite) -> None:
    """Otherwise leaving the state out would be a way around it."""
    browser = logins.browser()
    browser.begin()

    reply = browser.get("/login/github/callback?code=ada")

    assert reply.status == 400
    assert b"parameter-missing" in reply.body
    assert logins.github.finished == []


@pytest.mark.threat(22)
def test_a_provider_that_was_switched_off_refuses_at_once(logins: LoginSite) -> None:
    """Otherwise logins on their way would pass after an operator closed the door."""
    logins.browser().sign_up("ada")
    browser = logins.browser()
    state = browser.begin()
    del logins.providers["github"]

    reply = browser.come_back(state, code="ada")

    assert reply.status == 404
    assert browser.get("/login/github").status == 404
    assert browser.tokens == {}


@pytest.mark.threat(43)
def test_a_provider_that_answers_nonsense_lets_nobody_in(logins: LoginSite, expect_log: object) -> None:
    """Otherwise a provider whose configuration is broken would mean "everybody is somebody"."""
    expect_log("identity.web", "provider")  # type: ignore[operator]
    logins.browser().sign_up("ada")
    browser = logins.browser()

    reply = browser.log_in("nobody")

    assert reply.status == 502
    assert browser.tokens == {}
    assert browser.log_in("ada", provider="google").status == 303


@pytest.mark.threat(10)
def test_the_same_answer_a_second_time_is_refused_and_the_session_stays(logins: LoginSite) -> None:
    """Otherwise an address from a history or a log would open a session."""
    logins.browser().sign_up()
    browser = logins.browser()
    state = browser.begin()
    binding = dict(browser.jar.cookies)
    browser.come_back(state, code="ada")
    before = dict(browser.tokens)
    browser.jar.cookies |= binding

    reply = browser.come_back(state, code="ada")

    assert reply.status == 400
    assert logins.github.finished == ["ada", "ada"]
    assert browser.tokens == before
    assert browser.whoami() == "ada"


@pytest.mark.threat(10)
def test_of_many_equal_answers_at_once_one_opens_a_session(logins: LoginSite) -> None:
    """Otherwise a replay that is quick enough would pass."""
    logins.browser().sign_up()
    browser = logins.browser()
    state = browser.begin()
    copies = [logins.browser() for _ in range(8)]
    for copy in copies:
        copy.jar.cookies |= browser.jar.cookies

    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda copy: copy.come_back(state, code="ada"), copies))

    assert sorted(reply.status for reply in replies) == [303] + [400] * 7
    assert sum(bool(copy.tokens) for copy in copies) == 1


@pytest.mark.threat(10)
def test_of_many_equal_forms_at_once_one_makes_the_account(logins: LoginSite) -> None:
    """Otherwise a double click would make two accounts, or two first sessions."""
    browser, page = welcomed(logins)
    copies = [logins.browser() for _ in range(8)]
    for copy in copies:
        copy.jar.cookies |= browser.jar.cookies

    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda copy: copy.choose(page, "ada"), copies))

    assert sorted(reply.status for reply in replies) == [303] + [400] * 7
    assert accounts(logins) == 1
