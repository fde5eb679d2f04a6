"""One request and its answer through httpx, within the bound on what is read.

Owns what a connection that failed is called, and what it tells of the provider. How often and how long is asked
is `client`, where a connection leads `connections`. Loading it loads httpx, so only what calls a provider does.
"""

import ssl
from typing import Final

import httpx2

from identity.outbound.call import Call, CallFailed
from identity.outbound.circuit import CallEnd
from identity.outbound.connections import AddressRefused, GuardedConnections
from identity.outbound.lookup import Resolve
from identity.outbound.rules import LARGEST, UNKNOWN_AUTHORITY, OutboundRules
from providers.base import HttpResponse, ProviderBroken, ProviderSlow

_FAULTY: Final = 500


class Exchanges:
    """The exchanges with one provider, on connections of its own; `aclose` them at the end."""

    def __init__(self, rules: OutboundRules, resolve: Resolve | None, trust: ssl.SSLContext) -> None:
        self._connections = GuardedConnections(rules, resolve, trust)

    async def answer(self, call: Call, url: str, *, fresh: bool) -> HttpResponse:
        """Make one try of a call. Raises CallFailed, ProviderSlow."""
        call.sent += len(call.body or b"")
        client = self._connections.client(fresh=fresh)
        try:
            async with client.stream(call.method, url, headers=call.headers, content=call.body) as answer:
                try:
                    body = await _read(answer)
                finally:
                    call.received += answer.num_bytes_downloaded
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError) as error:
            raise _failed(call, url, error) from None
        status = answer.status_code
        if status >= _FAULTY:
            call.tells(CallEnd.FAULTY, f"{call.asked(url)}: answered {status}")
        else:
            call.tells(CallEnd.ANSWERED)
        return HttpResponse(status, {name.lower(): answer.headers[name] for name in answer.headers}, body)

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        await self._connections.aclose()


class _TooLarge(ValueError):
    """An answer beyond the limit."""


def _failed(call: Call, url: str, error: Exception) -> ProviderBroken:
    refused = isinstance(error.__cause__, AddressRefused)
    # What the operating system or TLS says about a connection helps and holds nothing of a request;
    # the other texts may quote an answer.
    told = f": {error}{_remedy(error)}" if refused or isinstance(error, httpx2.ConnectError) else ""
    text = f"{call.asked(url)}: {type(error).__name__}{told}"
    call.tells(CallEnd.UNTOLD if refused else _ended(call, error), text)
    if isinstance(error, httpx2.TimeoutException):
        return ProviderSlow(text)
    broke = isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError)
    return CallFailed(text, worth_another=broke and not refused)


def _remedy(error: BaseException | None) -> str:
    """Return what to do about a certificate whose authority is not known; nothing about any other trouble."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    if error is None or error.verify_code not in UNKNOWN_AUTHORITY:
        return ""
    return "; if the authority behind its certificate is a private one, name it in [outbound] ca_file"


def _ended(call: Call, error: Exception) -> CallEnd:
    match error:
        case httpx2.TimeoutException() | httpx2.ConnectError() | httpx2.ProxyError():
            return CallEnd.IN_VAIN
        case httpx2.NetworkError() | httpx2.RemoteProtocolError() | OSError():
            # A GET asks for what we chose. A POST carries a code that came from a browser, and a firewall may drop
            # one that looks like an attack: a stranger must not open the circuit with it.
            return CallEnd.IN_VAIN if call.method == "GET" else CallEnd.BROKEN_OFF
        case _TooLarge() | httpx2.DecodingError():
            return CallEnd.FAULTY
        case _:
            return CallEnd.UNTOLD


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
