"""One memcached as the operator's commands speak to it: its marker, the names of all its values, emptying it.

Owns a connection of its own, in memcached's text protocol: the daemons' client never asks for any
of this. Must not look into session records. Trouble is StoreUnavailable with the node's name.
"""

import socket
from collections.abc import Iterator, Sequence
from typing import Final, NoReturn
from urllib.parse import unquote

from identity.errors import StoreUnavailable
from identity.stores.bounds import MARKER_KEY
from identity.types import SECOND, Millis
from identity.upkeep.store import NodeMarker

_PATIENCE_MS: Final[Millis] = 10_000
"""An operator waits longer than a browser: naming a million values takes seconds."""
_BATCH: Final = 500
_CHUNK: Final = 65_536


class NodeConsole:
    """A connection to one node, to be closed by its opener. Every method raises StoreUnavailable."""

    def __init__(self, name: str, host: str, port: int, *, patience_ms: Millis = _PATIENCE_MS) -> None:
        self.name = name
        self.address = f"{host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), patience_ms / SECOND)
        except OSError as error:
            self._fail(error)
        self._lines = self._socket.makefile("rb")

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def marker(self) -> NodeMarker | None:
        """Return the node's marker; None if it has none."""
        head = self._asked(b"gets %b\r\n" % MARKER_KEY.encode())
        if head == b"END":
            return None
        words = head.split()
        if len(words) != 5 or words[0] != b"VALUE":  # noqa: PLR2004 - VALUE key flags bytes version
            self._fail("answers nonsense")
        value = self._exactly(int(words[3]) + 2)[:-2]
        self._expect(self._line(), b"END")
        return NodeMarker(value, words[4])

    def mark(self, value: bytes, *, over: NodeMarker | None) -> bool:
        """Write the marker over exactly what was seen; False if it is another one by now."""
        key = MARKER_KEY.encode()
        if over is None:
            answer = self._asked(b"add %b 0 0 %d\r\n%b\r\n" % (key, len(value), value))
        else:
            answer = self._asked(b"cas %b 0 0 %d %b\r\n%b\r\n" % (key, len(value), over.version, value))
        return answer == b"STORED"

    def held(self) -> Iterator[str]:
        """Yield the keys of all unexpired values but the marker. memcached may leave out one that is in use."""
        line = self._asked(b"lru_crawler metadump all\r\n")
        while line.startswith(b"key="):
            key = unquote(line.split(b" ", 1)[0][4:].decode("ascii", "replace"))
            if key != MARKER_KEY:
                yield key
            line = self._line()
        self._expect(line, b"END")

    def delete(self, keys: Sequence[str]) -> int:
        """Delete values; return how many were there."""
        gone = 0
        for at in range(0, len(keys), _BATCH):
            batch = keys[at : at + _BATCH]
            self._send(b"".join(b"delete %b\r\n" % key.encode() for key in batch))
            gone += sum(self._line() == b"DELETED" for _ in batch)
        return gone

    def empty(self) -> None:
        """Delete everything, the marker too."""
        self._expect(self._asked(b"flush_all\r\n"), b"OK")

    def _asked(self, command: bytes) -> bytes:
        self._send(command)
        return self._line()

    def _send(self, command: bytes) -> None:
        try:
            self._socket.sendall(command)
        except OSError as error:
            self._fail(error)

    def _line(self) -> bytes:
        try:
            line = self._lines.readline(_CHUNK)
        except OSError as error:
            self._fail(error)
        if not line.endswith(b"\n"):
            self._fail("closed the connection")
        return line.rstrip(b"\r\n")

    def _exactly(self, size: int) -> bytes:
        try:
            data = self._lines.read(size)
        except OSError as error:
            self._fail(error)
        return data

    def _expect(self, line: bytes, wanted: bytes) -> None:
        if line != wanted:
            self._fail(f"answers {line[:60].decode('ascii', 'replace')!r} instead of {wanted.decode()}")

    def _fail(self, what: str | OSError) -> NoReturn:
        if isinstance(what, TimeoutError):
            reason = "does not answer"
        elif isinstance(what, OSError):
            reason = (what.strerror or type(what).__name__).lower()
        else:
            reason = what
        raise StoreUnavailable(detail=f"memcached node {self.name} ({self.address}): {reason}")
