"""The upstream's side of the socket: requests to its methods, its answers to bytes, and its faults.

Knows no protocol of logins; what is right and wrong there is `upstream.Upstream`'s.
"""

import json
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from tests.support.faults import BODIES, Fault, gzip_bomb
from tests.support.oauth1 import ACCESS_TOKEN, AUTHENTICATE, REQUEST_TOKEN, form_of

if TYPE_CHECKING:
    from tests.support.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: str = ""


class UpstreamHandler(BaseHTTPRequestHandler):
    """Turns requests into calls of the upstream and applies its faults."""

    protocol_version = "HTTP/1.1"
    timeout = 10
    wbufsize = 65_536
    """Head and body leave together; apart, the second would wait 40 ms for the first to be acknowledged."""
    upstream: "Upstream"

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        """Answer a browser's visit or a daemon's look-up."""
        path = urlsplit(self.path).path
        if self.headers["X-Browser"]:
            answer = self.upstream.oauth1.authenticate if path == AUTHENTICATE else self.upstream.authorize
            status, target = answer({k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()})
            self._send(status, target.encode(), {"Location": target} if status == 302 else {})
            return
        self._note(b"")
        if not self._broken(path):
            shown = self.headers.get("Authorization", "")
            if shown.startswith("OAuth "):
                status, value = self.upstream.oauth1.get(self.upstream.url + self.path, shown)
            else:
                status, value = self.upstream.get(path, urlsplit(self.path).query, shown)
            self._send_json(path, status, value)

    def do_POST(self) -> None:
        """Exchange a code."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._note(body)
        if self._broken(self.path):
            return
        if self.path in {REQUEST_TOKEN, ACCESS_TOKEN}:
            self._send_token()
            return
        form = dict(parse_qsl(body.decode(), strict_parsing=True, keep_blank_values=True))
        status, value = self.upstream.token(form, self.headers.get("Authorization"))
        if status != 200:
            value = self.upstream.edit_failure(value)
        if self.upstream.answers_in_forms:
            self._send(status, form_of(value), {"Content-Type": "application/x-www-form-urlencoded"})
        else:
            self._send_json(self.path, status, value)

    def _send_token(self) -> None:
        """Answer for a token of OAuth 1.0a."""
        status, value = self.upstream.oauth1.post(self.upstream.url + self.path, self.headers.get("Authorization", ""))
        if status == 200:
            if self.path == ACCESS_TOKEN:
                self.upstream.edit_grant(value)
            value = self.upstream.edits.get(self.path, lambda said: said)(value)
        self._send(status, form_of(value), {"Content-Type": "application/x-www-form-urlencoded"})

    def _note(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        target = urlsplit(self.path)
        self.upstream.seen.append(Seen(self.command, target.path, headers, body, target.query))

    def _send_json(self, path: str, status: int, value: Any) -> None:  # noqa: ANN401 - whatever there is to say
        if status == 200 and path in self.upstream.edits:
            value = self.upstream.edits[path](value)
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self._send(status, body, {"Content-Type": "application/json", **self.upstream.headers.get(path, {})})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _broken(self, path: str) -> bool:
        fault = self.upstream.faults.get(path)
        if fault is None:
            return False
        self.close_connection = True
        # The client gives up on us, as it should.
        with suppress(OSError):
            self._break(fault)
        return True

    def _break(self, fault: Fault) -> None:
        json_type = {"Content-Type": "application/json"}
        match fault:
            case Fault.RESET:
                # Closing with a linger time of zero sends RST instead of FIN.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case Fault.SLOW:
                self._send(200, b"{", {**json_type, "Content-Length": "100"})
                self.wfile.flush()
                self.upstream.wait_for_end()
            case Fault.TRUNCATED:
                self._send(200, b'{"access_token": "abc', {**json_type, "Content-Length": "400"})
            case Fault.SERVER_ERROR:
                self._send(500, b'{"error": "server_error"}', json_type)
            case Fault.BOMB:
                self._send(200, gzip_bomb(), {**json_type, "Content-Encoding": "gzip"})
            case _:
                self._send(200, BODIES[fault], json_type)
