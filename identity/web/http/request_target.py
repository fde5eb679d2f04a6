"""Where a request is for: its target and its Host, in the one form that the handlers read.

Owns RFC 9112 section 3.2. A target may come whole (`GET https://login.example/account`), as
clients send it to proxies and some proxies hand it on; its authority then counts and the Host header
does not (section 3.2.2). Whatever has two readings is refused: two Hosts, none, one that is no host,
a user name before it.
"""

import re
from typing import Final

from tornado.httputil import HTTPHeaders, RequestStartLine

from identity.errors import BadInput

_NAME: Final = r"[A-Za-z0-9._-]{1,253}"
_V6: Final = r"\[[0-9A-Fa-f:.]{2,45}\]"
_HOST: Final = re.compile(rf"({_NAME}|{_V6})(?::([0-9]{{0,5}}))?")
_WHOLE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,15})://([^/?#]*)([^#]*)(#?)")
_PORTS: Final = {"http": 80, "https": 443}
_HIGHEST_PORT: Final = 65_535
SERVER: Final = "*"
"""The target that means the server as a whole; `OPTIONS` alone may have it."""


class NoTarget(BadInput):
    """The request line names nothing this server could answer for."""

    default_code = "request-target"
    default_public = "The request line must name a path, or a whole http or https address without a user name."


class NoHost(BadInput):
    """The request does not say, or says twice, which host it is for."""

    default_code = "host"
    default_public = "The request must carry exactly one Host header, and it must be a host name."


def addressed(line: RequestStartLine, headers: HTTPHeaders) -> RequestStartLine:
    """Return the request line with a path for its target; `headers` then hold the one Host that counts.

    Raises:
        NoTarget, NoHost: see above.
    """
    given = headers.get_list("Host")
    if len(given) > 1 or (not given and line.version != "HTTP/1.0"):
        raise NoHost
    if given:
        headers["Host"] = host_of(given[0])
    target = line.path
    if target.startswith("/") or (target == SERVER and line.method == "OPTIONS"):
        return line
    scheme, authority, rest = _whole(target)
    host = host_of(authority)
    headers["Host"] = host.removesuffix(f":{_PORTS[scheme]}")
    if not rest and line.method == "OPTIONS":
        return line._replace(path=SERVER)
    return line._replace(path=rest if rest.startswith("/") else f"/{rest}")


def host_of(text: str) -> str:
    """Return a host as it was sent, an empty port left out. Raises NoHost if it is none."""
    match = _HOST.fullmatch(text)
    if match is None or int(match[2] or 0) > _HIGHEST_PORT:
        raise NoHost
    return f"{match[1]}:{match[2]}" if match[2] else match[1]


def _whole(target: str) -> tuple[str, str, str]:
    match = _WHOLE.fullmatch(target)
    if match is None:
        raise NoTarget
    scheme, authority, rest, fragment = match[1].lower(), match[2], match[3], match[4]
    if scheme not in _PORTS or fragment or "@" in authority:
        raise NoTarget
    return scheme, authority, rest
