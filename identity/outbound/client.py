"""The daemon's calls to login providers: what each may take, and what becomes of it.

Owns time, size, redirects, tries, and how much one provider may hold of us: its calls at once, its
connections and look-ups (`connections`), and whether it is asked at all (`circuit`). Nothing that
one provider can use up is shared with another, so one that hangs delays only the logins through it.
Where calls go, and through what, is `connections`, one request and its answer `exchange`.

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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urljoin

from identity.outbound.allowed_addresses import is_disguised
from identity.outbound.call import Call, CallFailed
from identity.outbound.circuit import CallEnd, Circuit
from identity.outbound.lookup import Resolve
from identity.outbound.rules import OutboundRules
from identity.types import SECOND, Clock, Millis
from providers.addresses import BadAddress, check_url, host_and_port
from providers.base import Http, HttpResponse, ProviderBroken, ProviderSlow

if TYPE_CHECKING:
    from identity.outbound.exchange import Exchanges

log = logging.getLogger("identity.outbound")

WAIT_MS: Final[Millis] = 1_000
"""How long a call waits when as many as may be made of its provider's are under way."""
_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


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
        trust: which certificates are accepted; by default those of the system's authorities and of `rules.ca_file`.
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
        self._trust = trust
        self._resolve = resolve
        self._lines: dict[str, _Line] = {}
        self.retired = False

    def for_provider(self, name: str) -> Http:
        """Return the client as one provider sees it: its calls are counted, and limited, under its name."""
        return self._line(name)

    def _line(self, name: str) -> "_Line":
        if name not in self._lines:
            self._lines[name] = _Line(self, name, self.rules)
        return self._lines[name]

    def prepare(self, names: Iterable[str]) -> None:
        """Load and make what calls to these providers need; otherwise the first call does, and holds up the loop."""
        for name in names:
            self._line(name).exchanges()

    def exchanges(self, rules: OutboundRules) -> "Exchanges":
        """Return new exchanges with one provider."""
        from identity.outbound.exchange import Exchanges  # noqa: PLC0415 - a demonstration calls no provider

        if self._trust is None:
            self._trust = ssl.create_default_context()
            if self.rules.ca_file:
                self._trust.load_verify_locations(self.rules.ca_file)
        return Exchanges(rules, self._resolve, self._trust)

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
            await line.aclose()

    async def retire(self) -> None:
        """Keep no connection any more, but for calls under way and those that requests under way still make."""
        self.retired = True
        for line in list(self._lines.values()):
            await line.let_go()


class _Line:
    """One provider's calls: its `Http`."""

    def __init__(self, outbound: OutboundClient, name: str, rules: OutboundRules) -> None:
        self.name = name
        self._outbound = outbound
        self._rules = rules
        self._made_exchanges: Exchanges | None = None
        self._calls = 0
        self._room = asyncio.Semaphore(rules.calls)
        self._circuit = Circuit()
        self._last = ""
        """What was said of the last call in trouble."""

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        """Make one request within all limits. Raises ProviderBroken, ProviderSlow."""
        call = Call(method, dict(headers or {}), body)
        began, outcome = self._outbound.clock(), "refused"
        self._calls += 1
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
            self._calls -= 1
            await self.let_go()
        return answer

    def exchanges(self) -> "Exchanges":
        """Return the exchanges with this provider, made when they are first wanted."""
        if self._made_exchanges is None:
            self._made_exchanges = self._outbound.exchanges(self._rules)
        return self._made_exchanges

    async def let_go(self) -> None:
        """Close the connections of a client that is retired when no call is under way."""
        if self._outbound.retired and not self._calls:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        exchanges, self._made_exchanges = self._made_exchanges, None
        if exchanges is not None:
            await exchanges.aclose()

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

    async def _made(self, call: Call, url: str) -> HttpResponse:
        """Make the call, and note what it tells of the provider."""
        trial = not self._circuit.closed
        self._circuit = self._circuit.begun()
        try:
            async with asyncio.timeout(self._outbound.rules.total_ms / SECOND):
                return await self._follow(call, url)
        except TimeoutError:
            call.tells(CallEnd.IN_VAIN, f"{call.asked(url)}: no answer in time")
            raise ProviderSlow(call.trouble) from None
        finally:
            self._note(call, trial=trial)

    def _note(self, call: Call, *, trial: bool) -> None:
        before = self._circuit
        self._circuit = before.ended(call.ended, self._outbound.clock(), trial=trial)
        self._last = call.trouble or self._last
        if self.name and before.closed != self._circuit.closed and not self._outbound.retired:
            self._tell()

    def _tell(self) -> None:
        self._outbound.on_circuit(self.name, self._circuit)
        if self._circuit.closed:
            log.info("provider-back: %s answers again", self.name, extra={"provider": self.name})
            return
        log.warning("provider-away: %s: %s", self.name, self.trouble(), extra={"provider": self.name})

    async def _follow(self, call: Call, url: str) -> HttpResponse:
        for _ in range(_MOST_REDIRECTS + 1):
            parts = _checked(url)
            answer = await self._try(call, url)
            if answer.status not in _REDIRECTS:
                return answer
            target = _joined(url, answer.headers.get("location", ""))
            if call.method != "GET" or _origin(_checked(target)) != _origin(parts):
                raise ProviderBroken(f"{call.asked(url)}: redirected elsewhere, which is not followed", location=target)
            url = target
        raise ProviderBroken(f"{call.asked(url)}: redirected too often")

    async def _try(self, call: Call, url: str) -> HttpResponse:
        if call.method != "GET":
            return await self.exchanges().answer(call, url, fresh=True)
        try:
            return await self.exchanges().answer(call, url, fresh=False)
        except CallFailed as failure:
            if not failure.worth_another:
                raise
        return await self.exchanges().answer(call, url, fresh=True)


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
