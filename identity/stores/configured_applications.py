"""The applications of the configuration, which a restart alone changes. Implements `ApplicationStore`."""

from collections.abc import Iterable, Sequence

from identity.applications.application import Application
from identity.types import ClientId, Host


class ConfiguredApplications:
    """The applications it was made with, by id and by host; both are built once."""

    def __init__(self, applications: Iterable[Application]) -> None:
        self._by_id = {app.id: app for app in applications}
        # Of several applications on one host the first has it.
        self._by_host = {host: app for app in reversed(self._by_id.values()) for host in app.hosts}

    def by_id(self, client_id: ClientId, /) -> Application | None:
        """Return the application with this id."""
        return self._by_id.get(client_id)

    def by_host(self, host: Host, /) -> Application | None:
        """Return the application a host is registered to; of several the one registered first."""
        return self._by_host.get(host)

    def all(self) -> Sequence[Application]:
        """Return them in the order of their registration."""
        return tuple(self._by_id.values())
