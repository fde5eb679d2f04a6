"""A server for tests that many may call at once, and leave."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class CrowdServer(ThreadingHTTPServer):
    """Like the standard library's, which lets five wait for a busy machine and resets the sixth."""

    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away; that is the client's good right, and noise in a run."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Crowded:
    """Something that such a server on 127.0.0.1 stands for, on a thread of its own. Use as a context manager."""

    def listen(self, handler: type[BaseHTTPRequestHandler], *, made: type[CrowdServer] = CrowdServer) -> CrowdServer:
        """Take a port, which is served from `with` on; `over` is set at its end."""
        self.over = threading.Event()
        self._server = made(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        return self._server

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self._server.server_address[1])
