"""Logins through Twitter's OAuth 1.0a: the daemon as a process, real HTTP to a server that verifies every signature."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest

from tests.support.browser import Browser, Reply
from tests.support.clock import ManualClock
from tests.support.faults import Fault
from tests.support.loopback import Loopback
from tests.support.oauth1 import ACCESS_TOKEN, CONSUMER_KEY, CONSUMER_SECRET, REQUEST_TOKEN, VERIFY_CREDENTIALS
from tests.support.running import Running
from tests.support.upstream import Upstream

CALLS: Final = [REQUEST_TOKEN, ACCESS_TOKEN, VERIFY_CREDENTIALS]


class Person:
    """A person with a browser, and an account at Twitter."""

    def __init__(self, daemon: Running, twitter: Upstream) -> None:
        self.daemon = daemon
        self.twitter = twitter
        self.browser = Browser(Loopback())

    def begin(self) -> str:
        """Begin a login; where the browser is sent."""
        reply = self.browser.load("GET", f"{self.daemon.url}/login/twitter1")
        assert reply.status == 302, reply.body
        location = reply.one("Location")
        assert location is not None
        assert location.startswith(f"{self.twitter.url}/oauth/authenticate?oauth_token=")
        return location

    def answered(self, location: str, *, choice: str = "allow") -> str:
        """Answer at Twitter; the address the browser is sent back to."""
        reply = self.browser.load("GET", f"{location}&choice={choice}", headers=(("X-Browser", "yes"),))
        back = reply.one("Location")
        assert back is not None, reply.body
        assert back.startswith(f"{self.daemon.url}/login/twitter1/callback?state=")
        return back

    def log_in(self) -> Reply:
        """Log in; the page the walk ends at."""
        return self.browser.go(self.answered(self.begin()))

    @property
    def account(self) -> str | None:
        """The account that an application finds in this browser's cookies."""
        jar = self.browser.jars[urlsplit(self.daemon.url).hostname or ""]
        user = self.daemon.check("; ".join(f"{name}={value}" for name, value in jar.items()))["user"]
        return None if user is None else str(user["id"])


@pytest.fixture
def twitter() -> Iterator[Upstream]:
    """Give a Twitter whose clock is right: the daemon's is the machine's."""
    with Upstream(ManualClock(int(time.time() * 1000))) as upstream:
        yield upstream


@pytest.fixture
def daemon(tmp_path: Path, twitter: Upstream) -> Iterator[Running]:
    """Give a daemon that has nothing but Twitter to log in with."""
    options = {"kind": "twitter1", "url": twitter.url, "consumer_key": CONSUMER_KEY}
    sections = {
        "server": {"log_level": "debug"},
        "outbound": {"allow_networks": "127.0.0.0/8"},
        "provider:twitter1": options,
    }
    environ = {"IDENTITYD_PROVIDER_TWITTER1_CONSUMER_SECRET": CONSUMER_SECRET}
    with Running(tmp_path / "run", sections, demo=False, environ=environ) as running:
        yield running


@pytest.fixture
def person(daemon: Running, twitter: Upstream) -> Person:
    return Person(daemon, twitter)


def changed(address: str, **changes: str) -> str:
    """Return an address with other parameters."""
    plain, _, query = address.partition("?")
    return f"{plain}?{urlencode({**dict(parse_qsl(query)), **changes})}"


def test_a_login_leads_to_an_account_and_back_to_it_in_another_browser(
    daemon: Running, twitter: Upstream, person: Person
) -> None:
    """Otherwise nobody logs in with Twitter, or is a stranger the second time."""
    welcome = person.log_in()
    assert b'value="ada_q"' in welcome.body

    account = person.browser.submit(welcome, {"username": "ada"})

    assert account.status == 200
    assert person.browser.hops[-1] == f"{daemon.url}/account"
    assert [each.path for each in twitter.seen] == CALLS
    other = Person(daemon, twitter)
    other.log_in()
    assert other.account == person.account is not None
    assert [each.path for each in twitter.seen] == CALLS * 2


def test_two_tabs_at_once_both_reach_their_page(person: Person) -> None:
    """Otherwise who opens the login page twice cannot log in at all."""
    one, other = person.begin(), person.begin()
    first, second = person.answered(other), person.answered(one)

    welcome = person.browser.go(first)
    person.browser.submit(welcome, {"username": "ada"})
    account = person.account
    person.browser.go(second)

    assert person.browser.hops[-1].endswith("/account")
    assert person.account == account is not None


def test_who_says_no_is_led_back_to_the_ways_to_log_in(daemon: Running, person: Person) -> None:
    """Otherwise the cancel button is a dead end, also if the provider forgets the state with it."""
    back = person.answered(person.begin(), choice="deny")
    token = dict(parse_qsl(urlsplit(back).query))["denied"]

    for address in (back, f"{daemon.url}/login/twitter1/callback?denied={token}"):
        page = person.browser.go(address)
        assert b"The login was cancelled" in page.body
        assert urlsplit(person.browser.hops[-1]).path == "/login"
    assert person.account is None


def test_an_answer_counts_once(person: Person) -> None:
    """Otherwise an address in a history is a login."""
    back = person.answered(person.begin())
    person.browser.go(back)

    assert person.browser.go(back).status == 400


@pytest.mark.threat(61)
def test_an_attackers_approval_does_not_log_his_victim_in(daemon: Running, twitter: Upstream, person: Person) -> None:
    """Otherwise the victim is the attacker from then on, and links his own things to the attacker's account."""
    attacker = Person(daemon, twitter)
    theirs = attacker.answered(attacker.begin())

    assert person.browser.go(theirs).status == 400

    mine = dict(parse_qsl(urlsplit(person.answered(person.begin())).query))
    crossed = person.browser.go(changed(theirs, state=mine["state"]))
    assert crossed.status == 502
    assert "another login's request token" in daemon.log()
    assert ACCESS_TOKEN not in twitter.calls


@pytest.mark.threat(61)
def test_a_verifier_of_another_browser_is_worthless(daemon: Running, twitter: Upstream, person: Person) -> None:
    """Otherwise a verifier that was seen on its way logs its finder in."""
    other = Person(daemon, twitter)
    theirs = dict(parse_qsl(urlsplit(other.answered(other.begin())).query))

    page = person.browser.go(changed(person.answered(person.begin()), oauth_verifier=theirs["oauth_verifier"]))

    assert page.status == 502
    assert "says verifier_invalid" in daemon.log()


@pytest.mark.parametrize("name", ["state", "oauth_token", "oauth_verifier"])
def test_an_answer_that_cannot_be_read_uses_no_login_up(person: Person, name: str) -> None:
    """Otherwise a damaged answer costs the person the login that a reload would finish."""
    back = person.answered(person.begin())

    assert person.browser.go(f"{back}&{name}=x").status == 400

    assert b'name="username"' in person.browser.go(back).body


def test_a_twitter_that_is_away_is_said_where_a_login_begins(daemon: Running, twitter: Upstream) -> None:
    """Otherwise the first call of this protocol, which others do not have, is a 500."""
    twitter.faults = {REQUEST_TOKEN: Fault.SERVER_ERROR}

    page = Browser(Loopback()).go(urljoin(daemon.url, "/login/twitter1"))

    assert page.status == 502
    assert b"X (Twitter)" in page.body


def test_neither_log_nor_address_nor_cookie_holds_a_secret(daemon: Running, twitter: Upstream, person: Person) -> None:
    """Otherwise whoever reads a log, a history or a jar can sign as somebody."""
    location = person.begin()
    back = person.answered(location)
    jar = str(person.browser.jars)
    person.browser.go(back)
    twitter.faults = {VERIFY_CREDENTIALS: Fault.TWICE}
    person.log_in()

    assert "canary-" in location
    assert "canary-secret" not in location + back + jar
    assert "canary-" not in daemon.log() + jar
    assert "canary-secret" not in str(twitter.seen)
