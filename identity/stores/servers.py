"""Where memcached nodes are, and how long they may take: what a cache over them is told. Pure."""

from dataclasses import dataclass
from typing import Final

from identity.types import Millis


@dataclass(frozen=True, slots=True)
class Server:
    """One memcached: its name for ever, and where it is at the moment."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, and for how many at once.

    `connections` bounds the simultaneous calls per node: at least the number of threads that may call.
    """

    connect_ms: Millis = 200
    answer_ms: Millis = 200
    rest_ms: Millis = 1_000
    connections: int = 128


USUAL: Final = Limits()
