"""What is under way: requests being answered, and whether the daemon is stopping.

Owns the wait of a graceful stop. Only the event loop touches it.
"""

import asyncio


class Traffic:
    """Requests under way."""

    def __init__(self) -> None:
        self._under_way: set[object] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.draining = False
        """True once the daemon stops: every answer then closes its connection."""

    @property
    def under_way(self) -> int:
        """How many requests are being answered."""
        return len(self._under_way)

    def begin(self, request: object) -> None:
        """Note a request."""
        self._under_way.add(request)
        self._quiet.clear()

    def end(self, request: object) -> None:
        """Note its end; more than once is harmless."""
        self._under_way.discard(request)
        if not self._under_way:
            self._quiet.set()

    async def quiet(self, *, within_s: float) -> bool:
        """Wait until nothing is under way; False if it took longer."""
        try:
            async with asyncio.timeout(within_s):
                await self._quiet.wait()
        except TimeoutError:
            return False
        return True
