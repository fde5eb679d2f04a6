"""Requests and answers over real connections, byte by byte: what servers and proxies may say."""

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import pytest

from identity.outbound.rules import LARGEST, OutboundRules
from tests.outbound.test_client import NAME, client

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@contextmanager
def server(*said: bytes) -> Iterator[tuple[str, list[int]]]:
    """Answer the first request of each connection with the next bytes, then `OK` and `ok`; give address and counts."""
    texts = iter(said)
    counts: list[int] = []
    threads: list[threading.Thread] = []

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
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["another protocol", "two lengths", "a switch", "no chunk"],
)
def test_what_is_no_answer_is_a_failure(said: bytes) -> None:
    """Otherwise what some port says is a 500, or hangs."""
    with server(said) as (url, _), client() as http:
        assert "RemoteProtocolError" in http.failure("POST", url, body=b"code=1")


@pytest.mark.threat(59)
@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip"])
def test_what_a_body_becomes_is_bounded(coding: str) -> None:
    """Otherwise a kilobyte from a provider fills the daemon's memory."""
    body = bytes(LARGEST + 1)
    for _ in coding.split(","):
        body = gzip.compress(body)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    with server(head.encode() + body) as (url, _), client() as http:
        assert "TooLarge" in http.failure("POST", url, body=b"code=1")


def test_a_proxy_that_does_not_connect_is_a_failure() -> None:
    """Otherwise an operator whose proxy wants a password looks for the fault at the provider."""
    said = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with server(said) as (url, counts), client(OutboundRules(proxy=url)) as http:
        assert "ProxyError" in http.failure("GET", f"https://{NAME}/")
    assert counts == [1]
