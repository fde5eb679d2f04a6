"""What a change of the node list needs of a memcached node, and of the markers that nodes carry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from identity.sessions.store import Unread


@dataclass(frozen=True, slots=True)
class NodeMarker:
    """A node's marker as it stands there, and its version for a compare-and-swap."""

    value: bytes
    version: bytes


class ListedNode(Protocol):
    """One memcached, asked what daemons never ask. Every method raises StoreUnavailable."""

    name: str
    address: str

    def marker(self) -> NodeMarker | None:
        """Return the node's marker; None if it has none."""
        ...

    def mark(self, value: bytes, *, over: NodeMarker | None) -> bool:
        """Write the marker over exactly what was seen; False if it is another one by now."""
        ...

    def held(self) -> Iterator[str]:
        """Yield the keys of all unexpired values but the marker; one that is in use may be left out."""
        ...

    def delete(self, keys: Sequence[str]) -> int:
        """Delete values; return how many were there."""
        ...

    def empty(self) -> None:
        """Delete everything, the marker too."""
        ...


class MarkerText(Protocol):
    """What a marker that this installation wrote says."""

    @property
    def name(self) -> str:
        """Of the node it was written for."""
        ...

    @property
    def generation(self) -> int:
        """Of the node list it was written for."""
        ...

    def lists(self, names: Sequence[str]) -> bool:
        """Tell whether that list was of these nodes, in any order."""
        ...


class Markers(Protocol):
    """Writes and reads the markers of one node list."""

    def make(self, name: str) -> bytes:
        """Return the marker of the node of this name."""
        ...

    def problem(self, name: str, value: bytes) -> str:
        """Return why a node with this marker is not the node of this name; empty if it is."""
        ...

    def read(self, value: bytes) -> MarkerText | Literal[Unread.CORRUPT, Unread.NEWER]:
        """Return what a marker says, whatever the list it was written for."""
        ...
