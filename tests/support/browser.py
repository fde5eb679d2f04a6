"""The browser of the tests, without scripts and without a window: a jar for each host, forms, redirects.

What it asks goes out through a transport: over sockets (`Loopback`), or to a daemon of this process
(`Site.carry`). Answers are read as they arrived. One `Jar` is for one host: every cookie of identityd is
a host-only cookie, and cookies know no ports (RFC 6265, sections 5.3 and 8.5).
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from html import unescape
from typing import Any, Final, Self
from urllib.parse import urlencode, urljoin, urlsplit

from identity.sessions.check import SetCookie

Header = tuple[str, str]
PAGE: Final[tuple[Header, ...]] = (("Sec-Fetch-Mode", "navigate"),)
"""What a browser says with a page that a person opens."""
CALL: Final[tuple[Header, ...]] = (("Sec-Fetch-Mode", "cors"),)
"""What it says with a script's request."""
FORM: Final[Header] = ("Content-Type", "application/x-www-form-urlencoded")
TOKENS: Final = "__Host-idd-"
"""What the names of session tokens begin with, over https."""
_MOST_HOPS: Final = 12
_OF_A_BODY: Final = {"Content-Type", "Origin"}


@dataclass(frozen=True, slots=True)
class Request:
    """What a browser sends; `body` is None if there is none, and comes in pieces if it is not bytes."""

    method: str
    url: str
    headers: tuple[Header, ...]
    body: bytes | Iterable[bytes] | None

    @property
    def netloc(self) -> str:
        """The host with its port, as the Host header has it."""
        return urlsplit(self.url).netloc

    @property
    def target(self) -> str:
        """Path and query exactly as they stand in the address."""
        return self.url.partition("://")[2][len(self.netloc) :] or "/"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str | None:
        """Return the value of a header that must not be repeated."""
        found = self.all(name)
        assert len(found) <= 1, f"{name} stands {len(found)} times"
        return found[0] if found else None

    @property
    def cookies(self) -> list[str]:
        """The Set-Cookie lines."""
        return self.all("Set-Cookie")

    @property
    def ours(self) -> list[str]:
        """The Set-Cookie lines of identityd, over https."""
        return [line for line in self.cookies if line.startswith("__Host-idd")]

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:  # noqa: ANN401, whatever was sent
        """Return the body."""
        return json.loads(self.body)


class Jar(dict[str, str]):
    """A browser's cookies of one host, value by name, in order of arrival."""

    def __init__(self, cookies: Iterable[SetCookie] = ()) -> None:
        super().__init__((cookie.name, cookie.value) for cookie in cookies)
        self.cross_site: set[str] = set()
        """Names of those that come with other sites' forms: `SameSite=None`."""
        self.below: dict[tuple[str, str], str] = {}
        """Those for a part of the host alone, by name and path; `line` has none of them."""

    @classmethod
    def of(cls, cookies: Mapping[str, str]) -> "Jar":
        """Return a jar with these cookies."""
        jar = cls()
        jar.update(cookies)
        return jar

    def take(self, reply: Reply) -> None:
        """Apply the cookies of an answer."""
        for line in reply.cookies:
            self.keep(line)

    def keep(self, line: str) -> None:
        """Apply one Set-Cookie line; what a browser refuses is refused (RFC 6265bis, sections 4.1.3 and 5.7)."""
        pair, *attributes = (part.strip() for part in line.split(";"))
        name, _, value = pair.partition("=")
        given = dict(_attribute(text) for text in attributes)
        if name.startswith("__Host-") and ("secure" not in given or given.get("path") != "/" or "domain" in given):
            return
        if name.startswith("__Secure-") and "secure" not in given:
            return
        if given.get("path", "/") != "/":
            self._keep_below(name, value, given)
            return
        across = given.get("samesite", "").lower() == "none"
        if across and "secure" not in given:
            return
        (self.cross_site.add if across else self.cross_site.discard)(name)
        if _over(given):
            self.pop(name, None)
        else:
            self[name] = value

    def _keep_below(self, name: str, value: str, given: Mapping[str, str]) -> None:
        """Apply a cookie that comes with requests below its path alone."""
        if _over(given):
            self.below.pop((name, given["path"]), None)
        else:
            self.below[name, given["path"]] = value

    def header_for(self, address: str) -> dict[str, str]:
        """Return the Cookie header with a request of our own pages for this path, if there are cookies."""
        asked = address.partition("?")[0]
        more = [f"{name}={value}" for (name, path), value in self.below.items() if f"{asked}/".startswith(f"{path}/")]
        line = "; ".join([*more, *([self.line] if self else [])])
        return {"Cookie": line} if line else {}

    @property
    def cookies(self) -> "Jar":
        """The cookies themselves."""
        return self

    @cookies.setter
    def cookies(self, cookies: Mapping[str, str]) -> None:
        kept = dict(cookies)
        self.clear()
        self.update(kept)

    @property
    def tokens(self) -> dict[str, str]:
        """The session tokens, over https."""
        return self.named(TOKENS)

    def named(self, prefix: str) -> dict[str, str]:
        """Return the cookies whose names begin so."""
        return {name: value for name, value in self.items() if name.startswith(prefix)}

    @property
    def line(self) -> str:
        """The value of the Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.items())

    @property
    def header(self) -> dict[str, str]:
        """The Cookie header, if there are cookies."""
        return {"Cookie": self.line} if self else {}

    def duplicate(self) -> "Jar":
        """Return a copy, as a thief makes one."""
        other = Jar()
        other.update(self)
        other.cross_site |= self.cross_site
        other.below |= self.below
        return other


Transport = Callable[[Request], Reply]


class Browser:
    """A browser, and the person before it.

    Args:
        transport: carries each request to whom it is for.
        home: the origin that addresses without one belong to, such as `https://login.example`.
        jars: the cookies it has, by host name.
    """

    def __init__(self, transport: Transport, home: str = "", *, jars: dict[str, Jar] | None = None) -> None:
        self.transport = transport
        self.home = home
        self.jars: dict[str, Jar] = defaultdict(Jar) if jars is None else jars
        self.hops: list[str] = []
        """The addresses of the last walk, in order."""

    def copy(self, *hosts: str) -> Self:
        """Return a browser with a copy of these hosts' jars, or of all, as a thief makes one."""
        jars: dict[str, Jar] = defaultdict(Jar)
        jars.update({host: jar.duplicate() for host, jar in self.jars.items() if not hosts or host in hosts})
        return self._with(self.home, jars)

    def at(self, home: str) -> Self:
        """Return the same browser with the same jars, at home elsewhere."""
        return self._with(home, self.jars)

    def _with(self, home: str, jars: dict[str, Jar]) -> Self:
        return type(self)(self.transport, home, jars=jars)

    @property
    def jar(self) -> Jar:
        """The cookies of the home."""
        return self.jars[_host(self.home)]

    @jar.setter
    def jar(self, jar: Jar) -> None:
        self.jars[_host(self.home)] = jar

    @property
    def tokens(self) -> dict[str, str]:
        """The session tokens of the home, over https."""
        return self.jar.tokens

    # --- one request

    def request(
        self, method: str, url: str, headers: Collection[Header] = PAGE, body: bytes | Iterable[bytes] | None = None
    ) -> Request:
        """Return the request that `load` makes; a given Cookie header is sent in place of the jar, an empty one not."""
        url = self._whole(url)
        made = Request(method, url, tuple(each for each in headers if each != ("Cookie", "")), body)
        if any(name.lower() == "cookie" for name, _ in headers):
            return made
        return replace(made, headers=(*self.jars[_host(url)].header_for(made.target).items(), *made.headers))

    def load(
        self, method: str, url: str, headers: Collection[Header] = PAGE, body: bytes | Iterable[bytes] | None = None
    ) -> Reply:
        """Make one request, follow nothing, keep the cookies."""
        request = self.request(method, url, headers, body)
        reply = self.transport(request)
        self.jars[_host(request.url)].take(reply)
        return reply

    def get(self, url: str, *, method: str = "GET", **headers: str) -> Reply:
        """Open a page; a header that is given, as `Sec_Fetch_Dest`, goes instead of the browser's own."""
        return self.load(method, url, _changed(PAGE, headers))

    def post(self, url: str, fields: Mapping[str, str], **headers: str) -> Reply:
        """Send a form of a page on the same host; headers as for `get`."""
        url = self._whole(url)
        return self.load("POST", url, _of_form(url, url, headers), urlencode(fields).encode())

    def _whole(self, url: str) -> str:
        return f"{self.home}{url}" if url.startswith("/") else url

    # --- a walk

    def go(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Iterable[Header] = PAGE,
        body: bytes | None = None,
        until: str = "",
    ) -> Reply:
        """Make a request and follow redirects, up to an address that contains `until`, which is not asked for."""
        headers = tuple(headers)
        url = self._whole(url)
        self.hops = [url]
        while True:
            reply = self.load(method, url, headers, body)
            place = reply.one("Location")
            if place is None or reply.status not in {301, 302, 303, 307, 308}:
                return reply
            if method != "HEAD" and reply.status in {301, 302, 303}:
                method, body = "GET", None
                headers = tuple(each for each in headers if each[0] not in _OF_A_BODY)
            url = urljoin(url, place)
            self.hops.append(url)
            if until and until in url:
                return reply
            assert len(self.hops) <= _MOST_HOPS, f"too many redirects: {self.hops}"

    def submit(self, page: Reply, fields: Mapping[str, str], *, form: int = 0) -> Reply:
        """Send a form of the page that the last walk ended at, with its hidden fields, and go where it leads."""
        to, sent = self.filled(page, fields, form=form)
        return self.send(self.hops[-1], sent, to=to)

    def send(self, page: str, fields: Mapping[str, str], *, to: str = "", **headers: str) -> Reply:
        """Send a form of the page at this address, to it or elsewhere, and go where it leads."""
        to = self._whole(to or page)
        sent = _of_form(self._whole(page), to, headers)
        return self.go(to, method="POST", headers=sent, body=urlencode(fields).encode())

    def filled(self, page: Reply, fields: Mapping[str, str], *, form: int = 0) -> tuple[str, dict[str, str]]:
        """Return where a form of that page is sent, and its fields, these among them."""
        text = re.findall(r"<form.*?</form>", page.text, re.DOTALL)[form]
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)
        action = re.search(r'action="([^"]+)"', text)
        to = urljoin(self.hops[-1], unescape(action[1])) if action else self.hops[-1]
        return to, {name: unescape(value) for name, value in hidden} | dict(fields)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _of_form(page: str, to: str, changes: Mapping[str, str]) -> tuple[Header, ...]:
    """Return the headers of a form of a page; who changes its origin says no more where it comes from."""
    own = _origin(page) == _origin(to) and "Origin" not in changes
    site = (("Sec-Fetch-Site", "same-origin"),) if own else ()
    return _changed((*PAGE, FORM, ("Origin", _origin(page)), *site), changes)


def _changed(headers: Iterable[Header], changes: Mapping[str, str]) -> tuple[Header, ...]:
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    lower = {name.lower() for name in named}
    return (*(each for each in headers if each[0].lower() not in lower), *named.items())


def _over(given: Mapping[str, str]) -> bool:
    """Tell whether a cookie's attributes delete it."""
    return given.get("max-age", "1").lstrip("-0") == "" or given.get("max-age", "").startswith("-")


def _attribute(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip()
