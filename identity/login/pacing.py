"""How many logins may come from one place: a sliding window over ranges of addresses.

Owns the ranges, the counting and the verdict. Plain functions, thread-safe, no HTTP. Invariants: a
login is slowed, never refused for good; counters that cannot be read slow no login; and the number
of counters is fixed, so that counting cannot fill the store (THREATS 48, 60).

A range is what one subscriber has: an IPv4 address however it is spelt, or the first 56 bits of an
IPv6 address. It is counted in one of `BUCKETS` places, chosen by a keyed hash: an attacker cannot
aim at the place of another range, and of a hundred ranges that are busy at once, one in twenty others
shares a place with one.
"""

from collections.abc import Callable
from enum import Enum
from ipaddress import IPv6Address, ip_address
from typing import Final

from identity.errors import StoreError
from identity.login.store import OneTimeStore, RecordKind
from identity.types import MINUTE, SECOND, Clock, Millis

BUCKETS: Final = 2_048
_PREFIX_BYTES: Final = 7
_COUNT_BYTES: Final = 4
_MOST: Final = 2 ** (8 * _COUNT_BYTES) - 1


class Counted(Enum):
    """What is counted, each by itself."""

    START = "s"
    """A login was begun."""
    LINK = "i"
    """The link of an invitation was opened."""
    ANSWER = "a"
    """A provider is about to be asked about an answer."""
    NOTICE = "n"
    """What came as a provider's notice was none."""


class Pacing:
    """Counts logins, and says how long to wait.

    Args:
        one_time: where the counters are.
        place: a keyed hash, the same on every daemon.
        clock: the time.
        most: how many may come from one range in a minute; 0 is any number.
    """

    def __init__(self, one_time: OneTimeStore, *, place: Callable[[bytes], bytes], clock: Clock, most: int) -> None:
        self._one_time = one_time
        self._place = place
        self._clock = clock
        self._most = most

    def wait_s(self, what: Counted, address: str) -> int:
        """Return after how many seconds this address may go on; 0 is now, and is counted. Never raises for a store."""
        network = range_of(address)
        if not self._most or not network:
            return 0
        now = self._clock()
        minute = now // MINUTE
        bucket = int.from_bytes(self._place(what.value.encode() + network)[:8], "big") % BUCKETS
        names = [f"{what.value}{bucket:x}.{each:x}" for each in (minute - 1, minute)]
        try:
            found = self._one_time.peek_many(RecordKind.PACE, names)
            before, during = (int.from_bytes(found[name] or b"", "big") for name in names)
            wait = wait_ms(before, during, most=self._most, at=now % MINUTE)
            if not wait:
                until = (minute + 2) * MINUTE + SECOND
                self._one_time.amend(RecordKind.PACE, names[1], _one_more, expires_at=until)
        except StoreError:
            # A login that begins costs nothing that is worth turning people away for.
            return 0
        return -(-wait // SECOND)


def range_of(address: str) -> bytes:
    """Return what stands for an address and its neighbours of the same subscriber; nothing if it is none."""
    try:
        ip = ip_address(address.partition("%")[0].strip())
    except ValueError:
        return b""
    if isinstance(ip, IPv6Address):
        return ip.ipv4_mapped.packed if ip.ipv4_mapped else ip.packed[:_PREFIX_BYTES]
    return ip.packed


def wait_ms(before: int, during: int, *, most: int, at: Millis) -> Millis:
    """Return how long until fewer than `most` came within a minute; 0 if that is so now.

    Args:
        before: how many came in the minute before this one, spread evenly as far as is known.
        during: how many came in this one.
        most: the limit.
        at: how much of this minute has passed.
    """
    if before * (MINUTE - at) < (most - during) * MINUTE:
        return 0
    if during < most:
        return MINUTE - at - (most - during) * MINUTE // before + 1
    # Only in the next minute, when this one is the one before it.
    return MINUTE - at + MINUTE - most * MINUTE // during + 1


def _one_more(count: bytes) -> bytes:
    return min(int.from_bytes(count, "big") + 1, _MOST).to_bytes(_COUNT_BYTES, "big")
