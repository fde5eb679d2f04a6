"""What is under way: requests being answered, whether the daemon is stopping, and who takes it over.

Only the event loop touches it.
"""

from enum import Enum


class Takeover(Enum):
    """How the last takeover went."""

    NONE = "none"
    UNDER_WAY = "under-way"
    FAILED = "failed"
    DONE = "done"


class Traffic:
    """Requests under way."""

    def __init__(self) -> None:
        self._under_way: set[object] = set()
        self.draining = False
        """True once the daemon stops: every answer then closes its connection."""
        self.takeovers = 0
        """How often a successor was asked for."""
        self.takeover = Takeover.NONE

    @property
    def stopping(self) -> bool:
        """Whether nothing answers soon: a daemon that was taken over is no loss to its clients."""
        return self.draining and self.takeover is not Takeover.DONE

    @property
    def under_way(self) -> int:
        """How many requests are being answered."""
        return len(self._under_way)

    def begin(self, request: object) -> None:
        """Note a request."""
        self._under_way.add(request)

    def end(self, request: object) -> None:
        """Note its end; more than once is harmless."""
        self._under_way.discard(request)
