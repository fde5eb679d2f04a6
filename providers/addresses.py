"""Which addresses a provider may live at: https, or plain http on this machine only.

Pure. Used on what the operator writes and again on everything a discovery document names, so that
neither can send a code or a client secret over an open line. Where a host name *resolves to* is
checked later, by the outbound client.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlencode, urlsplit

from options.types import OptionType

_LONGEST: Final = 2_000


class BadAddress(ValueError):
    """The address cannot be used; the message says why and is safe to show to the operator."""


def check_url(url: str) -> SplitResult:
    """Return the parts of an absolute address that may be called. Raises Refused."""
    if len(url) > _LONGEST:
        raise BadAddress(f"is longer than {_LONGEST} characters")
    # Browsers, proxies and parsers disagree about these, which is how one address becomes two.
    if not url.isascii() or not url.isprintable() or any(mark in url for mark in ' \\"<>'):
        raise BadAddress("holds a character that does not belong in an address")
    parts = _split(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise BadAddress("must be an absolute https address")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("must not hold a user name or password")
    if parts.fragment or url.endswith("#"):
        raise BadAddress("must not have a #fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise BadAddress("must be https (plain http is for this machine only)")
    return parts


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise BadAddress("is not an address") from error
    return parts


def is_loopback(host: str) -> bool:
    """Tell whether a host name can only mean this machine (RFC 6761 §6.3, RFC 8252 §8.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_and_port(parts: SplitResult) -> str:
    """Return `host` or `host:port`, lower case, without the scheme's own port."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = parts.port
    own = {"https": 443, "http": 80}.get(parts.scheme)
    return host if port is None or port == own else f"{host}:{port}"


def with_query(url: str, params: Mapping[str, str]) -> str:
    """Return an address with further parameters behind those it has."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"


def _read(given: str) -> str:
    check_url(given)
    return given


web_address: Final = OptionType("web address", _read)
optional_web_address: Final = OptionType("web address", lambda given: _read(given) if given else "")
