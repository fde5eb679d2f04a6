"""What the operator decides about calls to the outside, and what holds where he decides nothing. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from identity.outbound.allowed_addresses import AllowedAddresses
from identity.types import Millis

LARGEST: Final = 1_048_576
"""Bytes of an answer, on the wire and after decompression."""
UNKNOWN_AUTHORITY: Final = frozenset({18, 19, 20, 21})
"""What OpenSSL says of a chain that ends at no authority it trusts (X509_V_ERR_…, of x509_vfy.h)."""


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
    ca_file: str = ""
    """Path of certificates (PEM) of authorities that are trusted beside the system's."""
    direct: tuple[str, ...] = ()
    """Hosts and domains that are called without the proxy (`NO_PROXY`)."""


def proxy_of(configured: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return the proxy to use and the hosts called without it; the configuration counts before the environment."""
    proxy = configured or environ.get("HTTPS_PROXY") or environ.get("https_proxy") or ""
    listed = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    direct = tuple(host.strip().lower().lstrip(".") for host in listed.split(",") if host.strip())
    return ("", ()) if "*" in direct else (proxy, direct)
