"""Where and with what a person logged in, short enough to keep and to read.

Owns the two summaries a session stores: the browser and the network. Pure. The full header and
the full address stay out of the session record: they are large, and a device list needs only
enough for its owner to say "that was me". Every result is printable ASCII whatever came in.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

AGENT_LENGTH: Final = 40
"""No summary of a browser is longer; the record of one account has to stay small."""
UNKNOWN_AGENT: Final = "Unknown browser"
THIS_COMPUTER: Final = "loopback"
"""The summary of an address that never left the server's own machine."""

_READ: Final = 512
"""A User-Agent is read only so far: the interesting words of real ones come earlier."""

# The order decides: nearly every browser also claims to be Chrome, Safari or both.
_BROWSERS: Final = (
    (("edg/", "edga/", "edgios/", "edge/"), "Edge"),
    (("opr/", "opera", "opios/", "opt/"), "Opera"),
    (("samsungbrowser/",), "Samsung Internet"),
    (("vivaldi/",), "Vivaldi"),
    (("yabrowser/",), "Yandex Browser"),
    (("duckduckgo/", "ddg/"), "DuckDuckGo"),
    (("fxios/", "firefox/", "focus/"), "Firefox"),
    (("chromium/",), "Chromium"),
    (("crios/", "chrome/", "headlesschrome/"), "Chrome"),
    (("safari/",), "Safari"),
)
_SYSTEMS: Final = (
    (("iphone",), "iPhone"),
    (("ipad",), "iPad"),
    (("android",), "Android"),
    (("windows",), "Windows"),
    (("cros ",), "ChromeOS"),
    (("macintosh", "mac os x"), "macOS"),
    (("freebsd",), "FreeBSD"),
    (("openbsd",), "OpenBSD"),
    (("linux", "x11"), "Linux"),
)
# RFC 1918, RFC 3927, RFC 4193, RFC 4291; `is_private` would also name documentation and test networks.
_LOCAL: Final = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)
_PROGRAM: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,23}(?=[/ ]|\Z)")
_Table: TypeAlias = tuple[tuple[tuple[str, ...], str], ...]


def summarise_agent(ua: str) -> str:
    """Return what a person calls this browser, for example `Firefox on Linux`; at most 40 characters."""
    text = ua[:_READ]
    lower = text.lower()
    browser = _named(lower, _BROWSERS) or _program(text)
    system = _named(lower, _SYSTEMS)
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"{UNKNOWN_AGENT} on {system}" if system else UNKNOWN_AGENT)


def summarise_address(ip: str) -> str:
    """Return the network of an address: `203.0.113.x`, `2001:db8:12::x`, `loopback`, or nothing.

    A home keeps its /24 or its /48 over months while its last digits change, so the network is
    also the better thing to recognise.
    """
    try:
        address = _plain(ip_address(ip.partition("%")[0].strip()))
    except ValueError:
        return ""
    if address.is_loopback:
        return THIS_COMPUTER
    if isinstance(address, IPv4Address):
        return f"{address.exploded.rpartition('.')[0]}.x"
    return f"{IPv6Address(int(address) >> 80 << 80).compressed}x"


def is_local(summary: str) -> bool:
    """Tell whether a summary names a network that exists only inside a house or a company."""
    try:
        address = ip_address(summary.replace(".x", ".0").replace("::x", "::"))
    except ValueError:
        return False
    return any(address in network for network in _LOCAL)


def _named(lower: str, table: _Table) -> str:
    return next((name for marks, name in table if any(mark in lower for mark in marks)), "")


def _program(text: str) -> str:
    """Return the name a program gives itself (`curl`); every browser says Mozilla, which names nothing."""
    match = _PROGRAM.match(text)
    return match[0] if match and match[0].lower() != "mozilla" else ""


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Undo the IPv6 spelling of an IPv4 address (RFC 4291 section 2.5.5.2)."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
