"""Where the daemon's calls to providers go: look-ups, addresses, proxies, kept connections.

Owns which addresses are reached: a host is resolved here, all its addresses are judged
(`allowed_addresses`), and the connection goes to one that was, so that a name which resolves
differently the next moment gains nothing. TLS still checks the name.

Invariant: `GuardedConnections` are one provider's alone, threads for its look-ups included. The event
loop's own resolver has four threads (uvloop) and uses two of them at a time: two look-ups that hang
would stop every other provider's.
"""

import asyncio
import ssl
from base64 import b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import h11

from identity.outbound import sockets
from identity.outbound.allowed_addresses import literal_of
from identity.outbound.content_coding import ACCEPTED
from identity.outbound.exchange import Exchange
from identity.outbound.failures import AddressRefused, ConnectError, ConnectionFailed, ConnectTimeout, ProxyError
from identity.outbound.lookup import Lookup
from identity.outbound.rules import OutboundRules
from identity.outbound.sockets import Stream
from identity.types import SECOND
from providers.addresses import host_and_port, is_loopback

_MOST_ADDRESSES: Final = 4
_AGENT: Final = "identityd"
_IDLE_S: Final = 2.0
"""Common servers close after 5 s of silence (Node, gunicorn 2 s), and a request that meets a closing server is lost."""
_PORTS: Final = {"https": 443, "http": 80}

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
Connect: TypeAlias = Callable[[str, int, float], Awaitable[Stream]]
_Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host, port."""


async def _connect(address: str, port: int, timeout_s: float) -> Stream:
    return await sockets.connect(address, port, timeout_s=timeout_s)


class Guard:
    """Connects to checked addresses only. `connect` makes the connections."""

    def __init__(self, rules: OutboundRules, resolve: Resolve, connect: Connect = _connect) -> None:
        self._rules = rules
        self._resolve = resolve
        self._connect = connect

    async def connect(self, host: str, port: int) -> Stream:
        """Resolve, judge every address, and connect to the first that answers. Raises ConnectError, ConnectTimeout."""
        addresses = await self._addresses(host, port)
        problem: ConnectionFailed = ConnectError("no address")
        for address in addresses:
            try:
                return await self._connect(address, port, self._rules.connect_ms / SECOND / len(addresses))
            except (ConnectError, ConnectTimeout) as error:
                problem = error
        raise problem

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            async with asyncio.timeout(self._rules.connect_ms / SECOND):
                found = await self._resolve(host, port)
        except TimeoutError as error:
            raise ConnectTimeout("the name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise ConnectError("the name cannot be resolved") from error
        if not self._rules.allowed.permits(host, found):
            raise AddressRefused(f"{host} is on a private address; list it in [outbound] if it belongs there")
        return found[:_MOST_ADDRESSES]


class GuardedConnections:
    """The connections of one provider: none of them, and no thread, is shared with another.

    What must not be sent twice goes on a connection of its own. On one that was kept, the server may
    be closing it at this moment, and then it is unknown whether the request was heard. How many there
    are at once is for the caller to limit; one that is kept is closed after two seconds without a request.
    """

    def __init__(self, rules: OutboundRules, resolve: Resolve | None, trust: ssl.SSLContext) -> None:
        self._guard = Guard(rules, resolve or Lookup())
        self._rules = rules
        self._trust = trust
        trust.set_alpn_protocols(["http/1.1"])
        self._proxy = _Proxy(rules, trust) if rules.proxy else None
        self._kept: defaultdict[_Origin, list[_Idle]] = defaultdict(list)

    @asynccontextmanager
    async def answered(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, fresh: bool
    ) -> AsyncIterator[tuple[h11.Response, Exchange]]:
        """Send a request, directly or through the proxy; give the head of its answer, and where its body arrives.

        A body that is not taken to its end takes the connection along.

        Args:
            method: the request's.
            url: where to, checked before.
            headers: the request's own.
            body: the request's; a POST without one is sent an empty one.
            fresh: whether on a connection for this request alone, or on one that may have been kept.

        Raises:
            ConnectionFailed: there is no connection, or it broke.
            h11.ProtocolError: the request cannot be written, or the answer is no HTTP.
            ValueError: a header is not ASCII.
        """
        parts = urlsplit(url)
        request = _request(method, parts, headers, body)
        origin = parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]
        exchange = (None if fresh else self._take(origin)) or await self._opened(origin)
        keep = False
        try:
            yield await exchange.ask(request, body or b""), exchange
            keep = not fresh and exchange.over()
        finally:
            if keep:
                self._kept[origin].append(_Idle(exchange, self._kept[origin]))
            else:
                exchange.stream.close()

    async def _opened(self, origin: _Origin) -> Exchange:
        scheme, host, port = origin
        if self._proxy is None or self._goes_direct(host):
            stream = await self._guard.connect(host, port)
        elif literal_of(host) is not None and not self._rules.allowed.permits(host, [host]):
            raise AddressRefused(f"{host} is a private address")
        else:
            stream = await self._proxy.connect(host, port)
        if scheme == "https":
            await stream.start_tls(self._trust, host, timeout_s=self._rules.connect_ms / SECOND)
        return Exchange(stream)

    def _goes_direct(self, host: str) -> bool:
        if is_loopback(host) or self._rules.allowed.lists(host):
            return True
        return any(host == rule or host.endswith(f".{rule}") for rule in self._rules.direct)

    def _take(self, origin: _Origin) -> Exchange | None:
        kept = self._kept[origin]
        while kept:
            if exchange := kept[-1].taken():
                return exchange
        return None

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        for kept in self._kept.values():
            while kept:
                kept[-1].close()


class _Idle:
    """A connection without a request, in the list of its like until it is taken or closed."""

    def __init__(self, exchange: Exchange, kept: list["_Idle"]) -> None:
        self._exchange = exchange
        self._list = kept
        self._timer = asyncio.get_running_loop().call_later(_IDLE_S, self.close)

    def taken(self) -> Exchange | None:
        """Return it for a request; None, and it is closed, if its server closed it or said something unasked."""
        if self._exchange.stream.has_something:
            self.close()
            return None
        self._leave()
        return self._exchange

    def close(self) -> None:
        """Close it."""
        self._leave()
        self._exchange.stream.close()

    def _leave(self) -> None:
        self._timer.cancel()
        self._list.remove(self)


class _Proxy:
    """The proxy, which resolves names, and which TLS goes through (`CONNECT`, RFC 9110 §9.3.6)."""

    def __init__(self, rules: OutboundRules, trust: ssl.SSLContext) -> None:
        parts = urlsplit(rules.proxy)
        if parts.scheme not in _PORTS:
            raise ValueError("the proxy's address does not begin with http:// or https://")
        self._host, self._port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        self._trust = trust if parts.scheme == "https" else None
        self._timeout_s = rules.connect_ms / SECOND
        account = unquote_to_bytes(parts.username or "") + b":" + unquote_to_bytes(parts.password or "")
        basic = f"Basic {b64encode(account).decode()}"
        self._headers = [] if account == b":" else [("Proxy-Authorization", basic)]

    async def connect(self, host: str, port: int) -> Stream:
        """Return a connection through it. Raises ConnectError, ConnectTimeout, ProxyError, ReadError."""
        stream = await sockets.connect(self._host, self._port, timeout_s=self._timeout_s)
        try:
            await self._tunnel(stream, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except BaseException:
            stream.close()
            raise
        return stream

    async def _tunnel(self, stream: Stream, target: str) -> None:
        if self._trust:
            await stream.start_tls(self._trust, self._host, timeout_s=self._timeout_s)
        exchange = Exchange(stream)
        request = h11.Request(method="CONNECT", target=target, headers=[("Host", target), *self._headers])
        answer = await exchange.ask(request, b"")
        # A server of TLS says nothing before it is greeted: what is there already would be the proxy's own.
        if answer.status_code // 100 != 2 or exchange.rest:  # noqa: PLR2004 - RFC 9110 §15.3
            raise ProxyError(f"the proxy answered {answer.status_code}")


def _request(method: str, parts: SplitResult, headers: Mapping[str, str], body: bytes | None) -> h11.Request:
    ours = {"Host": host_and_port(parts), "User-Agent": _AGENT, "Accept-Encoding": ACCEPTED}
    if method != "GET":
        ours["Content-Length"] = str(len(body or b""))
    given = {name.lower() for name in headers}
    lines = [*((name, value) for name, value in ours.items() if name.lower() not in given), *headers.items()]
    return h11.Request(
        method=method,
        target=f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
        headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in lines],
    )


def proxy_of(configured: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return the proxy to use and the hosts called without it; the configuration counts before the environment."""
    proxy = configured or environ.get("HTTPS_PROXY") or environ.get("https_proxy") or ""
    listed = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    direct = tuple(host.strip().lower().lstrip(".") for host in listed.split(",") if host.strip())
    return ("", ()) if "*" in direct else (proxy, direct)
