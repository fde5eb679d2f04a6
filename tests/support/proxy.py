"""A TCP proxy on loopback that loses answers, as a network does at the worst moment."""

import select
import socket
from threading import Event, Lock, Thread
from typing import Final, Self

_STEP_S: Final = 0.02
_CHUNK: Final = 65_536


class Proxy:
    """Relays to `target`; a context manager.

    As many answers as `drops` says do not come back although the request reached the target: the
    connection is closed instead. While `garbles` is not empty, it is sent before that. After
    `reboot` the connections that were open still look so, and are reset when they are used.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self._over = Event()
        self._lock = Lock()
        self._threads: list[Thread] = []
        self.port: int = self._server.getsockname()[1]
        self.drops = 0
        self.garbles = b""
        self._boot = 0

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()
        self._server.close()

    def reboot(self) -> None:
        """Behave like a machine that lost its power: it does not know its old connections."""
        self._boot += 1

    def _begin(self, target: object, *args: socket.socket) -> None:
        thread = Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            if select.select([self._server], [], [], _STEP_S)[0]:
                client, _ = self._server.accept()
                self._begin(self._relay, client)

    def _relay(self, client: socket.socket) -> None:
        boot = self._boot
        with client, socket.create_connection(self._target) as target:
            while not self._over.is_set():
                ready, _, _ = select.select([client, target], [], [], _STEP_S)
                for side in ready:
                    other = target if side is client else client
                    data = side.recv(_CHUNK)
                    if not data or boot != self._boot:
                        return
                    if side is target and (self.drops or self.garbles):
                        self.drops = max(0, self.drops - 1)
                        client.sendall(self.garbles)
                        return
                    other.sendall(data)
