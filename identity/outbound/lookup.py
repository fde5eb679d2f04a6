"""Names to addresses, on threads for nothing else.

The system's resolver blocks, and for a name whose servers are silent it blocks for half a minute
and cannot be interrupted. Owns the threads it is asked on. Invariant: one `Lookup` never has more
than a few of them, a look-up that hangs keeps its thread and takes nothing from another `Lookup`,
and none of them keeps the process from ending.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from threading import Thread
from typing import Final, TypeAlias

from identity.outbound.allowed_addresses import literal_of

AT_ONCE: Final = 4
"""Look-ups of one provider that are under way; a lost packet holds one of them for five seconds."""

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the addresses of a host for a port. Raises OSError, UnicodeError."""
_Answer: TypeAlias = Sequence[str] | Exception


class Lookup:
    """Asks the system's resolver. Belongs to one event loop."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a host, each once. Waits while too many look-ups hang. Raises OSError, UnicodeError.

        A caller that is cancelled leaves its look-up to run to its end.
        """
        if literal_of(host) is not None:
            return (host,)
        await self._room.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str]] = loop.create_future()

        def work() -> None:
            found = _ask(host, port)
            with suppress(RuntimeError):  # the loop is closed, so no caller waits
                loop.call_soon_threadsafe(self._settle, answer, found)

        Thread(target=work, name="idd-lookup", daemon=True).start()
        return await answer

    def _settle(self, answer: "asyncio.Future[Sequence[str]]", found: _Answer) -> None:
        self._room.release()
        if answer.done():
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)


def _ask(host: str, port: int) -> _Answer:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
