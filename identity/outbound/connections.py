"""Where the daemon's calls to providers go: look-ups, addresses, proxies, kept connections.

Owns which addresses are reached: a host is resolved here, all its addresses are judged
(`allowed_addresses`), and the connection goes to one that was, so that a name which resolves
differently the next moment gains nothing. TLS still checks the name. The address is not written into
the URL for that: connections are pooled by URL, and a second name on that address would ride on the
first one's certificate.

Invariant: `GuardedConnections` are one provider's alone, threads for its look-ups included. The event
loop's own resolver has four threads (uvloop) and uses two of them at a time: two look-ups that hang
would stop every other provider's.
"""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, TypeAlias

import httpcore2
import httpx2

from identity.outbound.allowed_addresses import literal_of
from identity.outbound.lookup import Lookup, Resolve
from identity.outbound.rules import OutboundRules
from providers.addresses import is_loopback

_MOST_ADDRESSES: Final = 4
_AGENT: Final = "identityd"
_IDLE_S: Final = 2.0
"""Common servers close after 5 s of silence (Node, gunicorn 2 s), and a request that meets a closing server is lost."""

_SocketOption: TypeAlias = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class AddressRefused(httpcore2.ConnectError):
    """A host resolves to an address that may not be called."""


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to checked addresses only. `inner` makes the connections."""

    def __init__(
        self, rules: OutboundRules, resolve: Resolve, inner: httpcore2.AsyncNetworkBackend | None = None
    ) -> None:
        self._rules = rules
        self._resolve = resolve
        self._inner = inner or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, judge every address, and connect to the first that answers. Raises ConnectError."""
        addresses = await self._addresses(host, port)
        problem: Exception = httpcore2.ConnectError("no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, (timeout or 0) / len(addresses) or None, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                problem = error
        raise problem

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            async with asyncio.timeout(self._rules.connect_ms / 1000):
                found = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout("the name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError("the name cannot be resolved") from error
        if not self._rules.allowed.permits(host, found):
            raise AddressRefused(
                f"{host} is on a private address; if it belongs there, list it in [outbound] allow_networks"
            )
        return found[:_MOST_ADDRESSES]


class GuardedConnections:
    """The connections of one provider: none of them, and no thread, is shared with another.

    What must not be sent twice goes on a connection of its own. On one that was kept, the server may
    be closing it at this moment, and then it is unknown whether the request was heard.
    """

    def __init__(self, rules: OutboundRules, resolve: Resolve | None, trust: ssl.SSLContext) -> None:
        guard = GuardedBackend(rules, resolve or Lookup())
        self._kept = _client(rules, guard, trust, keep=rules.calls)
        self._fresh = _client(rules, guard, trust, keep=0)

    def client(self, *, fresh: bool) -> httpx2.AsyncClient:
        """Return the client that opens a connection for each request, or the one that may use a kept one."""
        return self._fresh if fresh else self._kept

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        await self._kept.aclose()
        await self._fresh.aclose()


def _client(rules: OutboundRules, guard: GuardedBackend, trust: ssl.SSLContext, *, keep: int) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=rules.calls, max_keepalive_connections=keep, keepalive_expiry=_IDLE_S)
    proxied = (
        httpx2.AsyncHTTPTransport(verify=trust, proxy=rules.proxy, trust_env=False, limits=limits)
        if rules.proxy
        else None
    )
    return httpx2.AsyncClient(
        transport=_Route(_GuardedTransport(guard, trust, limits), proxied, rules),
        # No cookie of a provider may travel from one person's login into another's.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"User-Agent": _AGENT},
        timeout=httpx2.Timeout(rules.total_ms / 1000, connect=rules.connect_ms / 1000),
        follow_redirects=False,
        trust_env=False,
    )


class _GuardedTransport(httpx2.AsyncHTTPTransport):
    """httpx's transport on a pool whose connections are guarded."""

    def __init__(self, guard: GuardedBackend, trust: ssl.SSLContext, limits: httpx2.Limits) -> None:
        super().__init__(verify=trust, trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trust,
            network_backend=guard,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
        )


class _Route(httpx2.AsyncBaseTransport):
    """Sends each request directly or through the proxy.

    Behind a proxy it is the proxy that resolves names; addresses in a URL are judged here all the same.
    """

    def __init__(
        self, direct: httpx2.AsyncBaseTransport, proxied: httpx2.AsyncBaseTransport | None, rules: OutboundRules
    ) -> None:
        self._direct = direct
        self._proxied = proxied
        self._rules = rules

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it."""
        host = request.url.host
        if self._proxied is None or self._goes_direct(host):
            return await self._direct.handle_async_request(request)
        if literal_of(host) is not None and not self._rules.allowed.permits(host, [host]):
            raise httpx2.ConnectError(f"{host} is a private address") from AddressRefused(host)
        return await self._proxied.handle_async_request(request)

    def _goes_direct(self, host: str) -> bool:
        if is_loopback(host) or self._rules.allowed.lists(host):
            return True
        return any(host == rule or host.endswith(f".{rule}") for rule in self._rules.direct)

    async def aclose(self) -> None:
        """Close both."""
        await self._direct.aclose()
        if self._proxied is not None:
            await self._proxied.aclose()
