"""A guarded application as in production: memcached, the daemon, a real proxy, the application."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.application import Behind
from tests.support.browser import Browser, Reply
from tests.support.certificates import Authority
from tests.support.demo_sign_up import sign_up
from tests.support.empty_site import EmptySite
from tests.support.loopback import Loopback
from tests.support.memcached import MemcachedNode
from tests.support.proxies import KINDS, Places, new_proxy
from tests.support.running import APP, Running
from tests.support.waiting import RealClock, elapse

TOKEN_AGE_S: Final = 1
GRACE_S: Final = 1
_WIKI_SECRET: Final = "a secret of the wiki, at least 32 characters"
APPLICATION: Final = "/app"
"""Where the application is on the login's host."""


class GuardedApplication:
    """All of it, running; a context manager. Tokens are old after a second.

    Args:
        proxy: which proxy stands in front.
        folder: for the daemon's files.
        authority: who certifies the proxy.
        app: further options of the application's section.
        faults: what is wrong in the proxy's example, see `Proxy.start`.
        hosts: names of the login's host and of the wiki's.
        sections: further sections of the configuration.
    """

    def __init__(
        self,
        proxy: str,
        folder: Path,
        authority: Authority,
        *,
        app: Mapping[str, str] | None = None,
        faults: Mapping[str, str] | None = None,
        hosts: tuple[str, str] = ("localhost", "wiki.localhost"),
        sections: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        app = {**({} if KINDS[proxy].delivers else {"mint": "no"}), **(app or {})}
        self._faults = faults
        self._hosts = login, wiki = hosts
        self.proxy = new_proxy(proxy)
        self.name = proxy
        self.url = f"https://{login}:{self.proxy.port}"
        self.wiki = f"https://{wiki}:{self.proxy.port}"
        """The same application on a host of its own."""
        self.node = MemcachedNode()
        self.behind = Behind()
        self.behind.preloads = not KINDS[proxy].delivers
        self._certificate = authority.issue(*{"localhost", *hosts})
        self._partner = EmptySite(self._certificate)
        self.partner = self._partner.url
        self.loopback = Loopback(authority.client_context())
        self._numbers = itertools.count(1)
        self._aged: Browser | None = None
        self._parted: tuple[Browser, Browser] | None = None
        configured = {
            **{name: dict(options) for name, options in (sections or {}).items()},
            "server": {"log_level": "debug"},
            "sessions": {"store": "memcached", "token_age_s": str(TOKEN_AGE_S), "grace_s": str(GRACE_S)},
            # On a busy machine a slow memcached must not look like a dead one.
            "memcached": {
                "nodes": f"one={self.node.name}",
                "timeout_s": "5",
                "connect_timeout_s": "5",
                "rest_s": "0.1",
            },
            f"app:{APP}": app,
            "app:wiki": {"secret": _WIKI_SECRET, "hosts": self.wiki.removeprefix("https://"), **app},
        }
        self.daemon = Running(folder, configured, public_url=self.url)

    def __enter__(self) -> "GuardedApplication":
        self.behind.partner = self.partner
        self.behind.__enter__()
        self._partner.__enter__()
        try:
            self.node.start()
            self.daemon.start()
            self.proxy.start(
                Places(
                    public=self.daemon.port,
                    internal=self.daemon.internal_port,
                    application=self.behind.port,
                    partner=self.partner,
                    certificate=self._certificate,
                    login=self._hosts[0],
                    wiki=self._hosts[1],
                ),
                faults=self._faults,
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.stop()
        self.daemon.kill()
        self.node.kill()
        self._partner.__exit__()
        self.behind.__exit__()

    def stranger(self, home: str = "") -> Browser:
        """Return somebody with empty jars, at home on the login's host or another."""
        return Browser(self.loopback, home or self.url)

    def enter_wiki(self, member: Browser, path: str) -> tuple[Browser, Reply]:
        """Lead somebody logged in to a page of the wiki; return the browser, at home there, and the last answer."""
        wiki = member.at(self.wiki)
        return wiki, wiki.go(path)

    def member(self) -> Browser:
        """Return somebody who just signed up, through the proxy."""
        visitor = self.stranger()
        sign_up(visitor, f"member{next(self._numbers)}")
        return visitor

    def aged(self) -> Browser:
        """Return a copy of a jar whose token is old: every page it loads is answered with a new one.

        Nobody ever shows one of those, so the line stays where it is and each copy is as good as the first.
        """
        if self._aged is None:
            self._aged = self.member()
            elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
        return self._aged.copy()

    def parted(self) -> tuple[Browser, Browser]:
        """Return copies of one browser's jar, as it was before a rotation and as it is long after."""
        if self._parted is None:
            before = self.member()
            self._parted = before, self.parted_from(before)
        before, after = self._parted
        return before.copy(), after.copy()

    def parted_from(self, before: Browser, *, path: str = f"{APPLICATION}/echo") -> Browser:
        """Let a copy of somebody's jar go on alone until the jar itself is old."""
        elapse(TOKEN_AGE_S + 0.1, RealClock.DAEMON)
        after = before.copy()
        for _ in range(2):
            after.load("GET", path if KINDS[self.name].delivers else "/.identityd/ack")
        elapse(GRACE_S + 0.1, RealClock.DAEMON)
        return after
