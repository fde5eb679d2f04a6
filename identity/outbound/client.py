"""The daemon's calls to login providers: what each may take, and what becomes of it.

Owns time, size, redirects, tries, and how much one provider may hold of us: its calls at once, its
connections and look-ups (`connections`), and whether it is asked at all (`circuit`). Nothing that
one provider can use up is shared with another, so one that hangs delays only the logins through it.
Where calls go, and through what, is `connections`.

A POST is sent once, whatever happens, and on a connection of its own: it carries a code that works
once. A GET, which here is a discovery document, a key set or a profile, is tried a second time after
a broken connection, and then on a new one.
Invariant: nothing leaves but a whole answer or ProviderBroken, whose text holds neither query,
header nor body.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urljoin

import h11

from identity.outbound.allowed_addresses import is_disguised
from identity.outbound.circuit import CallEnd, Circuit
from identity.outbound.connections import GuardedConnections, Resolve
from identity.outbound.content_coding import LARGEST, AnswerTooLarge, DecodingError, decoded
from identity.outbound.exchange import Exchange
from identity.outbound.failures import (
    AddressRefused,
    ConnectError,
    ConnectionFailed,
    ConnectTimeout,
    ProxyError,
)
from identity.outbound.rules import OutboundRules
from identity.types import SECOND, Clock, Millis
from providers.addresses import BadAddress, check_url, host_and_port
from providers.base import Http, HttpResponse, ProviderBroken, ProviderSlow

log = logging.getLogger("identity.outbound")

WAIT_MS: Final[Millis] = 1_000
"""How long a call waits when as many as may be made of its provider's are under way."""
_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FAULTY: Final = 500
_FAILURES: Final = (ConnectionFailed, h11.ProtocolError, OSError, ValueError)
"""What ends a call without a whole answer."""


@dataclass(frozen=True, slots=True)
class Called:
    """One call that ended, for metrics."""

    provider: str
    method: str
    outcome: str
    """`ok`; `failed`: no whole answer; `refused`: not made. An answer that says 500 is a whole answer."""
    sent: int
    """Bytes of the bodies sent."""
    received: int
    """Bytes of the bodies received, as they came over the wire."""
    took_ms: Millis


def _monotonic() -> Millis:
    return time.monotonic_ns() // 1_000_000


class OutboundClient:
    """The calls of all providers, each on a line of its own. Lives on one event loop; `aclose` it at the end.

    Args:
        rules: the operator's limits.
        on_call: told of each call that ended.
        on_circuit: told of a provider whose circuit was opened or closed.
        trust: which certificates are accepted; the system's by default.
        resolve: finds the addresses of a name; by default the system does, on threads of each provider's own.
        clock: counts milliseconds from anywhere, and is never set back.
    """

    def __init__(
        self,
        rules: OutboundRules,
        *,
        on_call: Callable[[Called], None] = lambda _: None,
        on_circuit: Callable[[str, Circuit], None] = lambda _name, _circuit: None,
        trust: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        clock: Clock = _monotonic,
    ) -> None:
        self.rules = rules
        self.on_call = on_call
        self.on_circuit = on_circuit
        self.clock = clock
        self._trust = trust or ssl.create_default_context()
        self._resolve = resolve
        self._lines: dict[str, _Line] = {}

    def for_provider(self, name: str) -> Http:
        """Return the client as one provider sees it: its calls are counted, and limited, under its name."""
        if name not in self._lines:
            self._lines[name] = _Line(self, name, GuardedConnections(self.rules, self._resolve, self._trust))
        return self._lines[name]

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        """Make one request that is counted under no provider, and never refused. Raises ProviderBroken."""
        return await self.for_provider("").fetch(method, url, headers=headers, body=body)

    def troubles(self) -> Mapping[str, str]:
        """Return the providers in trouble, each with a sentence. May be called on any thread."""
        return {line.name: said for line in list(self._lines.values()) if (said := line.trouble())}

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        for line in self._lines.values():
            await line.connections.aclose()


class _Line:
    """One provider's calls: its `Http`."""

    def __init__(self, outbound: OutboundClient, name: str, connections: GuardedConnections) -> None:
        self.name = name
        self.connections = connections
        self._outbound = outbound
        self._room = asyncio.Semaphore(outbound.rules.calls)
        self._circuit = Circuit()
        self._last = ""
        """What was said of the last call in trouble."""

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        """Make one request within all limits. Raises ProviderBroken, ProviderSlow."""
        call = _Call(method, dict(headers or {}), body)
        began, outcome = self._outbound.clock(), "refused"
        try:
            self._pass()
            await self._enter()
            try:
                outcome = "failed"
                answer = await self._made(call, url)
                outcome = "ok"
            finally:
                self._room.release()
        finally:
            took_ms = self._outbound.clock() - began
            self._outbound.on_call(Called(self.name, method, outcome, call.sent, call.received, took_ms))
        return answer

    def trouble(self) -> str:
        """Say what is wrong with this provider; empty if nothing is."""
        circuit = self._circuit  # replaced as a whole, so another thread reads one of them
        if not circuit.troubled:
            return ""
        resting = "" if circuit.closed else "it is not called, but for a trial now and then: "
        return f"{resting}{circuit.troubles} calls in a row brought nothing usable, the last one: {self._last}"

    def _pass(self) -> None:
        if self.name and not self._circuit.passes(self._outbound.clock()):
            raise ProviderSlow(f"not called at present, because it kept others waiting in vain: {self._last}")

    async def _enter(self) -> None:
        try:
            async with asyncio.timeout(WAIT_MS / SECOND):
                await self._room.acquire()
        except TimeoutError:
            raise ProviderSlow(f"not called, because {self._outbound.rules.calls} calls wait for it already") from None
        try:
            self._pass()  # it may have been opened meanwhile
        except ProviderSlow:
            self._room.release()
            raise

    async def _made(self, call: "_Call", url: str) -> HttpResponse:
        """Make the call, and note what it tells of the provider."""
        trial = not self._circuit.closed
        self._circuit = self._circuit.begun()
        try:
            async with asyncio.timeout(self._outbound.rules.total_ms / SECOND):
                return await self._follow(call, url)
        except TimeoutError:
            call.tells(CallEnd.IN_VAIN, f"{_asked(call, url)}: no answer in time")
            raise ProviderSlow(call.trouble) from None
        finally:
            self._note(call, trial=trial)

    def _note(self, call: "_Call", *, trial: bool) -> None:
        before = self._circuit
        self._circuit = before.ended(call.ended, self._outbound.clock(), trial=trial)
        self._last = call.trouble or self._last
        if self.name and before.closed != self._circuit.closed:
            self._tell()

    def _tell(self) -> None:
        self._outbound.on_circuit(self.name, self._circuit)
        if self._circuit.closed:
            log.info("provider-back: %s answers again", self.name, extra={"provider": self.name})
            return
        log.warning("provider-away: %s: %s", self.name, self.trouble(), extra={"provider": self.name})

    async def _follow(self, call: "_Call", url: str) -> HttpResponse:
        for _ in range(_MOST_REDIRECTS + 1):
            parts = _checked(url)
            answer = await self._try(call, url)
            if answer.status not in _REDIRECTS:
                return answer
            target = _joined(url, answer.headers.get("location", ""))
            if call.method != "GET" or _origin(_checked(target)) != _origin(parts):
                raise ProviderBroken(
                    f"{_asked(call, url)}: redirected elsewhere, which is not followed", location=target
                )
            url = target
        raise ProviderBroken(f"{_asked(call, url)}: redirected too often")

    async def _try(self, call: "_Call", url: str) -> HttpResponse:
        if call.method != "GET":
            return await self._once(call, url, fresh=True)
        try:
            return await self._once(call, url, fresh=False)
        except _Failed as failure:
            if not failure.worth_another:
                raise
        return await self._once(call, url, fresh=True)

    async def _once(self, call: "_Call", url: str, *, fresh: bool) -> HttpResponse:
        call.sent += len(call.body or b"")
        try:
            sent = self.connections.answered(call.method, url, call.headers, call.body, fresh=fresh)
            async with sent as (answer, exchange):
                headers = _headers(answer.headers)
                body = await _read(call, headers, exchange)
        except _FAILURES as error:
            raise _failed(call, url, error) from None
        if answer.status_code >= _FAULTY:
            call.tells(CallEnd.FAULTY, f"{_asked(call, url)}: answered {answer.status_code}")
        else:
            call.tells(CallEnd.ANSWERED)
        return HttpResponse(answer.status_code, headers, body)


@dataclass(slots=True)
class _Call:
    """One request on its way, what it has cost so far, and what it tells of its provider."""

    method: str
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    sent: int = 0
    received: int = 0
    ended: CallEnd = CallEnd.UNTOLD
    trouble: str = ""

    def tells(self, ended: CallEnd, trouble: str = "") -> None:
        """Note what is known now; a later try of the same call may know more."""
        self.ended, self.trouble = ended, trouble


class _Failed(ProviderBroken):
    """A connection that did not come about or broke."""

    def __init__(self, message: str, *, worth_another: bool) -> None:
        self.worth_another = worth_another
        super().__init__(message)


def _failed(call: _Call, url: str, error: Exception) -> ProviderBroken:
    refused = isinstance(error, AddressRefused)
    # What the operating system or TLS says about a connection helps and holds nothing of a request;
    # the other texts may quote an answer.
    told = f": {error}" if isinstance(error, ConnectError) else ""
    text = f"{_asked(call, url)}: {type(error).__name__}{told}"
    call.tells(CallEnd.UNTOLD if refused else _ended(call, error), text)
    if isinstance(error, ConnectTimeout):
        return ProviderSlow(text)
    broke = isinstance(error, ConnectionFailed | h11.RemoteProtocolError) and not isinstance(error, ProxyError)
    return _Failed(text, worth_another=broke and not refused)


def _ended(call: _Call, error: Exception) -> CallEnd:
    match error:
        case ConnectTimeout() | ConnectError() | ProxyError():
            return CallEnd.IN_VAIN
        case ConnectionFailed() | h11.RemoteProtocolError() | OSError():
            # A GET asks for what we chose. A POST carries a code that came from a browser, and a firewall may drop
            # one that looks like an attack: a stranger must not open the circuit with it.
            return CallEnd.IN_VAIN if call.method == "GET" else CallEnd.BROKEN_OFF
        case AnswerTooLarge() | DecodingError():
            return CallEnd.FAULTY
        case _:
            return CallEnd.UNTOLD


def _headers(lines: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by name, lower case; several lines of one name are one list (RFC 9110 §5.3)."""
    headers: dict[str, str] = {}
    for name, value in lines:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def _read(call: _Call, headers: Mapping[str, str], exchange: Exchange) -> bytes:
    size = headers.get("content-length", "0")
    if size.isdecimal() and int(size) > LARGEST:
        raise AnswerTooLarge
    body = bytearray()
    while (part := await exchange.part()) is not None:
        body += part
        call.received += len(part)
        if len(body) > LARGEST:
            raise AnswerTooLarge
    return decoded(bytes(body), headers.get("content-encoding", ""))


def _checked(url: str) -> SplitResult:
    try:
        parts = check_url(url)
    except BadAddress as fault:
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


def _asked(call: _Call, url: str) -> str:
    """Return what was asked, without the query, which may hold what must not be logged."""
    return f"{call.method} {url.partition('?')[0]}"
