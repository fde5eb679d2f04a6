"""The options of the session records' servers.

Owns the section `[memcached]`, one part of `model.py` in a file of its own. Must not know a client
or any other option.
"""

from dataclasses import dataclass

from identity.config import values
from identity.config.values import MemcachedAddress
from identity.stores.servers import USUAL
from identity.types import Millis
from options import types
from options.option import option


@dataclass(frozen=True, slots=True, kw_only=True)
class MemcachedSection:
    """The session records' servers, for `[sessions] store = memcached`."""

    nodes: tuple[MemcachedAddress, ...] = option(
        values.nodes,
        (),
        "Servers as name=host:port; a name decides which records a server holds, so it outlives the address.",
        live=False,
    )
    generation: int = option(
        types.whole(1, 999_999_999),
        1,
        "Raise it by one on every daemon whenever a server is added, removed or comes back with old data.",
        live=False,
    )
    connect_timeout_ms: Millis = option(
        types.seconds(0.01, 60),
        USUAL.connect_ms,
        "A server that does not accept a connection within this is down.",
        live=False,
    )
    timeout_ms: Millis = option(
        types.seconds(0.01, 60), USUAL.answer_ms, "A server that does not answer within this is down.", live=False
    )
    rest_ms: Millis = option(
        types.seconds(0.1, 600),
        USUAL.rest_ms,
        "A server that was down is left alone for this long before it is tried again.",
        live=False,
    )
    idle_ms: Millis = option(
        types.seconds(1, 3600),
        USUAL.idle_ms,
        "A connection unused for so long is not used again; keep it below the idle time of firewalls on the way.",
        live=False,
    )
    pool: int = option(
        types.whole(1, 256),
        16,
        "Session checks asked of the servers at once, each on a thread and a connection of its own.",
        live=False,
    )
