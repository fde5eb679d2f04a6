"""People whose jars a sibling host fills, and what an attacker prepared for it (THREATS 47).

Owns what must hold whatever is planted; the clients (raw, Chromium, Firefox) are in `tests/proxies/`.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol
from urllib.parse import quote, urljoin

from tests.support.browser import Browser
from tests.support.guarded_application import APPLICATION, GuardedApplication
from tests.support.siblings import disguised

DOMAIN: Final = "corp.localhost"
LOGIN: Final = f"login.{DOMAIN}"
WIKI: Final = f"wiki.{DOMAIN}"
EVIL: Final = f"evil.{DOMAIN}"
SCRIPT: Final = """async ([domain, ...pairs]) => {
  // A browser may never say what became of a cookie it refused.
  const tried = cookie => Promise.race([cookieStore.set(cookie), new Promise(done => setTimeout(done, 500))]);
  const all = [];
  for (const pair of pairs) {
    try { document.cookie = `${pair}; Domain=${domain}; Path=/; Secure`; } catch {}
    const at = pair.indexOf("="), [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    for (const each of ["", " ", "\\t"]) {
      for (const cookie of [{ name: each + name, value }, { name: "", value: each + pair }]) {
        try { all.push(tried({ ...cookie, domain, path: "/" }).catch(() => null)); } catch {}
      }
    }
  }
  await Promise.all(all);
  return null;
}"""
"""What a sibling's script tries: cookies for its domain, by both interfaces of browsers."""


class Person(Protocol):
    """A browser with jars for two hosts, and a person who opens addresses with it."""

    def show(self, visitor: Browser) -> None:
        """Take over what a jar of one host holds."""

    def plant(self, name: str, value: str) -> None:
        """Visit the sibling host, which sets this cookie of ours in every disguise."""

    def open(self, url: str) -> tuple[str, str]:
        """Load a page; return the address where it ended, and its text."""


def script_arguments(name: str, value: str) -> list[str]:
    """Return what the script is told."""
    return [DOMAIN, f"{name}={value}", *disguised(name, value).values()]


def victim(guarded: GuardedApplication, person: Person) -> str:
    """Log somebody in, on both hosts, and give the person's browser the cookies; return the name."""
    member = guarded.member()
    wiki, reply = guarded.enter_wiki(member, "/echo")
    person.show(member)
    person.show(wiki)
    headers: list[tuple[str, str]] = reply.json()["headers"]
    return next(value for name, value in headers if name.lower() == "x-identity-user")


def only(jar: Mapping[str, str], family: str) -> tuple[str, str]:
    """Return the one cookie of a family, `__Host-iddf-` for example."""
    [cookie] = [(name, value) for name, value in jar.items() if name.startswith(family)]
    return cookie


def session(guarded: GuardedApplication) -> tuple[tuple[str, str], str]:
    """Return a session of the attacker's own."""
    return only(guarded.member().jar, "__Host-idd-"), f"{guarded.url}{APPLICATION}/still"


def wiki_session(guarded: GuardedApplication) -> tuple[tuple[str, str], str]:
    """Return a session of the attacker's own on the application's host."""
    wiki, _ = guarded.enter_wiki(guarded.member(), "/still")
    return only(wiki.jar, "__Host-idd-"), f"{guarded.wiki}/still"


def answered(guarded: GuardedApplication) -> tuple[Browser, str]:
    """Let the attacker log in up to the answer of the provider; return who it is and the path of the answer."""
    attacker = guarded.stranger()
    page = attacker.go("/login/demo")
    reply = attacker.post(*attacker.filled(page, {"person": "Mallory"}))
    path = urljoin(guarded.url, reply.one("Location") or "").removeprefix(guarded.url)
    assert path.startswith("/login/demo/callback?")
    return attacker, path


def binding(guarded: GuardedApplication) -> tuple[tuple[str, str], str]:
    """Return a login that the attacker prepared up to the answer of the provider."""
    attacker, path = answered(guarded)
    return only(attacker.jar, "__Host-iddf-"), guarded.url + path


def sign_up(guarded: GuardedApplication) -> tuple[tuple[str, str], str]:
    """Return a sign-up that the attacker prepared up to the choice of a name."""
    attacker, path = answered(guarded)
    reply = attacker.load("GET", path)
    return only(attacker.jar, "__Host-iddu-"), urljoin(guarded.url, reply.one("Location") or "")


def code(guarded: GuardedApplication) -> tuple[tuple[str, str], str]:
    """Return a start code of the attacker's login for the application's host."""
    wiki, member = guarded.stranger(guarded.wiki), guarded.member()
    way = wiki.load("GET", f"/.identityd/login?return_to={quote('/still', safe='')}").one("Location") or ""
    onward = member.load("GET", way.removeprefix(guarded.url)).one("Location") or ""
    assert onward.startswith(f"{guarded.wiki}/.identityd/start?")
    return only(wiki.jar, "__Host-idds-"), onward


Prepared = Callable[[GuardedApplication], tuple[tuple[str, str], str]]
CASES: Final = [session, wiki_session, binding, sign_up, code]


def stays_who_it_is(corp: GuardedApplication, person: Person, prepared: Prepared) -> None:
    """Assert that somebody who is logged in is the same person afterwards, on both hosts, in the same session."""
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


def stays_nobody(corp: GuardedApplication, person: Person, prepared: Prepared) -> None:
    """Assert that somebody who is not logged in is asked to, on both hosts."""
    (ours, value), address = prepared(corp)

    person.plant(ours, value)
    _, text = person.open(address)

    assert 'name="username"' not in text
    for host in (f"{corp.url}{APPLICATION}", corp.wiki):
        at, text = person.open(f"{host}/still")
        assert at.startswith(f"{corp.url}/login?")
        assert "Continue with Demo" in text


def was_sent(corp: GuardedApplication, person: Person) -> None:
    """Assert that what was planted reached the application: the browser did not throw everything away."""
    victim(corp, person)

    person.plant("__Host-idd-AAAAAAAAAAA", "A" * 100)
    _, text = person.open(f"{corp.url}{APPLICATION}/echo")

    # As JSON, or as a browser shows JSON.
    text = text.replace("\\u00c2\\u00a0", "\xc2\xa0").replace("&nbsp;", "\xa0")
    for sent in ("t1=1,__Host-idd-", ",__Host-idd-", "t6=1 __Host-idd-", "\xc2\xa0__Host-idd-"):
        assert sent in text
