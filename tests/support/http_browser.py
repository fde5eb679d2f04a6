"""A browser without scripts that goes from host to host on loopback, over plain http: a jar for each host.

Requests are exactly what a test spells, and answers are read as they arrived. Cookies know no ports
and belong to one host name, as in a browser.
"""

import http.client
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from html import unescape
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

from tests.support.browser import Jar, Reply
from tests.support.https_browser import PAGE

MOST_HOPS: Final = 12
FORM: Final = ("Content-Type", "application/x-www-form-urlencoded")


class HttpBrowser:
    """A browser over http; `hops` are the addresses of the last walk, in order."""

    def __init__(self) -> None:
        self.jars: dict[str, Jar] = defaultdict(Jar)
        self.hops: list[str] = []

    def copy(self) -> "HttpBrowser":
        """Return a browser with a copy of all jars."""
        other = HttpBrowser()
        other.jars.update({host: jar.duplicate() for host, jar in self.jars.items()})
        return other

    def load(
        self, method: str, url: str, headers: Iterable[tuple[str, str]] = PAGE, body: bytes | None = None
    ) -> Reply:
        """Make one request, follow nothing, keep the cookies."""
        parts = urlsplit(url)
        jar = self.jars[parts.hostname or ""]
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=30)
        try:
            connection.putrequest(method, url[len(f"http://{parts.netloc}") :] or "/", skip_host=True)
            connection.putheader("Host", parts.netloc)
            for name, value in headers:
                connection.putheader(name, value)
            if jar:
                connection.putheader("Cookie", jar.line)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            reply = Reply(answer.status, tuple(answer.headers.items()), answer.read())
        finally:
            connection.close()
        jar.take(reply)
        return reply

    def go(
        self, url: str, *, method: str = "GET", headers: Iterable[tuple[str, str]] = PAGE, body: bytes | None = None
    ) -> Reply:
        """Make a request and follow redirects as a browser does."""
        self.hops = []
        for _ in range(MOST_HOPS):
            self.hops.append(url)
            reply = self.load(method, url, headers, body)
            place = reply.one("Location")
            if place is None:
                return reply
            if reply.status in (302, 303):
                method, body = "GET", None
            url = urljoin(url, place)
        raise AssertionError(f"more than {MOST_HOPS} redirects: {self.hops}")

    def submit(self, page: Reply, fields: Mapping[str, str], *, form: int = 0) -> Reply:
        """Send a form of the page this walk ended at, with its hidden fields."""
        url = self.hops[-1]
        text = re.findall(r"<form.*?</form>", page.body.decode(), re.DOTALL)[form]
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)
        action = re.search(r'action="([^"]+)"', text)
        sent = {name: unescape(value) for name, value in hidden} | dict(fields)
        headers = (*PAGE, FORM, ("Origin", "http://" + urlsplit(url).netloc))
        to = urljoin(url, unescape(action[1])) if action else url
        return self.go(to, method="POST", headers=headers, body=urlencode(sent).encode())

    def sign_up(self, login: Reply, username: str) -> Reply:
        """Go on from the page of ways to log in, through the demonstration provider, as somebody new."""
        way = re.search(r'href="([^"]*/login/demo[^"]*)"', login.body.decode())
        assert way, (self.hops, login.status, login.body[:500])
        page = self.go(urljoin(self.hops[-1], unescape(way[1])))
        page = self.submit(page, {"person": username})
        return self.submit(page, {"username": username})
