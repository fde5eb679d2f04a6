"""A browser's request, as a proxy or an application tells of it, and the `Check` that it makes.

Owns what `/auth` reads of a request. Pure. Only a listed proxy is believed (THREATS 37), only
`X-Forwarded-*` says what the browser asked for, and each of these may come once: a second value was
not set by the proxy. An `X-Identity-*` header is never read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from identity.applications.application import Application
from identity.errors import BadInput, Forbidden
from identity.forward_auth.peers import TrustedPeers
from identity.forward_auth.targets import SCHEMES, Target, flag_of, named_host
from identity.sessions.check import Check, Mode
from identity.sessions.client_summary import summarise_address, summarise_agent

URI_LIMIT: Final = 16_384
AGENT_LIMIT: Final = 256
READING: Final = frozenset({"GET", "HEAD"})
_METHOD: Final = re.compile(r"[A-Z][A-Z-]{0,31}")
_DOCUMENTS: Final = frozenset({"document", "iframe", "frame", "embed", "object"})
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_NEVER: Final = re.compile(r"q=0(\.0*)?")


class Headers(Protocol):
    """Header lines of a request; names are found in any case."""

    def get_list(self, name: str, /) -> Sequence[str]:
        """Return the values of all lines of this name, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserRequest:
    """What is known of a browser's request to an application's host."""

    target: Target
    method: str
    cookies: tuple[str, ...] = field(repr=False)
    """Cookie header lines, verbatim."""
    mode: Mode
    navigation: bool
    prefetch: bool
    active: bool | None
    """Whether the page or the application says that the person did it; None if it says nothing."""
    address: str
    """Summary of the browser's network; empty if unknown."""
    agent: str
    """Summary of the browser; empty if unknown."""


def read(headers: Headers, *, peer: str, peers: TrustedPeers) -> BrowserRequest:
    """Read what the proxy at the address `peer` says.

    Raises:
        Forbidden: the peer is not listed.
        BadInput: a header is missing, repeated or not what it should be.
    """
    require_listed(peer, peers)
    target, method = _forwarded(headers)
    return BrowserRequest(
        target=target,
        method=method,
        cookies=tuple(headers.get_list("Cookie")),
        mode=Mode.WEBSOCKET if headers.get_list("Sec-WebSocket-Version") else Mode.BROWSER,
        navigation=is_navigation(method, headers),
        prefetch="prefetch" in (value(headers, "Sec-Purpose") or ""),
        active=said_activity(headers),
        address=summarise_address(peers.client(peer, value(headers, "X-Forwarded-For") or "")),
        agent=summarise_agent((value(headers, "User-Agent") or "")[:AGENT_LIMIT]),
    )


def require_listed(peer: str, peers: TrustedPeers) -> None:
    """Raise Forbidden unless the peer is a listed proxy."""
    if not peers.trusts(peer):
        raise Forbidden(
            "untrusted-proxy",
            detail=f"{peer} is not in [server] trusted_proxies",
            public="This address is for the proxies listed in the configuration.",
        )


def check_of(request: BrowserRequest, app: Application) -> Check:
    """Return what is asked of the sessions, by the rules of the application that has the host."""
    uri = request.target.uri
    return Check(
        cookies=request.cookies,
        host=request.target.host,
        mode=Mode.NO_MINT if request.mode is Mode.BROWSER and not app.mint else request.mode,
        navigation=request.navigation,
        reading=request.method in READING,
        may_mint=not (request.prefetch or app.is_static(uri)),
        flag=flag_of(uri),
        user_activity=app.is_activity(uri, said=request.active),
        address=request.address,
        agent=request.agent,
        client=app.id,
    )


def is_navigation(method: str, headers: Headers) -> bool:
    """Tell whether a page is being loaded, so that its person can be led to a login; anything else gets 401.

    The first row that applies; browsers before 2023, browsers over plain http and programs send no
    `Sec-Fetch-Mode`.

        the request has                                               | a page
        --------------------------------------------------------------+-------
        `Sec-WebSocket-Version`: a handshake                          | no
        `Sec-Fetch-Mode`                                              | if it is `navigate`, a form too
        `Sec-Fetch-Dest` other than a document or a frame             | no
        a method other than GET and HEAD                              | no
        `X-Requested-With` that is no name of a package: what scripts | no
        send; Android's WebView sends its application's package name  |
        `Accept` with `text/event-stream`, or without `text/html` and | no
        `application/xhtml+xml`: calls, images, `*/*` of programs     |
        none of these, nor any `Accept`                               | yes
    """
    if headers.get_list("Sec-WebSocket-Version"):
        return False
    mode = value(headers, "Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    destination = value(headers, "Sec-Fetch-Dest")
    if method not in READING or not (destination is None or destination in _DOCUMENTS):
        return False
    sender = value(headers, "X-Requested-With")
    return (sender is None or "." in sender) and _takes_a_page(value(headers, "Accept") or "")


def loads_page(headers: Headers) -> bool:
    """Tell whether a page is being loaded, although the request may be one that cannot be read."""
    method = value(headers, "X-Forwarded-Method")
    return is_navigation("GET" if method is None else method, headers)


def said_activity(headers: Headers) -> bool | None:
    """Return what `X-User-Activity` says; None if it is not there or neither `yes` nor `no`."""
    return {"yes": True, "no": False}.get((value(headers, "X-User-Activity") or "").strip().lower())


def value(headers: Headers, name: str) -> str | None:
    """Return the value of a header, that of several lines as one (RFC 9110 section 5.2); None without any."""
    lines = headers.get_list(name)
    return ",".join(lines) if lines else None


def _takes_a_page(accept: str) -> bool:
    if not accept.strip():
        return True
    ranges = [part.lower().replace(" ", "").replace("\t", "").split(";") for part in accept.split(",")]
    kinds = {kind for kind, *parameters in ranges if not any(_NEVER.fullmatch(each) for each in parameters)}
    return not kinds.isdisjoint(_PAGES) and "text/event-stream" not in kinds


def _forwarded(headers: Headers) -> tuple[Target, str]:
    scheme = _word(headers, "X-Forwarded-Proto").lower()
    host = _word(headers, "X-Forwarded-Host").lower()
    uri = _line(headers, "X-Forwarded-Uri")
    method = _word(headers, "X-Forwarded-Method")
    if scheme not in SCHEMES:
        raise _bad("X-Forwarded-Proto")
    if not _METHOD.fullmatch(method):
        raise _bad("X-Forwarded-Method")
    if not uri.startswith("/") or len(uri) > URI_LIMIT:
        raise _bad("X-Forwarded-Uri")
    return Target(scheme, named_host(host, scheme), uri), method


def _word(headers: Headers, name: str) -> str:
    word = _line(headers, name).strip()
    if "," in word:
        raise _bad(name)
    return word


def _line(headers: Headers, name: str) -> str:
    lines = headers.get_list(name)
    if len(lines) != 1:
        raise _bad(name)
    return lines[0]


def _bad(name: str) -> BadInput:
    return BadInput(
        "forwarded-header",
        detail=f"{name} is missing, repeated or unusable",
        public=f"The proxy must send {name} exactly once and correctly.",
    )
