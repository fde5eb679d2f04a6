"""Words to a supervisor, without a daemon."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from tempfile import TemporaryDirectory

import pytest

from identity.web.process.inherited import inherited
from identity.web.process.supervisor import Supervisor
from tests.support.guards import Expectation


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    """Give a socket at a path that is short enough."""
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"{folder}/notify")
        yield sock


def test_a_loop_that_is_stuck_says_nothing(ear: socket.socket) -> None:
    """Otherwise a daemon that answers nothing runs on for ever."""

    async def hang() -> None:
        Supervisor(ear.getsockname(), watchdog_s=0.04).watch()
        for _ in range(3):
            ear.settimeout(10)
            assert await asyncio.to_thread(ear.recv, 64) == b"WATCHDOG=1"
        ear.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                ear.recv(64)
        ear.settimeout(0.4)
        with pytest.raises(TimeoutError):
            ear.recv(64)  # on the loop itself, ten times as long as its word may take

    asyncio.run(hang())


@pytest.mark.parametrize(
    ("environ", "watched"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0.0),
        ({"WATCHDOG_USEC": "soon", "WATCHDOG_PID": "7"}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_watchdog_of_another_process_is_not_answered(environ: dict[str, str], watched: float) -> None:
    """Otherwise a process is kept alive by the word of another."""
    assert Supervisor.of(environ, pid=7).watchdog_s == watched


def test_nothing_that_was_handed_down_stays_in_the_environment() -> None:
    """Otherwise a program that is started later speaks for the daemon, or takes its sockets."""
    environ = {
        "LISTEN_FDS": "2",
        "LISTEN_PID": "8",
        "LISTEN_FDNAMES": "public:internal",
        "NOTIFY_SOCKET": "@x",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "8",
        "PATH": "/bin",
    }

    assert inherited(environ, pid=7) == {}
    Supervisor.of(environ, pid=7)

    assert environ == {"PATH": "/bin"}


def test_a_successor_is_told_whom_to_tell() -> None:
    """Otherwise the watchdog ends the successor, which it never hears."""
    environ = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}

    told = Supervisor.of(environ, pid=7).environment()

    assert told == {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000"}
    assert Supervisor().environment() == {}


def test_a_supervisor_that_reads_nothing_does_not_hold_the_loop_up(
    ear: socket.socket, expect_log: Callable[..., Expectation]
) -> None:
    """Otherwise a stuck supervisor stops every answer."""
    expect_log("identity.web.server", "supervisor-unheard")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                sender.sendto(b"x", ear.getsockname())

    async def watch() -> None:
        Supervisor(ear.getsockname(), watchdog_s=3_600).watch()

    asyncio.run(watch())
    assert ear.recv(64) == b"x"
