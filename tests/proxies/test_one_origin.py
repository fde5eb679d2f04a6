"""An application below /app/ of the login's host, behind each proxy: what its scripts get."""

import pytest

from tests.support.browser import CALL, PAGE
from tests.support.guarded_application import APPLICATION, GuardedApplication

pytestmark = [pytest.mark.memcached, pytest.mark.threat(49)]

FETCH = (("Sec-Fetch-Dest", "empty"), *CALL, ("Sec-Fetch-Site", "same-origin"))
OPENED = (("Sec-Fetch-Dest", "document"), *PAGE, ("Sec-Fetch-Site", "same-origin"))


def test_every_proxy_says_what_asks_for_a_page_of_the_login(guarded: GuardedApplication) -> None:
    """Otherwise an application beside the login reads the account's page and its form token through this proxy."""
    member = guarded.member()

    refused = member.load("GET", "/account", FETCH)

    assert (refused.status, refused.json()["error"]) == (400, "not-a-page")
    assert member.load("GET", "/account", OPENED).status == 200


def test_no_service_worker_beside_the_login_may_stand_before_it(guarded: GuardedApplication) -> None:
    """Otherwise a worker of the application answers for /login and /account, and reads what people send there."""
    reply = guarded.member().load("GET", f"{APPLICATION}/worker", CALL)

    assert reply.status == 200
    assert reply.all("Service-Worker-Allowed") == []
    assert reply.ours or len(reply.all("Cache-Control")) <= 1


def test_an_application_on_its_own_host_keeps_its_service_worker(guarded: GuardedApplication) -> None:
    """Otherwise what works without us stops working with us."""
    wiki, _ = guarded.enter_wiki(guarded.member(), "/echo")

    assert wiki.load("GET", "/worker", CALL).all("Service-Worker-Allowed") == ["/"]
