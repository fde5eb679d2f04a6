"""Where memcached nodes are, how long they may take, who hears of them: what a cache over them is told. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from identity.types import Millis


@dataclass(frozen=True, slots=True)
class CacheServer:
    """One memcached: its name for ever, and where it is at the moment."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, and for how many at once.

    `connections` bounds the simultaneous calls per node: at least the number of threads that may call.
    `idle_ms` is how long a connection may be unused and still be used again.
    """

    connect_ms: Millis = 200
    answer_ms: Millis = 200
    rest_ms: Millis = 1_000
    connections: int = 128
    idle_ms: Millis = 30_000


USUAL: Final = Limits()


@dataclass(frozen=True, slots=True)
class Told:
    """Who hears of nodes. None may block.

    `silent` is told the node of every call that was not answered in time; `changed` a node, and
    what is wrong with it from now on ("" for nothing); `refused` the node of every write it had no memory for.
    """

    silent: Callable[[str], None] = lambda _name: None
    changed: Callable[[str, str], None] = lambda _name, _problem: None
    refused: Callable[[str], None] = lambda _name: None


UNTOLD: Final = Told()
