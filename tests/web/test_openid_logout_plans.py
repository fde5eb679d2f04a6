"""The logout plans of the OpenID Foundation's conformance suite, one test for each module of each plan.

In every module a person logs in, logs out here, and is led to the provider, which checks what it is shown
and tells us of the logout in the module's way. So the session is over before; what a good token ends, and a
bad one does not, is seen with a session that is alive. docs/certification.md has the list.
"""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.support.browser import Reply
from tests.support.logins import Visitor, form_of, location
from tests.support.openid_plans import BACK_CHANNEL, FRONT_CHANNEL, LOGOUTS, RP_INITIATED, Ends, Module
from tests.support.posting import NAME, posting
from tests.support.suite_logouts import SIGNS, STATES, SuiteLogouts
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET

Suites = Callable[..., SuiteLogouts]
CHANNELS: Final = ({"back_channel": True}, {"front_channel": True}, {"back_channel": True, "front_channel": True})


@pytest.fixture
def suites() -> Iterator[Suites]:
    """Give a function that makes the suite and a daemon that is its client, with these addresses."""
    with posting() as op:

        def make(*, back_channel: bool = False, front_channel: bool = False) -> SuiteLogouts:
            op.upstream.person["sid"] = "there-1"
            suite = SuiteLogouts(op, back_channel=back_channel, front_channel=front_channel)
            known = {"issuer": op.upstream.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
            op.use("oidc", {**known, "algorithms": "RS256", "userinfo": "yes", **suite.options()})
            return suite

        yield make


def logged_in(suite: SuiteLogouts) -> Visitor:
    """Return a browser whose person signed up."""
    browser = suite.op.site.browser()
    begun = browser.get(f"/login/{NAME}")
    answer = suite.op.upstream.visit(location(begun))
    welcome = browser.get(location(browser.come_back(answer.pop("state"), provider=NAME, **answer)))
    browser.choose(welcome, "ada")
    assert browser.whoami() == "ada"
    return browser


def log_out(suite: SuiteLogouts, browser: Visitor, module: Module) -> Reply:
    """Log out here, go on to the provider and come back; return the page one comes back to."""
    page = browser.get(location(browser.post("/logout", form_of(browser.get("/logout")))))
    assert f"/login/{NAME}/logout".encode() in page.body
    assert browser.whoami() is None
    return browser.get(suite.leads_back(location(browser.get(f"/login/{NAME}/logout")), module.name))


def is_logged_out(page: Reply) -> bool:
    """Tell whether a page says so."""
    return page.status == 200 and b"You are logged out" in page.body


@pytest.mark.parametrize("channels", CHANNELS, ids=" and ".join)
@pytest.mark.parametrize("module", RP_INITIATED.modules, ids=lambda each: each.name)
def test_a_module_of_rp_initiated_logout_ends_as_it_wants(
    suites: Suites, module: Module, channels: dict[str, bool]
) -> None:
    """Otherwise a person who logs out here is not logged out there, or comes back to an error."""
    suite = suites(**channels)
    browser = logged_in(suite)

    page = log_out(suite, browser, module)

    assert module.ends is Ends.LOGGED_OUT
    assert is_logged_out(page)
    assert [reply.status for reply in (*suite.told, *suite.framed)] == [200] * len(channels)


@pytest.mark.parametrize("module", BACK_CHANNEL.modules, ids=lambda each: each.name)
def test_a_module_of_back_channel_logout_ends_as_it_wants(suites: Suites, module: Module) -> None:
    """Otherwise a logout there does not reach us, or a forged one does."""
    suite = suites(back_channel=True)
    browser = logged_in(suite)

    page = log_out(suite, browser, module)

    assert is_logged_out(page)
    assert [reply.status for reply in suite.told] == [200 if module.ends is Ends.TOLD else 400]
    assert suite.told[0].one("Cache-Control") == "no-store"


@pytest.mark.parametrize("module", BACK_CHANNEL.modules, ids=lambda each: each.name)
def test_a_logout_token_of_a_module_ends_a_session_that_is_alive_or_does_not(suites: Suites, module: Module) -> None:
    """The suite sends its tokens after the session was ended here, and cannot see what they end."""
    suite = suites(back_channel=True)
    browser = logged_in(suite)

    status = suite.tell(SIGNS[module.name]).status

    assert (status, browser.whoami()) == ((200, None) if module.ends is Ends.TOLD else (400, "ada"))


@pytest.mark.parametrize("module", FRONT_CHANNEL.modules, ids=lambda each: each.name)
def test_a_module_of_front_channel_logout_ends_as_it_wants(suites: Suites, module: Module) -> None:
    """Otherwise a provider without the back channel cannot log people out here."""
    suite = suites(front_channel=True)
    browser = logged_in(suite)

    page = log_out(suite, browser, module)

    assert module.ends is Ends.FRAMED
    assert is_logged_out(page)
    assert [(reply.status, reply.cookies) for reply in suite.framed] == [(200, [])]


def test_a_frame_ends_a_session_that_is_alive(suites: Suites) -> None:
    """`…-rp-frontchannel-opinitlogout`, which is in no plan for certification: the logout begins there."""
    suite = suites(front_channel=True)
    browser = logged_in(suite)

    assert suite.frame().status == 200

    assert browser.whoami() is None


def test_the_suite_can_do_every_module() -> None:
    """Otherwise a module is named and not tried."""
    named = {module.name for plan in LOGOUTS for module in plan.modules}
    assert {*SIGNS, *STATES, FRONT_CHANNEL.modules[0].name} == named
