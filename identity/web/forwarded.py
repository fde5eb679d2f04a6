"""What a proxy says about the request it asks for, and when it is believed.

Owns the reading of `X-Forwarded-*` on `/auth`. Only a listed proxy is believed (THREATS 37), only
this family of headers is read, and each may come once: a second value is somebody else's. An
`X-Identity-*` header is never read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tornado.httputil import HTTPHeaders

from identity.errors import BadInput, Forbidden
from identity.types import Host
from identity.web.context import TrustedPeers
from identity.web.verdicts import Target

URI_LIMIT: Final = 16_384
_METHOD: Final = re.compile(r"[A-Z][A-Z-]{0,31}")
_HOST: Final = re.compile(r"[a-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9a-f:.]{2,45}\](:[0-9]{1,5})?")
_DEFAULT_PORT: Final = {"https": ":443", "http": ":80"}


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The browser's request, as the proxy got it."""

    method: str
    target: Target


def read(headers: HTTPHeaders, *, peer: str, peers: TrustedPeers) -> Forwarded:
    """Read what the proxy says.

    Raises:
        Forbidden: the peer is not listed.
        BadInput: a header is missing, repeated or not what it should be.
    """
    require_listed(peer, peers)
    scheme = _one(headers.get_list("X-Forwarded-Proto"), "X-Forwarded-Proto").lower()
    host = _one(headers.get_list("X-Forwarded-Host"), "X-Forwarded-Host").lower()
    uri = _single(headers.get_list("X-Forwarded-Uri"), "X-Forwarded-Uri")
    method = _one(headers.get_list("X-Forwarded-Method"), "X-Forwarded-Method")
    if scheme not in _DEFAULT_PORT:
        raise _bad("X-Forwarded-Proto")
    if not _METHOD.fullmatch(method):
        raise _bad("X-Forwarded-Method")
    if not uri.startswith("/") or len(uri) > URI_LIMIT:
        raise _bad("X-Forwarded-Uri")
    return Forwarded(method, Target(scheme, named_host(host, scheme), uri))


def require_listed(peer: str, peers: TrustedPeers) -> None:
    """Raise Forbidden unless the peer is a listed proxy."""
    if not peers.trusts(peer):
        raise Forbidden(
            "untrusted-proxy",
            detail=f"{peer} is not in [server] trusted_proxies",
            public="This address is for the proxies listed in the configuration.",
        )


def named_host(host: str, scheme: str) -> Host:
    """Return a host as applications register it, without the default port. Raises BadInput if it is none."""
    if not _HOST.fullmatch(host):
        raise BadInput("host", public="The host is not a host name.")
    return Host(host.removesuffix(_DEFAULT_PORT[scheme]))


def _one(lines: Sequence[str], name: str) -> str:
    value = _single(lines, name).strip()
    if "," in value:
        raise _bad(name)
    return value


def _single(lines: Sequence[str], name: str) -> str:
    if len(lines) != 1:
        raise _bad(name)
    return lines[0]


def _bad(name: str) -> BadInput:
    return BadInput(
        "forwarded-header",
        detail=f"{name} is missing, repeated or unusable",
        public=f"The proxy must send {name} exactly once and correctly.",
    )
