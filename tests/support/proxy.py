"""A TCP proxy on loopback that does what networks do at the worst moment: it loses answers, or just falls silent."""

import select
import socket
from threading import Event, Lock, Thread
from typing import Final, Self

_STEP_S: Final = 0.02
_CHUNK: Final = 65_536


class Proxy:
    """Relays to `target`, which a test may exchange for another; a context manager.

    As many answers as `drops` says do not come back although the request reached the target: the
    connection is closed instead. While `garbles` is not empty, it is sent before that. After
    `reboot` the connections that were open still look so, and are reset when they are used; after
    `silence` they still look so, and nothing passes on them any more. While it is `deaf`, nothing
    passes on new connections either. While `drips` is above 0, an answer comes byte by byte, with
    so many seconds before each. `accepted` counts connections.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self._server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._over = Event()
        self._lock = Lock()
        self._threads: list[Thread] = []
        self.port: int = self._server.getsockname()[1]
        self.drops = 0
        self.garbles = b""
        self.deaf = False
        self.drips = 0.0
        self.accepted = 0
        self._boot = 0
        self._silenced = 0

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

    def silence(self) -> None:
        """Behave like a firewall that forgot the connections that are open: nothing passes, and nobody is told."""
        self._silenced += 1

    def _begin(self, target: object, *args: object) -> None:
        thread = Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            if select.select([self._server], [], [], _STEP_S)[0]:
                client, _ = self._server.accept()
                self.accepted += 1
                self._begin(self._relay, client, self._silenced)

    def _relay(self, client: socket.socket, silenced: int) -> None:
        boot = self._boot
        with client:
            if self.deaf:
                self._over.wait()
                return
            with socket.create_connection(self.target) as target:
                while not self._over.is_set():
                    ready, _, _ = select.select([client, target], [], [], _STEP_S)
                    if silenced != self._silenced:
                        self._over.wait()
                        return
                    for side in ready:
                        if not self._passes(side, client, target, known=boot == self._boot):
                            return

    def _passes(self, side: socket.socket, client: socket.socket, target: socket.socket, *, known: bool) -> bool:
        try:
            data = side.recv(_CHUNK)
        except ConnectionResetError:  # who hangs up with something unread resets the connection
            return False
        if not data or not known:
            return False
        if side is client:
            target.sendall(data)
            return True
        if self.drops or self.garbles:
            self.drops = max(0, self.drops - 1)
            client.sendall(self.garbles)
            return False
        return self._answer(client, data)

    def _answer(self, client: socket.socket, data: bytes) -> bool:
        if not self.drips:
            client.sendall(data)
            return True
        for byte in data:
            if self._over.wait(self.drips):
                return False
            try:
                client.sendall(bytes((byte,)))
            except OSError:  # whoever asked has given up
                return False
        return True
