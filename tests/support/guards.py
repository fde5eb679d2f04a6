"""What no test may do unnoticed: log a warning, or reach beyond this machine.

A pytest plugin; tests/conftest.py loads it. Invariant: whatever a test's code catches, a record
of level WARNING and an attempt to leave the loopback interface still fail that test.
"""

import functools
import ipaddress
import logging
import re
import socket
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import pytest
import uvloop


class Expectation:
    """A log record a test provokes on purpose: matching records are permitted for the rest of the test.

    As a context manager it is verified when the block ends, otherwise when the test ends.
    """

    def __init__(self, logger: str, pattern: str, level: int, *, required: bool) -> None:
        self.records: list[logging.LogRecord] = []
        self._logger = logger
        self._pattern = re.compile(pattern)
        self._level = level
        self._required = required

    def takes(self, record: logging.LogRecord) -> bool:
        """Keep the record and return True if it is one of those expected."""
        inside = record.name == self._logger or record.name.startswith(f"{self._logger}.")
        if not inside or record.levelno < self._level or not self._pattern.search(record.getMessage()):
            return False
        self.records.append(record)
        return True

    def verify(self) -> None:
        """Fail the test if nothing of the kind was logged; demands it once."""
        demanded, self._required = self._required, False
        if demanded and not self.records:
            wanted = (
                f"{logging.getLevelName(self._level)} or higher by {self._logger!r} matching {self._pattern.pattern!r}"
            )
            pytest.fail(f"expected a log record that never came: {wanted}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.verify()


class LogGuard:
    """Sees every record that is made, whatever handlers, filters or propagation a logger has."""

    def __init__(self) -> None:
        self._make = logging.getLogRecordFactory()
        self.strays: list[logging.LogRecord] = []
        self.expectations: list[Expectation] = []

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401 - the factory's own signature
        """Make a record as before, and keep it if it is a stray."""
        record = self._make(*args, **kwargs)
        # A record rebuilt from a dict (logging.makeLogRecord) passes here empty, with level None.
        if (record.levelno or 0) >= logging.WARNING and not any(e.takes(record) for e in self.expectations):
            self.strays.append(record)
        return record

    def expect(
        self, logger: str, pattern: str = "", *, level: int = logging.WARNING, required: bool = True
    ) -> Expectation:
        """Permit records of `logger` and below that match `pattern`; see `Expectation`."""
        expectation = Expectation(logger, pattern, level, required=required)
        self.expectations.append(expectation)
        return expectation

    def settle(self) -> None:
        """Fail the test for what it logged unasked or did not log; begin anew."""
        strays, expectations = self.strays, self.expectations
        self.strays, self.expectations = [], []
        if strays:
            lines = "\n".join(f"  {r.levelname} {r.name}: {_first_lines(r)}" for r in strays)
            pytest.fail(f"logged without `expect_log`:\n{lines}", pytrace=False)
        for expectation in expectations:
            expectation.verify()


def _first_lines(record: logging.LogRecord) -> str:
    text = record.getMessage()
    return f"{text} ({record.exc_info[1]!r})" if record.exc_info else text


class OutsideNetwork(RuntimeError):
    """A test tried to reach something beyond the loopback interface."""


class NetworkGuard:
    """Refuses connections and name look-ups that would leave this machine, and remembers them."""

    def __init__(self) -> None:
        self.attempts: list[str] = []

    def refuse(self, what: str) -> OutsideNetwork:
        """Remember the attempt (the code under test may catch what is raised) and return the error."""
        self.attempts.append(what)
        return OutsideNetwork(f"{what}: tests talk to the loopback interface only; start a server there")

    def check_address(self, address: object) -> None:
        """Raise OutsideNetwork unless the socket address is a path, or on this machine."""
        if isinstance(address, tuple) and not _is_here(str(address[0])):
            raise self.refuse(f"connection to {address[0]} port {address[1]}")

    def check_name(self, host: object) -> None:
        """Raise OutsideNetwork for a name somebody else would be asked about. Numbers are asked of nobody."""
        name = host.decode() if isinstance(host, bytes) else host
        if name and not _is_number(str(name)) and name != "localhost":
            raise self.refuse(f"look-up of the name {name}")

    def settle(self) -> None:
        """Fail the test if it tried."""
        attempts, self.attempts = self.attempts, []
        if attempts:
            pytest.fail("left the loopback interface: " + "; ".join(attempts), pytrace=False)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_here(host: str) -> bool:
    if not _is_number(host):
        return host in ("", "localhost")
    address = ipaddress.ip_address(host.partition("%")[0])
    # A connection to the wildcard address arrives at this machine.
    return address.is_loopback or address.is_unspecified


def _checked(original: Callable[..., Any], check: Callable[[object], None], position: int) -> Callable[..., Any]:
    """Wrap a function so that `check` sees its argument at `position` first."""

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - stands for any of the functions below
        if len(args) > position:
            check(args[position])
        elif "host" in kwargs:
            check(kwargs["host"])
        return original(*args, **kwargs)

    return call


def _install(guard: NetworkGuard, patch: pytest.MonkeyPatch) -> None:
    for method in ("connect", "connect_ex"):
        patch.setattr(socket.socket, method, _checked(getattr(socket.socket, method), guard.check_address, 1))
    # sendto(data, address) and sendto(data, flags, address): the address is the last one.
    sendto = socket.socket.sendto

    def checked_sendto(self: socket.socket, *args: Any) -> int:  # noqa: ANN401 - both signatures of sendto
        guard.check_address(args[-1])
        return sendto(self, *args)

    patch.setattr(socket.socket, "sendto", checked_sendto)
    for function in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        patch.setattr(socket, function, _checked(getattr(socket, function), guard.check_name, 0))
    # libuv makes its own system calls, so uvloop passes none of the above.
    patch.setattr(uvloop.Loop, "getaddrinfo", _checked(uvloop.Loop.getaddrinfo, guard.check_name, 1))
    connect = _checked(uvloop.Loop.create_connection, lambda host: _check_target(guard, host), 2)
    patch.setattr(uvloop.Loop, "create_connection", connect)
    patch.setattr(uvloop.Loop, "sock_connect", _checked(uvloop.Loop.sock_connect, guard.check_address, 2))


def _check_target(guard: NetworkGuard, host: object) -> None:
    if host is not None:
        guard.check_name(host)
        guard.check_address((host, "?"))


@pytest.fixture(scope="session", autouse=True)
def _log_guard() -> Iterator[LogGuard]:
    guard = LogGuard()
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(guard)
    yield guard
    logging.setLogRecordFactory(before)


@pytest.fixture(scope="session", autouse=True)
def _network_guard() -> Iterator[NetworkGuard]:
    guard = NetworkGuard()
    with pytest.MonkeyPatch.context() as patch:
        _install(guard, patch)
        yield guard


@pytest.fixture(autouse=True)
def _guarded(_log_guard: LogGuard, _network_guard: NetworkGuard) -> Iterator[None]:
    """Hold the test to both guards, its fixtures' endings included."""
    yield
    _network_guard.settle()
    _log_guard.settle()


@pytest.fixture
def expect_log(_log_guard: LogGuard, _guarded: None) -> Callable[..., Expectation]:
    """Permit a log record of level WARNING or higher.

    `with expect_log("identity.web", "store-unavailable") as seen:` demands at least one such record
    inside the block (`seen.records`); without `with` the demand is checked when the test ends, and
    `required=False` only permits it.
    """
    return _log_guard.expect
