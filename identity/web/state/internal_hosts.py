"""Under which names the internal listener answers.

A page that makes its own name lead to this machine (DNS rebinding, THREATS 52) reaches the internal
listener from a browser in the same network, and reads what it answers; but its requests carry its
name. Pure. What no page can have for its name is allowed:

    host                                             allowed
    -----------------------------------------------  --------------------------------------------
    localhost, a loopback address                    with any port (a tunnel has one of its own)
    the address the connection came to               with any port
    [server] internal_address                        with any port
    one of [server] internal_hosts                   with any port, or the one that is listed
    a host of people's browsers (public_url, hosts)  as configured: proxies hand the browser's own on

A Unix socket is out of every page's reach and is not asked about here.
"""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address

from identity.types import Host


def answers(host: Host, *, arrived_at: str, listed: Collection[str], registered: Collection[Host]) -> bool:
    """Tell whether a request for this host is answered.

    Args:
        host: the Host header, in lower case.
        arrived_at: this end of the connection.
        listed: internal_address and internal_hosts.
        registered: hosts of people's browsers.
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else str(host)
    name = name.removeprefix("[").removesuffix("]")
    if host in registered or host in listed or name in listed or name == "localhost":
        return True
    address = _address(name)
    return address is not None and (address.is_loopback or address == _address(arrived_at))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
