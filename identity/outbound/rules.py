"""What the operator decides about calls to the outside, and what holds where he decides nothing. Pure."""

from dataclasses import dataclass, field

from identity.outbound.allowed_addresses import AllowedAddresses
from identity.types import Millis


@dataclass(frozen=True, slots=True)
class OutboundRules:
    """What the operator decides about outbound calls."""

    allowed: AllowedAddresses = field(default_factory=AllowedAddresses)
    total_ms: Millis = 10_000
    """From the first look-up to the last byte, redirects and second tries included."""
    connect_ms: Millis = 3_000
    calls: int = 64
    """Calls to one provider at once; what is beyond waits for a moment and is then refused."""
    proxy: str = field(default="", repr=False)
    """Where calls are sent instead, `http://host:port`; may hold a password."""
    direct: tuple[str, ...] = ()
    """Hosts and domains that are called without the proxy (`NO_PROXY`)."""
