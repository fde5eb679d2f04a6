"""A cache over several memcached nodes; the only home of pymemcache.

Owns the client, and which node a key is on. Must not look into values. Every key has one node for
ever (`rendezvous.py`); trouble with it is `Missing.UNREACHABLE` or `Written.UNKNOWN`, never an
answer of another node. What is thought of a node is in `memcached_node.py`.

    what happened                                    | a read says  | a write says
    -------------------------------------------------+--------------+--------------
    answered                                         | the value    | APPLIED, LOST
    idle connection was closed (memcached restarted) | once more, on a new connection
    connection lost before the answer came           | once more    | UNKNOWN
    time-out on a connection that was kept           | once more    | UNKNOWN
    refused, time-out on a new one, nonsense         | UNREACHABLE  | UNKNOWN
    memory full (`-M`)                               |              | UNKNOWN
    more calls at once than `connections`            | UNREACHABLE  | UNKNOWN, not sent
    marker differs, or open revocations are left     | UNREACHABLE  | UNKNOWN, not sent

UNKNOWN is said also where surely nothing was written: callers must be safe either way. The time of
a call is bounded as a whole, however slowly an answer comes: `answer_ms`, or `connect_ms` and
`answer_ms` on a new connection, and for a read those two once more.
"""

import select
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic
from typing import Final

from pymemcache import exceptions
from pymemcache.client.base import Client

from identity.sessions.store import Written
from identity.stores.bounds import ROOM_KEY, check_keys, check_write
from identity.stores.cache import CacheKey, CacheVersion, Got, Missing, NodeState, Trip, Value
from identity.stores.failures import Failure, NodeTrouble
from identity.stores.markers import NodeMarkers
from identity.stores.memcached_node import CacheNode, Surroundings
from identity.stores.rendezvous import Rendezvous
from identity.stores.servers import UNTOLD, USUAL, CacheServer, Limits, Told
from identity.stores.whereabouts import NoAddress, Resolve, Whereabouts, system_resolve
from identity.types import SECOND, Clock, Millis

_LONGEST_RELATIVE_S: Final = 30 * 24 * 3600
_LAST_SECOND: Final = 2**31 - 1
_AT_ONCE: Final = -1
_USUAL_BYTES: Final = (80, 200, 400, 1_200)
"""Of a marker and of session records: memory is kept apart by size, and full for one size at a time."""
_DELETED: Final = {b"DELETED": True, b"NOT_FOUND": False}
_EXPLAINED: Final = (
    (NoAddress, NodeTrouble.SILENT, "has a name whose address was not found within {limits.connect_ms} ms"),
    (TimeoutError, NodeTrouble.SILENT, "does not answer within {limits.answer_ms} ms"),
    (ConnectionRefusedError, NodeTrouble.FAILED, "refuses connections; memcached is not running there"),
    (exceptions.MemcacheUnexpectedCloseError, NodeTrouble.CLOSED, "closed the connection"),
    ((ConnectionResetError, BrokenPipeError), NodeTrouble.CLOSED, "failed: {error}"),
    (OSError, NodeTrouble.FAILED, "failed: {error}"),
    (exceptions.MemcacheServerError, NodeTrouble.UNABLE, "failed: {error}"),
    # A node that answers for another key, or nonsense, surfaces in the client as KeyError or ValueError.
    # Its text may quote what was read: a key, which can be a secret, or a value.
    ((exceptions.MemcacheError, LookupError, ValueError), NodeTrouble.NONSENSE, "answers nonsense ({kind})"),
)
"""What the client raises, the first that fits."""


class MemcachedCache:
    """A `Cache` over named memcached nodes.

    Args:
        servers: the nodes; all daemons list the same names.
        markers: makes and reads the nodes' markers.
        clock: for expiry; must agree with the nodes' clocks within seconds.
        limits: time-outs and the number of connections.
        cleared: asked, by name, when a node answers for the first time and after each failure,
            whether no revocations are open for it; until then it stays UNREACHABLE. Must not
            block. (Revocations are carried out through a cache that does not ask.)
        on_trip: hears of every round trip, before it is made. Must not block.
        told: hears of nodes that fall silent and that change.
        resolve: finds the addresses of a node's name.
    """

    def __init__(
        self,
        servers: Sequence[CacheServer],
        *,
        markers: NodeMarkers,
        clock: Clock,
        limits: Limits = USUAL,
        cleared: Callable[[str], bool] = lambda _name: True,
        on_trip: Callable[[str, Trip], None] = lambda _name, _trip: None,
        told: Told = UNTOLD,
        resolve: Resolve = system_resolve,
    ) -> None:
        self._ring = Rendezvous([server.name for server in servers])
        self._clock = clock
        around = Surroundings(
            markers=markers,
            clock=clock,
            limits=limits,
            failure_of=lambda error: _failure_of(error, limits),
            cleared=cleared,
            on_trip=on_trip,
            told=told,
        )
        self._nodes = {
            server.name: CacheNode(server.name, connect=_connector(server, limits, resolve), around=around)
            for server in servers
        }
        for node in self._nodes.values():
            node.others = tuple(other for other in self._nodes.values() if other is not node)

    def get_many(self, keys: Collection[CacheKey]) -> Mapping[CacheKey, Got]:
        """Read all keys: one round trip per node that holds any of them, one node after the other."""
        check_keys(keys)
        shares: dict[str, list[CacheKey]] = {}
        for key in keys:
            shares.setdefault(self._ring.node_of(key), []).append(key)
        got: dict[CacheKey, Got] = {}
        for name, share in shares.items():
            found = self._nodes[name].read(share)
            if found is None:
                got.update(dict.fromkeys(share, Missing.UNREACHABLE))
            else:
                for key in share:
                    there = found.get(key)
                    got[key] = Value(there[0], CacheVersion(there[1])) if there else Missing.ABSENT
        return got

    def add(self, key: CacheKey, data: bytes, *, expires_at: Millis) -> Written:
        """Create the value if there is none."""
        expire = self._expire(key, data, expires_at)
        return self._node(key).write(lambda connection: connection.add(key, data, expire=expire))

    def swap(self, key: CacheKey, data: bytes, *, version: CacheVersion, expires_at: Millis) -> Written:
        """Replace the value if it is still at `version`."""
        expire = self._expire(key, data, expires_at)
        return self._node(key).write(lambda connection: connection.cas(key, data, version, expire=expire))

    def remove(self, key: CacheKey) -> Written:
        """Delete the value; exactly one of several callers gets APPLIED."""
        check_keys((key,))
        return self._node(key).write(lambda connection: connection.take_away(key))

    def nodes(self) -> tuple[NodeState, ...]:
        """Probe every node: two round trips each."""
        return tuple(node.probe() for node in self._nodes.values())

    def node_of(self, key: CacheKey) -> str:
        """Return the name of the node that holds this key."""
        return self._ring.node_of(key)

    def close(self) -> None:
        """Close all connections. Nothing may be using the cache any more."""
        for node in self._nodes.values():
            node.close()

    def _node(self, key: CacheKey) -> CacheNode:
        return self._nodes[self._ring.node_of(key)]

    def _expire(self, key: CacheKey, data: bytes, expires_at: Millis) -> int:
        """Check the write and return memcached's expiry time: whole seconds since 1970, rounded up."""
        check_write(key, data, expires_at=expires_at, now=self._clock())
        seconds = -(-expires_at // SECOND)
        if seconds <= _LONGEST_RELATIVE_S:
            raise ValueError("memcached would take this time in 1970 for a duration; the clock is wrong")
        # Later seconds do not fit memcached's 32 bits and would mean "at once".
        return min(seconds, _LAST_SECOND)


class _Timed:
    """A socket on which one trip, a command and its answer, ends in time, also if the answer comes byte by byte."""

    __slots__ = ("_socket", "_until", "_within_s")

    def __init__(self, made: socket.socket, within_s: float) -> None:
        self._socket = made
        self._within_s = within_s
        self._until = 0.0

    def sendall(self, data: bytes) -> None:
        """Begin a trip: send everything. Raises TimeoutError at its end."""
        self._until = monotonic() + self._within_s
        self._socket.settimeout(self._within_s)
        self._socket.sendall(data)

    def recv(self, size: int) -> bytes:
        """Receive something. Raises TimeoutError at the end of the trip."""
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket.recv(size)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class _Connection(Client):  # type: ignore[misc] # pymemcache has no types
    """A connection that is found by name, bounded in time, and notices a hang-up before it sends.

    What arrives unasked makes it unusable: it would be taken for the answer to the next question.
    """

    is_new = True
    generation = 0
    made_at: Millis = 0
    used_at: Millis = 0

    def __init__(self, where: Whereabouts, server: CacheServer, limits: Limits) -> None:
        super().__init__((server.host, server.port), default_noreply=False, ignore_exc=False)
        self._where = where
        self._limits = limits

    def _connect(self) -> None:
        self.close()
        made = self._where.connect(self._limits.connect_ms / SECOND)
        self._events = select.poll()
        self._events.register(made, select.POLLIN | select.POLLHUP)
        self.sock = _Timed(made, self._limits.answer_ms / SECOND)

    def ready(self) -> None:
        """Close it if the other side did, or sent something unasked: the command connects anew."""
        if self.sock is not None and self._events.poll(0):
            self.close()
        self.is_new = self.sock is None

    def has_room(self) -> bool:
        """Tell whether the server takes one more value of each usual size; what is written is void at once."""
        try:
            return all(self.set(ROOM_KEY, bytes(size), expire=_AT_ONCE) for size in _USUAL_BYTES)
        except exceptions.MemcacheUnexpectedCloseError:
            raise
        except exceptions.MemcacheServerError:
            return False

    def take_away(self, key: CacheKey) -> bool:
        """Delete, and tell whether it was there; pymemcache's own takes every answer but one for "no"."""
        (line,) = self._misc_cmd([b"delete %b\r\n" % key.encode()], b"delete", noreply=False)
        if line not in _DELETED:
            raise exceptions.MemcacheUnknownError
        return _DELETED[line]


def _connector(
    server: CacheServer, limits: Limits, resolve: Resolve
) -> Callable[[Callable[[], None]], Callable[[], _Connection]]:
    def connect(moved: Callable[[], None]) -> Callable[[], _Connection]:
        where = Whereabouts(server.host, server.port, moved=moved, resolve=resolve)
        return lambda: _Connection(where, server, limits)

    return connect


def _failure_of(error: Exception, limits: Limits) -> Failure | None:
    """Explain what a command raised; None for what is none of the node's doing."""
    for kind, trouble, said in _EXPLAINED:
        if isinstance(error, kind):
            return Failure(trouble, said.format(limits=limits, error=_shown(error), kind=type(error).__name__))
    return None


def _shown(error: Exception) -> str:
    """Return an error's name and its beginning, on one line: parts of it may come from the network."""
    return f"{type(error).__name__} {str(error)!r:.120}"
