"""Taking connections while there are no files left to open."""

import contextlib
import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from identity.web.http.accepting import Accepting
from tests.support.guards import Expectation
from tests.support.waiting import until
from tests.support.web import LOCAL, Site

PAGE = b"GET /.identityd/ack HTTP/1.1\r\nHost: login.example\r\n\r\n"


def test_without_files_left_connections_wait_and_are_answered_later(
    expect_log: Callable[..., Expectation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the daemon does nothing but fail to take them, and fills the log with it."""
    told = expect_log("identity.web.server", "connections-wait")
    with Site() as site:
        assert site.public("GET", "/.identityd/ack").status == 204
        rest, rested = Accepting._rest, list[OSError]()
        monkeypatch.setattr(Accepting, "_rest", lambda self, error: (rested.append(error), rest(self, error)))
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as sock:
            sock.settimeout(20)
            highest = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
            held: list[int] = []
            try:
                with contextlib.suppress(OSError):
                    while True:
                        held.append(os.open(os.devnull, os.O_RDONLY))
                sock.connect((LOCAL, site.ports.public))
                sock.sendall(PAGE)
                until(lambda: len(told.records) > 0)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                for number in held:
                    os.close(number)

            assert sock.recv(65_536).startswith(b"HTTP/1.1 204 ")

    assert len(told.records) == 1
    assert len(rested) < 1_000
