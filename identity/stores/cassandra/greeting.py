"""Greeting one Cassandra node without the driver: whether it is there, and why TLS with it fails.

The driver wraps every such cause into "no host available"; an operator needs the cause. Owns the
one question every version answers before any login (OPTIONS). Must not log in or change anything.
"""

import select
import socket
import ssl
from dataclasses import dataclass
from enum import Enum
from typing import Final

from identity.types import SECOND, Millis

_OPTIONS: Final = bytes((4, 0, 0, 0, 5, 0, 0, 0, 0))
"""A request of protocol version 4, which all nodes since Cassandra 2.2 understand, if only to refuse it."""
_FIRST_OF_ANSWER: Final = 0x80
_TLS_ALERT: Final = 0x15
_JUDGES_WITHIN_S: Final = 1.0
"""How long a node may think about our certificate before it is asked all the same."""
_ABOUT_THE_NAME: Final = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""


class Unreachable(Enum):
    """Why a node cannot be talked to."""

    NO_ADDRESS = "its name has no address"
    SILENT = "it does not answer"
    NOT_CASSANDRA = "something else answers"
    WANTS_TLS = "it speaks TLS only"
    NO_TLS = "it does not speak TLS"
    UNTRUSTED = "its certificate is not vouched for"
    OTHER_NAME = "its certificate is for another name"
    CLIENT_CERTIFICATE = "it refuses the certificate it was shown, or that it was shown none"


@dataclass(frozen=True, slots=True)
class HandshakeRefusal:
    """A node that cannot be talked to; `reason` is the system's own word for it."""

    trouble: Unreachable
    reason: str = ""


def addresses(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a host, as the driver finds them. Raises OSError if it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def greet(address: str, port: int, *, context: ssl.SSLContext | None, timeout_ms: Millis) -> HandshakeRefusal | None:
    """Ask a node what it speaks, over TLS if there is a context, as the driver would; None if it answers."""
    try:
        with socket.create_connection((address, port), timeout_ms / SECOND) as connection:
            return _asked_over_tls(connection, context, address) if context else _asked_plainly(connection)
    except OSError as error:
        return HandshakeRefusal(Unreachable.SILENT, _reason(error))


def _asked_plainly(connection: socket.socket) -> HandshakeRefusal | None:
    connection.sendall(_OPTIONS)
    try:
        first = connection.recv(1)
    except ConnectionResetError:
        first = b""
    if first and first[0] & _FIRST_OF_ANSWER:
        return None
    return HandshakeRefusal(Unreachable.WANTS_TLS if not first or first[0] == _TLS_ALERT else Unreachable.NOT_CASSANDRA)


def _asked_over_tls(connection: socket.socket, context: ssl.SSLContext, address: str) -> HandshakeRefusal | None:
    try:
        wrapped = context.wrap_socket(connection, server_hostname=address, suppress_ragged_eofs=False)
    except ssl.SSLCertVerificationError as error:
        trouble = Unreachable.OTHER_NAME if error.verify_code in _ABOUT_THE_NAME else Unreachable.UNTRUSTED
        return HandshakeRefusal(trouble, error.verify_message)
    except ssl.SSLError as error:
        alert = "ALERT" in (error.reason or "")
        return HandshakeRefusal(Unreachable.CLIENT_CERTIFICATE if alert else Unreachable.NO_TLS, _reason(error))
    try:
        with wrapped:
            return _asked_when_accepted(wrapped)
    except ssl.SSLError as error:
        return HandshakeRefusal(Unreachable.CLIENT_CERTIFICATE, _reason(error))


def _asked_when_accepted(wrapped: ssl.SSLSocket) -> HandshakeRefusal | None:
    """Ask a node after the handshake. Raises SSLError if it refuses our certificate only now."""
    accepted = wrapped.version() != "TLSv1.3" or _says_yes(wrapped)
    try:
        wrapped.sendall(_OPTIONS)
        first = wrapped.recv(1)
    except (ssl.SSLEOFError, ConnectionError) as error:  # Pythons differ in which of the two a reset is
        if not accepted:
            return HandshakeRefusal(Unreachable.CLIENT_CERTIFICATE, "the connection was broken off after the handshake")
        if isinstance(error, ConnectionError):
            raise
        first = b""
    return None if first and first[0] & _FIRST_OF_ANSWER else HandshakeRefusal(Unreachable.NOT_CASSANDRA)


def _says_yes(wrapped: ssl.SSLSocket) -> bool:
    """Let a node have its word on our certificate: with TLS 1.3 it judges only after its own handshake.

    It says no with an alert, and yes with session tickets, or not at all (False). A request that meets the no is
    answered with a reset, and a reset may discard the alert before it was read.

    Raises:
        ssl.SSLError: it said no.
    """
    timeout_s = wrapped.gettimeout() or _JUDGES_WITHIN_S
    if not select.select([wrapped], [], [], min(timeout_s, _JUDGES_WITHIN_S))[0]:
        return False
    wrapped.settimeout(0)
    try:
        wrapped.recv(1)
    except ssl.SSLWantReadError:
        return True
    except ConnectionError as error:
        raise ssl.SSLError(0, "the connection was broken off after the handshake") from error
    finally:
        wrapped.settimeout(timeout_s)
    return True


def _reason(error: Exception) -> str:
    text = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).replace("_", " ").lower()
