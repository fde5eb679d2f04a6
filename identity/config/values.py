"""Values that are more than one number or word: an origin, a cache node, a network.

Owns how they are read from text, and the types of the options that hold them. Must not look at any
other option. Every function raises ValueError with a sentence that says what to write instead; no
message quotes a password.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from identity.forward_auth.peers import UNIX
from identity.types import Host
from options.secret import Secret
from options.types import OptionType, many, text

Network: TypeAlias = IPv4Network | IPv6Network

HIGHEST_PORT: Final = 65_535
_CASSANDRA_PORT: Final = 9_042
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_NODE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_INTERNAL_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_LONGEST_NAME: Final = 253
"""RFC 1035 section 2.3.4, without the final dot."""
_LONGEST_SOCKET_PATH: Final = 107
"""unix(7): `sun_path`, without its end."""
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_WIDEST_V4: Final = 8
_WIDEST_V6: Final = 7
"""fc00::/7, all private networks of IPv6, is the widest an operator can mean."""


@dataclass(frozen=True, slots=True)
class WebOrigin:
    """Scheme, host name and port of a web site; `str()` is what a browser calls its origin."""

    scheme: str
    hostname: str
    port: int

    @property
    def host(self) -> Host:
        """Host as a browser sends it: with the port only if it is not the scheme's own."""
        name = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        return Host(name if self.port == _DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}")

    @property
    def secure(self) -> bool:
        """Tell whether browsers reach it over https."""
        return self.scheme == "https"

    @property
    def loopback(self) -> bool:
        """Tell whether it can only be reached from the machine itself."""
        return is_loopback(self.hostname) or self.hostname.endswith(".localhost")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}"


@dataclass(frozen=True, slots=True)
class MemcachedAddress:
    """One memcached server. Its name, not its address, decides which records it holds."""

    name: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}={join_host(self.host, self.port)}"


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """One node of a Cassandra cluster through which the others are found."""

    host: str
    port: int

    def __str__(self) -> str:
        return join_host(self.host, self.port)


def is_loopback(hostname: str) -> bool:
    """Tell whether a host name or address is this machine and nothing else: 127.0.0.0/8, ::1, localhost."""
    try:
        return ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost"


def unix_path(address: str) -> Path | None:
    """Return the path of a Unix socket's address; None if it is none."""
    return Path(address.removeprefix(UNIX)) if address.startswith(UNIX) else None


def is_local(address: str) -> bool:
    """Tell whether an address to listen on can be reached from this machine only."""
    return unix_path(address) is not None or is_loopback(address)


def join_host(hostname: str, port: int) -> str:
    """Return `host:port`, with brackets around an IPv6 address (RFC 3986 section 3.2.2)."""
    return f"[{hostname}]:{port}" if ":" in hostname else f"{hostname}:{port}"


def read_url(text: str) -> SplitResult:
    """Split an absolute http or https address. Refuses user names, passwords and fragments."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is not a web address; write it like https://login.example.com") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or port == 0:
        raise ValueError("is not a web address; write it like https://login.example.com")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password; leave out what stands before the @")
    if parts.fragment or text.endswith("#"):
        raise ValueError("must not hold a #fragment; leave it out")
    read_hostname(parts.hostname)
    return parts


def read_origin(text: str) -> WebOrigin:
    """Read `https://host[:port]`; a trailing slash is allowed, a path is not."""
    parts = read_url(text)
    if parts.path not in ("", "/") or "?" in text:
        raise ValueError("must be scheme and host only, like https://login.example.com, without a path")
    hostname = read_hostname(parts.hostname or "")
    return WebOrigin(parts.scheme, hostname, parts.port or _DEFAULT_PORTS[parts.scheme])


def read_hostname(text: str) -> str:
    """Read a host name or an IP address without brackets, folded to lower case."""
    try:
        return str(ip_address(text))
    except ValueError:
        pass
    name = text.lower()
    if not name.isascii():
        raise ValueError("has a host name that is not ASCII; write it in its xn-- form")
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("has a host name that cannot be right; write it like login.example.com")
    return name


def read_host_port(text: str, *, default_port: int | None = None) -> tuple[str, int]:
    """Read `host:port`, `[v6]:port`, or without the port where there is a default."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]+))?", text)
    if not match:
        raise ValueError(f"{text!r} is not host:port; write it like 127.0.0.1:11211 or [::1]:11211")
    if match[3] is None and default_port is None:
        raise ValueError(f"{text!r} has no port; write it like {text}:11211")
    if match[3] is not None and not (_PORT.fullmatch(match[3]) and 1 <= int(match[3]) <= HIGHEST_PORT):
        raise ValueError(f"{text!r} has a port that is not within 1 to {HIGHEST_PORT}")
    return read_hostname(match[1] or match[2]), int(match[3]) if match[3] is not None else default_port or 0


def read_host(text: str) -> Host:
    """Read a host as browsers send it: a name, or name:port."""
    if "/" in text:
        raise ValueError(
            f"{text!r} is not a host; write the name alone, like wiki.example.com, without https:// or path"
        )
    hostname, port = read_host_port(text, default_port=_DEFAULT_PORTS["https"])
    return WebOrigin("https", hostname, port).host


def read_internal_host(text: str) -> str:
    """Read a name, or name:port, of the internal listener; in container networks names may have a `_`."""
    match = _INTERNAL_HOST.fullmatch(text)
    if match is None or not int(match[1] or 0) <= HIGHEST_PORT:
        raise ValueError(f"{text!r} is not a name under which programs reach this machine; write it like identityd")
    return text.lower()


def read_node(text: str) -> MemcachedAddress:
    """Read `name=host:port`."""
    name, equals, address = text.partition("=")
    if not equals or not _NODE_NAME.fullmatch(name):
        raise ValueError(f"{text!r} is not name=host:port with a name of a-z, 0-9 and -, like one=127.0.0.1:11211")
    return MemcachedAddress(name, *read_host_port(address))


def read_contact_point(text: str) -> ContactPoint:
    """Read `host` or `host:port` of a Cassandra node."""
    if not re.fullmatch(r"\[[0-9A-Fa-f:.]+\](:[0-9]+)?|[^:\[\]]+(:[0-9]+)?", text):
        raise ValueError(f"{text!r} is not host or host:port; write it like 10.0.0.5, [::1] or db1.internal:9042")
    return ContactPoint(*read_host_port(text, default_port=_CASSANDRA_PORT))


def read_network(text: str) -> Network:
    """Read an address or a CIDR network."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not an address or network; write it like 10.0.0.5 or 10.0.0.0/24") from None
    raise ValueError(f"{text!r} has bits set after its prefix; write {meant}")


def read_proxy_network(text: str) -> Network | str:
    """Read a network whose members may say who the browser is, so never one of (nearly) all addresses.

    `unix:` stands for every program that can connect to a Unix socket of this daemon.

    IPv4 addresses also arrive as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so a network that
    holds all of those is refused too (CVE-2026-40575 is a trusted 0.0.0.0/0).
    """
    if text == UNIX:
        return UNIX
    network = read_network(text)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        network = _unmapped(network)
    wide = (
        network.prefixlen < _WIDEST_V4
        if isinstance(network, IPv4Network)
        else network.prefixlen < _WIDEST_V6 or network.supernet_of(_MAPPED)
    )
    if wide:
        raise ValueError(
            f"{text!r} trusts so many addresses that anybody could be one; list the proxies' own addresses"
        )
    return network


def _unmapped(network: IPv6Network) -> IPv4Network:
    first = IPv6Address(int(network.network_address)).ipv4_mapped
    return IPv4Network((str(first), network.prefixlen - _MAPPED.prefixlen))


def _read_proxy(given: str) -> Secret | None:
    """Read a proxy's address, which may hold a user name and password and is a secret for that."""
    if not given:
        return None
    scheme, slashes, rest = given.partition("://")
    account, _, server = rest.rpartition("@")
    try:
        read_host_port(server.removesuffix("/"))
    except ValueError:
        server = ""
    # The reasons above quote what they read, and that may be a password here.
    if scheme not in {"http", "https"} or not slashes or not server or not account.isprintable():
        raise ValueError("is not a proxy's address; write it like http://proxy.example.com:3128")
    return Secret(given)


def _read_address(given: str) -> str:
    if given.startswith(UNIX):
        return _read_unix(given)
    try:
        return read_hostname(given)
    except ValueError:
        raise ValueError(
            f"{given!r} is not an address to listen on, like 127.0.0.1, ::1 or unix:/run/identityd/public.sock"
        ) from None


def _read_unix(given: str) -> str:
    path = given.removeprefix(UNIX)
    if not re.fullmatch(r"/[^\0]*[^\0/]", path) or {".", ".."} & set(path.split("/")):
        raise ValueError(f"{given!r} is not the absolute path of a socket, like unix:/run/identityd/public.sock")
    if len(path.encode()) > _LONGEST_SOCKET_PATH:
        raise ValueError(
            f"is longer than the {_LONGEST_SOCKET_PATH} bytes a Unix socket's path may have; name a shorter one"
        )
    return f"{UNIX}/{'/'.join(filter(None, path.split('/')))}"


def _read_mode(given: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", given):
        raise ValueError(f"{given!r} is not the mode of a file, like 660")
    return int(given, 8)


def _read_public_url(given: str) -> WebOrigin:
    origin = read_origin(given)
    if not origin.secure and not origin.loopback:
        raise ValueError(
            f"plain http is for this machine alone (localhost, 127.0.0.0/8, ::1), because session cookies would travel "
            f"unprotected; write https://{origin.hostname} and let a proxy or tls_certificate provide it"
        )
    return origin


def _read_static_path(given: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._~!$&'()*+;=:@/-]*", given) or "//" in given or "/." in given:
        raise ValueError(f"{given!r} is not a path such as /static/ or /favicon.ico")
    if given == "/":
        raise ValueError("'/' would be every page; no session would ever rotate, or be used")
    return given


address: Final = OptionType("address, or unix:/path", _read_address)
file_mode: Final = OptionType("mode, as of chmod", _read_mode, write=lambda mode: f"{mode:03o}")
group: Final = text("name or number of a group", pattern=r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}", empty=True)
public_url: Final = OptionType("web address without a path", _read_public_url)
proxy: Final = OptionType("proxy address", _read_proxy, secret=True)
origins: Final = many("web addresses without a path", read_origin)
hosts: Final = many("host names", read_host)
hostnames: Final = many("host names", read_hostname)
internal_hosts: Final = many("host names", read_internal_host)
nodes: Final = many("name=host:port", read_node)
contact_points: Final = many("host[:port]", read_contact_point)
networks: Final = many("networks", read_network)
proxy_networks: Final = many("networks, or unix:", read_proxy_network)
static_paths: Final = many("paths", _read_static_path)
