"""A Mastodon instance on loopback, as far as registering and trying an application goes.

It behaves as https://docs.joinmastodon.org/methods/apps/#create and /methods/oauth/ say: an application is
registered by a form, without an account; what is wrong with it is 422 and a sentence.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, parse_qsl, urlsplit

SCOPES: Final = frozenset({"profile", "read", "read:accounts", "write", "follow", "push"})


class MastodonInstance:
    """What the instance knows."""

    def __init__(self) -> None:
        self.apps: dict[str, dict[str, Any]] = {}
        """The registered applications, by client id."""
        self.scopes = SCOPES
        self.edit: Callable[[dict[str, Any]], object] = lambda _: None
        """Changes an answer to a registration."""
        self.refusal: tuple[int, bytes] | None = None
        """Status and body of every answer to a registration instead."""
        self.leads_to = ""
        """Where a registration is redirected to instead."""
        self.url = ""

    def register(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Register an application."""
        callbacks, scopes = form.get("redirect_uris", "").split(), form.get("scopes", "read").split()
        if not form.get("client_name"):
            return 422, {"error": "Validation failed: Name can't be blank"}
        if not callbacks or not all(urlsplit(each).scheme and urlsplit(each).netloc for each in callbacks):
            return 422, {"error": "Validation failed: Redirect URI must be an absolute URI."}
        if not self.scopes.issuperset(scopes):
            return 422, {"error": "Validation failed: Scopes doesn't match configured on the server."}
        client_id = secrets.token_urlsafe(32)
        app = {
            "id": str(len(self.apps) + 1),
            "name": form["client_name"],
            "website": form.get("website"),
            "scopes": scopes,
            "redirect_uri": "\n".join(callbacks),
            "redirect_uris": callbacks,
            "client_id": client_id,
            "client_secret": f"canary-{secrets.token_urlsafe(32)}",
            "client_secret_expires_at": 0,
            "vapid_key": "BCk-QqERU0q",
        }
        self.apps[client_id] = app
        said = {**app}
        self.edit(said)
        return 200, said

    def authorize(self, query: dict[str, str]) -> int:
        """Return the status of the page that people are sent to."""
        app = self.apps.get(query.get("client_id", ""))
        known = app is not None and query.get("redirect_uri") in app["redirect_uris"]
        return 200 if known else 401

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Refuse an exchange: the client if it is unknown, else the code."""
        app = self.apps.get(form.get("client_id", ""))
        if app is None or form.get("client_secret") != app["client_secret"]:
            return 401, {"error": "invalid_client"}
        return 400, {"error": "invalid_grant"}


class _InstanceHandler(BaseHTTPRequestHandler):
    instance: ClassVar[MastodonInstance]
    protocol_version = "HTTP/1.1"
    timeout = 10

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        """Show a page."""
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._send(self.instance.authorize(asked) if parts.path == "/oauth/authorize" else 404, b"<html></html>")

    def do_POST(self) -> None:
        """Take a form."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        instance = self.instance
        if self.path == "/api/v1/apps" and instance.leads_to:
            self._send(302, b"", Location=instance.leads_to)
            return
        if self.path == "/api/v1/apps" and instance.refusal:
            self._send(*instance.refusal)
            return
        answers = {"/api/v1/apps": instance.register, "/oauth/token": instance.token}
        if self.path not in answers or self.headers["Content-Type"] != "application/x-www-form-urlencoded":
            self._send(404, b'{"error": "Record not found"}')
            return
        status, said = answers[self.path](dict(parse_qsl(body)))
        self._send(status, json.dumps(said).encode())

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json; charset=utf-8",
            "Connection": "close",
            **headers,
        }.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):  # a client that has read enough hangs up
            self.wfile.write(body)


@contextmanager
def mastodon_instance() -> Iterator[MastodonInstance]:
    """Give a running instance."""
    instance = MastodonInstance()
    handler = type("InstanceHandler", (_InstanceHandler,), {"instance": instance})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        instance.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield instance
        finally:
            server.shutdown()
            thread.join()
