"""The options of calls to login providers.

Owns the section `[outbound]`, one part of `model.py` in a file of its own. Must not know the client
or any other option.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from identity.config import values
from identity.config.values import Network
from identity.outbound.rules import OutboundRules
from identity.types import Millis
from options import types
from options.option import option
from options.secret import Secret

_OUTBOUND: Final = OutboundRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundSection:
    """Calls to login providers."""

    timeout_ms: Millis = option(
        types.seconds(1, 60),
        _OUTBOUND.total_ms,
        "A call to a provider that takes longer in total is given up.",
        live=True,
    )
    connect_timeout_ms: Millis = option(
        types.seconds(0.1, 60),
        _OUTBOUND.connect_ms,
        "A provider that does not accept a connection within this is down.",
        live=True,
    )
    calls: int = option(
        types.whole(1, 1_000),
        _OUTBOUND.calls,
        "Calls to one provider at once; more wait for a second and are then refused.",
        live=True,
    )
    allow_networks: tuple[Network, ...] = option(
        values.networks,
        (),
        "Private networks in which a provider may be; all other private addresses are refused.",
        live=True,
    )
    allow_hosts: tuple[str, ...] = option(
        values.hostnames,
        (),
        "Host names of providers that may resolve to private addresses.",
        live=True,
    )
    ca_file: Path | None = option(
        types.optional_path,
        None,
        "Certificates (PEM) of authorities that may vouch for providers, beside the system's own: for a private one, "
        "or where the system has none.",
        live=True,
    )
    proxy: Secret | None = option(
        values.proxy,
        None,
        "Proxy through which providers are called; left out, it is HTTPS_PROXY of the environment.",
        live=True,
    )
