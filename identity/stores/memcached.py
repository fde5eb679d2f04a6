"""A cache over several memcached nodes; the only home of pymemcache.

Owns connections, time-outs and what is thought of each node. Must not look into values. Every
key has one node for ever (`rendezvous.py`); trouble with it is `Missing.UNREACHABLE` or
`Written.UNKNOWN`, never an answer of another node.

    what happened                                    | a read says  | a write says
    -------------------------------------------------+--------------+--------------
    answered                                         | the value    | APPLIED, LOST
    idle connection was closed (memcached restarted) | once more, on a new connection
    connection lost before the answer came           | once more    | UNKNOWN
    refused, time-out, nonsense                      | UNREACHABLE  | UNKNOWN
    memory full (`-M`)                               |              | UNKNOWN
    more calls at once than `connections`            | UNREACHABLE  | UNKNOWN, not sent
    marker differs, or open revocations are left     | UNREACHABLE  | UNKNOWN, not sent

UNKNOWN is said also where surely nothing was written: callers must be safe either way. A node
that timed out is left alone for `rest_ms`; then one caller tries it while the others still get
UNREACHABLE at once, so a hanging node costs one thread, not all.

The marker is read in the same round trip as the values. Where it is missing the node is empty
(new or restarted), and gets one, unless another node is marked for another ring: a daemon that was
started too early with a new list would take a node into use while others serve the old ring.
"""

import logging
import select
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock
from typing import Any, Final, TypeAlias, TypeVar

from pymemcache import exceptions
from pymemcache.client.base import Client
from pymemcache.pool import ObjectPool

from identity.sessions.store import Written
from identity.stores.alarm import Pace
from identity.stores.bounds import MARKER_KEY, check_keys, check_write
from identity.stores.cache import CacheKey, CacheVersion, Got, Missing, NodeState, Trip, Value
from identity.stores.markers import NodeMarkers
from identity.stores.rendezvous import Rendezvous
from identity.stores.servers import USUAL, Limits, Server
from identity.types import MINUTE, SECOND, Clock, Millis

log = logging.getLogger("identity.stores.memcached")

T = TypeVar("T")
_Found: TypeAlias = dict[CacheKey, tuple[bytes, bytes]]

_NEVER: Final = 0
_LONGEST_RELATIVE_S: Final = 30 * 24 * 3600
_LAST_SECOND: Final = 2**31 - 1
_RECHECK_MS: Final[Millis] = MINUTE
_HALF_TICK_MS: Final[Millis] = 500
_DELETED: Final = {b"DELETED": True, b"NOT_FOUND": False}

# A node that answers for another key, or nonsense, surfaces in the client as KeyError or ValueError;
# a pool at its limit as RuntimeError.
_TROUBLE: Final = (OSError, exceptions.MemcacheError, LookupError, ValueError, RuntimeError)
_CLOSED: Final = (exceptions.MemcacheUnexpectedCloseError, ConnectionResetError, BrokenPipeError)


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
    """

    def __init__(
        self,
        servers: Sequence[Server],
        *,
        markers: NodeMarkers,
        clock: Clock,
        limits: Limits = USUAL,
        cleared: Callable[[str], bool] = lambda _name: True,
        on_trip: Callable[[str, Trip], None] = lambda _name, _trip: None,
    ) -> None:
        self._ring = Rendezvous([server.name for server in servers])
        self._clock = clock
        self._nodes = {
            server.name: _Node(server, markers=markers, clock=clock, limits=limits, cleared=cleared, on_trip=on_trip)
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

    def _node(self, key: CacheKey) -> "_Node":
        return self._nodes[self._ring.node_of(key)]

    def _expire(self, key: CacheKey, data: bytes, expires_at: Millis) -> int:
        """Check the write and return memcached's expiry time: whole seconds since 1970, rounded up."""
        check_write(key, data, expires_at=expires_at, now=self._clock())
        seconds = -(-expires_at // SECOND)
        if seconds <= _LONGEST_RELATIVE_S:
            raise ValueError("memcached would take this time in 1970 for a duration; the clock is wrong")
        # Later seconds do not fit memcached's 32 bits and would mean "at once".
        return min(seconds, _LAST_SECOND)


class _Connection(Client):  # type: ignore[misc] # pymemcache has no types
    """A connection that tries every address of a name, and notices a hang-up before it sends.

    What arrives unasked makes it unusable: it would be taken for the answer to the next question.
    """

    def _connect(self) -> None:
        self.close()
        made = socket.create_connection(self.server, self.connect_timeout)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(self.timeout)
        self._events = select.poll()
        self._events.register(made, select.POLLIN | select.POLLHUP)
        self.sock = made

    def drop_if_hung_up(self) -> None:
        """Close it if the other side did, or sent something unasked; the next command connects anew."""
        if self.sock is not None and self._events.poll(0):
            self.close()

    def take_away(self, key: CacheKey) -> bool:
        """Delete, and tell whether it was there; pymemcache's own takes every answer but one for "no"."""
        (line,) = self._misc_cmd([b"delete %b\r\n" % key.encode()], b"delete", noreply=False)
        if line not in _DELETED:
            raise exceptions.MemcacheUnknownError
        return _DELETED[line]


class _Node:
    """One memcached and what is thought of it. Thread-safe."""

    def __init__(
        self,
        server: Server,
        *,
        markers: NodeMarkers,
        clock: Clock,
        limits: Limits,
        cleared: Callable[[str], bool],
        on_trip: Callable[[str, Trip], None],
    ) -> None:
        self.name = server.name
        self._markers = markers
        self._clock = clock
        self._limits = limits
        self._cleared = cleared
        self._on_trip = on_trip
        self._pool = ObjectPool(
            lambda: _connection(server, limits),
            after_remove=lambda connection: connection.close(),
            max_size=limits.connections,
        )
        self._lock = Lock()
        self.others: Sequence[_Node] = ()
        self._pace = Pace(clock)
        self._problem = "was not asked yet"
        self._hung_at: Millis | None = None
        self._marker = b""
        self._marker_read_at: Millis = 0

    def read(self, keys: Sequence[CacheKey]) -> _Found | None:
        """Return what is there, or None if the node cannot be used. One round trip."""
        if self._rests():
            return None
        try:
            found = self._gets((MARKER_KEY, *keys))
            there = found.pop(MARKER_KEY, None)
            if self._is_trusted(there):
                return found
            problem = self._judge(there)
        except _TROUBLE as error:
            self._failed(error)
            return None
        self._set_problem(problem)
        return None if problem else found

    def write(self, command: Callable[[Any], bool | None]) -> Written:
        """Send one conditional write. Never sent twice."""
        if self._problem and self.read(()) is None:
            return Written.UNKNOWN
        try:
            applied = self._run(Trip.WRITE, command)
        except _TROUBLE as error:
            if isinstance(error, exceptions.MemcacheServerError) and not isinstance(error, _CLOSED):
                # The node is well, it has no memory: its values can still be read.
                self._warn("memcached-refused", _shown(error))
            else:
                self._failed(error)
            return Written.UNKNOWN
        return Written.APPLIED if applied else Written.LOST

    def probe(self) -> NodeState:
        """Ask the node how it is."""
        if self.read(()) is None:
            return NodeState(self.name, self._problem or "was too busy to be asked")
        try:
            stats = self._run(Trip.PROBE, lambda connection: connection.stats())
            # Its seconds are cut off: on average half of one is missing.
            ahead = stats[b"time"] * SECOND + _HALF_TICK_MS - self._clock()
            evicted = stats[b"evictions"]
        except _TROUBLE as error:
            self._failed(error)
            return NodeState(self.name, self._problem or "was too busy to be asked")
        warning = f"dropped {evicted} unexpired values; start memcached with -M and more memory" if evicted else ""
        if warning:
            self._warn("memcached-evicts", warning)
        return NodeState(self.name, "", clock_ahead_ms=ahead, warning=warning)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def _gets(self, keys: Sequence[CacheKey]) -> _Found:
        try:
            return self._run(Trip.READ, lambda connection: connection.gets_many(keys))
        except _CLOSED:
            # Restarted between the look at the connection and the answer: the idle ones are dead too.
            self._drop_idle()
            return self._run(Trip.READ, lambda connection: connection.gets_many(keys))

    def _run(self, trip: Trip, command: Callable[[Any], T]) -> T:
        with self._pool.get_and_release(destroy_on_fail=True) as connection:
            connection.drop_if_hung_up()
            self._on_trip(self.name, trip)
            return command(connection)

    def _drop_idle(self) -> None:
        # ObjectPool.clear() would also close the connections that other threads are using.
        for _ in self._pool.free:
            self._pool.destroy(self._pool.get())

    def _is_trusted(self, there: tuple[bytes, bytes] | None) -> bool:
        """Tell whether this very marker was found right less than a minute ago."""
        if there is None or there[0] != self._marker or self._problem:
            return False
        return 0 <= self._clock() - self._marker_read_at < _RECHECK_MS

    def _judge(self, there: tuple[bytes, bytes] | None) -> str:
        """Return why the node cannot be used; mark it if it is empty."""
        if there is None:
            if any(other.disputes() for other in self.others):
                return "is empty, and another node is marked for another ring; compare [memcached] on all daemons"
            there = self._mark()
        if there is None:
            return "has no marker, and none could be written"
        marker, version = there
        problem = self._markers.problem(self.name, marker)
        if problem:
            return problem
        if self._problem and not self._cleared(self.name):
            return "is back; open revocations must be carried out first"
        if version and self._markers.is_outdated(marker):
            marker = self._markers.make(self.name)
            self._run(Trip.WRITE, lambda connection: connection.cas(MARKER_KEY, marker, version, expire=_NEVER))
        with self._lock:
            self._marker, self._marker_read_at = marker, self._clock()
        return ""

    def disputes(self) -> bool:
        """Tell whether the node is marked for another ring than ours; one that cannot be asked is not."""
        if self._rests():
            return False
        try:
            found = self._run(Trip.PROBE, lambda connection: connection.gets_many((MARKER_KEY,)))
        except _TROUBLE:
            return False
        there = found.get(MARKER_KEY)
        return there is not None and self._markers.disputes(there[0])

    def _mark(self) -> tuple[bytes, bytes] | None:
        """Write the marker unless somebody else just did; return the one that is there now."""
        marker = self._markers.make(self.name)
        if self._run(Trip.WRITE, lambda connection: connection.add(MARKER_KEY, marker, expire=_NEVER)):
            return marker, b""
        return self._gets((MARKER_KEY,)).get(MARKER_KEY)

    def _rests(self) -> bool:
        """Tell whether the node hung and is left alone; of those who ask after that, one gets False."""
        if not self._problem:
            return False
        now = self._clock()
        with self._lock:
            if self._hung_at is None:
                return False
            rests = 0 <= now - self._hung_at < self._limits.rest_ms
            if not rests:
                self._hung_at = now
            return rests

    def _failed(self, error: Exception) -> None:
        if isinstance(error, RuntimeError):
            # Our own limit says nothing about the node.
            self._warn("memcached-busy", f"more than {self._limits.connections} calls at once")
            return
        self._set_problem(self._described(error), hung_at=self._clock() if isinstance(error, TimeoutError) else None)

    def _described(self, error: Exception) -> str:
        match error:
            case TimeoutError():
                return f"does not answer within {self._limits.answer_ms} ms"
            case ConnectionRefusedError():
                return "refuses connections; memcached is not running there"
            case exceptions.MemcacheUnexpectedCloseError():
                return "closed the connection"
            case OSError() | exceptions.MemcacheServerError():
                return f"failed: {_shown(error)}"
            case _:
                # Its text may quote what was read: a key, which can be a secret, or a value.
                return f"answers nonsense ({type(error).__name__})"

    def _warn(self, event: str, what: str) -> None:
        held = self._pace.held()
        if held is not None:
            log.warning("%s: node %s: %s", event, self.name, what, extra={"node": self.name, "not_logged": held})

    def _set_problem(self, problem: str, *, hung_at: Millis | None = None) -> None:
        with self._lock:
            before, self._problem, self._hung_at = self._problem, problem, hung_at
        if problem == before:
            return
        facts = {"node": self.name, "problem": problem}
        if problem:
            log.warning("memcached-node-unusable: node %s %s", self.name, problem, extra=facts)
        else:
            log.info("memcached-node-usable: node %s answers", self.name, extra=facts)


def _connection(server: Server, limits: Limits) -> _Connection:
    return _Connection(
        (server.host, server.port),
        connect_timeout=limits.connect_ms / SECOND,
        timeout=limits.answer_ms / SECOND,
        default_noreply=False,
        ignore_exc=False,
    )


def _shown(error: Exception) -> str:
    """Return an error's name and its beginning, on one line: parts of it may come from the network."""
    return f"{type(error).__name__} {str(error)!r:.120}"
