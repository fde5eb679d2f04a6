"""`mint = no`, the way for proxies that drop `Set-Cookie`: the line moves at `/.identityd/ack` alone.

Behind Traefik, which is such a proxy, and nginx, whose example would pass cookies on: here none may come.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import pytest

from tests.support.browser import CALL, Browser
from tests.support.certificates import Authority
from tests.support.guarded_application import APPLICATION, GRACE_S, TOKEN_AGE_S, GuardedApplication
from tests.support.waiting import RealClock, elapse

pytestmark = pytest.mark.memcached

ACK: Final = "/.identityd/ack"
ECHO: Final = f"{APPLICATION}/echo"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("nginx", marks=pytest.mark.nginx),
        pytest.param("traefik", marks=[pytest.mark.traefik, pytest.mark.nightly]),
    ],
)
def unminted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[GuardedApplication]:
    """Give a gate whose applications get no cookies."""
    with GuardedApplication(
        request.param, tmp_path_factory.mktemp("unminted") / "run", authority, app={"mint": "no"}
    ) as guarded:
        yield guarded


def moved_on(visitor: Browser, path: str) -> Browser:
    """Let the visitor fetch a new token and show it; return the copy of the jar that stayed behind."""
    elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
    copy = visitor.copy()
    assert len(visitor.load("GET", ACK).ours) == 1
    assert visitor.load("GET", path).status == 200
    elapse(GRACE_S + 0.1, RealClock.DAEMON)
    return copy


def test_the_application_is_served_and_sets_nothing(unminted: GuardedApplication) -> None:
    """Otherwise a token is handed out where it is lost, over and over."""
    member = unminted.member()
    elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)

    for _ in range(3):
        reply = member.load("GET", ECHO)
        assert (reply.status, reply.ours) == (200, [])


def test_an_old_page_goes_round_by_ack_and_comes_back(unminted: GuardedApplication) -> None:
    """Otherwise the person whose browser was slow is logged out."""
    member = unminted.member()
    late = moved_on(member, ECHO)

    reply = late.load("GET", f"{ECHO}?a=1")

    assert (reply.status, reply.ours) == (302, [])
    back = quote(f"{ECHO}?a=1", safe="")
    assert reply.one("Location") == f"{unminted.url}{ACK}?then={back}"
    bounced = late.load("GET", f"{ACK}?then={back}")
    assert (bounced.status, len(bounced.ours)) == (307, 1)
    late.jar |= member.jar
    assert late.go((bounced.one("Location") or "").removeprefix(unminted.url)).status == 200


def test_an_old_call_gets_401_and_ends_nothing(unminted: GuardedApplication) -> None:
    """Otherwise a script takes the page of another address for data, or a late call ends a session."""
    member = unminted.member()
    late = moved_on(member, ECHO)

    for _ in range(2):
        assert late.load("GET", ECHO, CALL).status == 401
    assert member.load("GET", ECHO, CALL).status == 200


@pytest.mark.parametrize("where", ["login", "wiki"])
def test_a_copy_is_unmasked_at_ack(unminted: GuardedApplication, where: str) -> None:
    """Otherwise `mint = no` means that thieves are never noticed."""
    owner, path = unminted.member(), ECHO
    if where == "wiki":
        (owner, _), path = unminted.enter_wiki(owner, "/echo"), "/echo"
    thief = moved_on(owner, path)

    there = (thief.load("GET", path).one("Location") or "").removeprefix(thief.home)
    there = (thief.load("GET", there).one("Location") or "").removeprefix(thief.home)
    reply = thief.load("GET", there)

    assert "reason=reuse" in (reply.one("Location") or "")
    assert thief.tokens == {}
    assert owner.load("GET", path, CALL).status == 401
