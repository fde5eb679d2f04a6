"""The daemon's calls to login providers: one client for the process, and its limits.

Owns time, size, redirects, proxies, and which addresses are reached: a host is resolved here, all
its addresses are judged (`identity.web.reach`), and the connection goes to one that was, so that a
name which resolves differently the next moment gains nothing. TLS still checks the name. The
address is not written into the URL for that: connections are pooled by URL, and a second name on
that address would ride on the first one's certificate.

A POST is sent once, whatever happens: it carries a code that works once. A GET, which here is a
discovery document, a key set or a profile, is tried a second time after a broken connection.
Invariant: nothing leaves but a whole answer or ProviderBroken, whose text holds neither query,
header nor body.
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urljoin

import httpcore2
import httpx2

from identity.types import Millis
from identity.web.reach import Reach, is_disguised, literal_of
from providers.addresses import Refused, check_url, host_and_port, is_loopback
from providers.base import Http, HttpResponse, ProviderBroken

LARGEST: Final = 1_048_576
"""Bytes of an answer, on the wire and after decompression."""
_MOST_ADDRESSES: Final = 4
_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_AGENT: Final = "identityd"
_IDLE_S: Final = 5.0

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
_SocketOption: TypeAlias = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator decides about outbound calls."""

    reach: Reach = field(default_factory=Reach)
    total_ms: Millis = 10_000
    """From the first look-up to the last byte, redirects and second tries included."""
    connect_ms: Millis = 3_000
    proxy: str = field(default="", repr=False)
    """Where calls are sent instead, `http://host:port`; may hold a password."""
    direct: tuple[str, ...] = ()
    """Hosts and domains that are called without the proxy (`NO_PROXY`)."""


@dataclass(frozen=True, slots=True)
class Called:
    """One call that ended, for metrics."""

    provider: str
    method: str
    outcome: str
    """`ok`, or `failed`: no whole answer. An answer that says 500 is a whole answer."""
    sent: int
    """Bytes of the bodies sent."""
    received: int
    """Bytes of the bodies received, as they came over the wire."""
    took_ms: Millis


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)  # SOCK_STREAM
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class Outbound:
    """The one client. Lives on one event loop; `aclose` it at the end.

    Args:
        rules: the operator's limits.
        on_call: told of each call that ended.
        trust: which certificates are accepted; the system's by default.
        resolve: finds the addresses of a name.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        on_call: Callable[[Called], None] = lambda _: None,
        trust: ssl.SSLContext | None = None,
        resolve: Resolve = system_resolve,
    ) -> None:
        self._rules = rules
        self._on_call = on_call
        trust = trust or ssl.create_default_context()
        guard = GuardedBackend(rules, resolve)
        proxied = httpx2.AsyncHTTPTransport(verify=trust, proxy=rules.proxy, trust_env=False) if rules.proxy else None
        self._client = httpx2.AsyncClient(
            transport=_Route(_GuardedTransport(guard, trust), proxied, rules),
            # No cookie of a provider may travel from one person's login into another's.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"User-Agent": _AGENT},
            timeout=httpx2.Timeout(rules.total_ms / 1000, connect=rules.connect_ms / 1000),
            follow_redirects=False,
            trust_env=False,
        )

    def for_provider(self, name: str) -> Http:
        """Return the client as one provider sees it: its calls are counted under its name."""
        return _Bound(self, name)

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        await self._client.aclose()

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        """Make one request that is counted under no provider. Raises ProviderBroken."""
        return await self.call(_Call("", method, dict(headers or {}), body), url)

    async def call(self, call: "_Call", url: str) -> HttpResponse:
        """Make a request within all limits. Raises ProviderBroken."""
        began = time.monotonic()
        outcome = "failed"
        try:
            async with asyncio.timeout(self._rules.total_ms / 1000):
                answer = await self._follow(call, url)
            outcome = "ok"
        except TimeoutError:
            raise ProviderBroken(f"{call.method} {_named(url)}: no answer in time") from None
        finally:
            took_ms = int((time.monotonic() - began) * 1000)
            self._on_call(Called(call.provider, call.method, outcome, call.sent, call.received, took_ms))
        return answer

    async def _follow(self, call: "_Call", url: str) -> HttpResponse:
        for _ in range(_MOST_REDIRECTS + 1):
            parts = _checked(url)
            answer = await self._try(call, url)
            if answer.status not in _REDIRECTS:
                return answer
            target = _joined(url, answer.headers.get("location", ""))
            if call.method != "GET" or _origin(_checked(target)) != _origin(parts):
                raise ProviderBroken(f"{call.method} {_named(url)}: redirected elsewhere, which is not followed")
            url = target
        raise ProviderBroken(f"{call.method} {_named(url)}: redirected too often")

    async def _try(self, call: "_Call", url: str) -> HttpResponse:
        try:
            return await self._once(call, url)
        except _Failed as failure:
            if call.method != "GET" or not failure.worth_another:
                raise
        return await self._once(call, url)

    async def _once(self, call: "_Call", url: str) -> HttpResponse:
        where = f"{call.method} {_named(url)}"
        call.sent += len(call.body or b"")
        try:
            async with self._client.stream(call.method, url, headers=call.headers, content=call.body) as answer:
                try:
                    body = await _read(answer)
                finally:
                    call.received += answer.num_bytes_downloaded
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
            raise _failed(where, error) from None
        return HttpResponse(answer.status_code, {name.lower(): answer.headers[name] for name in answer.headers}, body)


@dataclass(slots=True)
class _Call:
    """One request on its way, and what it has cost so far."""

    provider: str
    method: str
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    sent: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True)
class _Bound:
    """`Outbound` under one provider's name."""

    outbound: Outbound
    provider: str

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        """Make one request. Raises ProviderBroken."""
        return await self.outbound.call(_Call(self.provider, method, dict(headers or {}), body), url)


class _Failed(ProviderBroken):
    """A connection that did not come about or broke."""

    def __init__(self, message: str, *, worth_another: bool) -> None:
        self.worth_another = worth_another
        super().__init__(message)


class _TooLarge(ValueError):
    """An answer beyond the limit."""


class AddressRefused(httpcore2.ConnectError):
    """A host resolves to an address that may not be called."""


def _failed(where: str, error: Exception) -> _Failed:
    refused = isinstance(error.__cause__, AddressRefused)
    again = isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError) and not refused
    # What the operating system or TLS says about a connection helps and holds nothing of a request;
    # the other texts may quote an answer.
    told = f": {error}" if refused or isinstance(error, httpx2.ConnectError) else ""
    return _Failed(f"{where}: {type(error).__name__}{told}", worth_another=again)


async def _read(answer: httpx2.Response) -> bytes:
    size = answer.headers.get("content-length", "0")
    if size.isdecimal() and int(size) > LARGEST:
        raise _TooLarge
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > LARGEST or answer.num_bytes_downloaded > LARGEST:
            raise _TooLarge
    return bytes(body)


def _checked(url: str) -> SplitResult:
    try:
        parts = check_url(url)
    except Refused as fault:
        raise ProviderBroken(f"an address that cannot be called: it {fault}") from None
    if is_disguised(parts.hostname or ""):
        raise ProviderBroken("an address that cannot be called: its host is a number in disguise")
    return parts


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise ProviderBroken("a redirect to what is no address") from None


def _origin(parts: SplitResult) -> tuple[str, str]:
    return parts.scheme, host_and_port(parts)


def _named(url: str) -> str:
    """Return an address without its query, which may hold what must not be logged."""
    return url.partition("?")[0]


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to checked addresses only. `inner` makes the connections."""

    def __init__(self, rules: Rules, resolve: Resolve, inner: httpcore2.AsyncNetworkBackend | None = None) -> None:
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
        if not self._rules.reach.permits(host, found):
            raise AddressRefused(f"{host} is on a private address; list it in [outbound] if it belongs there")
        return found[:_MOST_ADDRESSES]


class _GuardedTransport(httpx2.AsyncHTTPTransport):
    """httpx's transport on a pool whose connections are guarded."""

    def __init__(self, guard: GuardedBackend, trust: ssl.SSLContext) -> None:
        super().__init__(verify=trust, trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trust, network_backend=guard, keepalive_expiry=_IDLE_S, max_keepalive_connections=20
        )


class _Route(httpx2.AsyncBaseTransport):
    """Sends each request directly or through the proxy.

    Behind a proxy it is the proxy that resolves names; addresses in a URL are judged here all the same.
    """

    def __init__(
        self, direct: httpx2.AsyncBaseTransport, proxied: httpx2.AsyncBaseTransport | None, rules: Rules
    ) -> None:
        self._direct = direct
        self._proxied = proxied
        self._rules = rules

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it."""
        host = request.url.host
        if self._proxied is None or self._goes_direct(host):
            return await self._direct.handle_async_request(request)
        if literal_of(host) is not None and not self._rules.reach.permits(host, [host]):
            raise httpx2.ConnectError(f"{host} is a private address") from AddressRefused(host)
        return await self._proxied.handle_async_request(request)

    def _goes_direct(self, host: str) -> bool:
        if is_loopback(host) or self._rules.reach.lists(host):
            return True
        return any(host == rule or host.endswith(f".{rule}") for rule in self._rules.direct)

    async def aclose(self) -> None:
        """Close both."""
        await self._direct.aclose()
        if self._proxied is not None:
            await self._proxied.aclose()


def proxy_of(configured: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return the proxy to use and the hosts called without it; the configuration counts before the environment."""
    proxy = configured or environ.get("HTTPS_PROXY") or environ.get("https_proxy") or ""
    listed = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    direct = tuple(host.strip().lower().lstrip(".") for host in listed.split(",") if host.strip())
    return ("", ()) if "*" in direct else (proxy, direct)
