"""A service's own addresses, led to the upstream: `https://host/path` is `/host/path` there.

So a provider is built as an operator builds it, with its real addresses, and a test sees which host
each token and secret went to. Addresses on loopback are left as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from identity.outbound.client import OutboundClient
from providers.base import HttpResponse

_HTTPS: Final = "https://"


def rerouted(url: str, upstream: str) -> str:
    """Return where an address is on the upstream."""
    return f"{upstream}/{url.removeprefix(_HTTPS)}" if url.startswith(_HTTPS) else url


def home(url: str) -> str:
    """Return the path of an address on the upstream."""
    return rerouted(url, "")


@dataclass(frozen=True, slots=True)
class ReroutedClient:
    """The production client, asking the upstream in the place of every https host."""

    client: OutboundClient
    upstream: str

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        """Make one request."""
        return await self.client.fetch(method, rerouted(url, self.upstream), headers=headers, body=body)
