"""Which node holds a key.

Owns the choice (rendezvous hashing: every node draws a number for the key, the highest has it).
Pure. Invariants: the choice depends on the names of the nodes and the key alone, so a node may
change its address but never its name; with one node more or fewer only the keys of that node
move. The vectors in the tests fix the choice for ever: changing it loses every record.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

_DRAW_BYTES: Final = 8


class Rendezvous:
    """Chooses among named nodes.

    Raises:
        ValueError: no name, an empty one, or one twice.
    """

    __slots__ = ("_draws", "names")

    def __init__(self, names: Sequence[str]) -> None:
        if not names or not all(names) or len(set(names)) != len(names):
            raise ValueError("nodes need names, each its own")
        self.names = tuple(names)
        self._draws = tuple(
            (name, blake2b(len(name.encode()).to_bytes(2, "big") + name.encode(), digest_size=_DRAW_BYTES))
            for name in names
        )

    def node_of(self, key: str) -> str:
        """Return the name of the node that holds this key."""
        if len(self._draws) == 1:
            return self.names[0]
        data = key.encode()
        best, chosen = b"", ""
        for name, begun in self._draws:
            draw = begun.copy()
            draw.update(data)
            # The name decides between equal numbers, so that the order of the nodes never does.
            best, chosen = max((best, chosen), (draw.digest(), name))
        return chosen
