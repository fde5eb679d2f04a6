"""Where a server is at the moment, and connecting to it, in a time that is bounded as a whole.

Owns looking its name up: anew for every connection, because a server may come back at another
address under its name. The system's resolver may take half a minute and cannot be interrupted, so
one thread asks it, for all callers; a caller that has waited long enough goes to where the server
was last. Must not know what the server is.
"""

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final, TypeAlias

Found: TypeAlias = Sequence[tuple[Any, ...]]
"""As `socket.getaddrinfo` returns it."""
Resolve: TypeAlias = Callable[[str, int], Found]

_MOST_ADDRESSES: Final = 4
_PATIENCE: Final = 0.5
"""The part of the time that a look-up may take when it is known where the server was last."""
KEPT_ALIVE: Final = (
    ("TCP_NODELAY", 1),
    # An idle connection says something every 15 s: firewalls remember it, and a dead peer is noticed.
    ("TCP_KEEPIDLE", 15),
    ("TCP_KEEPINTVL", 5),
    ("TCP_KEEPCNT", 3),
)
_UNSENT_MS: Final = 10_000
"""Bytes not acknowledged by then are thrown away: a write that was given up must not arrive minutes later."""


def system_resolve(host: str, port: int) -> Found:
    """Ask the system's resolver. Raises OSError."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class NoAddress(TimeoutError):
    """A name whose address was not found in time."""


class LookUp:
    """One question to the resolver, and all who wait for its answer."""

    def __init__(self) -> None:
        self.over = Event()
        self.found: Found = ()
        self.problem: Exception | None = None


class Name:
    """A host's name, or its address, and a port. Thread-safe."""

    def __init__(self, host: str, port: int, *, resolve: Resolve = system_resolve) -> None:
        self._host = host
        self._port = port
        self._resolve = resolve
        self._lock = Lock()
        self._asking: LookUp | None = None
        self._known: Found = system_resolve(host, port) if _is_address(host) else ()
        self._fixed = bool(self._known)

    def begin(self) -> LookUp:
        """Ask where it is, unless that is being asked; returns at once."""
        with self._lock:
            asking = self._asking
            if asking is None:
                asking = LookUp()
                if self._fixed:
                    asking.found = self._known
                    asking.over.set()
                    return asking
                self._asking = asking
                Thread(target=self._ask, args=(asking,), name="idd-resolve", daemon=True).start()
        return asking

    def addresses(self, within_s: float, asking: LookUp | None = None) -> Found:
        """Return where it is; where it was, if no answer comes in time. Raises OSError."""
        asking = asking or self.begin()
        asking.over.wait(max(0.0, within_s * _PATIENCE if self._known else within_s))
        # Without an answer, or with none that helps, it may well be where it was.
        found = asking.found or self._known
        if not found:
            raise asking.problem or NoAddress("no address was found in time")
        return found

    def _ask(self, asking: LookUp) -> None:
        try:
            found = self._resolve(self._host, self._port)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait hear of it
            asking.problem = error
        else:
            asking.found = found
        with self._lock:
            self._known = asking.found or self._known
            self._asking = None
        asking.over.set()


class Whereabouts:
    """One server that is connected to again and again. Thread-safe.

    Args:
        host, port: its name, or its address.
        moved: told when a connection came about elsewhere than the one before.
        resolve: asks for the addresses of a name.
    """

    def __init__(self, host: str, port: int, *, moved: Callable[[], None], resolve: Resolve = system_resolve) -> None:
        self._name = Name(host, port, resolve=resolve)
        self._moved = moved
        self._lock = Lock()
        self._at: Any = None

    def connect(self, within_s: float) -> socket.socket:
        """Return a new connection. Raises OSError; TimeoutError after `within_s`, however many addresses there are."""
        until = monotonic() + within_s
        found = self._addresses(within_s)[:_MOST_ADDRESSES]
        problem: OSError = OSError("its name has no address")
        for tried, entry in enumerate(found):
            try:
                made = _connected(entry, (until - monotonic()) / (len(found) - tried))
            except OSError as error:
                # One that is silent says more than one that refuses: others would wait for it, too.
                problem = problem if isinstance(problem, TimeoutError) else error
            else:
                self._arrived(entry[4])
                return made
        raise problem

    def _addresses(self, within_s: float) -> Found:
        """Return the addresses, the one last connected to first: connections of one time must lead to one server."""
        return sorted(self._name.addresses(within_s), key=lambda entry: entry[4] != self._at)

    def _arrived(self, address: Any) -> None:  # noqa: ANN401 - as the family has it
        with self._lock:
            before, self._at = self._at, address
        if before not in (None, address):
            self._moved()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _connected(entry: tuple[Any, ...], within_s: float) -> socket.socket:
    if within_s <= 0:
        raise TimeoutError
    family, kind, protocol, _, address = entry
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (*KEPT_ALIVE, ("TCP_USER_TIMEOUT", _UNSENT_MS)):
            if hasattr(socket, name):  # not every system has all of them
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        made.settimeout(within_s)
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made
