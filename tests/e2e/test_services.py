"""Logins at two Mastodon instances: the daemon as a process, real HTTP to both."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.support.browser import Browser, Reply
from tests.support.clock import ManualClock
from tests.support.loopback import Loopback
from tests.support.running import Running
from tests.support.upstream import CLIENT_ID, Upstream

ME: Final = "/api/v1/accounts/verify_credentials"
CALLS: Final = ["/oauth/token", ME]
INSTANCES: Final = ("one", "two")


@pytest.fixture
def instances() -> Iterator[dict[str, Upstream]]:
    """Give two instances, at each of which a person of its own has the id 1."""
    with ExitStack() as stack:
        clock = ManualClock(int(time.time() * 1000))
        made = {name: stack.enter_context(Upstream(clock)) for name in INSTANCES}
        for name, upstream in made.items():
            upstream.client_auth = "post"
            upstream.answers = {ME: {"id": "1", "username": f"{name}_admin", "display_name": name.title()}}
        yield made


@pytest.fixture
def daemon(tmp_path: Path, instances: dict[str, Upstream]) -> Iterator[Running]:
    """Give a daemon with a section for each instance."""
    sections = {"server": {"log_level": "debug"}, "outbound": {"allow_networks": "127.0.0.0/8"}}
    for name, upstream in instances.items():
        sections[f"provider:{name}"] = {"kind": "mastodon", "url": upstream.url, "client_id": CLIENT_ID}
    secret = "canary-secret-of-an-application"
    environ = {f"IDENTITYD_PROVIDER_{name.upper()}_CLIENT_SECRET": secret for name in INSTANCES}
    for upstream in instances.values():
        upstream.secret = secret
    with Running(tmp_path / "run", sections, demo=False, environ=environ) as running:
        yield running


def log_in(browser: Browser, daemon: Running, name: str) -> Reply:
    """Log in at an instance; the page the walk ends at."""
    location = browser.load("GET", f"{daemon.url}/login/{name}").one("Location")
    back = browser.load("GET", f"{location}&choice=allow", headers=(("X-Browser", "yes"),)).one("Location")
    assert back is not None
    return browser.go(back)


def account(browser: Browser, daemon: Running) -> str:
    """Return the account that an application finds in this browser's cookies."""
    jar = browser.jars[urlsplit(daemon.url).hostname or ""]
    return str(daemon.check("; ".join(f"{name}={value}" for name, value in jar.items()))["user"]["id"])


def test_the_same_id_at_another_instance_is_another_person(daemon: Running, instances: dict[str, Upstream]) -> None:
    """Otherwise the first account of any instance is the first account of every other."""
    accounts = []
    for name in INSTANCES:
        browser = Browser(Loopback())
        welcome = log_in(browser, daemon, name)
        assert f'value="{name}_admin"'.encode() in welcome.body
        browser.submit(welcome, {"username": f"{name}-admin"})
        accounts.append(account(browser, daemon))

    again = Browser(Loopback())
    log_in(again, daemon, "one")

    assert len(set(accounts)) == 2
    assert account(again, daemon) == accounts[0]
    assert [each.path for each in instances["one"].seen] == CALLS * 2
    assert "canary-" not in daemon.log()
