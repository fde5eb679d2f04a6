"""Another site over https on loopback: one empty page, from which scripts may call the application."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tests.support.certificates import Certificate

_PAGE: Final = b"<!doctype html><title>partner</title>"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer the empty page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(_PAGE)))
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: browsers open connections ahead and drop them."""


class EmptySite:
    """The site, on a thread of its own; a context manager."""

    def __init__(self, certificate: Certificate) -> None:
        self._server = _Server(("127.0.0.1", 0), _Page)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        # The handshake belongs to the thread of a connection, not to the one that accepts.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"https://localhost:{self._server.server_address[1]}"

    def __enter__(self) -> "EmptySite":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
