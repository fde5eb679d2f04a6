"""Which addresses the daemon may call: the public internet, and what the operator lists.

Pure. A provider's address comes from its operator or from a document on the net; either may name,
or come to resolve to, something inside (CVE-2020-10770): the cloud's metadata service, a database,
this machine. So the addresses a name resolves to are judged here, all of them, before the one that
is used is connected to. The library's own `is_global` is not enough: it calls multicast, NAT64 and
several retired ranges global.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""All that is assigned for unicast on the internet; whatever lies outside is not for us."""

_NOT_PUBLIC: Final = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
"""RFC 6890 and its successors; 6to4, Teredo and benchmarking among them."""

_INSIDE: Final = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7"),
    )
)
"""What a listed host name may resolve to. Link-local is not here: the metadata service is."""

_NUMBER: Final = re.compile(r"(?i)[0-9]+|0x[0-9a-f]*")
_NAT64: Final = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class AllowedAddresses:
    """What may be called besides public addresses."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    """Names, lower case, that may resolve to this machine or a private network."""

    def permits(self, host: str, addresses: Iterable[str]) -> bool:
        """Tell whether every one of the addresses a host resolves to may be called, and there is one."""
        named = host.lower().rstrip(".") in self.hosts
        judged = [self._permits(ip_address(address), named=named) for address in addresses]
        return bool(judged) and all(judged)

    def _permits(self, address: Address, *, named: bool) -> bool:
        plain = unwrapped(address)
        if is_public(plain) or _within(plain, self.networks):
            return True
        return named and _within(plain, _INSIDE)

    def lists(self, host: str) -> bool:
        """Tell whether a host, as an address in a URL writes it, is itself listed."""
        literal = literal_of(host)
        if literal is None:
            return host.lower().rstrip(".") in self.hosts
        return _within(unwrapped(literal), self.networks)


def unwrapped(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 one that only leads there (IPv4-mapped, NAT64), or the address."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet."""
    if isinstance(address, IPv6Address) and (address.scope_id or address not in _GLOBAL_V6):
        return False
    return address.is_global and not _within(address, _NOT_PUBLIC)


def literal_of(host: str) -> Address | None:
    """Return the address a URL's host is, or None if it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_disguised(host: str) -> bool:
    """Tell whether a host is an address in a spelling only some readers know: decimal, octal, hex, short.

    No name ends in a number (RFC 1123 §2.1), so whatever does and is no plain address is one of those.
    """
    last = host.rstrip(".").rpartition(".")[2]
    return literal_of(host) is None and _NUMBER.fullmatch(last) is not None


def _within(address: Address, networks: Iterable[Network]) -> bool:
    # An address of one version is in no network of the other.
    return any(address in network for network in networks)
