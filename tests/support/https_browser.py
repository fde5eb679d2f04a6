"""A browser of a few lines: one jar, requests exactly as the test spells them, answers as they arrived."""

import http.client
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from html import unescape
from urllib.parse import urlencode, urljoin, urlsplit

from tests.support.browser import Jar, Reply

PAGE = (("Sec-Fetch-Mode", "navigate"),)
CALL = (("Sec-Fetch-Mode", "cors"),)


class HttpsBrowser:
    """Somebody at an address such as `https://localhost:8443`; a context manager."""

    def __init__(self, url: str, trust: ssl.SSLContext) -> None:
        self.url = url
        self.host = urlsplit(url).netloc
        self.jar = Jar()
        self._port = urlsplit(url).port or 443
        self._trust = trust

    def copy(self) -> "HttpsBrowser":
        """Return a visitor with a copy of the jar."""
        other = HttpsBrowser(self.url, self._trust)
        other.jar = self.jar.duplicate()
        return other

    @property
    def cookie(self) -> str:
        """What the jar sends."""
        return self.jar.line

    @property
    def tokens(self) -> dict[str, str]:
        """The session's tokens in the jar."""
        return {name: value for name, value in self.jar.items() if name.startswith("__Host-idd-")}

    def ask(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]] = PAGE,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Reply:
        """Make one request, follow nothing, keep the cookies."""
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=30, context=self._trust)
        try:
            self._connect(connection)
            self._send(connection, method, path, headers, body)
            answer = connection.getresponse()
            reply = Reply(answer.status, tuple(answer.headers.items()), answer.read())
        finally:
            connection.close()
        self.jar.take(reply)
        return reply

    def first_line(self, path: str, headers: Iterable[tuple[str, str]]) -> tuple[Reply, bytes]:
        """Return the head of an answer that goes on, and its first line; then leave."""
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=30, context=self._trust)
        try:
            self._connect(connection)
            self._send(connection, "GET", path, headers, None)
            answer = connection.getresponse()
            return Reply(answer.status, tuple(answer.headers.items()), b""), answer.readline()
        finally:
            connection.close()

    def _connect(self, connection: http.client.HTTPSConnection) -> None:
        plain = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        connection.sock = self._trust.wrap_socket(plain, server_hostname=self.host.partition(":")[0])

    def _send(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | Iterable[bytes] | None,
    ) -> None:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", self.host)
        if self.jar:
            connection.putheader("Cookie", self.cookie)
        for name, value in headers:
            connection.putheader(name, value)
        if isinstance(body, bytes):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        for chunk in (body,) if isinstance(body, bytes) else body or ():
            connection.send(chunk)

    def follow(self, method: str, path: str, headers: Iterable[tuple[str, str]] = PAGE, body: bytes = b"") -> Reply:
        """Make a request and follow redirects on this host as a browser does."""
        headers = tuple(headers)
        for _ in range(10):
            reply = self.ask(method, path, headers, body if body or method == "POST" else None)
            location = reply.one("Location")
            if not location or reply.status not in (302, 303, 307, 308):
                return reply
            if reply.status in (302, 303):
                method, body = "GET", b""
                headers = tuple(h for h in headers if h[0] not in ("Content-Type", "Origin"))
            path = urljoin(self.url + path, location).removeprefix(self.url)
        raise AssertionError(f"redirected more than ten times, last to {path}")

    def sign_up(self, username: str, *, begin: str = "/login/demo") -> Reply:
        """Sign up through the demonstration provider; return the page that it leads to."""
        page = self.follow("GET", begin)
        page = self._submit(page, {"person": username})
        page = self._submit(page, {"username": username})
        if username.encode() not in page.body or not self.tokens:
            raise AssertionError(f"not signed up: {page.status} {page.body[:2000]!r}")
        return page

    def _submit(self, page: Reply, fields: Mapping[str, str]) -> Reply:
        """Send the first form of a page, with its hidden fields."""
        return self.follow(*self.filled(page, fields))

    def filled(self, page: Reply, fields: Mapping[str, str]) -> tuple[str, str, tuple[tuple[str, str], ...], bytes]:
        """Return the request that sends the first form of a page: method, path, headers, body."""
        form = page.body.decode()
        form = form[form.index("<form") :].partition("</form>")[0]
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        action = re.search(r'action="([^"]+)"', form)
        sent = {name: unescape(value) for name, value in hidden} | dict(fields)
        headers = (
            *PAGE,
            ("Origin", self.url),
            ("Content-Type", "application/x-www-form-urlencoded"),
        )
        return "POST", unescape(action[1]) if action else "/", headers, urlencode(sent).encode()
