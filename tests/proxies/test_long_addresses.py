"""How long an address may be that a login leads back to, through each proxy and to the very end."""

import re
from html import unescape
from random import Random
from typing import Final

import pytest

from tests.support.demo_sign_up import sign_up
from tests.support.guarded_application import APPLICATION, GuardedApplication

pytestmark = pytest.mark.memcached

CARRIED: Final = 1_000
"""Characters, whatever they are; docs/proxies.md and docs/login.md say so."""
LONG: Final = 6_000


def address(path: str, length: int) -> str:
    """Return an address that nothing makes shorter: escapes of random characters."""
    chance = Random(5)
    return f"{path}?q=" + "".join(f"%{chance.randrange(0x21, 0x7F):02X}" for _ in range((length - len(path) - 3) // 3))


def begin(guarded: GuardedApplication, path: str) -> str:
    """Return where the login begins that a page leads to."""
    page = guarded.stranger().go(path)
    link = re.search(r'href="(/login/demo[^"]*)"', page.body.decode())
    assert link, page.body
    return unescape(link[1])


def test_an_address_of_a_thousand_characters_comes_back_from_the_provider(guarded: GuardedApplication) -> None:
    """Otherwise a search with many fields is lost by logging in."""
    path = address(f"{APPLICATION}/echo", CARRIED)

    page = sign_up(guarded.stranger(), "ada", begin=begin(guarded, path))

    assert len(path) > CARRIED - 3
    assert page.json()["uri"] == path


def test_and_on_an_applications_own_host(guarded: GuardedApplication) -> None:
    """Otherwise it is lost between the hosts, where an address travels inside an address."""
    path = address("/echo", CARRIED)

    _, reply = guarded.enter_wiki(guarded.member(), path)

    assert reply.json()["uri"] == path


def test_a_longer_one_is_no_obstacle_to_logging_in(guarded: GuardedApplication) -> None:
    """Otherwise a person with a long link meets an error page instead of the application."""
    path = f"{APPLICATION}/echo?q={'x' * LONG}"

    page = sign_up(guarded.stranger(), "grace", begin=begin(guarded, path))
    _, reply = guarded.enter_wiki(guarded.member(), f"/echo?q={'x' * LONG}")

    assert (page.status, b"<h1" in page.body) == (200, True)
    assert reply.json()["uri"] == "/"
