"""What may be written to a cache: keys, sizes, times.

Owns the checks every cache makes before it touches a value. Pure. Invariant: a key that passes
cannot be read by memcached as anything but one key (its text protocol separates by spaces and
ends lines with CR LF), and no value is kept without an end.
"""

import re
from collections.abc import Iterable
from typing import Final

from identity.stores.cache import CacheKey
from identity.types import Millis

MAX_VALUE_BYTES: Final = 65_536
"""Eight times the largest session record, far below memcached's own limit of 1 MB."""
MARKER_KEY: Final = CacheKey("n1:node")
"""Where a node keeps its marker: the same key on every node, so that a swapped node shows the other's."""
ROOM_KEY: Final = CacheKey("n1:room")
"""Where a node is asked to keep a value for no time at all, to see whether it could."""
SESSION_PREFIX: Final = "s1:"
"""Of the keys of session records, which are to have room whatever else is kept."""

_RESERVED: Final = "n1:"
_KEY: Final = re.compile(r"(?!n1:)[!-~]{1,200}")


def is_key(text: str) -> bool:
    """Tell whether this can be a key."""
    return _KEY.fullmatch(text) is not None


def check_keys(keys: Iterable[CacheKey]) -> None:
    """Raise ValueError unless all can be keys. The message does not quote them: some are secret."""
    for key in keys:
        if _KEY.fullmatch(key) is None:
            kind = (
                "is reserved for node markers" if key.startswith(_RESERVED) else "is not 1 to 200 printable characters"
            )
            raise ValueError(f"a cache key {kind}")


def check_write(key: CacheKey, data: bytes, *, expires_at: Millis, now: Millis) -> None:
    """Raise ValueError unless this can be written."""
    check_keys((key,))
    if not isinstance(data, bytes):
        # A client that is given anything else writes its repr.
        raise TypeError(f"a cache keeps bytes, not {type(data).__name__}")
    if len(data) > MAX_VALUE_BYTES:
        raise ValueError(f"a cache value of {len(data)} bytes is over the limit of {MAX_VALUE_BYTES}")
    if expires_at <= now:
        raise ValueError("the time at which a cache value is to expire is past")
