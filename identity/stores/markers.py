"""The marker each memcached node carries, so that no daemon reads from the wrong one.

Owns the marker's body and what a daemon thinks of one. Pure apart from the seal. A node that
comes back with the data of another time or of another node would make honest tokens look stolen;
and two daemons whose lists of nodes differ would look for one record in two places. So the
marker names the node, the ring's generation (a number the operator raises) and the list of
names. Invariant: a node is used only while its marker says exactly what this daemon's
configuration says.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Literal

from identity.sessions.store import Unread
from identity.stores.bounds import MARKER_KEY
from identity.stores.sealing import Sealer

_KIND: Final = "n1"
_HEAD: Final = struct.Struct(">I8s")


@dataclass(frozen=True, slots=True)
class Said:
    """What a marker that this installation wrote says."""

    name: str
    generation: int
    listed: bytes
    """A digest of the names of all nodes."""

    def lists(self, names: Sequence[str]) -> bool:
        """Tell whether that was of these nodes, in any order."""
        return self.listed == digest(names)


class NodeMarkers:
    """Writes and reads node markers.

    Args:
        names: of all nodes; their order does not matter.
        generation: of the ring, 0 to 2**32 - 1.
        sealer: for Purpose.NODE.
    """

    def __init__(self, names: Sequence[str], *, generation: int, sealer: Sealer) -> None:
        self._names = tuple(names)
        self._head = _HEAD.pack(generation, digest(names))
        self._generation = generation
        self._sealer = sealer

    def make(self, name: str) -> bytes:
        """Return the marker of the node of this name."""
        return self._sealer.seal(_KIND, MARKER_KEY, self._head + name.encode())

    def problem(self, name: str, value: bytes) -> str:
        """Return why a node with this marker is not the node of this name; empty if it is."""
        match self._sealer.unseal(_KIND, MARKER_KEY, value):
            case Unread.CORRUPT:
                return "holds a marker that this key ring did not write; another installation may be using it"
            case Unread.NEWER:
                return "holds a marker made with a newer key ring; re-read the key file"
            case body:
                return self._difference(name, body)

    def is_outdated(self, value: bytes) -> bool:
        """Tell whether a marker without a problem should be sealed anew (its key will leave the ring)."""
        return self._sealer.is_outdated(value)

    def read(self, value: bytes) -> Said | Literal[Unread.CORRUPT, Unread.NEWER]:
        """Return what a marker says, whatever the ring it was written for."""
        body = self._sealer.unseal(_KIND, MARKER_KEY, value)
        if not isinstance(body, bytes):
            return body
        generation, listed = _HEAD.unpack(body[: _HEAD.size])
        return Said(body[_HEAD.size :].decode(), generation, listed)

    def disputes(self, value: bytes) -> bool:
        """Tell whether a marker of this installation is for another ring: another generation, or other nodes."""
        match self.read(value):
            case Said(generation=generation, listed=listed):
                return _HEAD.pack(generation, listed) != self._head
            case _:
                return False

    def _difference(self, name: str, body: bytes) -> str:
        head, other = body[: _HEAD.size], body[_HEAD.size :].decode()
        if other != name:
            return f"holds the marker of node {other}; check the addresses of the nodes"
        generation, _ = _HEAD.unpack(head)
        if generation != self._generation:
            return f"holds the marker of ring generation {generation}, not {self._generation}"
        if head != self._head:
            return "holds the marker of a ring with other nodes; all daemons must list the same nodes"
        return ""


def digest(names: Sequence[str]) -> bytes:
    """Return what stands for a list of nodes; their order does not matter."""
    return blake2b("\n".join(sorted(names)).encode(), digest_size=8).digest()
