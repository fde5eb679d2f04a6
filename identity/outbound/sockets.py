"""TCP and TLS on the event loop: what is sent, and what arrived and was not asked for yet.

Invariant: what arrives is bounded, also on a connection that no caller reads. Only connecting has a
time-out of its own: the caller (`client`) limits a call as a whole.
"""

import asyncio
import ssl
from typing import Final, cast

from identity.outbound.failures import ConnectError, ConnectTimeout, ReadError

ENOUGH: Final = 2_097_152
"""Bytes that wait to be read, about; the sender is held up until some of them are.

Twice the largest answer, so that none is ever held up: one over TLS would lose its end if the server then closed
without a word (uvloop).
"""


class Stream:
    """One connection, closed by its owner. Read by one caller at a time."""

    def __init__(self, arrived: "_Arrived") -> None:
        self._arrived = arrived

    @property
    def has_something(self) -> bool:
        """Whether `read` would not wait: bytes arrived, or the connection was closed."""
        return self._arrived.has_something

    async def read(self, most: int) -> bytes:
        """Return what has arrived, or wait for it; nothing at the end. Raises ReadError."""
        try:
            return await self._arrived.take(most)
        except OSError as error:
            raise ReadError(error) from error

    def write(self, data: bytes) -> None:
        """Send it, without waiting until it is out: a request is small. On a closed connection nothing happens."""
        if not self._arrived.transport.is_closing():
            self._arrived.transport.write(data)

    def close(self) -> None:
        """Close it at once: a peer that does not listen shall not keep it open."""
        self._arrived.transport.abort()

    async def start_tls(self, trust: ssl.SSLContext, name: str, *, timeout_s: float) -> None:
        """Go on under TLS with a peer of this name. Raises ConnectError, ConnectTimeout, and is closed then."""
        arrived, loop = self._arrived, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                secured = await loop.start_tls(arrived.transport, arrived, trust, server_hostname=name)
        except BaseException as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise ConnectTimeout("no TLS in time") from None
            if isinstance(error, OSError):
                raise ConnectError(error) from error
            raise
        if secured is None:
            raise ConnectError("closed during the TLS handshake")
        arrived.transport = secured


async def connect(host: str, port: int, *, timeout_s: float) -> Stream:
    """Connect to an address, or to a name that the event loop resolves. Raises ConnectError, ConnectTimeout."""
    try:
        async with asyncio.timeout(timeout_s):
            _, arrived = await asyncio.get_running_loop().create_connection(_Arrived, host, port)
    except TimeoutError:
        raise ConnectTimeout("not connected in time") from None
    except OSError as error:
        raise ConnectError(error) from error
    return Stream(arrived)


class _Arrived(asyncio.Protocol):
    """What arrived on a connection, until it is taken."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ended = False
        self._error: OSError | None = None
        self._held_up = False
        self._waiting: asyncio.Future[None] | None = None

    @property
    def has_something(self) -> bool:
        """Whether `take` would not wait."""
        return bool(self._bytes) or self._ended

    async def take(self, most: int) -> bytes:
        """Return up to `most` bytes, as soon as there are any; nothing at the end. Raises OSError."""
        while not self.has_something:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        if self._error and not self._bytes:
            raise self._error
        taken = bytes(self._bytes[:most])
        del self._bytes[:most]
        if self._held_up and len(self._bytes) < ENOUGH:
            self._held_up = False
            if not self._ended:
                self.transport.resume_reading()
        return taken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        if len(self._bytes) >= ENOUGH and not self._held_up:
            self._held_up = True
            self.transport.pause_reading()
        self._tell()

    def eof_received(self) -> None:
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)

    def _end(self, error: Exception | None) -> None:
        self._ended = True
        # TLS that ends without a word ends like any other connection; HTTP knows whether the answer was whole.
        self._error = self._error or (error if isinstance(error, OSError) else None)
        self._tell()

    def _tell(self) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)
