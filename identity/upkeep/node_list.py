"""Changing the list of memcached nodes without an old record ever being found.

Owns the order of the steps; docs/memcached.md says why. Must not decide who is logged out: a
record whose node changes is deleted, never moved, and its account logs in again.

    step                                      | a kill behind it leaves
    ------------------------------------------+--------------------------------------------------
    every node that stays answers, and its    | nothing changed
    marker is the old list's (or the new's)   |
    purge: values that the old list does not  | nothing that a daemon reads is gone
    place where they are                      |
    empty the node that joins, and mark it    | the old list serves
    mark each node that stays for the new     | nodes already marked are refused by daemons with
    list                                      | the old list: "try again"; the same command goes on
    purge: values that the new list does not  | values no daemon looks for, purged before the next
    place where they are                      | change

A marker is exchanged by compare-and-swap. From then on a daemon with the old list reads nothing
from that node, and what it still writes to it is a compare-and-swap on what it read before: lost
once that record was purged. A login that began before the exchange may leave a record behind, at a
place no daemon looks; the first purge of the next change deletes it before one could.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from identity.errors import StoreUnavailable
from identity.sessions.store import Unread
from identity.upkeep.store import ListedNode, Markers, MarkerText, NodeMarker

_PASSES: Final = 20
_CLEAN: Final = 2
"""So many looks in a row must find nothing: memcached may leave out a value that is in use just then."""


class NodeStanding(Enum):
    """How a node stands to a change."""

    OLD = "old"
    """Marked for the list as it was before."""
    NEW = "new"
    """Marked for the list as it will be."""
    EMPTY = "empty"
    """Not marked: new, or restarted."""
    WRONG = "wrong"
    """Marked for something else: another installation, another node, a list of another time."""


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What was found at one node."""

    name: str
    address: str
    standing: NodeStanding
    problem: str
    """Why it cannot be used; empty for any other standing."""
    generation: int
    records: int
    """Session records, one for each account that is logged in."""
    moving: int
    """Those of them whose node is another one in the new list."""


@dataclass(frozen=True, slots=True)
class NodeList:
    """The nodes of a configuration."""

    names: Sequence[str]
    node_of: Callable[[str], str]
    """The name of the node where a key's value belongs."""


class NodeListChange:
    """A change of the list of nodes.

    Args:
        nodes: a connection to each node of the new list.
        before: the list that daemons use now.
        after: the list that they will use.
        generation: of the new list.
        markers: of the new list.
        records: what the keys of session records begin with, before the colon.
    """

    def __init__(
        self,
        nodes: Sequence[ListedNode],
        *,
        before: NodeList,
        after: NodeList,
        generation: int,
        markers: Markers,
        records: str,
    ) -> None:
        self._nodes = nodes
        self._before = before
        self._after = after
        self._joining = frozenset(after.names) - frozenset(before.names)
        self._markers = markers
        self._generation = generation
        self._prefix = f"{records}:"

    def look(self) -> list[NodeReport]:
        """Look at every node; nothing is changed. Raises StoreUnavailable."""
        return [self._look(node) for node in self._nodes]

    def carry_out(self) -> int:
        """Make the change, or what is left of it; return how many values were purged.

        Raises:
            StoreUnavailable: a node went away, or another operator's command marks it; repeating goes on from there.
            ValueError: a node that stays is marked for this generation or a later one.
        """
        staying = [node for node in self._nodes if node.name not in self._joining]
        old = [node for node in staying if self._is_old(node)]
        purged = sum(purge(node, self._before.node_of) for node in old)
        if old:
            for node in self._nodes:
                if node.name in self._joining:
                    node.empty()
                    self._mark(node)
        for node in old:
            self._mark(node)
        return purged + sum(purge(node, self._after.node_of) for node in staying)

    def _is_old(self, node: ListedNode) -> bool:
        standing, _, generation = self._standing(node.name, node.marker())
        if standing is NodeStanding.OLD and generation >= self._generation:
            raise ValueError("the generation of the new list must be higher")
        return standing is not NodeStanding.NEW

    def _mark(self, node: ListedNode) -> None:
        seen = node.marker()
        standing, problem, _ = self._standing(node.name, seen)
        if standing is NodeStanding.NEW:
            return
        if standing is NodeStanding.WRONG or not node.mark(self._markers.make(node.name), over=seen):
            raise StoreUnavailable(
                detail=f"memcached node {node.name}: {problem or 'another process marks it just now'}"
            )

    def _look(self, node: ListedNode) -> NodeReport:
        standing, problem, generation = self._standing(node.name, node.marker())
        records = moving = 0
        for key in node.held():
            if key.startswith(self._prefix):
                records += 1
                moving += self._after.node_of(key) != node.name
        return NodeReport(node.name, node.address, standing, problem, generation, records, moving)

    def _standing(self, name: str, marked: NodeMarker | None) -> tuple[NodeStanding, str, int]:
        """Return how a node stands, why it cannot be used, and the generation it is marked for."""
        if marked is None:
            return NodeStanding.EMPTY, "", 0
        problem, text = self._markers.problem(name, marked.value), self._markers.read(marked.value)
        if isinstance(text, Unread):
            return NodeStanding.WRONG, problem, 0
        if not problem:
            return NodeStanding.NEW, "", text.generation
        if self._was_ours(name, text):
            return NodeStanding.OLD, "", text.generation
        return NodeStanding.WRONG, problem, text.generation

    def _was_ours(self, name: str, text: MarkerText) -> bool:
        if name in self._joining:
            return True  # Whatever list it was in: it is emptied.
        return text.name == name and text.lists(self._before.names)


def purge(node: ListedNode, place: Callable[[str], str]) -> int:
    """Delete the values that belong to other nodes; return how many. Raises StoreUnavailable."""
    purged = clean = 0
    for _ in range(_PASSES):
        strays = list(_strays(node, place))
        purged += node.delete(strays)
        clean = 0 if strays else clean + 1
        if clean == _CLEAN:
            return purged
    raise StoreUnavailable(detail=f"memcached node {node.name}: daemons keep writing values that belong elsewhere")


def _strays(node: ListedNode, place: Callable[[str], str]) -> Iterator[str]:
    return (key for key in node.held() if place(key) != node.name)
