"""Requests as a browser makes them, header by header, and answers as they arrive.

Owns connections to the tried address and to the daemon's internal listener. Must not follow a
redirect or keep a cookie: each visit says itself what it shows. Trouble is an answer without a
status.
"""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import click

from identity.config.values import unix_path
from identity.outbound.rules import UNKNOWN_AUTHORITY

_TIMEOUT_S: Final = 20
_BODY: Final = 1 << 20
Headers: TypeAlias = Sequence[tuple[str, str]]

NAVIGATION: Final = (("Sec-Fetch-Mode", "navigate"), ("Accept", "text/html"), ("User-Agent", "identityd-doctor"))


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What came back: status 0 and `trouble` if nothing did."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = field(default="", repr=False)
    trouble: str = ""
    clock_ahead_s: float = 0

    def all(self, name: str) -> list[str]:
        """Return every line of this name."""
        return [value for key, value in self.headers if key.lower() == name]

    def first(self, name: str) -> str:
        """Return the first line of this name, or nothing."""
        return next(iter(self.all(name)), "")


@dataclass(frozen=True, slots=True)
class Site:
    """An address of an application."""

    secure: bool
    host: str
    """As a browser sends it: with the port only if it is not the scheme's own."""
    hostname: str
    port: int
    path: str
    trust: ssl.SSLContext | None
    address: str
    """Where to connect: the name itself, or the address it is to have."""

    def ask(self, path: str, headers: Headers = ()) -> PageAnswer:
        """Load a page."""
        return _asked(_ToSite(self), path, [("Host", self.host), *NAVIGATION, *headers])


def site(url: str, ca_file: Path | None, resolved: Sequence[str] = ()) -> Site:
    """Read the address to try; `resolved` are HOST:ADDRESS, where to connect for a name. Raises UsageError."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or port == -1:
        raise click.UsageError("--url: an address such as https://app.example.com/page")
    secure = parts.scheme == "https"
    usual = 443 if secure else 80
    trust = ssl.create_default_context() if secure else None
    if trust and ca_file:
        try:
            trust.load_verify_locations(ca_file)
        except ssl.SSLError:
            raise click.UsageError(f"--ca-file: {ca_file} holds no certificates (PEM)") from None
    host = parts.hostname if port in (None, usual) else f"{parts.hostname}:{port}"
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    address = _addresses(resolved).get(parts.hostname, parts.hostname)
    return Site(secure, host.lower(), parts.hostname, port or usual, path, trust, address)


def _addresses(resolved: Sequence[str]) -> dict[str, str]:
    """Read HOST:ADDRESS, the address of either kind and IPv6 in brackets or not. Raises UsageError."""
    found = {}
    for text in resolved:
        host, _, address = text.partition(":")
        try:
            found[host.lower()] = str(ip_address(address.removeprefix("[").removesuffix("]")))
        except ValueError:
            raise click.UsageError(f"--resolve: {text!r} is not HOST:ADDRESS, like app.example.com:192.0.2.7") from None
    return found


def readiness(address: str, port: int) -> dict[str, Any] | str:
    """Return what the daemon's `/readyz` says, or why there is no answer."""
    said = said_by(address, port, "/readyz")
    return said if isinstance(said, str) or "parts" in said else f"on {_place(address, port)} is no identityd"


def said_by(address: str, port: int, path: str) -> dict[str, Any] | str:
    """Return what the internal listener says at an address of its own, or why there is no answer."""
    unix = unix_path(address)
    connection = _Unix(unix) if unix else _tcp(address, port)
    answer = _asked(connection, path, [("Host", connection.host)])
    if answer.trouble:
        return f"no daemon answers on {_place(address, port)}: {answer.trouble}"
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else f"on {_place(address, port)} is no identityd"


def _place(address: str, port: int) -> str:
    return address if unix_path(address) else f"{address} port {port}"


class _ToSite(http.client.HTTPConnection):
    """A connection to a site: its certificate is the name's, wherever that leads."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.hostname, site.port, timeout=_TIMEOUT_S)
        self._site = site

    def connect(self) -> None:
        plain = socket.create_connection((self._site.address, self.port), self.timeout)
        trust, name = self._site.trust, self._site.hostname
        self.sock = trust.wrap_socket(plain, server_hostname=name) if trust else plain


class _Unix(http.client.HTTPConnection):
    """A connection through a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _tcp(address: str, port: int) -> http.client.HTTPConnection:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - what to ask, not where to listen
    return http.client.HTTPConnection(reachable, port, timeout=_TIMEOUT_S)


def _asked(connection: http.client.HTTPConnection, path: str, headers: Headers) -> PageAnswer:
    try:
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read(_BODY).decode("utf-8", "replace")
        lines = tuple(answer.headers.items())
    except (OSError, http.client.HTTPException) as error:
        return PageAnswer(0, trouble=_reason(error))
    finally:
        connection.close()
    return PageAnswer(answer.status, lines, body, clock_ahead_s=_ahead(answer.headers.get("Date")))


def _ahead(date: str | None) -> float:
    """Return how far the answering machine's clock is ahead; 0 if it does not say."""
    try:
        return parsedate_to_datetime(date or "").timestamp() - time.time()
    except ValueError:
        return 0


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_S} s"
    text = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or type(error).__name__
    private = isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in UNKNOWN_AUTHORITY
    return str(text).lower() + ("; name the file of a private authority with --ca-file" if private else "")
