"""A takeover, as the daemon that comes sees it: it proves itself, serves, and hears that the sockets are its own."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Final, Self

from identity.errors import ConfigError
from identity.web.process.successor import CHANNEL, SERVES, YOURS_WITH_FILES
from identity.web.state.context import Probe

STORES_WITHIN_S: Final = 20.0
_ASK_EVERY_S: Final = 0.25


class Predecessor:
    """The daemon whose sockets this process was given, at the other end of a channel."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        channel.setblocking(False)

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Self | None:
        """Return whom the environment names, None for a first start; it is named there no longer."""
        number = environ.pop(CHANNEL, "")
        if not number.isdecimal():
            return None
        channel = socket.socket(fileno=int(number))
        channel.set_inheritable(False)
        return cls(channel)

    async def prove(self, ask: Callable[[], Awaitable[Sequence[Probe]]], *, within_s: float = STORES_WITHIN_S) -> None:
        """Wait until everything the daemon needs answers. Raises ConfigError if it does not in time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while problems := [f"{probe.name}: {probe.problem}" for probe in await ask() if probe.problem]:
            if loop.time() > end:
                raise ConfigError(
                    tuple(f"[server] takeover: {problem}; mend it, or restart without it" for problem in problems)
                )
            await asyncio.sleep(_ASK_EVERY_S)

    async def relieve(self) -> bool:
        """Say that this process serves; wait until it is the daemon, and tell whether files of sockets are its own."""
        loop = asyncio.get_running_loop()
        with self._channel as channel:
            try:
                await loop.sock_sendall(channel, SERVES)
                # Nothing, if it was killed in between: this process serves, and there is no other.
                return await loop.sock_recv(channel, len(YOURS_WITH_FILES)) == YOURS_WITH_FILES
            except ConnectionError:
                return False
