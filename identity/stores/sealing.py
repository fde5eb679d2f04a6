"""The seal on every value in a cache: an attacker who can write to memcached must not become any account.

Owns the frame of a stored value, for ever the same (another frame would need other keys):

    version 1 | number of the key 1 | body | mac 16, over kind, key, version, number and body

so a value is worth something only under the key and as the kind it was written for. Pure apart
from asking for the key ring and the time. Invariant: a body is returned only if this
installation sealed it so. An old value of the same key passes: a seal cannot know the past.
"""

from collections.abc import Callable
from hmac import compare_digest
from typing import Final, Literal, TypeAlias

from identity.keyring import MAC_BYTES, KeyRing, Purpose
from identity.sessions.store import Unread
from identity.stores.bounds import MAX_VALUE_BYTES
from identity.types import Clock

VERSION: Final = 1
"""Version of the bodies that are written."""

_HEAD_BYTES: Final = 2
_PLAUSIBLE_VERSION: Final = 15
"""Text, JSON, pickles and compressed data begin with a higher byte: they are not a newer format."""

Unsealed: TypeAlias = bytes | Literal[Unread.CORRUPT, Unread.NEWER]


class Sealer:
    """Seals and unseals bodies for one purpose.

    Args:
        keys: gives the current key ring.
        purpose: whose keys are used; no value of one purpose passes for another.
        clock: decides which key signs.
    """

    __slots__ = ("_clock", "_keys", "_purpose")

    def __init__(self, keys: Callable[[], KeyRing], *, purpose: Purpose, clock: Clock) -> None:
        self._keys = keys
        self._purpose = purpose
        self._clock = clock

    def seal(self, kind: str, key: str, body: bytes) -> bytes:
        """Return the value to store under `key`."""
        ring = self._keys()
        number = ring.signing_number(self._clock())
        framed = bytes((VERSION, number)) + body
        return framed + ring.mac(number, self._purpose, _place(kind, key) + framed)

    def unseal(self, kind: str, key: str, value: bytes) -> Unsealed:
        """Return the body, or why it cannot be read.

        NEWER is a key number above all this ring has, or a properly sealed version above ours;
        everything else that does not fit is CORRUPT.
        """
        if not _HEAD_BYTES + MAC_BYTES <= len(value) <= MAX_VALUE_BYTES:
            return Unread.CORRUPT
        version, number = value[0], value[1]
        if not 1 <= version <= _PLAUSIBLE_VERSION:
            return Unread.CORRUPT
        ring = self._keys()
        if not ring.knows(number):
            return Unread.NEWER if number > ring.newest else Unread.CORRUPT
        framed, mac = value[:-MAC_BYTES], value[-MAC_BYTES:]
        if not compare_digest(mac, ring.mac(number, self._purpose, _place(kind, key) + framed)):
            return Unread.CORRUPT
        return framed[_HEAD_BYTES:] if version == VERSION else Unread.NEWER

    def is_outdated(self, value: bytes) -> bool:
        """Tell whether a value that was unsealed is under an older key than the one that signs now.

        Values that may live longer than a key stays in the ring are sealed anew when this is so.
        """
        return value[1] < self._keys().signing_number(self._clock())


def _place(kind: str, key: str) -> bytes:
    # Lengths first: no other pair of kind and key gives the same bytes.
    return f"{len(kind)}:{kind}{len(key)}:{key}".encode()
