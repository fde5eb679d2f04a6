"""A person who is logged in and may not enter: the page behind each proxy, and no loop of logins."""

from collections.abc import Iterator

import pytest

from tests.support.browser import CALL
from tests.support.certificates import Authority
from tests.support.guarded_application import APPLICATION, TOKEN_AGE_S, GuardedApplication
from tests.support.proxies import KINDS
from tests.support.waiting import RealClock, elapse

pytestmark = pytest.mark.memcached

ECHO = f"{APPLICATION}/echo"
REFUSED = "/.identityd/refused?return_to="


@pytest.fixture(scope="module")
def closed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[GuardedApplication]:
    """Give a gate whose applications let none of its people in."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    with GuardedApplication(request.param, folder, authority, app={"allow": "group:staff"}) as running:
        yield running


def test_a_person_who_may_not_enter_is_told_so_on_a_page(closed: GuardedApplication) -> None:
    """A bare 403 of the proxy's says nothing of what to do, and a redirect to the login never ends."""
    member = closed.member()

    reply = member.load("GET", ECHO)
    if reply.status == 302:
        assert (reply.one("Location") or "").startswith(f"{closed.url}{REFUSED}")
        reply = member.load("GET", (reply.one("Location") or "").removeprefix(closed.url))

    assert reply.status == 403
    assert b"You are logged in as" in reply.body
    assert b"another=yes" in reply.body


def test_a_call_is_refused_as_a_call(closed: GuardedApplication) -> None:
    """A script that is redirected to a page takes it for its answer."""
    reply = closed.member().load("GET", ECHO, CALL)

    assert (reply.status, reply.one("Location")) == (403, None)


def test_the_session_of_a_person_who_may_not_enter_goes_on_rotating(closed: GuardedApplication) -> None:
    """A cookie that stops changing is one that a thief keeps."""
    member = closed.member()
    elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)

    place = ECHO if KINDS[closed.name].delivers else "/.identityd/ack"
    assert len(member.load("GET", place).ours) == 1
    assert member.load("GET", "/account").status == 200
