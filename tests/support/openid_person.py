"""Somebody who logs in to a daemon process through a real provider, with a browser of a few lines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import httpx2

from tests.support.login_pages import forms
from tests.support.running import Running
from tests.support.waiting import until


class RealProvider(Protocol):
    """A provider whose login pages a script can go through."""

    def log_in(self, location: str, name: str, *, choice: str = "allow") -> str:
        """Go through a login that begins at `location`; return the callback's URL."""


class Person:
    """Somebody with a browser, who follows redirects of the daemon only.

    Args:
        daemon: what is logged in to.
        provider: where this person proves who it is.
        way: what the daemon calls that provider.
    """

    def __init__(self, daemon: Running, provider: RealProvider, way: str = "op") -> None:
        self.daemon = daemon
        self.provider = provider
        self.way = way
        self.browser = httpx2.Client(trust_env=False, timeout=15, cookies=CookieJar())

    def get(self, path: str) -> httpx2.Response:
        """Load a page of the daemon; stop where it sends us elsewhere."""
        answer = self.browser.get(urljoin(self.daemon.url, path))
        while answer.is_redirect and self._is_ours(answer.headers["location"]):
            answer = self.browser.get(urljoin(str(answer.url), answer.headers["location"]))
        return answer

    def get_when_up(self, path: str) -> httpx2.Response:
        """Load a page, as often as the daemon says that it is worth trying again."""
        answers: list[httpx2.Response] = []

        def answered() -> bool:
            answers.append(self.get(path))
            return answers[-1].status_code != 503

        until(answered)
        return answers[-1]

    def _is_ours(self, location: str) -> bool:
        return urlsplit(urljoin(self.daemon.url, location)).port == self.daemon.port

    def begin(self) -> str:
        """Begin a login; return where the daemon sends the browser."""
        answer = self.get(f"/login/{self.way}")
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])

    def callback(self, name: str, *, choice: str = "allow") -> str:
        """Go to the provider and through its login; return where it sends the browser."""
        return self.provider.log_in(self.begin(), name, choice=choice)

    def log_in(self, name: str) -> httpx2.Response:
        """Log in; the answer is the account page or the welcome form."""
        return self.get(self.callback(name))

    def choose(self, welcome: httpx2.Response, username: str) -> httpx2.Response:
        """Send the welcome form."""
        found = forms(welcome.text)
        assert found, welcome.text
        answer = self.browser.post(
            urljoin(self.daemon.url, found[0].action),
            data={**found[0].hidden, "username": username},
            headers={"Origin": self.daemon.url},
        )
        if answer.is_redirect:
            return self.get(answer.headers["location"])
        return answer

    @property
    def cookie(self) -> str:
        """The Cookie header of the browser."""
        return "; ".join(f"{c.name}={c.value}" for c in self.browser.cookies.jar)

    @property
    def account(self) -> str | None:
        """The account that an application finds in this browser's cookies."""
        user = self.daemon.check(self.cookie)["user"]
        return None if user is None else str(user["id"])


@contextmanager
def people(daemon: Running, provider: RealProvider) -> Iterator[Callable[..., Person]]:
    """Give a function that makes a person with a browser of its own, by the way named."""
    made: list[Person] = []

    def make(way: str = "op") -> Person:
        made.append(Person(daemon, provider, way))
        return made[-1]

    yield make
    for each in made:
        each.browser.close()
