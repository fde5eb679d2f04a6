"""Requests and answers over real connections, byte by byte: what servers and proxies may say."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

import pytest
import uvloop

from identity.outbound import connections
from identity.outbound.client import OutboundClient
from identity.outbound.rules import OutboundRules
from tests.outbound.test_client import LOOPBACK, NAME, client
from tests.support.certificates import Authority
from tests.support.origin import Answer, Origin
from tests.support.waiting import let_others_run, until

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@contextmanager
def server(*said: bytes) -> Iterator[tuple[str, list[int]]]:
    """Answer the first request of each connection with the next bytes, then `OK` and `ok`; give address and counts."""
    texts, counts, threads = iter(said), [], []

    def serve(connection: socket.socket, number: int, answer: bytes) -> None:
        with connection, suppress(OSError):
            while connection.recv(65_536):
                counts[number] += 1
                connection.sendall(answer)
                answer = OK + b"ok"

    def accept() -> None:
        with suppress(OSError):
            for number, answer in enumerate(texts):
                connection, _ = listener.accept()
                connection.settimeout(10)
                counts.append(0)
                threads.append(threading.Thread(target=serve, args=(connection, number, answer)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", counts
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
    for thread in threads:
        thread.join()


def test_an_interim_answer_is_passed_over() -> None:
    """Otherwise a server that sends hints first is down for us."""
    with server(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + OK + b"ok") as (url, _), client() as http:
        assert http.get(url).body == b"ok"


@pytest.mark.threat(59)
@pytest.mark.parametrize("unasked", [OK + b"no", b"x", b"\r\n"])
def test_a_server_that_says_more_than_its_answer_is_not_believed(unasked: bytes) -> None:
    """Otherwise what a server says unasked is the answer to the next person's request."""
    with server(OK + b"ok" + unasked, OK + b"ok") as (url, counts), client() as http:
        assert [http.get(url).body, http.get(url).body] == [b"ok", b"ok"]
        assert counts == [1, 1]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n",
    ],
    ids=["1.0", "close"],
)
def test_a_connection_that_its_server_will_close_is_not_kept(head: bytes) -> None:
    """Otherwise the next request meets its end."""
    with server(head + b"ok", OK + b"ok") as (url, counts), client() as http:
        assert [http.get(url).body, http.get(url).body] == [b"ok", b"ok"]
        assert counts == [1, 1]


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 110_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["another protocol", "a head without end", "two lengths", "a switch", "no chunk"],
)
def test_what_is_no_answer_is_a_failure(said: bytes) -> None:
    """Otherwise what some port says is a 500, or memory without end."""
    with server(said) as (url, _), client() as http:
        assert "RemoteProtocolError" in http.failure("POST", url, body=b"code=1")


def test_a_connection_that_is_not_used_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise every provider holds as many connections as it ever had callers."""
    monkeypatch.setattr(connections, "_IDLE_S", 0.01)
    closed = threading.Event()

    async def run(url: str) -> None:
        outbound = OutboundClient(OutboundRules(allowed=LOOPBACK))
        await outbound.for_provider("acme").fetch("GET", url)
        while not closed.is_set():
            await let_others_run()
        await outbound.aclose()

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(OK + b"ok")
                assert connection.recv(65_536) == b""
                closed.set()

        thread = threading.Thread(target=serve)
        thread.start()
        asyncio.run(run(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
        thread.join()


# --- proxies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"HTTP/1.1 200 Connected\r\n\r\nhello"]
)
def test_a_proxy_that_does_not_connect_is_a_failure(said: bytes) -> None:
    """Otherwise an operator whose proxy wants a password looks for the fault at the provider."""
    with server(said) as (url, counts), client(OutboundRules(proxy=url)) as http:
        assert "ProxyError" in http.failure("GET", f"https://{NAME}/")
    assert counts == [1]


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_proxy_may_be_spoken_to_over_tls(loop: Callable[[], asyncio.AbstractEventLoop], authority: Authority) -> None:
    """Otherwise its password travels in the open."""
    trust = authority.client_context()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue("localhost")
    tls.load_cert_chain(certificate.certificate, certificate.key)

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    with ExitStack() as stack:
        origin = stack.enter_context(Origin(lambda _: Answer(body=b"inside"), certificate=authority.issue(NAME)))
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def serve() -> None:
            with suppress(OSError), tls.wrap_socket(listener.accept()[0], server_side=True) as near:
                assert near.recv(65_536).startswith(b"CONNECT id.example:443 HTTP/1.1\r\n")
                with socket.create_connection(("127.0.0.1", origin.port)) as far:
                    near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    back = threading.Thread(target=pump, args=(far, near))
                    back.start()
                    pump(near, far)
                    back.join()

        thread = threading.Thread(target=serve)
        thread.start()

        async def run() -> bytes:
            proxy = f"https://localhost:{listener.getsockname()[1]}"
            outbound = OutboundClient(OutboundRules(proxy=proxy), trust=trust)
            answer = await outbound.for_provider("acme").fetch("GET", f"https://{NAME}/")
            await outbound.aclose()
            return answer.body

        with asyncio.Runner(loop_factory=loop) as runner:
            assert runner.run(run()) == b"inside"
        until(lambda: not thread.is_alive())
