"""What a node that speaks TLS is found to be, whichever way its refusal arrives."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import pytest

from identity.stores.cassandra.greeting import HandshakeRefusal, Unreachable, greet
from tests.support.certificates import Authority

_SUPPORTED: Final = b"\x84"
"""The first byte of an answer."""
_AT_ONCE: Final = struct.pack("ii", 1, 0)
Manner = Callable[[socket.socket, ssl.SSLContext], None]


def judge(connection: socket.socket, context: ssl.SSLContext) -> None:
    """Answer whoever shows a good certificate, and close on everybody else with an alert."""
    with context.wrap_socket(connection, server_side=True) as wrapped:
        wrapped.recv(9)
        wrapped.sendall(_SUPPORTED)


def reset_at_once(connection: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands, and break the connection without a word: the alert got lost."""
    wrapped = context.wrap_socket(connection, server_side=True)
    wrapped.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    wrapped.close()


def reset_when_asked(connection: socket.socket, context: ssl.SSLContext) -> None:
    """Do so when the request has come."""
    wrapped = context.wrap_socket(connection, server_side=True)
    wrapped.recv(9)
    wrapped.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    wrapped.close()


def keep_quiet(connection: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands, and hang."""
    with context.wrap_socket(connection, server_side=True) as wrapped:
        while wrapped.recv(9):
            pass


def say_something_else(connection: socket.socket, context: ssl.SSLContext) -> None:
    """Speak first, as a mail server does."""
    with context.wrap_socket(connection, server_side=True) as wrapped:
        wrapped.sendall(b"220 mail.example.com\r\n")
        wrapped.recv(9)


@contextmanager
def node(manner: Manner, context: ssl.SSLContext) -> Iterator[int]:
    """Serve one connection in this manner; give the port."""

    def serve() -> None:
        connection, _ = server.accept()
        connection.settimeout(10)
        with connection, suppress(OSError):
            manner(connection, context)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def demanding(request: pytest.FixtureRequest, authority: Authority) -> ssl.SSLContext:
    """Give a node's side of TLS that asks for a certificate, of each version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = authority.issue("127.0.0.1")
    context.load_cert_chain(own.certificate, own.key)
    context.load_verify_locations(authority.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = ssl.TLSVersion[request.param]
    return context


@pytest.fixture
def tls_13(authority: Authority) -> ssl.SSLContext:
    """Give a node's side of TLS 1.3 that asks for no certificate, and does not say that it is content."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = authority.issue("127.0.0.1")
    context.load_cert_chain(own.certificate, own.key)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    return context


def greeted(
    manner: Manner, context: ssl.SSLContext, ours: ssl.SSLContext, timeout_ms: int = 5_000
) -> HandshakeRefusal | None:
    """Return what is found of such a node."""
    with node(manner, context) as port:
        return greet("127.0.0.1", port, context=ours, timeout_ms=timeout_ms)


def with_certificate(authority: Authority) -> ssl.SSLContext:
    """Return our side with a certificate of a CA that the node trusts."""
    context = authority.client_context()
    shown = authority.issue_client("daemon")
    context.load_cert_chain(shown.certificate, shown.key)
    return context


def test_a_node_that_accepts_our_certificate_is_reached(authority: Authority, demanding: ssl.SSLContext) -> None:
    """Otherwise a cluster that is in order is reported as broken."""
    assert greeted(judge, demanding, with_certificate(authority)) is None


def test_a_node_that_gives_no_tickets_is_reached_too(authority: Authority, demanding: ssl.SSLContext) -> None:
    """Its yes is silence."""
    demanding.options |= ssl.OP_NO_TICKET
    demanding.num_tickets = 0

    assert greeted(judge, demanding, with_certificate(authority)) is None


def test_a_missing_certificate_is_named_by_the_alert(authority: Authority, demanding: ssl.SSLContext) -> None:
    """With TLS 1.3 the alert comes after the handshake, and used to be lost to the reset that our request caused."""
    refusal = greeted(judge, demanding, authority.client_context())

    assert refusal is not None
    assert refusal.trouble is Unreachable.CLIENT_CERTIFICATE
    assert refusal.reason


@pytest.mark.parametrize("manner", [reset_at_once, reset_when_asked])
def test_a_connection_broken_right_after_the_handshake_is_about_the_certificate(
    authority: Authority, tls_13: ssl.SSLContext, manner: Manner
) -> None:
    """Otherwise the operator is told to start a node that runs."""
    refusal = greeted(manner, tls_13, authority.client_context())

    assert refusal is not None
    assert refusal.trouble is Unreachable.CLIENT_CERTIFICATE


def test_a_connection_broken_after_our_certificate_was_accepted_is_not_about_it(
    authority: Authority, tls_13: ssl.SSLContext
) -> None:
    """Otherwise the operator is told to renew a certificate that is good."""
    tls_13.num_tickets = 2

    refusal = greeted(reset_when_asked, tls_13, authority.client_context())

    assert refusal is not None
    assert refusal.trouble in {Unreachable.SILENT, Unreachable.NOT_CASSANDRA}


def test_a_node_that_hangs_after_the_handshake_is_silent(authority: Authority, tls_13: ssl.SSLContext) -> None:
    """Nobody should look for a certificate there."""
    refusal = greeted(keep_quiet, tls_13, authority.client_context(), timeout_ms=300)

    assert refusal is not None
    assert refusal.trouble is Unreachable.SILENT


def test_what_speaks_first_is_no_node(authority: Authority, tls_13: ssl.SSLContext) -> None:
    """Otherwise a wrong port is taken for a wrong certificate."""
    refusal = greeted(say_something_else, tls_13, authority.client_context())

    assert refusal == HandshakeRefusal(Unreachable.NOT_CASSANDRA)
