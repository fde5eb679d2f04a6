"""Somebody else prepares a login and leads the victim into it: nothing of it counts in another browser.

Linking by the person is not built yet; when it is, both sides must be proven in one browser.
"""

import pytest

from tests.support.application_hosts import LOGIN, WIKI, ApplicationHosts
from tests.support.browser import Reply
from tests.support.logins import LoginSite, form_of, location, welcomed

pytestmark = pytest.mark.threat(57)


def refused(reply: Reply, code: str) -> bool:
    """Tell whether an answer refuses with this code and gives the browser no cookie to keep."""
    kept = [line for line in reply.cookies if "Max-Age=0" not in line]
    return reply.status == 400 and code.encode() in reply.body and not kept


def test_a_prepared_answer_logs_nobody_in(logins: LoginSite) -> None:
    """Otherwise a link with the attacker's own answer makes the victim work in the attacker's account."""
    logins.browser().sign_up("eve")
    attacker, victim = logins.browser(), logins.browser()
    state = attacker.begin()

    assert refused(victim.come_back(state, code="eve"), "flow-invalid")
    assert victim.whoami() is None


def test_a_prepared_login_takes_no_proof_of_the_victims(logins: LoginSite) -> None:
    """Otherwise the victim's proof at the provider would finish what is bound to the attacker's browser."""
    attacker, victim = logins.browser(), logins.browser()
    victim.sign_up("ada")
    state = attacker.begin()

    assert refused(victim.come_back(state, code="ada"), "flow-invalid")
    assert attacker.whoami() is None


def test_a_prepared_sign_up_is_no_way_into_the_victims_account(logins: LoginSite) -> None:
    """Otherwise the attacker's way to log in would end in an account that the victim fills."""
    victim = logins.browser()
    victim.sign_up("ada")
    _, page = welcomed(logins, "eve")

    shown = victim.get(f"/welcome?s={form_of(page)['s']}")
    sent = victim.choose(page, "eve")

    # Somebody who is logged in is led to the account, as after a form that was sent already.
    assert (shown.status, shown.one("Location")) == (303, "/account") or refused(shown, "sign-up-invalid")
    assert sent.status == 400
    assert victim.whoami() == "ada"
    assert list(logins.accounts.account(logins.row("github:ada").account_id).identities) == ["github:ada"]


def test_a_planted_session_gains_nothing_by_the_victims_login(logins: LoginSite) -> None:
    """Otherwise whoever planted a session holds one that the victim has proven."""
    logins.browser().sign_up("ada")
    attacker, victim = logins.browser(), logins.browser()
    attacker.sign_up("eve")
    victim.jar.cookies |= attacker.jar.cookies

    victim.log_in("ada")

    assert victim.whoami() == "ada"
    assert attacker.whoami() is None


def test_a_session_planted_in_the_middle_of_a_login_is_not_joined_with_it(logins: LoginSite) -> None:
    """Otherwise an identity proven by one person would be added to the account of another."""
    logins.browser().sign_up("ada")
    attacker, victim = logins.browser(), logins.browser()
    attacker.sign_up("eve")
    state = victim.begin()
    victim.jar.cookies |= attacker.tokens

    victim.come_back(state, code="ada")

    assert victim.whoami() == "ada"
    for key in ("github:ada", "github:eve"):
        assert list(logins.accounts.account(logins.row(key).account_id).identities) == [key]


def test_a_prepared_way_to_an_application_opens_nothing(sites: ApplicationHosts) -> None:
    """Otherwise the victim would work in the attacker's account of the application."""
    attacker, victim = sites.browser(), sites.browser()
    attacker.enter(f"{WIKI}/page", "eve")
    address = attacker.code(f"{WIKI}/.identityd/login?return_to=/page")

    reply = victim.get(address)

    assert reply.status in (302, 303, 400)
    assert victim.jars["wiki.example"].tokens == {}
    assert location(reply).startswith(("/.identityd/login", f"{LOGIN}/")) if reply.status != 400 else True
