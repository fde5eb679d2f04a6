"""Bodies of requests in memory: how many bytes of them there are at once, over all connections.

Owns the bound. A handler takes room for each part as it arrives, not as it is announced, because
announcing costs nothing; and gives it back when it has answered. Only the event loop touches it.
"""

from typing import Final

PUBLIC: Final = 67_108_864
"""Bytes for people's browsers: a thousand of the largest forms."""
INTERNAL: Final = 67_108_864
"""Bytes for applications: four of the largest `/session/check-many`."""


class Bodies:
    """Room for the bodies of one listener.

    Args:
        most: bytes at once.
    """

    __slots__ = ("_left", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return self._most - self._left

    def take(self, size: int) -> bool:
        """Take room; False, and nothing taken, if there is not so much left."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """Give room back."""
        self._left += size
