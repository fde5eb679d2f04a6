"""A provider with two doors: browsers go to its public host, this daemon to an internal one.

The internal host serves the same paths (Keycloak, Authentik or Dex behind a proxy). The issuer and what
browsers are sent to stay public, so nothing of the internal host is ever shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from providers.addresses import host_and_port
from providers.base import Http, HttpResponse


@dataclass(frozen=True, slots=True)
class BackChannel:
    """The outbound client, for which addresses on the public host lead to the internal one."""

    http: Http
    public: str
    """`host` or `host:port`."""
    internal: str
    """Scheme, host and port."""

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        """Make one request; addresses on other hosts are as they are. Raises what the client raises."""
        parts = urlsplit(url)
        if host_and_port(parts) == self.public:
            scheme, _, host = self.internal.partition("://")
            url = parts._replace(scheme=scheme, netloc=host).geturl()
        return await self.http.fetch(method, url, headers=headers, body=body)
