"""What a sibling host puts into a jar counts for nothing, in either browser and behind each proxy (THREATS 47)."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote, urljoin

import pytest
from playwright.sync_api import Browser

from tests.support.certificates import Authority
from tests.support.firefox import Firefox
from tests.support.gate import APPLICATION, Gate
from tests.support.proxies import NAMES
from tests.support.siblings import Sibling, as_received, disguised, lines
from tests.support.visitor import PAGE, Visitor

pytestmark = [pytest.mark.memcached, pytest.mark.threat(47)]

DOMAIN: Final = "corp.localhost"
LOGIN: Final = f"login.{DOMAIN}"
WIKI: Final = f"wiki.{DOMAIN}"
EVIL: Final = f"evil.{DOMAIN}"
LATIN_1: Final = 0xFF
PLANTED: Final = """async ([domain, ...pairs]) => { for (const pair of pairs) {
  try { document.cookie = `${pair}; Domain=${domain}; Path=/; Secure`; } catch {}
  const at = pair.indexOf("="), [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
  for (const each of ["", " ", "\\t"]) {
    try { await cookieStore.set({ name: each + name, value, domain, path: "/" }); } catch {}
    try { await cookieStore.set({ name: "", value: each + pair, domain, path: "/" }); } catch {}
  }
} }"""


@pytest.fixture(scope="module", params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in NAMES])
def corp(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[Gate]:
    """Give a running gate whose hosts have a domain in common with a sibling."""
    folder: Path = tmp_path_factory.mktemp(request.param) / "run"
    with Gate(request.param, folder, authority, hosts=(LOGIN, WIKI)) as running:
        yield running


@pytest.fixture(scope="module")
def sibling(authority: Authority) -> Iterator[Sibling]:
    """Give the sibling host."""
    with Sibling(EVIL, authority.issue(EVIL)) as running:
        yield running


class Person(Protocol):
    """A browser with jars for two hosts, and a person who opens addresses with it."""

    def show(self, visitor: Visitor) -> None:
        """Take over what a jar of one host holds."""

    def plant(self, name: str, value: str) -> None:
        """Visit the sibling host, which sets this cookie of ours in every disguise."""

    def open(self, url: str) -> tuple[str, str]:
        """Load a page; return the address where it ended, and its text."""


class Raw:
    """Sends header lines as the test spells them: what a browser of any age might send."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._jars: dict[str, Visitor] = {}
        self._planted: list[str] = []

    def show(self, visitor: Visitor) -> None:
        """Take over what a jar of one host holds."""
        self._jars[visitor.url] = visitor.copy()

    def plant(self, name: str, value: str) -> None:
        """Put every disguise into both jars, as bytes of UTF-8 and as single bytes."""
        cookies = [each for text in disguised(name, value).values() for each in {text, as_received(text)}]
        self._planted += [each for each in cookies if all(ord(mark) <= LATIN_1 for mark in each)]

    def open(self, url: str) -> tuple[str, str]:
        """Load a page; the planted cookies stand around the real ones, on every request."""
        for _ in range(10):
            host = next(each for each in (self._gate.wiki, self._gate.url) if url.startswith(each))
            visitor = self._jars.setdefault(host, self._gate.stranger(host))
            line = "; ".join((*self._planted[::2], *filter(None, [visitor.cookie]), *self._planted[1::2]))
            real, visitor.jar = visitor.jar, {}
            reply = visitor.ask("GET", url.removeprefix(host), (*PAGE, ("Cookie", line)))
            visitor.jar = real
            visitor.take(reply)
            location = reply.one("Location")
            if not location:
                return url, reply.body.decode()
            url = urljoin(url, location)
        raise AssertionError(f"redirected more than ten times, last to {url}")


class Chromium:
    """A tab with a jar of its own."""

    def __init__(self, browser: Browser, sibling: Sibling) -> None:
        self._context = browser.new_context(ignore_https_errors=True)
        self._page = self._context.new_page()
        self._sibling = sibling

    def show(self, visitor: Visitor) -> None:
        """Take over what a jar of one host holds."""
        self._context.add_cookies(
            [
                {"name": name, "value": value, "url": visitor.url, "httpOnly": True, "secure": True, "sameSite": "Lax"}
                for name, value in visitor.jar.items()
            ]
        )

    def plant(self, name: str, value: str) -> None:
        """Visit the sibling; its script tries what its answer cannot."""
        self._sibling.lines = lines(name, value, domain=DOMAIN)
        self._page.goto(self._sibling.url)
        self._page.evaluate(PLANTED, [DOMAIN, f"{name}={value}", *disguised(name, value).values()])

    def open(self, url: str) -> tuple[str, str]:
        """Load a page."""
        self._page.goto(url)
        return self._page.url, self._page.content()


class Fox:
    """A tab of Firefox with a jar of its own."""

    def __init__(self, firefox: Firefox, sibling: Sibling) -> None:
        self._tab = firefox.tab()
        self._sibling = sibling

    def show(self, visitor: Visitor) -> None:
        """Take over what a jar of one host holds."""
        self._tab.show(visitor.jar, host=visitor.host.partition(":")[0])

    def plant(self, name: str, value: str) -> None:
        """Visit the sibling; its script tries what its answer cannot."""
        self._sibling.lines = lines(name, value, domain=DOMAIN)
        self._tab.go(self._sibling.url)
        cookies = [DOMAIN, f"{name}={value}", *disguised(name, value).values()]
        self._tab.evaluate(f"({PLANTED})({json.dumps(cookies)}).then(() => null)")

    def open(self, url: str) -> tuple[str, str]:
        """Load a page."""
        self._tab.go(url)
        return self._tab.url, self._tab.evaluate("document.documentElement.outerHTML")


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    """Give a running Firefox."""
    with Firefox() as running:
        yield running


KINDS: Final = (
    "raw",
    pytest.param("chromium", marks=pytest.mark.chromium),
    pytest.param("firefox", marks=pytest.mark.firefox),
)


@pytest.fixture(params=KINDS)
def person(request: pytest.FixtureRequest, corp: Gate, sibling: Sibling) -> Person:
    """Give somebody with each kind of client."""
    if request.param == "chromium":
        return Chromium(request.getfixturevalue("browser"), sibling)
    if request.param == "firefox":
        return Fox(request.getfixturevalue("firefox"), sibling)
    return Raw(corp)


def victim(gate: Gate, person: Person) -> str:
    """Log somebody in, on both hosts, and give the person's browser the cookies; return the name."""
    member = gate.member()
    wiki, reply = gate.enter_wiki(member, "/echo")
    person.show(member)
    person.show(wiki)
    return next(value for name, value in reply.json()["headers"] if name.lower() == "x-identity-user")


def only(jar: Mapping[str, str], family: str) -> tuple[str, str]:
    """Return the one cookie of a family, `__Host-iddf-` for example."""
    [cookie] = [(name, value) for name, value in jar.items() if name.startswith(family)]
    return cookie


def session(gate: Gate) -> tuple[tuple[str, str], str]:
    """Return a session of the attacker's own."""
    return only(gate.member().jar, "__Host-idd-"), f"{gate.url}{APPLICATION}/still"


def wiki_session(gate: Gate) -> tuple[tuple[str, str], str]:
    """Return a session of the attacker's own on the application's host."""
    wiki, _ = gate.enter_wiki(gate.member(), "/still")
    return only(wiki.jar, "__Host-idd-"), f"{gate.wiki}/still"


def answered(gate: Gate) -> tuple[Visitor, str]:
    """Let the attacker log in up to the answer of the provider; return who it is and the path of the answer."""
    attacker = gate.stranger()
    page = attacker.follow("GET", "/login/demo")
    reply = attacker.ask(*attacker.filled(page, {"person": "Mallory"}))
    path = urljoin(gate.url, reply.one("Location") or "").removeprefix(gate.url)
    assert path.startswith("/login/demo/callback?")
    return attacker, path


def binding(gate: Gate) -> tuple[tuple[str, str], str]:
    """Return a login that the attacker prepared up to the answer of the provider."""
    attacker, path = answered(gate)
    return only(attacker.jar, "__Host-iddf-"), gate.url + path


def sign_up(gate: Gate) -> tuple[tuple[str, str], str]:
    """Return a sign-up that the attacker prepared up to the choice of a name."""
    attacker, path = answered(gate)
    reply = attacker.ask("GET", path)
    return only(attacker.jar, "__Host-iddu-"), urljoin(gate.url, reply.one("Location") or "")


def code(gate: Gate) -> tuple[tuple[str, str], str]:
    """Return a start code of the attacker's login for the application's host."""
    wiki, member = gate.stranger(gate.wiki), gate.member()
    way = wiki.ask("GET", f"/.identityd/login?return_to={quote('/still', safe='')}").one("Location") or ""
    onward = member.ask("GET", way.removeprefix(gate.url)).one("Location") or ""
    assert onward.startswith(f"{gate.wiki}/.identityd/start?")
    return only(wiki.jar, "__Host-idds-"), onward


Prepared = Callable[[Gate], tuple[tuple[str, str], str]]
CASES: Final = [session, wiki_session, binding, sign_up, code]


@pytest.mark.parametrize("prepared", CASES, ids=lambda each: each.__name__)
def test_somebody_who_is_logged_in_stays_who_it_is(corp: Gate, person: Person, prepared: Prepared) -> None:
    """Otherwise a page of any sub-host logs people in as somebody who then reads what they write."""
    name = victim(corp, person)
    (ours, value), address = prepared(corp)
    ended = corp.daemon.metric("identityd_sessions_ended_total")

    person.plant(ours, value)
    _, text = person.open(address)

    assert 'name="username"' not in text
    assert "Mallory" not in text
    for host in (f"{corp.url}{APPLICATION}", corp.wiki):
        at, text = person.open(f"{host}/still")
        assert at == f"{host}/still"
        assert f">{name}" in text
    assert corp.daemon.metric("identityd_sessions_ended_total") == ended


@pytest.mark.parametrize("prepared", CASES, ids=lambda each: each.__name__)
def test_somebody_who_is_not_logged_in_stays_nobody(corp: Gate, person: Person, prepared: Prepared) -> None:
    """Otherwise somebody else's session, login or sign-up is waiting in the browser of a newcomer."""
    (ours, value), address = prepared(corp)

    person.plant(ours, value)
    _, text = person.open(address)

    assert 'name="username"' not in text
    for host in (f"{corp.url}{APPLICATION}", corp.wiki):
        at, text = person.open(f"{host}/still")
        assert at.startswith(f"{corp.url}/login?")
        assert "Continue with Demo" in text


def test_what_a_sibling_set_was_really_sent(corp: Gate, person: Person) -> None:
    """Otherwise the tests above pass because the browser threw everything away."""
    victim(corp, person)

    person.plant("__Host-idd-AAAAAAAAAAA", "A" * 100)
    _, text = person.open(f"{corp.url}{APPLICATION}/echo")

    for sent in ("t1=1,__Host-idd-", ",__Host-idd-", "t6=1 __Host-idd-", "U00e2"):
        assert sent in text.replace("\\u00c2\\u00a0", "U00e2"), text
