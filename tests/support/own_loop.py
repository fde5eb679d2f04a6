"""A server of the tests on an event loop of its own, on a thread of its own."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from socket import socket
from typing import Self

from tornado.httpserver import HTTPServer


class OwnLoop(ABC):
    """Runs `serve` between `with` and its end."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name=type(self).__name__)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    @abstractmethod
    async def serve(self) -> None:
        """Make a server and wait for `until_the_end`."""

    async def until_the_end(self, server: HTTPServer, sockets: Iterable[socket]) -> None:
        """Let the server take connections until the context manager ends."""
        server.add_sockets(sockets)
        self._ready.set()
        await self._stop.wait()
        server.stop()
        await server.close_all_connections()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await self.serve()
