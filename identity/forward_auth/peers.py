"""Which proxies are believed about whose request it is.

Owns the list of trusted networks and the walk through `X-Forwarded-For`. Pure. An address is never
believed from a peer that is not listed (THREATS 37).
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from identity.errors import ConfigError

Network: TypeAlias = IPv4Network | IPv6Network
UNIX: Final = "unix:"
"""Stands for the address of a peer over a Unix socket, and in the list for all such peers: the socket's
mode decides who they are. No person comes that way, so it is never a person's address."""
_WITH_PORT: Final = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")


class TrustedPeers:
    """The proxies whose `X-Forwarded-*` are believed; by default none.

    Raises:
        ConfigError: a network that holds every address would make every sender a proxy (THREATS 37).
    """

    __slots__ = ("_networks", "_unix")

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._unix = UNIX in networks
        self._networks: tuple[Network, ...] = tuple(ip_network(n) for n in networks if n != UNIX)
        problems = tuple(f"[proxies] trusted: {n} would trust everybody" for n in self._networks if n.prefixlen == 0)
        if problems:
            raise ConfigError(problems)

    def trusts(self, address: str) -> bool:
        """Tell whether the address is a listed proxy's. An unreadable one is not."""
        if address == UNIX:
            return self._unix
        try:
            peer = ip_address(address)
        except ValueError:
            return False
        if isinstance(peer, IPv6Address) and peer.ipv4_mapped is not None:
            peer = peer.ipv4_mapped
        return any(peer in network for network in self._networks)

    def client(self, address: str, forwarded_for: str) -> str:
        """Return whose request it is: the nearest address in the chain that is not a listed proxy.

        Some proxies write the client's port behind it (`192.0.2.1:4711`, `[2001:db8::1]:4711`); it is left out.
        """
        if not self.trusts(address):
            return address
        for hop in reversed(forwarded_for.split(",")):
            candidate = _without_port(hop.strip())
            if not _is_address(candidate):
                return address
            if not self.trusts(candidate):
                return candidate
            address = candidate
        return address

    def hides(self, address: str, *, peer: str, told: bool) -> bool:
        """Tell whether an address is not a person's: a listed proxy's own, or a near proxy's that is not listed.

        A program that comes over a Unix socket is always a proxy.

        Args:
            address: whose request it seems to be.
            peer: who sent it.
            told: whether it names an address in a header.
        """
        told = told or peer == UNIX
        return self.trusts(address) or (told and not self.trusts(peer) and _is_near(peer))


def _is_near(address: str) -> bool:
    """Tell whether an address is of this machine or of a private network, where proxies are and strangers are not."""
    if address == UNIX:
        return True
    if not _is_address(address):
        return False
    ip = ip_address(address)
    return not ((ip.ipv4_mapped if isinstance(ip, IPv6Address) else None) or ip).is_global


def _without_port(hop: str) -> str:
    match = _WITH_PORT.fullmatch(hop)
    return (match[1] or match[2]) if match else hop


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
