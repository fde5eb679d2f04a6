"""Taking connections while there are no files left to open.

Owns what happens then: nothing is taken for a moment, and what waits is taken afterwards. The loop
would otherwise be told at once, and again, that a connection waits, and do nothing but fail.
"""

import asyncio
import errno
import logging
import socket
import time
from typing import Any, Final

from tornado.ioloop import IOLoop

log = logging.getLogger("identity.web.server")

PAUSE_S: Final = 0.25
TELL_EVERY_S: Final = 60.0
_SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Accepting(socket.socket):
    """A listening socket that rests when the system has nothing left for another connection."""

    __slots__ = ("_told_at",)

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())
        self.setblocking(False)
        self._told_at = float("-inf")

    def accept(self) -> tuple[socket.socket, Any]:
        """Take a connection. Raises BlockingIOError when none waits, or none can be taken now."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in _SHORT:
                raise
            self._rest(error)
            raise BlockingIOError(errno.EAGAIN, "resting") from error

    def _rest(self, error: OSError) -> None:
        IOLoop.current().update_handler(self, 0)
        asyncio.get_running_loop().call_later(PAUSE_S, self._go_on)
        if time.monotonic() - self._told_at >= TELL_EVERY_S:
            self._told_at = time.monotonic()
            log.warning(
                "connections-wait: none can be taken: %s; raise the limit of open files", error.strerror or "no room"
            )

    def _go_on(self) -> None:
        if self.fileno() >= 0:
            IOLoop.current().update_handler(self, IOLoop.READ)
