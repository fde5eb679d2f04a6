"""The few frames of Cassandra's protocol (version 4) that tell whether a node serves.

No driver: one that failed to connect once is of no more use, and it would log each attempt.
"""

import socket
import ssl
import struct
from types import TracebackType
from typing import Final, Self

ONE: Final = 1
ALL: Final = 5

_VERSION: Final = 4
_HEADER: Final = struct.Struct(">BBhBi")
_ERROR: Final = 0x00
_STARTUP: Final = 0x01
_READY: Final = 0x02
_AUTHENTICATE: Final = 0x03
_QUERY: Final = 0x07
_RESULT: Final = 0x08
_AUTH_RESPONSE: Final = 0x0F
_AUTH_SUCCESS: Final = 0x10
_TIMEOUT_S: Final = 5.0


class NotReady(Exception):
    """The node answers, but not yet as it should."""


class Probe:
    """A connection that is logged in (as Cassandra's first superuser, where a password is asked for)."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._socket = socket.create_connection((host, port), timeout=_TIMEOUT_S)
        try:
            if context is not None:
                self._socket = context.wrap_socket(self._socket, server_hostname=host)
            self._log_in()
        except BaseException:
            self._socket.close()
            raise

    def _log_in(self) -> None:
        opcode, body = self._call(_STARTUP, struct.pack(">H", 1) + _string("CQL_VERSION") + _string("3.0.0"))
        if opcode == _AUTHENTICATE:
            token = b"\0cassandra\0cassandra"
            opcode, body = self._call(_AUTH_RESPONSE, struct.pack(">i", len(token)) + token)
        if opcode not in (_READY, _AUTH_SUCCESS):
            raise NotReady(_reason(opcode, body))

    def number(self, statement: str, *, consistency: int) -> int:
        """Return what `SELECT count(*) …` counted; raises NotReady if the node cannot tell."""
        text = statement.encode()
        parameters = struct.pack(">HB", consistency, 0)
        opcode, body = self._call(_QUERY, struct.pack(">i", len(text)) + text + parameters)
        if opcode != _RESULT:
            raise NotReady(_reason(opcode, body))
        # One row of one bigint: whatever is said about the columns, the answer ends with it.
        return int.from_bytes(body[-8:])

    def _call(self, opcode: int, body: bytes) -> tuple[int, bytes]:
        self._socket.sendall(_HEADER.pack(_VERSION, 0, 0, opcode, len(body)) + body)
        _, _, _, answer, length = _HEADER.unpack(self._read(_HEADER.size))
        return answer, self._read(length)

    def _read(self, wanted: int) -> bytes:
        got = b""
        while len(got) < wanted:
            more = self._socket.recv(wanted - len(got))
            if not more:
                raise NotReady("the connection was closed")
            got += more
        return got

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()


def _string(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def _reason(opcode: int, body: bytes) -> str:
    if opcode != _ERROR:
        return f"unexpected answer {opcode}"
    # A code of four bytes, then the length of the message.
    (length,) = struct.unpack_from(">H", body, 4)
    return body[6 : 6 + length].decode(errors="replace")
