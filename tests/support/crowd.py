"""A server for tests that many may call at once, and leave."""

import sys
from http.server import ThreadingHTTPServer


class CrowdServer(ThreadingHTTPServer):
    """Like the standard library's, which lets five wait for a busy machine and resets the sixth."""

    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away; that is the client's good right, and noise in a run."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]
