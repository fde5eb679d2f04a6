"""One request and its answer at a time over a connection: HTTP/1.1 (RFC 9112), by h11."""

from typing import Final

import h11

from identity.outbound.sockets import Stream

HEAD: Final = 102_400
"""Bytes of an answer's head."""
_READ: Final = 65_536


class Exchange:
    """HTTP over one connection. Raises h11's RemoteProtocolError for what is no HTTP, and ReadError."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD)

    async def ask(self, request: h11.Request, body: bytes) -> h11.Response:
        """Send a request, and return the head of its answer; interim ones (1xx) are passed over.

        Raises LocalProtocolError, and sends nothing, for a request that cannot be written.
        """
        http = self._http
        parts = [http.send(request), http.send(h11.Data(data=body)) if body else b"", http.send(h11.EndOfMessage())]
        self.stream.write(b"".join(part for part in parts if part))
        while True:
            event = await self._next()
            if isinstance(event, h11.Response):
                return event

    async def part(self) -> bytes | None:
        """Return the next part of the answer's body, as it came over the wire; None at its end."""
        event = await self._next()
        return bytes(event.data) if isinstance(event, h11.Data) else None

    @property
    def rest(self) -> bytes:
        """What arrived behind the answer; a server that says something unasked is not asked again."""
        return self._http.trailing_data[0]

    def over(self) -> bool:
        """Make ready for the next request; False if this connection can take none."""
        http = self._http
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE or self.rest:
            return False
        http.start_next_cycle()
        return not self.stream.has_something

    async def _next(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self.stream.read(_READ))
        return event  # type: ignore[return-value] # mypy does not see that NEED_DATA is gone
