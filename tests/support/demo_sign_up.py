"""Signing up through the demonstration provider, at whichever daemon and through whatever stands before it."""

import re
from html import unescape
from typing import Final
from urllib.parse import urljoin

from tests.support.browser import Browser, Reply

_SESSION: Final = re.compile(r"(__Host-)?idd\d*-")


def sign_up(browser: Browser, username: str, *, begin: str = "/login/demo") -> Reply:
    """Begin at an address of the daemon; return the page that the sign-up leads to."""
    page = browser.submit(browser.go(begin), {"person": username})
    page = browser.submit(page, {"username": username})
    held = any(_SESSION.match(name) for jar in browser.jars.values() for name in jar)
    if username.encode() not in page.body or not held:
        raise AssertionError(f"not signed up: {browser.hops} {page.status} {page.body[:2000]!r}")
    return page


def sign_up_from(browser: Browser, login: Reply, username: str) -> Reply:
    """The same, from the page of ways to log in that the browser's last walk ended at."""
    way = re.search(r'href="([^"]*/login/demo[^"]*)"', login.body.decode())
    assert way, (browser.hops, login.status, login.body[:500])
    return sign_up(browser, username, begin=urljoin(browser.hops[-1], unescape(way[1])))
