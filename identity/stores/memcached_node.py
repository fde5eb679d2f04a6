"""One memcached and what is thought of it. Thread-safe.

Owns its connections, its marker, and whether it is asked at all. What follows from a failure is
decided in `failures.py`.

A node that timed out is left alone for `rest_ms`; then one caller tries it while the others still
get UNREACHABLE at once, so a hanging node costs one thread, not all. Before that, if the time-out
was on a connection that had been kept, one caller asks the node again on a new connection; the
others wait for that no longer than a connection may take. So connections that fell silent, all of
them at once, cost a call one time-out and one question more, and the node is not put to rest.

The marker is read in the same round trip as the values. Where it is missing the node is empty
(new or restarted), and gets one, unless another node is marked for another ring: a daemon that was
started too early with a new list would take a node into use while others serve the old ring.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from identity.sessions.store import Written
from identity.stores.alarm import LogPace
from identity.stores.bounds import MARKER_KEY
from identity.stores.cache import CacheKey, NodeState, Trip
from identity.stores.connections import Busy, Connections, Link
from identity.stores.failures import Failure, NextStep, NodeTrouble, Origin, after
from identity.stores.fullness import Fullness
from identity.stores.markers import NodeMarkers
from identity.stores.servers import Limits, Told
from identity.types import MINUTE, SECOND, Clock, Millis

log = logging.getLogger("identity.stores.memcached")

T = TypeVar("T")
Values: TypeAlias = dict[CacheKey, tuple[bytes, bytes]]
"""What was found, and its version."""

_NEVER: Final = 0
_RECHECK_MS: Final[Millis] = MINUTE
_HALF_TICK_MS: Final[Millis] = 500
_MOST_PROOFS: Final = 3
_PROOFS_WITHIN_MS: Final[Millis] = 10 * SECOND
"""A node that needs more proofs in that time is not well: firewalls do not forget that often, and it needs its rest."""
_REMEMBERED_MS: Final[Millis] = 10 * MINUTE
"""For so long /readyz tells that connections fell silent."""


class Connection(Link, Protocol):
    """A connection to a memcached: its commands, and whether one is on the way."""

    is_new: bool
    """Whether the command under way made the connection."""

    def ready(self) -> None:
        """Get ready for a command: hang up if the other side did, or sent something unasked."""
        ...

    def gets_many(self, keys: Sequence[CacheKey]) -> Values:
        """Read values with their versions."""
        ...

    def add(self, key: CacheKey, data: bytes, *, expire: int) -> bool:
        """Write if there is none."""
        ...

    def cas(self, key: CacheKey, data: bytes, version: bytes, *, expire: int) -> bool | None:
        """Write if it is at that version."""
        ...

    def has_room(self) -> bool:
        """Tell whether it takes one more value."""
        ...

    def stats(self) -> Mapping[bytes, Any]:
        """Return the server's numbers."""
        ...


class Failed(Exception):
    """A call that failed, with what is known of its connection."""

    def __init__(self, failure: Failure, *, origin: Origin, generation: int) -> None:
        super().__init__(failure.said)
        self.trouble = failure.trouble
        self.said = failure.said
        self.origin = origin
        self.generation = generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all nodes of a cache are told.

    `failure_of` explains what a command raised, None for what is none of the node's doing; the
    others as `MemcachedCache` has them.
    """

    markers: NodeMarkers
    clock: Clock
    limits: Limits
    failure_of: Callable[[Exception], Failure | None]
    cleared: Callable[[str], bool]
    on_trip: Callable[[str, Trip], None]
    told: Told


class CacheNode:
    """One memcached.

    Args:
        name: its name.
        connect: makes a connection, given what to tell when it came about at another address.
        around: what all nodes are told.
    """

    def __init__(
        self, name: str, *, connect: Callable[[Callable[[], None]], Callable[[], Connection]], around: Surroundings
    ) -> None:
        self.name = name
        self._around = around
        self._markers, self._clock, self._limits = around.markers, around.clock, around.limits
        self._pool = Connections(
            connect(self._moved), most=self._limits.connections, idle_ms=self._limits.idle_ms, clock=self._clock
        )
        self._lock = Lock()
        self._memory = Fullness(around.clock)
        self.others: Sequence[CacheNode] = ()
        self._paces = defaultdict[str, LogPace](lambda: LogPace(self._clock))
        self._problem = "was not asked yet"
        self._hung_at: Millis | None = None
        self._proof_over = Event()
        self._proof_over.set()
        self._proved_at: deque[Millis] = deque(maxlen=_MOST_PROOFS)
        self._fell_silent: tuple[Millis, int] = (0, 0)
        self._marker = b""
        self._marker_read_at: Millis = 0

    def read(self, keys: Sequence[CacheKey]) -> Values | None:
        """Return what is there, or None if the node cannot be used. One round trip."""
        return self._read(keys) if self._is_open() else None

    def write(self, command: Callable[[Any], bool | None]) -> Written:
        """Send one conditional write. Never sent twice."""
        # A node with a problem shows its marker first: it may have come back as the node of another ring.
        if not self._is_open() or (self._problem and self._read(()) is None):
            return Written.UNKNOWN
        try:
            applied = self._run(Trip.WRITE, command)
        except Failed as failed:
            self._take_in(failed)
            return Written.UNKNOWN  # it may have been carried out, and only its answer be lost
        return Written.APPLIED if applied else Written.LOST

    def probe(self) -> NodeState:
        """Ask the node how it is."""
        if self.read(()) is None:
            return NodeState(self.name, self._problem or "was too busy to be asked")
        try:
            ahead, evicted, has_room = self._run(Trip.PROBE, self._stats)
        except Failed as failed:
            self._take_in(failed)
            return NodeState(self.name, self._problem or "was too busy to be asked")
        full = self._memory.said(has_room=has_room)
        warning = "; ".join(filter(None, (full, self._evicts(evicted), self._dropped())))
        return NodeState(self.name, "", clock_ahead_ms=ahead, warning=warning, full=bool(full))

    def disputes(self) -> bool:
        """Tell whether the node is marked for another ring than ours; one that cannot be asked is not."""
        if not self._is_open():
            return False
        found = self._asked(lambda: self._gets((MARKER_KEY,), Trip.PROBE), otherwise=lambda _: None)
        there = found.get(MARKER_KEY) if found else None
        return there is not None and self._markers.disputes(there[0])

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def _read(self, keys: Sequence[CacheKey]) -> Values | None:
        return self._asked(lambda: self._believed(keys), otherwise=self._failed)

    def _believed(self, keys: Sequence[CacheKey]) -> Values | None:
        """Read, and judge the marker; None if it is not the right one. Raises Failed."""
        found = self._gets((MARKER_KEY, *keys))
        there = found.pop(MARKER_KEY, None)
        if self._is_trusted(there):
            return found
        problem = self._judge(there)
        self._set_problem(problem)
        return None if problem else found

    def _asked(self, call: Callable[[], T | None], *, otherwise: Callable[[Failed], None]) -> T | None:
        """Make a call that may be made twice, and the second time if that may help; None if the node cannot be used."""
        try:
            return call()
        except Failed as failed:
            match self._step(failed):
                case NextStep.PROVE:
                    return self._prove(call)
                case NextStep.RENEW:
                    return self._last(call)
                case NextStep.AGAIN:
                    return self._last(call) if self._is_open() else None  # waits for another caller's proof
                case _:
                    otherwise(failed)
                    return None

    def _last(self, call: Callable[[], T | None], *, told: Callable[[], None] = lambda: None) -> T | None:
        """Make a call for the last time; `told` that the node answered."""
        try:
            answer = call()
        except Failed as failed:
            self._failed(failed)
            return None
        told()
        return answer

    def _prove(self, call: Callable[[], T | None]) -> T | None:
        """Make a call again on a new connection: an answer shows that only the kept ones fell silent."""
        try:
            return self._last(call, told=self._note_silence)
        finally:
            self._proof_over.set()

    def _take_in(self, failed: Failed) -> None:
        """Draw the conclusions from a call that is not made again, such as a write whose outcome is unknown."""
        match self._step(failed):
            case NextStep.PROVE:
                self._prove(lambda: self._believed(()))
            case NextStep.AGAIN if failed.trouble is NodeTrouble.SILENT:
                pass  # others found out meanwhile what it means
            case _ if failed.trouble is NodeTrouble.UNABLE:
                # The node is well, it has no memory: its values can still be read.
                self._memory.refuse()
                self._around.told.refused(self.name)
                self._warn("memcached-refused", failed.said.removeprefix("failed: "))
            case _:
                self._failed(failed)

    def _step(self, failed: Failed) -> NextStep:
        """Decide what follows, and give up what is to be given up. One caller at a time is told to prove the node."""
        with self._lock:
            # 32 calls may time out at once: the first one's proof speaks for all connections of that generation.
            known = failed.generation != self._pool.generation or not self._proof_over.is_set()
            step = after(failed.trouble, Origin.GIVEN_UP if known else failed.origin)
            if step is NextStep.PROVE and self._was_proved_often():
                step = NextStep.REST
            if step in {NextStep.PROVE, NextStep.RENEW, NextStep.REST}:
                self._pool.give_up(failed.generation)
            if step is NextStep.PROVE:
                self._proof_over.clear()
                self._proved_at.append(self._clock())
        return step

    def _was_proved_often(self) -> bool:
        return len(self._proved_at) == _MOST_PROOFS and 0 <= self._clock() - self._proved_at[0] < _PROOFS_WITHIN_MS

    def _is_open(self) -> bool:
        """Tell whether the node may be asked: it does not rest, and no proof is under way, after waiting for one."""
        # A proof may take a connection and an answer; others wait for the connection only, their threads are few.
        proved = self._proof_over.is_set() or self._proof_over.wait(self._limits.connect_ms / SECOND)
        return proved and not self._rests()

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
                self._hung_at = now  # the rest begins anew for all others while this caller tries the node
            return rests

    def _gets(self, keys: Sequence[CacheKey], trip: Trip = Trip.READ) -> Values:
        return self._run(trip, lambda connection: connection.gets_many(keys))

    def _run(self, trip: Trip, command: Callable[[Any], T]) -> T:
        """Make one round trip. Raises Failed."""
        generation, origin = self._pool.generation, Origin.NEW
        try:
            with self._pool.get_and_release() as connection:
                generation = connection.generation
                connection.ready()
                origin = Origin.NEW if connection.is_new else Origin.KEPT
                self._around.on_trip(self.name, trip)
                return command(connection)
        except Busy:
            said = f"more than {self._limits.connections} calls at once"
            raise Failed(Failure(NodeTrouble.BUSY, said), origin=origin, generation=generation) from None
        except Exception as error:
            failure = self._around.failure_of(error)
            if failure is None:
                raise
            if failure.trouble is NodeTrouble.SILENT:
                self._around.told.silent(self.name)
            raise Failed(failure, origin=origin, generation=generation) from error

    def _stats(self, connection: Connection) -> tuple[Millis, int, bool]:
        """Return how far the node's clock is ahead of ours, how many values it dropped, and whether it has room."""
        stats = connection.stats()
        # Its seconds are cut off: on average half of one is missing.
        return stats[b"time"] * SECOND + _HALF_TICK_MS - self._clock(), stats[b"evictions"], connection.has_room()

    def _is_trusted(self, there: tuple[bytes, bytes] | None) -> bool:
        """Tell whether this very marker was found right less than a minute ago."""
        # Judged again each minute: a marker under an old key must be sealed anew before that key leaves the ring.
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
        # Sessions that ended while it was away are still open in its records, until their revocations have run.
        if self._problem and not self._around.cleared(self.name):
            return "is back; open revocations must be carried out first"
        if version and self._markers.is_outdated(marker):
            # A lost swap is as good: another daemon has sealed the same marker anew.
            marker = self._markers.make(self.name)
            self._run(Trip.WRITE, lambda connection: connection.cas(MARKER_KEY, marker, version, expire=_NEVER))
        with self._lock:
            self._marker, self._marker_read_at = marker, self._clock()
        return ""

    def _mark(self) -> tuple[bytes, bytes] | None:
        """Write the marker unless another daemon just did; return the one that is there now."""
        marker = self._markers.make(self.name)
        if self._run(Trip.WRITE, lambda connection: connection.add(MARKER_KEY, marker, expire=_NEVER)):
            return marker, b""
        return self._gets((MARKER_KEY,)).get(MARKER_KEY)

    def _failed(self, failed: Failed) -> None:
        """Take what a failure says about the node."""
        match failed.trouble:
            case NodeTrouble.BUSY:
                self._warn("memcached-busy", failed.said)
            case NodeTrouble.SILENT:
                self._pool.give_up(failed.generation)
                self._set_problem(failed.said, hung_at=self._clock())
            case _:
                self._set_problem(failed.said)

    def _moved(self) -> None:
        """The name leads to another address: what is connected to the one before is not used again."""
        self._pool.give_up(self._pool.generation)
        log.info("memcached node %s is at another address", self.name, extra={"node": self.name})

    def _note_silence(self) -> None:
        """The node answers on a new connection: it was the connections that fell silent."""
        now = self._clock()
        with self._lock:
            since, times = self._fell_silent
            self._fell_silent = now, times + 1 if 0 <= now - since < _REMEMBERED_MS else 1
        self._warn("memcached-connections-lost", "connections that were kept fell silent; it answers on new ones")

    def _dropped(self) -> str:
        at, times = self._fell_silent
        if not times or not 0 <= self._clock() - at < _REMEMBERED_MS:
            return ""
        return f"its connections fell silent {times} times of late; does a firewall on the way drop idle ones?"

    def _evicts(self, evicted: int) -> str:
        warning = f"dropped {evicted} unexpired values; start memcached with -M and more memory" if evicted else ""
        if warning:
            self._warn("memcached-evicts", warning)
        return warning

    def _warn(self, event: str, what: str) -> None:
        held = self._paces[event].held()
        if held is not None:
            log.warning("%s: node %s: %s", event, self.name, what, extra={"node": self.name, "not_logged": held})

    def _set_problem(self, problem: str, *, hung_at: Millis | None = None) -> None:
        with self._lock:
            before, self._problem, self._hung_at = self._problem, problem, hung_at
        if problem == before:
            return
        self._around.told.changed(self.name, problem)
        facts = {"node": self.name, "problem": problem}
        if problem:
            log.warning("memcached-node-unusable: node %s %s", self.name, problem, extra=facts)
        else:
            log.info("memcached-node-usable: node %s answers", self.name, extra=facts)
