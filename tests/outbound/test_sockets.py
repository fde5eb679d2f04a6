"""Connections of the outbound client, on the event loop of the tests and on the daemon's."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import pytest
import uvloop

from identity.outbound.failures import ConnectError, ConnectTimeout, ReadError
from identity.outbound.sockets import ENOUGH, Stream, connect
from tests.support.certificates import Authority, Certificate
from tests.support.memcached import free_port
from tests.support.waiting import let_others_run

NAME: Final = "id.example"
LARGEST: Final = bytes(range(256)) * 4_096
"""As much as an answer may have."""
MUCH: Final = LARGEST * 4
"""More than is kept unread."""
READ: Final = 65_536
LOOPS: Final = pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
Loop = Callable[[], asyncio.AbstractEventLoop]


@contextmanager
def peer(serve: Callable[[socket.socket], None], certificate: Certificate | None = None) -> Iterator[int]:
    """Serve one connection in a thread; give its port."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        tls.load_cert_chain(certificate.certificate, certificate.key)

    def work() -> None:
        with suppress(OSError):
            accepted, _ = listener.accept()
            accepted.settimeout(10)
            with tls.wrap_socket(accepted, server_side=True) if certificate else accepted as connection:
                serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=work)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def sends_much(connection: socket.socket) -> None:
    """Send it all, whether it is read or not, and take leave."""
    connection.sendall(MUCH)
    if isinstance(connection, ssl.SSLSocket):
        connection.unwrap()


async def connected(port: int, secure: ssl.SSLContext | None = None) -> Stream:
    """Connect to a peer."""
    stream = await connect("127.0.0.1", port, timeout_s=10)
    if secure:
        await stream.start_tls(secure, NAME, timeout_s=10)
    return stream


async def until_something(stream: Stream) -> None:
    """Wait until something has arrived, and take nothing."""
    while not stream.has_something:
        await let_others_run()


async def whole(stream: Stream) -> bytes:
    """Read to the end."""
    read = bytearray()
    while part := await stream.read(READ):
        assert len(part) <= READ
        read += part
    return bytes(read)


@LOOPS
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
def test_much_arrives_whole_although_little_is_kept_unread(loop: Loop, authority: Authority, *, secure: bool) -> None:
    """Otherwise a long answer is cut off, or stops on its way for ever."""

    async def run(port: int) -> bytes:
        stream = await connected(port, authority.client_context() if secure else None)
        await until_something(stream)
        read = await whole(stream)
        stream.close()
        return read

    certificate = authority.issue(NAME) if secure else None
    with peer(sends_much, certificate) as port, asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(run(port)) == MUCH


@LOOPS
def test_an_answer_over_tls_is_whole_although_its_server_takes_no_leave(loop: Loop, authority: Authority) -> None:
    """Otherwise the end of what was not read yet is lost with the connection."""
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(LARGEST)
        connection.shutdown(socket.SHUT_RDWR)
        over.set()

    async def run(port: int) -> bytes:
        stream = await connected(port, authority.client_context())
        while not over.is_set():
            await let_others_run()
        read = await whole(stream)
        stream.close()
        return read

    with peer(serve, authority.issue(NAME)) as port, asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(run(port)) == LARGEST


@LOOPS
def test_a_peer_that_sends_unasked_is_held_up(loop: Loop) -> None:
    """Otherwise a provider fills the daemon's memory over a connection that is kept and that no call reads."""
    sent = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.settimeout(0.5)  # as long as nothing is taken
        with suppress(TimeoutError):
            for _ in range(16):
                connection.sendall(MUCH)
        sent.set()

    async def run(port: int) -> bool:
        stream = await connected(port)
        while not sent.is_set():
            await let_others_run()
        first = await stream.read(len(MUCH) * 16)
        stream.close()
        return ENOUGH <= len(first) < 2 * ENOUGH

    with peer(serve) as port, asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(run(port))


@LOOPS
def test_a_kept_connection_that_was_closed_or_spoken_on_is_known(loop: Loop) -> None:
    """Otherwise the next call goes out on it and is lost, or takes what was said before for its answer."""
    heard = threading.Event()

    async def run(port: int) -> list[object]:
        stream = await connected(port)
        before = stream.has_something
        heard.set()
        assert await stream.read(READ) == b""
        after = stream.has_something
        stream.close()
        return [before, after]

    with peer(lambda _: heard.wait(10) and None) as port, asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(run(port)) == [False, True]


@LOOPS
def test_a_peer_that_does_not_shake_hands_is_left(loop: Loop) -> None:
    """Otherwise a server that accepts and is silent holds a call, and its connection, for a minute."""
    left: list[bytes] = []

    def silent(connection: socket.socket) -> None:
        while part := connection.recv(READ):
            left.append(part)

    async def run(port: int) -> None:
        stream = await connected(port)
        with pytest.raises(ConnectTimeout):
            await stream.start_tls(ssl.create_default_context(), NAME, timeout_s=0.05)
        stream.write(b"too late")

    with peer(silent) as port, asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run(port))
    assert left  # a greeting, and then the end


@LOOPS
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_peer_that_speaks_no_tls_is_a_failure_to_connect(loop: Loop, answer: bytes) -> None:
    """Otherwise a wrong port is a 500."""

    def serve(connection: socket.socket) -> None:
        connection.recv(READ)
        connection.sendall(answer)

    async def run(port: int) -> None:
        stream = await connected(port)
        with pytest.raises(ConnectError):
            await stream.start_tls(ssl.create_default_context(), NAME, timeout_s=10)

    with peer(serve) as port, asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run(port))


@LOOPS
def test_a_connection_that_breaks_off_says_so(loop: Loop) -> None:
    """Otherwise half an answer is taken for a whole one."""

    def reset(connection: socket.socket) -> None:
        connection.recv(READ)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    async def run(port: int) -> None:
        stream = await connected(port)
        stream.write(b"hello")
        with pytest.raises(ReadError):
            await stream.read(READ)
        stream.close()

    with peer(reset) as port, asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run(port))


@LOOPS
def test_a_port_without_a_server_is_a_failure_to_connect(loop: Loop) -> None:
    """Otherwise a provider that is down is a 500."""
    with asyncio.Runner(loop_factory=loop) as runner, pytest.raises(ConnectError, match="Connect"):
        runner.run(connect("127.0.0.1", free_port(), timeout_s=10))
